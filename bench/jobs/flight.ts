/**
 * Many calls in flight: 5,000 jobs of one call each, all at once in one worker process, to an endpoint on loopback
 * that takes two seconds; and the article's case, 5 slots and then 100, its seconds scaled down.
 */
import { Job } from "@effect-dspy/pipelines/jobs"
import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { worker } from "./process.ts"
import { Article, drained, secondMillis, store, Wait } from "./Work.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))

const body = JSON.stringify({
  id: "1",
  object: "chat.completion",
  model: "loopback",
  choices: [{ index: 0, message: { role: "assistant", content: "yes" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
})

/** An endpoint that hands each request to `serve`, which calls back when the answer is to be sent. */
const endpoint = async (serve: (text: string, answer: () => void) => void) => {
  let inFlight = 0
  let most = 0
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    let text = ""
    most = Math.max(most, ++inFlight)
    request.setEncoding("utf8").on("data", (chunk: string) => text += chunk).on("end", () =>
      serve(text, () => {
        inFlight--
        response.writeHead(200, { "content-type": "application/json" }).end(body)
      }))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 8192, resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    most: () => most,
    inFlight: () => inFlight,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

/** Every answer takes equally long: until all have asked, and two seconds more. */
const together = (count: number) => {
  const waiting: Array<{ readonly came: number; readonly answer: () => void }> = []
  return (_: string, answer: () => void) => {
    waiting.push({ came: performance.now(), answer })
    if (waiting.length < count) return
    const now = performance.now()
    const millis = 2000 + now - (waiting[0]?.came ?? now)
    for (const { answer, came } of waiting) setTimeout(answer, came + millis - now)
  }
}

/** At most so many at once; each takes what its message asks for. */
const limited = (atOnce: number) => {
  const waiting: Array<() => void> = []
  let working = 0
  return (text: string, answer: () => void) => {
    const work = () => {
      working++
      setTimeout(() => {
        working--
        answer()
        waiting.shift()?.()
      }, Number(/"(\d+) \d+\//.exec(text)?.[1] ?? 0))
    }
    if (working < atOnce) work()
    else waiting.push(work)
  }
}

export const flight = async (at: string, calls = 5000) => {
  const lm = await endpoint(together(calls))
  const process = await worker({ DB: at, LM_URL: lm.url, CONCURRENCY: `${calls}` }, "flight.mjs")
  const before = (await process.memory()).now
  let held = 0
  let over = false
  const looking = (async () => {
    while (!over) {
      const { now } = await process.memory()
      if (lm.inFlight() === calls) held = Math.max(held, now)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  const start = performance.now()
  await Effect.runPromise(
    Effect.andThen(Job.enqueueMany(Wait, numbers(calls)), drained).pipe(Effect.provide(store(at)))
  )
  over = true
  await looking
  const seconds = (performance.now() - start) / 1000
  console.log(`${calls} calls of 2 s in one worker process`)
  console.table({
    "most in flight": lm.most(),
    "all done after": `${seconds.toFixed(1)} s`,
    "memory before": `${Math.round(before / 1_000_000)} MB`,
    "memory with all in flight": `${Math.round(held / 1_000_000)} MB`,
    "most memory, while answers come": `${Math.round((await process.memory()).peak / 1_000_000)} MB`
  })
  await process.end()
  lm.close()
}

/** Jobs a minute of the article, by slots and by how many calls the endpoint serves at once. */
export const articles = async (at: (name: string) => string) => {
  const figures: Record<string, unknown> = {}
  const run = async (slots: number, atOnce: number, jobs: number) => {
    const lm = await endpoint(limited(atOnce))
    const store_ = at(`${slots}-${atOnce}`)
    const process = await worker({ DB: store_, LM_URL: lm.url, CONCURRENCY: `${slots}` })
    const start = performance.now()
    await Effect.runPromise(
      Effect.andThen(Job.enqueueMany(Article, numbers(jobs)), drained).pipe(Effect.provide(store(store_)))
    )
    // In the article's time.
    const minutes = (performance.now() - start) / secondMillis / 60
    figures[`${slots} slots, endpoint serves ${atOnce === Infinity ? "all" : atOnce} at once`] = {
      "jobs a minute": Math.round(jobs / minutes),
      "at most": Math.round(Math.min((slots / 4) * 60, (atOnce / 7) * 60)),
      "most calls in flight": lm.most()
    }
    await process.end()
    lm.close()
  }
  await run(5, Infinity, 60)
  await run(100, Infinity, 500)
  await run(100, 35, 150)
  console.log(`The article's case, a second of it in ${secondMillis} ms`)
  console.table(figures)
}
