/** A worker process of the bench, and what can be asked of it. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

interface Answer {
  /** Microseconds of processor so far. */
  readonly cpu: number
  /** The most memory it has had, in bytes. */
  readonly peak: number
  /** The memory it has now. */
  readonly now: number
}

/** A worker in plain JavaScript runs on built packages, with a small nursery: see `docs/jobs.md`, Many calls at once. */
export const worker = async (env: { readonly [name: string]: string }, file = "worker.ts") => {
  const child = fork(join(import.meta.dirname, file), {
    execArgv: file.endsWith(".ts") ? ["--conditions=@effect-dspy/source"] : ["--max-semi-space-size=8"],
    env: { ...process.env, ...env }
  })
  await once(child, "message")
  const ask = async (): Promise<Answer> => {
    child.send("how are you")
    const [answer] = await once(child, "message") as [Answer]
    return answer
  }
  return {
    cpu: async () => (await ask()).cpu,
    memory: ask,
    end: async () => {
      child.kill("SIGTERM")
      await once(child, "exit")
    }
  }
}
