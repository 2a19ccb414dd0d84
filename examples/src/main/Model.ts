/**
 * The model the flags ask for, as a layer with everything a production call needs around it.
 */
import { LM } from "@effect-dspy/core"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { Provider } from "@effect-dspy/providers"
import { Offline } from "@effect-dspy/providers/offline"
import { Duration, Effect, Layer, Option, Schema } from "effect"

/** What is missing before anything can be sent. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { problem: Schema.String }) {
  override get message() {
    return this.problem
  }
}

export interface Options {
  readonly lm: string
  readonly baseUrl: Option.Option<string>
  readonly latency: Option.Option<Duration.Duration>
  readonly timeout: Option.Option<Duration.Duration>
  readonly concurrency: number
}

/** How long the offline model pretends to think: the summary, which writes most, takes longest. */
const simulated = (signature: string | undefined) => signature === "Summarize" ? "300 millis" : "200 millis"

export const layer = (options: Options): Layer.Layer<LM, UsageError> =>
  base(options).pipe(
    LM.resilient({
      concurrency: options.concurrency,
      ...Option.match(options.timeout, { onNone: () => ({}), onSome: (timeout) => ({ timeout }) })
    })
  )

const base = (options: Options): Layer.Layer<LM, UsageError> => {
  const { baseUrl, lm } = options
  if (lm === "offline") {
    return Offline.layer({
      latency: (request) => Option.getOrElse(options.latency, () => simulated(request.call?.signature.name))
    })
  }
  const asked = Provider.parse(lm)
  if (asked === undefined) {
    return refused(
      `--lm ${lm}: expected offline, openai/MODEL or compatible/MODEL; also before the slash: ${others.join(", ")}`
    )
  }
  if (Option.isSome(options.latency)) return refused("--latency is for --lm offline only")
  if (Option.isSome(baseUrl) && !URL.canParse(baseUrl.value)) {
    return refused(`--base-url ${baseUrl.value}: expected a URL such as http://localhost:11434/v1`)
  }
  const live = Provider.fromStringHttp(
    lm,
    Option.match(baseUrl, { onNone: () => ({}), onSome: (baseUrl) => ({ baseUrl }) })
  )
  return Layer.catch(
    Layer.provide(live, NodeTransport.layer),
    (error) => refused(`--lm ${asked.name}/MODEL needs ${wanted(asked.provider, error.message)}`)
  )
}

const others = Object.keys(Provider.table).filter((name) => name !== "openai" && name !== "compatible")

// The error names the variable that was looked for last.
const wanted = ({ keyName }: Provider.Provider, problem: string): string => {
  const variable = /"(\w+)"/.exec(problem)?.[1] ?? keyName
  return variable === undefined || /KEY|TOKEN/.test(variable)
    ? `a key: set ${keyName}`
    : `an endpoint: give --base-url or set ${variable}`
}

const refused = (problem: string) => Layer.effect(LM, Effect.fail(new UsageError({ problem })))
