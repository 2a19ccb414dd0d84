/**
 * `npm run jobs:dashboard [-- --db URL --port N --show-content]`
 *
 * The store of jobs as a web page, until Ctrl-C. It may run beside any number of workers.
 */
import { Dashboard } from "@effect-dspy/pipelines/dashboard"
import { Console, Effect, Layer } from "effect"
import { Command, Flag } from "effect/cli"
import { HttpServer } from "effect/http"
import * as Flags from "../main/Flags.ts"
import { UsageError } from "../main/Model.ts"
import * as Program from "../main/Program.ts"
import * as Db from "./Db.ts"

const command = Command.make("jobs:dashboard", {
  db: Db.flag,
  port: Flags.atLeast("port", 0).pipe(
    Flag.withDefault(4000),
    Flag.withDescription("Default 4000; 0 for any")
  ),
  host: Flag.String("host").pipe(
    Flag.withDefault("127.0.0.1"),
    Flag.withDescription("Where to listen, default 127.0.0.1. Elsewhere every request needs the token")
  ),
  showContent: Flag.Boolean("show-content").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Show payloads, results and what models answered")
  )
}, ({ db, ...options }) => {
  const dashboard = Layer.catch(
    Dashboard.layer(options),
    (error) =>
      Layer.effectContext(Effect.fail(
        new UsageError({
          problem: error._tag === "ServeError" ? `port ${options.port}: ${told(error.cause)}` : error.message
        })
      ))
  )
  const ready = Layer.effectDiscard(
    HttpServer.addressFormattedWith((address) => Console.error(`${Db.shown(db)} at ${address}, until Ctrl-C`))
  )
  return Layer.launch(ready.pipe(Layer.provide(dashboard), Layer.provide(Db.layer(db, { mustExist: true }))))
}).pipe(Command.withDescription("Look after jobs on a web page"))

const told = (cause: unknown) => cause instanceof Error ? cause.message : String(cause)

Program.run(command)
