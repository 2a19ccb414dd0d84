/**
 * A vendor's model, and in one line what is missing or wrong before anything can be sent.
 *
 * Each vendor's layer reads the environment variables it needs. Those it read are looked at here, whoever the vendor
 * is: an address must be one, and a key must be what a header can carry.
 */
import { LM } from "@effect-dspy/core/LM"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { OllamaHost, Provider } from "@effect-dspy/providers"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { UsageError } from "./UsageError.ts"

const others = Object.keys(Provider.table).filter((name) => name !== "openai" && name !== "compatible")

/** Who is asked for which model; fails for a name that no vendor has, and needs no key. */
export const parse = (lm: string) => {
  const asked = Provider.parse(lm)
  const known = `offline, openai/MODEL or compatible/MODEL; also before the slash: ${others.join(", ")}`
  return asked === undefined
    ? Result.fail(new UsageError({ problem: `--lm ${lm}: expected ${known}` }))
    : Result.succeed(asked)
}

/** The model `lm` names, at `baseUrl` or where the vendor's variables say. */
export const layer = (lm: string, baseUrl: string | undefined): Layer.Layer<LM, UsageError> => {
  const parsed = parse(lm)
  if (Result.isFailure(parsed)) return refused(parsed.failure.problem)
  const asked = parsed.success
  const wrong = baseUrl === undefined ? undefined : mistake("--base-url", baseUrl)
  if (wrong !== undefined) return refused(wrong)
  const live = Provider.fromStringHttp(lm, baseUrl === undefined ? {} : { baseUrl }).pipe(
    Layer.provide(NodeTransport.layer)
  )
  return Layer.effectContext(Effect.gen(function*() {
    const scope = yield* Scope.Scope
    const read = new Map<string, string>()
    const built = yield* Layer.buildWithScope(live, scope).pipe(
      Effect.provideService(ConfigProvider.ConfigProvider, recording(yield* ConfigProvider.ConfigProvider, read)),
      Effect.exit
    )
    // A wrong address may be why the layer was not built, and says more than that.
    for (const [name, value] of read) {
      const problem = mistake(name, value)
      if (problem !== undefined) return yield* new UsageError({ problem })
    }
    return yield* built.pipe(
      Effect.mapError(
        (error) =>
          new UsageError({ problem: `--lm ${asked.name}/MODEL needs ${wanted(asked.provider, error.message)}` })
      ),
      // An address made of several variables, one of which is nothing an address can have.
      Effect.catchDefect((defect) =>
        defect instanceof TypeError ? new UsageError({ problem: `--lm ${lm}: ${defect.message}` }) : Effect.die(defect)
      )
    )
  }))
}

/** The same configuration; `read` gets every variable that was asked for and is there. */
const recording = (self: ConfigProvider.ConfigProvider, read: Map<string, string>): ConfigProvider.ConfigProvider =>
  ConfigProvider.make((path) =>
    Effect.tap(self.load(path), (node) =>
      Effect.sync(() => {
        if (node?.value !== undefined) read.set(path.join("_"), node.value)
      }))
  )

/** What is wrong with the value of a flag or variable, by its name; `undefined` for what is fine. Shows no key. */
const mistake = (name: string, value: string): string | undefined => {
  if (/KEY$|TOKEN/.test(name)) {
    const strange = /[^\x21-\x7e]/.exec(value)?.[0]
    if (strange === undefined) return undefined
    const what = strange === "\n" || strange === "\r" ? "a line break" : strange === " " ? "a space" : "no plain letter"
    return `${name} can't be a key: character ${value.indexOf(strange) + 1} of ${value.length} is ${what}`
  }
  if (!/URL$|ENDPOINT$|HOST$/i.test(name)) return undefined
  // Ollama's own variable needs no more than a host.
  const address = name === "OLLAMA_HOST" ? OllamaHost.toUrl(value) : value
  const url = URL.canParse(address) ? new URL(address) : undefined
  return url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== ""
    ? `${name} ${shown(url, value)}: expected a URL such as http://localhost:11434/v1, without user and password`
    : undefined
}

// A password must not be shown, and only a URL says where it is.
const shown = (url: URL | undefined, value: string): string =>
  url === undefined || (url.username === "" && url.password === "") && !value.includes("@")
    ? value
    : `${url.protocol}//…`

// The error names the variable that was looked for last.
const wanted = ({ keyName }: Provider.Provider, problem: string): string => {
  const variable = /"(\w+)"/.exec(problem)?.[1] ?? keyName
  return variable === undefined || /KEY|TOKEN/.test(variable)
    ? `a key: set ${keyName}`
    : `an endpoint: give --base-url or set ${variable}`
}

const refused = (problem: string) => Layer.effect(LM, Effect.fail(new UsageError({ problem })))
