/**
 * A model behind a URL: a protocol, a base URL and a key make an LM.
 *
 * The life of a request:
 * 1. The protocol writes it; what it cannot say fails here, and nothing is sent.
 * 2. The key is read, for every request: cloud tokens expire.
 * 3. It is posted. When somebody reads along, the answer is streamed and each event's parts are handed on.
 * 4. The answer is brought back to the form that was asked for: a forced tool's arguments become its text, the shapes
 *    of lowered schemas those of the signature and of the tools. What its headers tell of rate limits goes along.
 * 5. An endpoint that refuses the output's form is asked again in a looser one, for this call only.
 */
import type { Completion, Content } from "@effect-dspy/core/Completion"
import { LM } from "@effect-dspy/core/LM"
import type { Request } from "@effect-dspy/core/LM/Request"
import type { Emit, Part } from "@effect-dspy/core/LM/Sink"
import * as LMError from "@effect-dspy/core/LMError"
import type * as Reason from "@effect-dspy/core/LMErrorReason"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Url from "effect/http/Url"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Account from "./Account.ts"
import * as Capabilities from "./Capabilities.ts"
import * as Framing from "./Framing.ts"
import type { Encoded, Headers, Protocol } from "./Protocol.ts"
import * as RateLimitHeaders from "./RateLimitHeaders.ts"
import * as RestoreStream from "./RestoreStream.ts"
import * as Transport from "./Transport.ts"

/** A key, or how to get one: read before every request, because cloud tokens expire. */
export type ApiKey = Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, LMError.LMError>

/**
 * - `baseUrl`: the protocol's path is put after it
 * - `headers`: sent with every request, over those of the protocol
 * - `settings`: defaults of this LM, under everything nearer
 *
 * @category models
 */
export interface Options {
  readonly provider: string
  readonly model: string
  readonly baseUrl: string
  readonly protocol: Protocol
  readonly capabilities: Capabilities.Capabilities
  readonly apiKey?: ApiKey | undefined
  readonly headers?: Headers | undefined
  readonly settings?: LM.Settings | undefined
}

