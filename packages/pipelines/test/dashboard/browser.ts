/** A real Chromium, the machine's own where `CHROMIUM_PATH` names it. */
import chromium from "@sparticuz/chromium"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Browser, type BrowserContextOptions, chromium as playwright, type Page } from "playwright-core"

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

/**
 * Unpacks the browser into a directory of its own and starts it: the package would unpack it where every process looks
 * for it, and one that comes while another is at it would start half a browser.
 */
export const launch = async (): Promise<Browser> => {
  const own = process.env["CHROMIUM_PATH"]
  if (own !== undefined) return playwright.launch({ executablePath: own, args: flags })
  const home = mkdtempSync(join(tmpdir(), "effect-dspy-chromium-"))
  const before = process.env["TMPDIR"]
  process.env["TMPDIR"] = home
  const executablePath = await chromium.executablePath().finally(() => {
    if (before === undefined) delete process.env["TMPDIR"]
    else process.env["TMPDIR"] = before
  })
  const browser = await playwright.launch({ executablePath, args: flags })
  browser.once("disconnected", () => rmSync(home, { recursive: true, force: true }))
  return browser
}

/** A page, and what it did: what it asked for, and what it complained of. */
export interface Watched {
  readonly page: Page
  readonly requested: ReadonlyArray<string>
  readonly complaints: ReadonlyArray<string>
}

/** A fresh page that keeps nothing of another. Questions (`confirm`) are answered with yes. */
export const open = (browser: Browser, url: string, options: BrowserContextOptions = {}) =>
  Effect.acquireRelease(
    Effect.promise(() => browser.newContext({ locale: "en", timezoneId: "UTC", ...options })),
    (context) => Effect.promise(() => context.close())
  ).pipe(Effect.flatMap((context) =>
    Effect.promise(async (): Promise<Watched> => {
      const page = await context.newPage()
      page.setDefaultTimeout(15_000)
      const requested: Array<string> = []
      const complaints: Array<string> = []
      page.on("request", (request) => requested.push(request.url()))
      page.on("pageerror", (error) => complaints.push(error.message))
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") complaints.push(message.text())
      })
      page.on("dialog", (dialog) => void dialog.accept())
      await page.goto(url)
      await page.locator(".connection.live").waitFor()
      return { page, requested, complaints }
    })
  ))
