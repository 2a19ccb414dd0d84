/**
 * A command as a whole process: what every command around jobs does at its edge.
 *
 * Results go to standard output, everything else to standard error, and a problem is one line. Exit codes are those
 * of the main job: 0 all good, 1 something failed, 2 wrong usage, 130 after Ctrl-C.
 */
import type { StoreError } from "@effect-dspy/pipelines/jobs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Config, Console, Duration, Effect, Exit, Layer, Option } from "effect"
import { CliConfig, CliOutput, Command, Flag, GlobalFlag } from "effect/cli"
import * as process from "node:process"
import type { UsageError } from "../main/Model.ts"

/** What a command may fail with: something did not work out, which has been said already; wrong usage; the store. */
export type Problem = "failed" | UsageError | StoreError.StoreError

/** `--lm`, or `EFFECT_DSPY_LM`. */
export const lm = Flag.String("lm").pipe(
  Flag.withMetavar("MODEL"),
  Flag.withFallbackConfig(Config.String("EFFECT_DSPY_LM"))
)

/** `200ms`, `2s`, `1m`, `7 days`, or a number of milliseconds, as its help says. */
export const duration = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("DURATION"),
    Flag.filterMap(
      (text) => {
        const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text) ?? []
        if (amount === undefined) return Option.filter(Duration.fromInput(text as Duration.Input), Duration.isFinite)
        return Option.some(Duration.millis(Number(amount) * (millis[unit ?? "ms"] ?? 1)))
      },
      () => "Expected a duration such as 200ms, 2s, 1m or 7d"
    ),
    Flag.withDescription(`${description} (such as 200ms, 2s or 1m; a bare number is milliseconds)`)
  )

const millis: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A whole number that is not less than `minimum`. */
export const atLeast = (name: string, minimum: number) =>
  Flag.Int(name).pipe(
    Flag.withMetavar("N"),
    Flag.filter((count) => count >= minimum, () => `Expected ${minimum} or more`)
  )

/** Runs a command with this process's arguments. Ctrl-C interrupts it. */
export const run = <const Name extends string, Input, Context>(
  command: Command.Command<Name, Input, Context, Problem, Command.Environment>
): void => {
  // A reader that has seen enough (`| head`) closes the pipe. That ends the command, and is no failure to report.
  process.stdout.on("error", () => process.exit(1))
  NodeRuntime.runMain(parse(command), {
    disableErrorReporting: true,
    teardown: (exit, done) => done(exitCode(exit))
  })
}

/** Parses this process's arguments and runs the command; a problem has been said when it fails. */
export const parse = <const Name extends string, Input, Context>(
  command: Command.Command<Name, Input, Context, Problem, Command.Environment>
) =>
  Command.runWith(command, { version: "0.1.0" })(process.argv.slice(2)).pipe(
    Effect.tapError((error) =>
      typeof error === "object" && (error._tag === "UsageError" || error._tag === "StoreError")
        ? Console.error(oneLine(error.message))
        : Effect.void
    ),
    Effect.provide(Layer.mergeAll(
      presenter,
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] }),
      NodeServices.layer
    ))
  )

export const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Exit.hasInterrupts(exit)) return 130
  return Exit.findErrorOption(exit).pipe(Option.contains("failed" as unknown)) ? 1 : 2
}

// Suggestions come in lines of their own.
const oneLine = (message: string) => message.replace(/\n\n\s*/g, ". ").replace(/\s+/g, " ").trim()

// Wrong usage is one line on standard error; help that was asked for is printed in full.
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`${event.errors.map((error) => oneLine(error.message)).join("; ")} (--help shows the flags)`)
      : CliOutput.defaultPresenter.present(event)
})