/**
 * Builds the LM over the HTTP client in scope.
 *
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<LM.Service, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { apiKey, capabilities, model, protocol, provider } = options
    const base = options.baseUrl.replace(/\/+$/, "")
    const url = `${base}${protocol.path(false)}`
    const streamUrl = `${base}${protocol.path(true)}`
    // A wrong URL is a mistake in the program: found before the first call, and not retried like a lost connection.
    if (Result.isFailure(Url.fromString(url))) return yield* Effect.die(new TypeError(`no URL: ${options.baseUrl}`))
    const transport = Transport.make(yield* HttpClient.HttpClient, provider, model)
    const fail = (reason: Reason.Reason) => Effect.fail(LMError.make(provider, model, reason))
    const open: Headers = { ...protocol.headers, ...options.headers }

    const send = (encoded: Encoded, common: Headers, emit: Emit | undefined) => {
      const headers = encoded.headers === undefined ? common : { ...encoded.headers, ...common }
      if (emit === undefined) {
        return Effect.flatMap(
          transport.post(url, headers, encoded.body),
          (received) =>
            Effect.flatMap(
              toEffect(protocol.decode(received.text)),
              (completion) => withLimits(settle(completion, encoded), received.headers)
            )
        )
      }
      return Effect.suspend(() => {
        let received: Transport.Received["headers"] = {}
        const answer = Framing.read(
          protocol,
          toParts(encoded, emit),
          (onText) =>
            Effect.map(transport.stream(streamUrl, headers, encoded.body, onText), (headers) => {
              received = headers
            }),
          fail
        )
        return Effect.flatMap(answer, (completion) => withLimits(settle(completion, encoded), received))
      })
    }
    const toEffect = (result: Result.Result<Completion, Reason.Reason>) =>
      Result.isSuccess(result) ? Effect.succeed(result.success) : fail(result.failure)

    // A key from a file ends with a line break. `fetch` drops it, other clients would refuse the header.
    const authorized = (key: Redacted.Redacted<string>): Headers => ({
      ...protocol.authorize(Redacted.value(key).trim()),
      ...open
    })
    return LM.make({
      provider,
      model,
      endpoint: Account.endpoint(base, Effect.isEffect(apiKey) ? undefined : apiKey, options.headers),
      ...(options.settings === undefined ? undefined : { defaults: options.settings }),
      tools: capabilities.tools ? "native" : "prompt",
      generate: (request, emit) => {
        const encoded = protocol.encode(request, emit !== undefined)
        if (Result.isFailure(encoded)) return fail(encoded.failure)
        if (apiKey === undefined) return send(encoded.success, open, emit)
        return Effect.isEffect(apiKey)
          ? Effect.flatMap(apiKey, (key) => send(encoded.success, authorized(key), emit))
          : send(encoded.success, authorized(apiKey), emit)
      },
      lesser: (request, failure) => lesser(capabilities, protocol, request, failure)
    })
  })

// Words of endpoints that refused the form of the output and not the request.
const refusedForm =
  /response_?format|json_?schema|json_object|output_config|text\.format|structured output|grammar|tool_choice|forced tool|response_?schema|response[_ ]mime[_ ]?type|too many states/i

const lesser = (
  capabilities: Capabilities.Capabilities,
  protocol: Protocol,
  request: Request,
  failure: LMError.LMError
): Request | undefined => {
  const { output } = request
  if (output._tag === "Text" || failure.reason._tag !== "InvalidRequest") return undefined
  if (!refusedForm.test(LMError.reveal(failure) ?? "")) return undefined
  // What was sent is not always the firmest way open: a schema may have had to be said in words.
  const sent = Result.getOrUndefined(protocol.encode(request, false))?.mode
  const modes = Capabilities.modes(capabilities, request)
  const mode = sent === undefined ? undefined : modes[modes.indexOf(sent) + 1]
  return mode === undefined ? undefined : { ...request, output: { ...output, mode } }
}

const settle = (completion: Completion, encoded: Encoded): Completion => {
  const { adjustments, outputTool, restore, toolArguments } = encoded
  let { content, finishReason } = completion
  if (outputTool !== undefined && content.some((part) => part.type === "toolCall" && part.name === outputTool)) {
    content = content.flatMap((part) => fromTool(part, outputTool))
    if (finishReason === "toolCalls") finishReason = "stop"
  }
  if (restore !== undefined) content = restored(content, restore)
  if (toolArguments !== undefined) content = content.map((part) => withArguments(part, toolArguments))
  return content === completion.content && adjustments.length === 0
    ? completion
    : { ...completion, content, finishReason, ...(adjustments.length === 0 ? undefined : { adjustments }) }
}

const withLimits = (completion: Completion, headers: Transport.Received["headers"]): Effect.Effect<Completion> =>
  Effect.clockWith((clock) => {
    const rateLimits = RateLimitHeaders.read(headers, clock.currentTimeMillisUnsafe())
    return Effect.succeed(rateLimits === undefined ? completion : { ...completion, rateLimits })
  })

// Prose beside the forced call is no part of the answer.
const fromTool = (part: Content, tool: string): ReadonlyArray<Content> => {
  if (part.type === "text") return []
  if (part.type !== "toolCall" || part.name !== tool) return [part]
  const text = typeof part.arguments === "string" ? part.arguments : JSON.stringify(part.arguments)
  return [{ type: "text", text }]
}

type ToolArguments = NonNullable<Encoded["toolArguments"]>

// Arguments that are not JSON stay as they are: whoever answers the call finds out.
const withArguments = <P extends Content>(part: P, tools: ToolArguments): P => {
  if (part.type !== "toolCall" || part.malformed === true) return part
  const restoring = tools.get(part.name)
  return restoring === undefined ? part : { ...part, arguments: restoring.restore(part.arguments) }
}

// An answer may come in several texts; only all of them together are JSON.
const restored = (content: ReadonlyArray<Content>, restore: (json: unknown) => unknown): ReadonlyArray<Content> => {
  const text = content.map((part) => part.type === "text" ? part.text : "").join("")
  try {
    const whole: Content = { type: "text", text: JSON.stringify(restore(JSON.parse(text))) }
    return [...content.filter((part) => part.type !== "text"), whole]
  } catch {
    // Not JSON: the adapter will find out what it is.
    return content
  }
}

// A reader of the stream gets the answer as it will be, not as the endpoint was told to write it.
const toParts = (encoded: Encoded, emit: Emit): Emit => {
  const { outputTool, restore, toolArguments, touched } = encoded
  const told = toolArguments === undefined ? emit : withToolInput(toolArguments, emit)
  if (restore === undefined) return fromOutputTool(outputTool, told)
  const push = RestoreStream.make(restore, touched)
  return fromOutputTool(outputTool, (parts) => {
    const read = parts.flatMap((part): ReadonlyArray<Part> => {
      if (part.type !== "text") return [part]
      const text = push(part.text)
      return text === "" ? [] : [{ type: "text", text }]
    })
    return read.length === 0 ? Effect.void : told(read)
  })
}

const withToolInput = (tools: ToolArguments, emit: Emit): Emit => {
  const pieces = new Map<string, RestoreStream.RestoreStream>()
  const restored = (part: Part): ReadonlyArray<Part> => {
    if (part.type === "toolCall") return [{ ...part, call: withArguments(part.call, tools) }]
    const restoring = part.type === "toolInput" ? tools.get(part.name) : undefined
    if (part.type !== "toolInput" || restoring === undefined) return [part]
    let push = pieces.get(part.id)
    if (push === undefined) {
      push = RestoreStream.make(restoring.restore, restoring.touched)
      pieces.set(part.id, push)
    }
    const text = push(part.text)
    return text === "" ? [] : [{ ...part, text }]
  }
  return (parts) => {
    const read = parts.flatMap(restored)
    return read.length === 0 ? Effect.void : emit(read)
  }
}

// A reader of a structured answer reads the forced tool's arguments as its text: in pieces, or from the whole call
// where it does not come in pieces.
const fromOutputTool = (outputTool: string | undefined, emit: Emit): Emit => {
  if (outputTool === undefined) return emit
  let inPieces = false
  const answer = (part: Part): ReadonlyArray<Part> => {
    switch (part.type) {
      case "toolInput":
        if (part.name !== outputTool) return [part]
        inPieces = true
        return [{ type: "text", text: part.text }]
      case "toolCall":
        return part.call.name !== outputTool ? [part] : inPieces ? [] : fromTool(part.call, outputTool).flatMap(asPart)
      case "text":
        return []
      default:
        return [part]
    }
  }
  return (parts) => {
    const kept = parts.flatMap(answer)
    return kept.length === 0 ? Effect.void : emit(kept)
  }
}

const asPart = (part: Content): ReadonlyArray<Part> => part.type === "text" ? [{ type: "text", text: part.text }] : []
