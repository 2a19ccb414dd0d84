/**
 * BullMQ doing what `Trivial` does here, on PostgreSQL or on Redis, driven as its documentation drives it: an enqueuer in
 * this process, a worker with 50 slots in another one.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** What a backend needs: the connection, and for PostgreSQL the factory of its backend. */
const backend = async (at) => {
  const bullmq = await import("bullmq")
  if (at.startsWith("redis:")) {
    const { hostname, port } = new URL(at)
    return { ...bullmq, options: { connection: { host: hostname, port: Number(port), maxRetriesPerRequest: null } } }
  }
  return {
    ...bullmq,
    // The same number of connections as ours.
    options: { connection: { connectionString: at, migrate: true, max: 10 } },
    factory: bullmq.createPostgresBackend
  }
}

/** Whether BullMQ is here; the bench's own packages are installed on demand. */
export const installed = async () => {
  try {
    await import("bullmq")
    return true
  } catch {
    return false
  }
}

/** A queue at `at` and a process that works on it. */
export const start = async (at, name) => {
  const { factory, options, Queue } = await backend(at)
  const queue = new Queue(name, options, factory)
  await queue.waitUntilReady()
  const done = async (count) => {
    while ((await queue.getJobCounts("completed")).completed < count) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const numbers = (count) => Array.from({ length: count }, (_, n) => n)
  let finished = 0
  let child
  return {
    work: async () => {
      child = fork(fileURLToPath(import.meta.url), [at, name])
      await once(child, "message")
    },
    /** Enqueues one by one, 20 at once. */
    enqueue: async (count) => {
      let next = 0
      await Promise.all(
        numbers(20).map(async () => {
          while (next < count) await queue.add("trivial", { n: next++ })
        })
      )
      finished += count
    },
    enqueueMany: async (count) => {
      await queue.addBulk(numbers(count).map((n) => ({ name: "trivial", data: { n } })))
      finished += count
    },
    done: () => done(finished),
    clear: async () => {
      await queue.obliterate({ force: true })
      finished = 0
    },
    close: async () => {
      if (child !== undefined) {
        child.kill("SIGTERM")
        await once(child, "exit")
      }
      await queue.obliterate({ force: true })
      await queue.close()
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , at, name] = process.argv
  const { factory, options, Worker } = await backend(at)
  const worker = new Worker(name, async () => {}, { ...options, concurrency: 50 }, factory)
  await worker.waitUntilReady()
  process.send("up")
  process.on("SIGTERM", () => void worker.close(true).then(() => process.exit(0)))
}
