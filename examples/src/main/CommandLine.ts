/**
 * The command line of the main job: `npm start -- [FILE|DIR|GLOB ...] [flags]`.
 *
 * This is the edge: arguments, environment, terminal and exit codes are read and set here and nowhere
 * else. Exit codes: 0 all good, 1 a document failed, 2 wrong usage or a missing key, 130 after Ctrl-C.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Argument, CliConfig, CliOutput, Command, Flag, GlobalFlag } from "effect/cli"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as path from "node:path"
import * as process from "node:process"
import { fileURLToPath } from "node:url"
import * as Job from "./Job.ts"
import * as Model from "./Model.ts"
import * as OneLine from "./OneLine.ts"

const samples = path.relative(process.cwd(), fileURLToPath(new URL("../../documents", import.meta.url)))

/** `200ms`, `2s`, `1m`, what Effect reads (`2 seconds`), or a number of milliseconds, as its help says. */
const duration = (flag: string, description: string, least = 0) =>
  Flag.String(flag).pipe(
    Flag.withMetavar("DURATION"),
    Flag.filterMap(
      (text) => {
        const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m)?$/.exec(text) ?? []
        if (amount === undefined) return Option.filter(Duration.fromInput(text as Duration.Input), Duration.isFinite)
        const millis = { ms: 1, s: 1000, m: 60_000 }[unit ?? "ms"] ?? 1
        return Option.some(Duration.millis(Number(amount) * millis))
      },
      () => "Expected a duration such as 200ms, 2s or 1m"
    ),
    Flag.filter((length) => Duration.toMillis(length) >= least, () => `Expected ${least}ms or more`),
    Flag.withDescription(`${description} (such as 200ms, 2s or 1m; a bare number is milliseconds)`)
  )

const atLeast = (flag: string, minimum: number) =>
  Flag.Int(flag).pipe(
    Flag.withMetavar("N"),
    Flag.filter((count) => count >= minimum, () => `Expected ${minimum} or more`)
  )

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
  latency: duration("latency", "Of the offline model, simulated; default 200ms a call, 300ms for the summary").pipe(
    Flag.optional
  ),
  sequential: Flag.Boolean("sequential").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Really run every call after the other")
  ),
  documents: atLeast("concurrency", 1).pipe(
    Flag.withDefault(8),
    Flag.withDescription("Documents in flight, default 8")
  ),
  concurrency: atLeast("lm-concurrency", 1).pipe(
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
  retries: atLeast("retries", 0).pipe(
    Flag.withDefault(2),
    Flag.withDescription("More requests a call may send after its first, default 2")
  ),
  timeout: duration("timeout", "For one request, default 2 minutes", 1).pipe(Flag.optional),
  maxBytes: atLeast("max-bytes", 1).pipe(
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

// Suggestions come in lines of their own.
const sentence = (message: string) => OneLine.of(message.replace(/\n\n\s*/g, ". "))

// Wrong usage is one line on standard error; help that was asked for is printed in full.
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`${event.errors.map((error) => sentence(error.message)).join("; ")} (--help shows the flags)`)
      : CliOutput.defaultPresenter.present(event)
})

// A reader that has seen enough (`| head`) closes the pipe. That ends the job, and is no failure to report.
process.stdout.on("error", () => process.exit(1))

const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Exit.hasInterrupts(exit)) return 130
  return Exit.findErrorOption(exit).pipe(Option.contains("failed" as unknown)) ? 1 : 2
}

Command.runWith(command, { version: "0.1.0" })(process.argv.slice(2)).pipe(
  Effect.tapErrorTag("UsageError", (error) => Console.error(OneLine.of(error.message))),
  Effect.provide(Layer.mergeAll(
    presenter,
    CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] }),
    NodeServices.layer
  )),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: (exit, done) => done(exitCode(exit)) })
)
