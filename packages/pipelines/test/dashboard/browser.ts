/** A real Chromium, the machine's own where `CHROMIUM_PATH` names it. */
import chromium from "@sparticuz/chromium"
import { Effect } from "effect"
import { type Browser, type BrowserContextOptions, chromium as playwright, type Page } from "playwright-core"

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

export const launch = async (): Promise<Browser> =>
  playwright.launch({ executablePath: process.env["CHROMIUM_PATH"] ?? await chromium.executablePath(), args: flags })

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
