/**
 * The command line of the main job: `npm start -- [FILE|DIR|GLOB ...] [flags]`.
 *
 * This is the edge: arguments, environment and terminal are read here and nowhere else; `Program` sets the exit code,
 * which is 1 when a document failed.
 */
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as path from "node:path"
import * as process from "node:process"
import { fileURLToPath } from "node:url"
import * as Flags from "./Flags.ts"
import * as Job from "./Job.ts"
import * as Model from "./Model.ts"
import * as Program from "./Program.ts"

const samples = path.relative(process.cwd(), fileURLToPath(new URL("../../documents", import.meta.url)))

const command = Command.make("start", {
  files: Argument.String("FILE|DIR|GLOB").pipe(
    Argument.variadic(),
    Argument.withDescription(
      "Text or Markdown; - reads standard input; a directory means its *.md, *.markdown and *.txt. Default: the samples."
    )
  ),
  lm: Flag.String("lm").pipe(
    Flag.withMetavar("MODEL"),
    Flag.withDefault("offline"),
    Flag.withDescription(
      "offline, openai/MODEL or compatible/MODEL, key from OPENAI_API_KEY; or another vendor, such as anthropic/MODEL"
    )
  ),
  baseUrl: Flag.String("base-url").pipe(
    Flag.withMetavar("URL"),
    Flag.optional,
    Flag.withDescription("The endpoint, up to /v1; default OPENAI_BASE_URL")
  ),
  latency: Flags.duration("latency", "Of the offline model, simulated; default 200ms a call, 300ms for the summary")
    .pipe(
      Flag.optional
    ),
  sequential: Flag.Boolean("sequential").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Really run every call after the other")
  ),
  documents: Flags.atLeast("concurrency", 1).pipe(
    Flag.withDefault(8),
    Flag.withDescription("Documents in flight, default 8")
  ),
  concurrency: Flags.atLeast("lm-concurrency", 1).pipe(
    Flag.withDefault(64),
    Flag.withDescription("Model calls in flight over everything, default 64")
  ),
  failFast: Flag.Boolean("fail-fast").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Stop at the first failure")
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDefault(false),
    Flag.withDescription("One JSON line per document, in input order")
  ),
  retries: Flags.atLeast("retries", 0).pipe(
    Flag.withDefault(2),
    Flag.withDescription("More requests a call may send after its first, default 2")
  ),
  timeout: Flags.duration("timeout", "For one request, default 2 minutes", 1).pipe(Flag.optional),
  maxBytes: Flags.atLeast("max-bytes", 1).pipe(
    Flag.withDefault(1_000_000),
    Flag.withDescription("Largest document, default 1 MB")
  ),
  report: Flag.String("report").pipe(
    Flag.withMetavar("FILE"),
    Flag.optional,
    Flag.withDescription("Where the time of each document went: FILE.html, FILE.json or FILE.md")
  )
}, (flags) =>
  Effect.gen(function*() {
    const options = { ...flags, files: flags.files.length === 0 ? [samples] : flags.files }
    const terminal: Job.Terminal = {
      // npm runs scripts in the package's folder and says where the user was.
      base: process.env["INIT_CWD"] ?? process.cwd(),
      width: process.stdout.columns ?? 120,
      colors: process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined,
      stderr: process.stderr
    }
    return yield* Effect.provide(Job.run(options, terminal), Model.layer(options))
  }).pipe(Effect.flatMap((good) => good ? Effect.void : Effect.fail("failed" as const)))).pipe(
    Command.withDescription("Title, keywords, category, summary and quality of documents, concurrently")
  )

Program.run(command)
