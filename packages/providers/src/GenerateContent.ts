/**
 * Google's generateContent on the wire: what the Gemini API and Vertex AI speak.
 *
 * `GeminiRequest` writes the bodies, `GeminiAnswer` reads answers and streams. Rules: Gemini API,
 * "models.generateContent" and "models.streamGenerateContent".
 */
import * as Capabilities from "./Capabilities.ts"
import * as GeminiAnswer from "./GeminiAnswer.ts"
import * as GeminiRequest from "./GeminiRequest.ts"
import type { Protocol } from "./Protocol.ts"

/**
 * What is particular about an endpoint and its model.
 *
 * - `auth`: whether a key goes in Google's own header or as a bearer token, which Vertex AI wants
 * - `signedCalls`: whether a tool call in the history must carry the signature of a thought; calls another model
 *   made get the placeholder that Google names for them
 *
 * @category models
 */
export interface Dialect {
  readonly provider: string
  readonly model: string
  readonly capabilities: Capabilities.Capabilities
  readonly auth: "key" | "bearer"
  readonly signedCalls: boolean
}

/**
 * What can be said in this protocol at all. No level of thinking is called `none`; models that can be told not to
 * think are told by a number.
 *
 * @category constructors
 */
export const capabilities: Capabilities.Capabilities = {
  ...Capabilities.all,
  efforts: ["minimal", "low", "medium", "high"]
}

/**
 * The protocol of one model of an endpoint.
 *
 * @category constructors
 */
export const make = (dialect: Dialect): Protocol => {
  const path = `/${resource(dialect.model)}:`
  return {
    path: (streaming) => `${path}${streaming ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    authorize: (key): { readonly [name: string]: string } =>
      dialect.auth === "key" ? { "x-goog-api-key": key } : { authorization: `Bearer ${key}` },
    headers: {},
    framing: "sse",
    encode: GeminiRequest.encoder(dialect),
    decode: (body) => GeminiAnswer.decode(dialect, body),
    reader: () => GeminiAnswer.reader(dialect)
  }
}

// `gemini-2.5-flash` is one of `models/`; tuned models and those of other publishers say where they are.
const resource = (model: string): string =>
  (model.includes("/") ? model : `models/${model}`).split("/").map(encodeURIComponent).join("/")
