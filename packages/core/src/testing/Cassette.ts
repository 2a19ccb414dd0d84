/**
 * Real answers of a model, recorded once and replayed in tests.
 *
 * The life of a cassette:
 * 1. A test runs under `record`, against a real endpoint. Every call is kept with its answer or failure, whatever
 *    layers the program provides inside, and the file is written when the program ends.
 * 2. Somebody looks at the file: it is JSON, in the order the calls began, without keys.
 * 3. The test runs under `replay` from then on. It needs no key and no network: the same question gets the same
 *    answer, marked as `replayed`, and a call that was recorded twice plays twice.
 * 4. The program asks something else: it fails with `NoRecording`, which names the recording that comes nearest and
 *    what differs.
 *
 * Files go through effect's `FileSystem`, so that any platform's layer will do.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { LM } from "../LM.ts"
import * as LMError from "../LMError.ts"
import { NoRecording } from "../LMErrorReason.ts"
import * as Recording from "./Recording.ts"

/**
 * - `strip`: replaces what must not be written, beside what looks like a key; give `replay` the same
 *
 * @category models
 */
export interface Options {
  readonly strip?: (text: string) => string
}

const encode = Schema.encodeEffect(Schema.toCodecJson(Recording.File))
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.toCodecJson(Recording.File)))

/**
 * Runs a program and writes its model calls to a file, also when it fails.
 *
 * @category combinators
 */
export const record = (path: string, options: Options = {}) =>
<A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PlatformError.PlatformError | Schema.SchemaError, R | FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) => {
    const strip = stripping(options)
    // A place is taken when a call begins, so that the order does not depend on who answers first.
    const places: Array<Recording.Recording | undefined> = []
    const recording: LM.Middleware = (request, { model, provider }, next) =>
      Effect.suspend(() => {
        const place = places.push(undefined) - 1
        const name = request.call?.signature.name
        const keep = (outcome: Pick<Recording.Recording, "answer" | "failure">) =>
          Effect.sync(() => {
            places[place] = {
              ...(name === undefined ? undefined : { name }),
              provider,
              model,
              request: JSON.parse(Recording.question(request, strip)),
              ...outcome
            }
          })
        return next(request).pipe(
          // What was left of a limit that day is of no use to a replay.
          Effect.tap((completion) => keep({ answer: Struct.omit(completion, ["rateLimits"]) })),
          Effect.tapError((failure) => keep({ failure }))
        )
      })
    const write = Effect.suspend(() =>
      encode({ version: 1, recordings: places.filter((place) => place !== undefined) })
    ).pipe(Effect.flatMap((file) => files.writeFileString(path, `${Recording.write(file, strip, 2)}\n`)))
    return Effect.onExit(LM.around(recording)(self), () => write)
  })

/**
 * Runs a program on the answers of a file. It needs no LM; layers it provides inside are not asked either.
 *
 * ```ts
 * import { Completion, LM, Message } from "@effect-dspy/core"
 * import { Cassette, TestLM } from "@effect-dspy/core/testing"
 * import { Effect, FileSystem } from "effect"
 *
 * // In a test this is the platform's layer, such as NodeFileSystem.layer of @effect/platform-node.
 * const disk = new Map<string, string>()
 * const Files = FileSystem.layerNoop({
 *   writeFileString: (path, text) => Effect.sync(() => disk.set(path, text)),
 *   readFileString: (path) => Effect.sync(() => disk.get(path) ?? "")
 * })
 * const ask = (text: string) => Effect.map(LM.generate({ messages: [Message.user(text)] }), Completion.text)
 * const program = Effect.gen(function*() {
 *   yield* ask("Hello?").pipe(Cassette.record("hello.json"), Effect.provide(TestLM.layer(["Hi!"])))
 *   const answer = yield* ask("Hello?").pipe(Cassette.replay("hello.json"))
 *   const error = yield* ask("Hullo?").pipe(Cassette.replay("hello.json"), Effect.flip)
 *   return [answer, error.message]
 * })
 * await Effect.runPromise(Effect.provide(program, Files)) // => ["Hi!", "cassette/replay: there is no recording of this request; nearest: recording 1 (by hand, test/scripted): messages[0] differ"]
 * ```
 *
 * @category combinators
 */
export const replay = (path: string, options: Options = {}) =>
<A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<
  A,
  E | PlatformError.PlatformError | Schema.SchemaError,
  Exclude<R, LM> | FileSystem.FileSystem
> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const { recordings } = yield* Effect.flatMap(files.readFileString(path), decode)
    const strip = stripping(options)
    const questions = recordings.map((recording) => JSON.stringify(recording.request))
    const played = new Set<number>()
    const playing: LM.Middleware = (request, lm) =>
      Effect.suspend(() => {
        const question = Recording.question(request, strip)
        // The program's own LM is not there, so any that was asked will do; one it provides inside is known by name.
        const index = recordings.findIndex(({ model, provider }, place) =>
          questions[place] === question && !played.has(place) &&
          (lm.provider === absent.provider || (lm.provider === provider && lm.model === model))
        )
        const found = recordings[index]
        if (found === undefined) return missing(recordings, request, lm, strip)
        played.add(index)
        if (found.answer !== undefined) return Effect.succeed({ ...found.answer, replayed: true })
        return found.failure === undefined ? missing(recordings, request, lm, strip) : Effect.fail(found.failure)
      })
    return yield* LM.around(playing)(Effect.provideService(self, LM, absent))
  })

/** Stands where an LM is required; the middleware answers for it. */
const absent: LM.Service = LM.make({
  provider: "cassette",
  model: "replay",
  generate: () => Effect.die(new Error("a cassette is asked past its middleware"))
})

const missing = (
  recordings: ReadonlyArray<Recording.Recording>,
  request: LM.Request,
  lm: LM.Service,
  strip: Recording.Strip
): Effect.Effect<never, LMError.LMError> => {
  const nearest = Recording.nearest(recordings, request, strip)
  const reason = new NoRecording(nearest === undefined ? {} : { nearest })
  return Effect.fail(LMError.make(lm.provider, lm.model, reason))
}

const stripping = ({ strip }: Options): Recording.Strip =>
  strip === undefined ? Recording.stripSecrets : (text) => strip(Recording.stripSecrets(text))
