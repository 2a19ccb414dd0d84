/**
 * The page in a real browser, over a real server, with a worker at work.
 */
import { Dashboard } from "@effect-dspy/pipelines/dashboard"
import { Job, Jobs } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import axe from "axe-core"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import type { HttpServer } from "effect/http"
import { SqlClient } from "effect/sql"
import { mkdirSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll } from "vitest"
import { address, app, Ask, Document, Fragile, token, world } from "./app.ts"
import { launch, open } from "./browser.ts"

let browser: Browser
beforeAll(async () => {
  browser = await launch()
}, 60_000)
afterAll(() => browser.close(), 30_000)

const screenshots = join(tmpdir(), "effect-dspy-dashboard")
mkdirSync(screenshots, { recursive: true })

const desktop = { viewport: { width: 1280, height: 900 } }
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)

/** Serious and critical findings, each with where it was found. */
const findings = async (page: Page): Promise<ReadonlyArray<string>> => {
  // The page's own policy would not let a script in: this one comes from outside it.
  const found = await page.evaluate(`(() => {
    ${axe.source.replaceAll("</script", "<\\/script")}
    return axe.run(document, { resultTypes: ["violations"] })
  })()`) as axe.AxeResults
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ help, nodes }) => `${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`)
}

const unlock = async (page: Page) => {
  await page.locator("#token").fill(token)
  await page.getByRole("button", { name: "Unlock", exact: true }).click()
  await page.locator("#unlock[open]").waitFor({ state: "detached" })
}

/** A row of the list. */
const row = (page: Page, id: string) => page.locator("#jobs tbody tr").filter({ hasText: id })

/** A server that never answers, and counts who hangs up. */
const silent = Effect.acquireRelease(
  promise(() =>
    new Promise<{ readonly server: Server; readonly url: string; asked: number; closed: number }>((resolve) => {
      const seen = { server: createServer(), url: "", asked: 0, closed: 0 }
      seen.server.on("request", (_, response) => {
        seen.asked++
        response.on("close", () => seen.closed++)
      })
      seen.server.listen(0, "127.0.0.1", () => {
        seen.url = `http://127.0.0.1:${(seen.server.address() as AddressInfo).port}/`
        resolve(seen)
      })
    })
  ),
  ({ server }) =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    })
)

type Needs = Scope.Scope | Jobs | HttpServer.HttpServer

const test = (name: string, body: Effect.Effect<void, unknown, Needs>, options: Parameters<typeof app>[0] = {}) =>
  it.live(name, () => Effect.scoped(Effect.provide(body, app(options))), 60_000)

