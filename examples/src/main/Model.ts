/**
 * The model the flags ask for, as a layer with everything a production call needs around it.
 */
import { LM } from "@effect-dspy/core"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { OpenAi, OpenAiCompatible } from "@effect-dspy/providers"
import { Offline } from "@effect-dspy/providers/offline"
import { Duration, Effect, Layer, Option, Schema } from "effect"
import type { HttpClient } from "effect/http"

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
  const [profile, ...rest] = options.lm.split("/")
  const model = rest.join("/")
  if (options.lm === "offline") {
    return Offline.layer({
      latency: (request) => Option.getOrElse(options.latency, () => simulated(request.call?.signature.name))
    })
  }
  if ((profile !== "openai" && profile !== "compatible") || model === "") {
    return refused(`--lm ${options.lm}: expected offline, openai/MODEL or compatible/MODEL`)
  }
  if (Option.isSome(options.latency)) return refused("--latency is for --lm offline only")
  if (Option.isSome(options.baseUrl) && !URL.canParse(options.baseUrl.value)) {
    return refused(`--base-url ${options.baseUrl.value}: expected a URL such as http://localhost:11434/v1`)
  }
  const baseUrl = Option.match(options.baseUrl, { onNone: () => ({}), onSome: (baseUrl) => ({ baseUrl }) })
  if (profile === "openai") {
    return missing(OpenAi.layerHttp({ model, ...baseUrl }), "--lm openai/MODEL needs a key: set OPENAI_API_KEY")
  }
  return missing(
    OpenAiCompatible.layerHttp({ model, ...baseUrl }),
    "--lm compatible/MODEL needs an endpoint: give --base-url or set OPENAI_BASE_URL"
  )
}

const refused = (problem: string) => Layer.effect(LM, Effect.fail(new UsageError({ problem })))

const missing = <E>(self: Layer.Layer<LM, E, HttpClient.HttpClient>, problem: string): Layer.Layer<LM, UsageError> =>
  Layer.catch(Layer.provide(self, NodeTransport.layer), () => refused(problem))
