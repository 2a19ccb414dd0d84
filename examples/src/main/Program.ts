/**
 * A command as a whole process: what every command does at its edge.
 *
 * Results go to standard output, everything else to standard error, and a problem is one line. Exit codes: 0 all good,
 * 1 something failed, 2 wrong usage or a missing key, 130 after Ctrl-C.
 */
import type { StoreError } from "@effect-dspy/pipelines/jobs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as process from "node:process"
import * as OneLine from "./OneLine.ts"
import type { UsageError } from "./UsageError.ts"

/** What a command may fail with: something did not work out, which has been said already; wrong usage; the store. */
export type Problem = "failed" | UsageError | StoreError.StoreError

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
        ? Console.error(OneLine.of(error.message))
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
const sentence = (message: string) => OneLine.of(message.replace(/\n\n\s*/g, ". "))

// Wrong usage is one line on standard error; help that was asked for is printed in full.
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`${event.errors.map((error) => sentence(error.message)).join("; ")} (--help shows the flags)`)
      : CliOutput.defaultPresenter.present(event)
})