describe("the dashboard's page", () => {
  test(
    "a running job is seen while it runs, step by step, as its model writes",
    Effect.gen(function*() {
      const { complaints, page } = yield* open(browser, yield* address, desktop)
      yield* promise(async () => {
        await page.getByText("No job has been enqueued yet.").waitFor()
        await page.getByText("Nothing runs.").waitFor()
      })
      const id = yield* Job.enqueue(Document, { content: "tides" })
      const card = page.locator("#running .card").filter({ hasText: id })
      yield* promise(async () => {
        await card.getByText("title").waitFor()
        await card.getByText(/^(1[0-9]|[2-9][0-9]) characters/).waitFor()
        const text = () => card.locator(".writing").innerText()
        const before = await text()
        while ((await text()).length <= before.length) await page.waitForTimeout(50)
        await card.locator(".writing").filter({ hasText: "The sea rises twice" }).waitFor()
        await row(page, id).locator(".badge.running").waitFor()
      })
      assert.strictEqual(yield* Job.result(Document, id), 45)
      yield* promise(async () => {
        await page.getByText("Nothing runs.").waitFor()
        await row(page, id).locator(".badge.succeeded").waitFor()
        await page.getByRole("link", { name: "1 succeeded in llm" }).waitFor()
        // What it did is still there.
        await page.getByRole("link", { name: id }).click()
        const dialog = page.getByRole("dialog")
        await dialog.getByText("summary").waitFor()
        assert.deepEqual(
          (await dialog.locator(".waterfall .name").allInnerTexts()).map((name) => name.trim().replace(/\s+/g, " ")),
          ["run Document", "call title", "call keywords", "call summary", "step words"]
        )
        await dialog.getByText("\"content\": \"tides\"").waitFor()
        await page.locator("#throughput canvas").waitFor()
        await page.locator("#throughput-legend").getByText("succeeded: 1").waitFor()
      })
      assert.deepEqual(complaints, [])
    }),
    { showContent: true }
  )

  test(
    "a dead job is retried with the token, and a wrong one is refused",
    Effect.gen(function*() {
      world.broken = true
      const { complaints, page, requested } = yield* open(browser, `${yield* address}#state=dead`, desktop)
      const id = yield* Job.enqueue(Fragile, { note: "gpt" })
      yield* promise(async () => {
        await row(page, id).getByText("the key was not accepted").waitFor()
        await page.getByRole("link", { name: "LMError: test/gpt: the key was not accepted; check the API key 1" })
          .waitFor()
        await row(page, id).getByRole("button", { name: "Retry" }).click()
        const dialog = page.getByRole("dialog", { name: "Unlock changes" })
        await dialog.locator("#token").fill("this is not the token")
        await dialog.getByRole("button", { name: "Unlock", exact: true }).click()
        await dialog.getByText("This token is not right.").waitFor()
      })
      // Nothing has happened to the job.
      assert.deepEqual((yield* (yield* Jobs).counts).map(({ state }) => state), ["dead"])
      world.broken = false
      yield* promise(async () => {
        await unlock(page)
        await page.getByText("1 job put back into the queue.").waitFor()
        await page.getByText("No job.").waitFor()
        await page.getByRole("link", { name: "1 succeeded in default" }).waitFor()
      })
      assert.notInclude(requested.join("\n"), "token")
      // The browser tells of the refusal; the page of nothing else.
      assert.deepEqual(complaints.filter((complaint) => !complaint.includes("401")), [])
    })
  )

  test(
    "cancelling a running job hangs up on whom it asks",
    Effect.gen(function*() {
      const model = yield* silent
      const id = yield* Job.enqueue(Ask, { url: model.url })
      const { page } = yield* open(browser, yield* address, desktop)
      yield* promise(async () => {
        await page.locator("#running .card").filter({ hasText: id }).getByText("asking").waitFor()
        assert.deepEqual([model.asked, model.closed], [1, 0])
        await page.locator("#running").getByRole("button", { name: `Cancel ${id}` }).click()
        await unlock(page)
        await row(page, id).locator(".badge.cancelled").waitFor()
        while (model.closed === 0) await page.waitForTimeout(20)
      })
      assert.deepEqual([model.asked, model.closed], [1, 1])
    })
  )

  test(
    "queues are paused and resumed, waiting jobs hurried, all the dead retried",
    Effect.gen(function*() {
      world.broken = true
      const jobs = yield* Jobs
      yield* Job.enqueueMany(Fragile, Array.from({ length: 7 }, (_, n) => ({ note: `${n}` })))
      const later = yield* Job.enqueue(Fragile, { note: "later" }, { delay: "1 hour" })
      const { page } = yield* open(browser, yield* address, desktop)
      yield* promise(async () => {
        await page.getByRole("button", { name: "Unlock changes" }).click()
        await unlock(page)
        await page.getByRole("link", { name: "7 dead in default" }).click()
        world.broken = false
        await page.getByRole("button", { name: "Pause default" }).click()
        await page.getByRole("button", { name: "Resume default" }).waitFor()
        await page.getByRole("button", { name: "Retry all 7 dead jobs of default" }).click()
        await page.getByText("7 jobs put back into the queue.").waitFor()
        await page.getByRole("link", { name: "7 queued in default" }).waitFor()
      })
      assert.deepEqual(yield* jobs.paused, ["default"])
      yield* promise(async () => {
        await page.getByRole("button", { name: "Resume default" }).click()
        await page.getByRole("link", { name: "7 succeeded in default" }).waitFor()
        await page.getByRole("link", { name: "1 scheduled in default" }).click()
        await row(page, later).getByRole("button", { name: "Run now" }).click()
        await page.getByRole("link", { name: "8 succeeded in default" }).waitFor()
        await page.getByRole("button", { name: "Lock changes" }).click()
        await page.getByRole("button", { name: "Unlock changes" }).waitFor()
      })
    })
  )

  test(
    "script in a payload, an error, a reply, a name or progress is shown as text",
    Effect.gen(function*() {
      world.broken = true
      const jobs = yield* Jobs
      const evil = `<img src=x onerror="globalThis.owned=1"><script>globalThis.owned=1</script>\${globalThis.owned=1}`
      const id = `${Fragile.name}/${evil}`
      yield* Job.enqueue(Fragile, { note: evil }, { id: evil })
      yield* Job.enqueue(Document, { content: evil }, { id: "reply" })
      yield* jobs.pause(`queue ${evil}`)
      const { complaints, page } = yield* open(browser, yield* address, desktop)
      yield* promise(async () => {
        // The reply, as its model writes it.
        const reply = page.locator("#running .card").filter({ hasText: "document/reply" }).locator(".writing")
        await reply.filter({ hasText: "<script>globalThis.owned=1</script>" }).waitFor()
        await page.locator("#queues").getByText(`queue ${evil}`).waitFor()
        // The id, and the message of the error with the model's name in it.
        await row(page, id).getByText(`LMError: test/${evil}`).waitFor()
        await page.getByRole("link", { name: id, exact: true }).click()
        const dialog = page.getByRole("dialog")
        await dialog.getByText(`test/${evil}`).waitFor()
        await dialog.locator("pre").filter({ hasText: JSON.stringify(evil).slice(1, -1) }).waitFor()
        await page.keyboard.press("Escape")
      })
      yield* jobs.progress("document/reply", JSON.stringify(evil))
      yield* promise(async () => {
        await page.locator("#running .progress").getByText(evil).waitFor()
        assert.isUndefined(await page.evaluate("globalThis.owned"))
        assert.strictEqual(await page.locator("main img, main script, dialog img, dialog script").count(), 0)
      })
      assert.deepEqual(complaints, [])
    }),
    { showContent: true }
  )

  test(
    "the keyboard reaches everything: search, a job, and back",
    Effect.gen(function*() {
      world.broken = true
      const [first, second] = yield* Job.enqueueMany(Fragile, [{ note: "apple" }, { note: "pear" }])
      const { page } = yield* open(browser, yield* address, desktop)
      yield* promise(async () => {
        await row(page, String(first)).getByText("apple").waitFor()
        await page.keyboard.press("Tab")
        assert.strictEqual(await page.evaluate("document.activeElement.textContent"), "Skip to the list of jobs")
        await page.keyboard.press("/")
        await page.keyboard.type("pear")
        await row(page, String(first)).waitFor({ state: "detached" })
        assert.include(page.url(), "search=pear")
        await page.locator("#jobs a.id").focus()
        await page.keyboard.press("Enter")
        await page.getByRole("dialog", { name: String(second) }).waitFor()
        // The button to leave is at hand, and nothing behind the dialog is.
        for (let press = 0; press < 12; press++) {
          await page.keyboard.press("Tab")
          assert.isTrue(
            await page.evaluate(
              "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
          )
        }
        await page.keyboard.press("Escape")
        await page.locator("#detail[open]").waitFor({ state: "detached" })
        await page.waitForURL((url) => !url.hash.includes("job="))
        assert.strictEqual(await page.evaluate("document.activeElement.textContent.trim()"), second)
        // An address that is sent to somebody shows the same.
        await page.goto("about:blank")
        await page.goBack()
        await row(page, String(second)).waitFor()
        assert.strictEqual(await page.locator("#search").inputValue(), "pear")
      })
    })
  )

  test(
    "beyond loopback the browser asks for the token, and the page need not",
    Effect.gen(function*() {
      const url = (yield* address).replace("0.0.0.0", "127.0.0.1")
      yield* Job.enqueue(Fragile, { note: "gpt" }, { delay: "1 hour" })
      const { complaints, page } = yield* open(browser, url, {
        ...desktop,
        httpCredentials: { username: "anybody", password: token }
      })
      yield* promise(async () => {
        await page.getByRole("button", { name: "Pause default" }).click()
        await page.getByRole("button", { name: "Resume default" }).waitFor()
      })
      assert.deepEqual(complaints, [])
      const refused = yield* promise(async () => {
        const context = await browser.newContext({ httpCredentials: { username: "anybody", password: "wrong" } })
        const response = await (await context.newPage()).goto(url)
        await context.close()
        return response?.status()
      })
      assert.strictEqual(refused, 401)
    }),
    { host: "0.0.0.0" }
  )

  it.live("a lost server and a store that does not answer are told, and found again", () =>
    Effect.gen(function*() {
      const store = yield* Layer.build(Sqlite.memory())
      const serve = (port: number) => Layer.build(Dashboard.layer({ port, token })).pipe(Effect.provideContext(store))
      const scope = yield* Scope.make()
      const url = yield* Effect.flatMap(Scope.provide(serve(0), scope), (context) =>
        Effect.provideContext(address, context))
      const { page } = yield* open(browser, url, desktop)
      yield* Scope.close(scope, Exit.void)
      yield* promise(() =>
        page.locator(".connection.lost").waitFor()
      )
      yield* serve(Number(new URL(url).port))
      yield* promise(() => page.locator(".connection.live").waitFor())
      const sql = Context.get(store, SqlClient.SqlClient)
      const ready = promise(async () => (await fetch(`${url}/readyz`)).status)
      assert.strictEqual(yield* ready, 204)
      yield* sql`ALTER TABLE effect_dspy_paused RENAME TO hidden`
      yield* promise(() => page.locator(".connection.down").waitFor())
      assert.strictEqual(yield* ready, 503)
      yield* sql`ALTER TABLE hidden RENAME TO effect_dspy_paused`
      yield* promise(() => page.locator(".connection.live").waitFor())
    }).pipe(Effect.scoped), 60_000)

  test(
    "small, quick, from nowhere else, and readable by everybody",
    Effect.gen(function*() {
      world.broken = true
      const url = yield* address
      const jobs = yield* Jobs
      yield* Job.enqueueMany(Document, Array.from({ length: 90 }, (_, n) => ({ content: `${n}` })))
      yield* Job.enqueueMany(Fragile, Array.from({ length: 6 }, (_, n) => ({ note: `gpt-${n}` })))
      yield* Job.enqueueMany(Document, Array.from({ length: 4 }, (_, n) => ({ content: `${n}` })), { delay: "1 day" })
      yield* jobs.pause("batch")
      const looks = {
        desktop,
        dark: { ...desktop, colorScheme: "dark" },
        phone,
        "phone-dark": { ...phone, colorScheme: "dark" }
      } as const
      for (const [name, options] of Object.entries(looks)) {
        const { complaints, page, requested } = yield* open(browser, url, options)
        yield* promise(async () => {
          await page.locator("#running .waterfall").first().waitFor()
          await page.locator("#throughput canvas").waitFor()
          const fullPage = !name.startsWith("phone")
          await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage })
          assert.deepEqual(await findings(page), [], name)
          assert.isAtMost(Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth")), 0, name)
          if (name === "desktop") {
            const figures = await page.evaluate(`(() => {
              const files = performance.getEntriesByType("resource").filter(({ name }) => /\\.(js|css)$/.test(name))
              const paint = performance.getEntriesByName("first-contentful-paint")[0]
              return [files.length, files.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0), paint?.startTime]
            })()`)
            const [files, bytes, paint] = figures as [number, number, number]
            console.log(`${files} files of script and style, ${bytes} bytes; first paint after ${Math.round(paint)} ms`)
            assert.isAbove(files, 10)
            assert.isBelow(bytes, 150_000)
            // 300 ms on a machine that does nothing else.
            assert.isBelow(paint, 3000)
          }
          await page.getByRole("link", { name: "6 dead in default" }).click()
          await page.locator("#jobs .badge.dead").nth(5).waitFor()
          await page.locator("#jobs-title").scrollIntoViewIfNeeded()
          await page.screenshot({ path: join(screenshots, `${name}-dead.png`), fullPage })
          assert.deepEqual(await findings(page), [], `${name}, the dead`)
          await page.locator("#jobs a.id").first().click()
          await page.getByRole("dialog").getByText("the key was not accepted").waitFor()
          await page.screenshot({ path: join(screenshots, `${name}-job.png`) })
          assert.deepEqual(await findings(page), [], `${name}, a job`)
          await page.getByRole("button", { name: "Close" }).click()
          await page.getByRole("button", { name: "Unlock changes" }).click()
          await page.locator("#unlock[open]").waitFor()
          assert.deepEqual(await findings(page), [], `${name}, the token`)
        })
        assert.deepEqual(requested.filter((asked) => !asked.startsWith(`${url}/`)), [])
        assert.deepEqual(complaints, [])
      }
    }),
    { showContent: true }
  )
})
