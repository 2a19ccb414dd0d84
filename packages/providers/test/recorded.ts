/** Recorded exchanges served again, byte for byte, over a loopback socket. */
import { LM, type LMError } from "@effect-dspy/core"
import type { Completion } from "@effect-dspy/core/Completion"
import { Effect, Layer, Stream } from "effect"
import { request } from "./fixtures/fixture.ts"
import { type Answer, serve, type Server } from "./server.ts"
import { folder, type Recording, recordings } from "./shared.ts"

/** The recordings of some endpoints; none where the machine has none. */
export const recorded = (endpoint: string): ReadonlyArray<Recording> =>
  folder === undefined ? [] : recordings().filter((recording) => recording.endpoint === endpoint)

export const isStream = ({ features, responseText }: Recording): boolean =>
  features.includes("stream") && typeof responseText === "string" && responseText !== ""

export const isError = ({ responseJson, status }: Recording): boolean =>
  (status ?? 200) >= 400 || (responseJson?.error !== undefined && responseJson.error !== null)

/** The text of a stream as it came: one that was kept as JSON lines gets its framing back. */
export const streamText = ({ framing, responseText }: Recording): string =>
  framing?.startsWith("json-lines") === true
    ? (responseText ?? "").split("\n").filter((line) => line !== "").map((line) => `data: ${line}\n\n`).join("")
    : responseText ?? ""

/** What the endpoint answered. */
const answerOf = (recording: Recording): Answer => {
  const { responseHeaders, responseJson, status } = recording
  const headers = Object.entries(responseHeaders ?? {}).filter(([name]) => !/length|encoding|connection/i.test(name))
  return {
    status: status ?? (isError(recording) ? 400 : 200),
    headers: Object.fromEntries(headers),
    body: responseJson ?? streamText(recording),
    chunked: isStream(recording)
  }
}

/** Asks for what was recorded, as it was asked for: in one piece, or as a stream. */
export const replay = (
  recording: Recording,
  live: (server: Server) => Layer.Layer<LM, unknown>,
  more: Partial<Answer> = {}
) =>
  Effect.gen(function*() {
    const server = yield* serve([{ ...answerOf(recording), ...more }])
    const asked: Effect.Effect<Completion | undefined, LMError.LMError, LM> = isStream(recording)
      ? Effect.map(Stream.runCollect(LM.stream(request)), (parts) => {
        const last = parts.at(-1)
        return last?.type === "finish" ? last.completion : undefined
      })
      : LM.generate(request)
    return yield* Effect.result(Effect.provide(asked, Layer.orDie(live(server)).pipe(LM.timeout("5 seconds"))))
  })
