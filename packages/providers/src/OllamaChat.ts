/**
 * Ollama's own chat API on the wire.
 *
 * Beside its copy of OpenAI's it has two things the copy lacks: the length of the context is told with each
 * request, and a model that thinks can be told not to. Rules: Ollama, "Generate a chat completion".
 */
import * as Capabilities from "./Capabilities.ts"
import * as OllamaAnswer from "./OllamaAnswer.ts"
import * as OllamaRequest from "./OllamaRequest.ts"
import type { Protocol } from "./Protocol.ts"

/**
 * What is particular about a server and its model.
 *
 * - `keepAlive`: how long the model stays in memory, as Ollama says it (`"5m"`, `-1`); default the server's
 * - `contextLength`: tokens of prompt and answer together (`num_ctx`); default the server's, which is short
 *
 * @category models
 */
export interface Dialect {
  readonly provider: string
  readonly model: string
  readonly capabilities: Capabilities.Capabilities
  readonly keepAlive: string | number | undefined
  readonly contextLength: number | undefined
}

/**
 * What can be said in this protocol at all. A grammar holds every token of an answer to the schema, so beside
 * tools it would leave no room for a call. Most models that think do it or don't: any effort is the whole one.
 *
 * @category constructors
 */
export const capabilities: Capabilities.Capabilities = {
  ...Capabilities.all,
  structuredOutput: ["native", "json", "prompt"],
  outputBesideTools: ["prompt"],
  toolChoice: false,
  media: { image: ["Base64"] },
  reasoning: "asked",
  efforts: ["none", "high"],
  effortAs: "switch"
}

/**
 * The protocol of one model of a server.
 *
 * @category constructors
 */
export const make = (dialect: Dialect): Protocol => ({
  path: () => "/api/chat",
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  headers: {},
  framing: "lines",
  encode: OllamaRequest.encoder(dialect),
  decode: (body) => OllamaAnswer.decode(dialect, body),
  reader: () => OllamaAnswer.reader(dialect)
})
