/**
 * The files of the page, and the headers that keep it to itself.
 *
 * The page is plain JavaScript that browsers run as it is, so sources, `dist` and the packed package serve the same
 * files: those of `page/`, and of two libraries from wherever they are installed. All are read once, at start.
 */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, extname, join } from "node:path"
import { fileURLToPath } from "node:url"

/**
 * A file of the page can't be read: most likely `lit-html` or `uplot` is not installed.
 *
 * @category errors
 */
export class MissingAsset extends Schema.TaggedError<MissingAsset>("@effect-dspy/pipelines/dashboard/MissingAsset")(
  "MissingAsset",
  { file: Schema.String, cause: Schema.Defect() }
) {
  override get message(): string {
    return `the dashboard needs ${this.file}: npm install lit-html uplot`
  }
}

/** Everything the page asks for, by its path there. */
const files: { readonly [path: string]: (places: Places) => string } = {
  "/": ({ page }) => join(page, "index.html"),
  ...Object.fromEntries(
    [
      "style.css",
      "main.js",
      "address.js",
      "state.js",
      "server.js",
      "finding.js",
      "unlocking.js",
      "format.js",
      "charts.js",
      "overview.js",
      "running.js",
      "waterfall.js",
      "list.js",
      "detail.js",
      "icon.svg"
    ].map((name) => [`/${name}`, ({ page }: Places) => join(page, name)])
  ),
  ...Object.fromEntries(
    ["lit-html.js", "directive.js", "directive-helpers.js", "directives/repeat.js", "directives/live.js"].map((
      name
    ) => [
      `/vendor/lit-html/${name}`,
      ({ litHtml }: Places) => join(litHtml, name)
    ])
  ),
  "/vendor/uplot.js": ({ uplot }) => join(uplot, "dist/uPlot.iife.min.js"),
  "/vendor/uplot.css": ({ uplot }) => join(uplot, "dist/uPlot.min.css")
}

interface Places {
  readonly page: string
  readonly litHtml: string
  readonly uplot: string
}

const types: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml"
}

/**
 * Nothing from elsewhere, nothing inline, nothing evaluated; only the library that renders may make HTML of text, of
 * its own templates, and no other site may show the page in a frame.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types lit-html"
].join("; ")

/**
 * On every answer.
 *
 * @category constants
 */
export const headers = {
  "content-security-policy": policy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
} as const

/**
 * One file, ready to be sent. `tag` is its `ETag`.
 *
 * @category models
 */
export interface Asset {
  readonly path: `/${string}`
  readonly tag: string
  readonly response: HttpServerResponse.HttpServerResponse
}

/**
 * Reads all files.
 *
 * @category constructors
 */
export const read: Effect.Effect<ReadonlyArray<Asset>, MissingAsset> = Effect.suspend(() => {
  const require = createRequire(import.meta.url)
  // What a package gives to Node under some condition lies somewhere in it; what it gives to browsers is at its root.
  const root = (directory: string): string =>
    existsSync(join(directory, "package.json")) || dirname(directory) === directory
      ? directory
      : root(dirname(directory))
  const found = (name: string) =>
    Effect.try({
      try: () => root(dirname(require.resolve(name))),
      catch: (cause) => new MissingAsset({ file: name, cause })
    })
  return Effect.gen(function*() {
    const places: Places = {
      page: join(dirname(fileURLToPath(import.meta.url)), "../../page"),
      litHtml: yield* found("lit-html"),
      uplot: yield* found("uplot")
    }
    return yield* Effect.forEach(Object.entries(files), ([path, at]) => asset(path, at(places)), { concurrency: 1 })
  })
})

const asset = (path: string, file: string): Effect.Effect<Asset, MissingAsset> =>
  Effect.try({
    try: () => {
      const content = readFileSync(file)
      const tag = `"${createHash("sha256").update(content).digest("base64url").slice(0, 16)}"`
      return {
        path: path as `/${string}`,
        tag,
        response: HttpServerResponse.uint8Array(content, {
          contentType: types[extname(file)] ?? "application/octet-stream",
          // Asked again each time, and mostly answered with 304.
          headers: { etag: tag, "cache-control": "no-cache" }
        })
      }
    },
    catch: (cause) => new MissingAsset({ file, cause })
  })
