/**
 * The dashboard of a store with a million jobs: no question takes longer because of them.
 */
import { Dashboard } from "@effect-dspy/pipelines/dashboard"
import { Jobs } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll } from "vitest"
import { address, token } from "./app.ts"
import { launch, open } from "./browser.ts"
import { seed } from "./million.ts"

let browser: Browser
beforeAll(async () => {
  browser = await launch()
}, 60_000)
afterAll(() => browser.close(), 30_000)

const Live = Dashboard.layer({ port: 0, token }).pipe(Layer.provideMerge(Sqlite.memory()))

describe("a million jobs", () => {
  it.live("are counted, paged and searched, each request within 200 ms", () =>
    Effect.gen(function*() {
      const began = performance.now()
      yield* seed(1_000_000)
      const seeded = performance.now() - began
      const url = yield* address
      const jobs = yield* Jobs
      assert.deepEqual(
        (yield* jobs.counts).filter(({ queue }) => queue === "queue-3"),
        [
          { queue: "queue-3", state: "dead", count: 10_000 },
          { queue: "queue-3", state: "queued", count: 50_000 },
          { queue: "queue-3", state: "succeeded", count: 190_000 }
        ]
      )
      // What each question takes at its second try at the latest: other tests share the machine.
      let worst = 0
      const ask = Effect.fnUntraced(function*(question: Record<string, string>) {
        const path = `${url}/api/jobs?${new URLSearchParams(question)}`
        const once = Effect.promise(async () => {
          const start = performance.now()
          const page = await (await fetch(path)).json() as { jobs: ReadonlyArray<{ id: string }>; next?: string }
          return { page, ms: performance.now() - start }
        })
        let { ms, page } = yield* once
        for (let more = 0; ms > 200 && more < 3; more++) ms = Math.min(ms, (yield* once).ms)
        worst = Math.max(worst, ms)
        assert.isBelow(ms, 200, path)
        return page
      })
      const questions: ReadonlyArray<Record<string, string>> = [
        {},
        { state: "succeeded" },
        { state: "dead" },
        { state: "dead", queue: "queue-3" },
        { state: "dead", queue: "queue-2" },
        { state: "succeeded", queue: "queue-1", name: "job-3" },
        { state: "queued" },
        { state: "scheduled" },
        { state: "retrying" },
        { state: "running" },
        { queue: "queue-2" },
        { search: "seeded/0123456" },
        { search: "overloaded" },
        { state: "succeeded", search: "not to be found" }
      ]
      for (const question of questions) {
        let cursor: string | undefined
        for (let page = 0; page < 4; page++) {
          const { jobs, next }: { jobs: ReadonlyArray<{ id: string }>; next?: string } = yield* ask({
            ...question,
            limit: "50",
            ...(cursor === undefined ? {} : { cursor })
          })
          if (question["search"] === "seeded/0123456") assert.deepEqual(jobs.map(({ id }) => id), ["seeded/0123456"])
          cursor = next
          if (cursor === undefined) break
        }
      }
      const causes = yield* Effect.promise(async () => {
        const start = performance.now()
        const { causes } = await (await fetch(`${url}/api/causes`)).json() as { causes: unknown }
        worst = Math.max(worst, performance.now() - start)
        return causes
      })
      assert.deepEqual(causes, [{ kind: "failed", name: "Overloaded", count: 500 }])
      // A page from the middle, as one gets there by leafing.
      const middle = yield* ask({ cursor: "500000:", limit: "3" })
      assert.deepEqual(middle.jobs.map(({ id }) => id), ["seeded/0499999", "seeded/0499998", "seeded/0499997"])
      console.log(
        `a million jobs, written in ${Math.round(seeded)} ms; slowest of the questions ${worst.toFixed(1)} ms`
      )

      const { page } = yield* open(browser, url, { viewport: { width: 1280, height: 900 } })
      yield* Effect.promise(async () => {
        await page.getByRole("link", { name: "10K dead in queue-3" }).click()
        await page.locator("#jobs tbody tr:first-child").filter({ hasText: "seeded/0999907" }).waitFor()
        assert.strictEqual(await page.locator("#jobs tbody tr").count(), 50)
        await page.getByRole("button", { name: "Older" }).click()
        await page.getByText("page 2").waitFor()
        await page.locator("#jobs tbody tr").filter({ hasText: "seeded/0994907" }).waitFor()
        await page.getByRole("button", { name: "Newer" }).click()
        await page.locator("#jobs tbody tr").filter({ hasText: "seeded/0999907" }).waitFor()
        // A search goes on by itself until it has something to show, or has looked at two hundred thousand.
        await page.getByRole("link", { name: "all", exact: true }).click()
        await page.locator("#queue").selectOption("")
        await page.locator("#search").fill("0900007")
        await page.locator("#jobs tbody tr").filter({ hasText: "seeded/0900007" }).waitFor()
      })
    }).pipe(Effect.provide(Live)), 120_000)
})
