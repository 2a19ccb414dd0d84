/**
 * Answers that outlive the process, or are shared by several.
 *
 * `BackingPersistence` of `effect/persistence` is the store, taken from context: files and other key-value
 * stores, SQL, Redis. In front of it stands the cache in memory, keeping nothing: it only makes identical calls in
 * flight one request. A key is the SHA-256 of the question's identity, so keys show no prompt; the answers
 * themselves are stored as they are.
 *
 * It takes the place of the cache in memory, outermost.
 */
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as EffectPersistence from "effect/persistence/Persistence"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Completion } from "../Completion.ts"
import * as Cache from "./Cache.ts"
import type { Decorator } from "./Decorator.ts"
import * as Identity from "./Identity.ts"
import { wrap } from "./Make.ts"
import { BackingPersistence } from "./Persistence.ts"
import * as Request from "./Request.ts"

/**
 * - `storeId`: the name of the store in the backing one, default `effect_dspy_answers`
 * - `timeToLive`: default one day, because the model behind a name changes without notice
 *
 * @category models
 */
export interface Options {
  readonly storeId?: string
  readonly timeToLive?: Duration.Input
}

const decode = Schema.decodeUnknownResult(Schema.toCodecJson(Schema.Struct({ answer: Completion })))
const encode = Schema.encodeSync(Schema.toCodecJson(Completion))

/**
 * Keeps accepted answers in the store in context. A store that fails is skipped with a warning: the call goes on as if
 * nothing were kept.
 *
 * ```ts
 * import { LM } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Layer } from "effect"
 * import { KeyValueStore, Persistence } from "effect/persistence"
 *
 * // KeyValueStore.layerFileSystem("./answers") keeps them in files.
 * const Store = Persistence.layerBackingKvs.pipe(Layer.provide(KeyValueStore.layerMemory))
 * const Live = TestLM.layer(["Hi!"]).pipe(LM.persistedCache(), Layer.provide(Store))
 * const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })
 * const answers = Effect.all([ask, ask]).pipe(Effect.provide(Live))
 * await Effect.runPromise(Effect.map(answers, (all) => all.map((answer) => answer.replayed ?? false))) // => [false, true]
 * ```
 *
 * @category decorators
 */
export const persistedCache = (
  options: Options = {}
): Decorator<never, EffectPersistence.BackingPersistence | Scope.Scope> => {
  const timeToLive = Duration.fromInputUnsafe(options.timeToLive ?? Cache.defaultTimeToLive)
  return Effect.fnUntraced(function*(lm) {
    const backing = yield* BackingPersistence
    const store = yield* backing.make(options.storeId ?? "effect_dspy_answers")
    const digest = Context.get(yield* Layer.build(Digest.layerWebCrypto), Digest.Digest)
    const encoder = new TextEncoder()
    const keyOf = (request: Request.Request): Effect.Effect<string> =>
      digest.digestHex(Digest.sha256, encoder.encode(Identity.of(lm, request)))
    const read = (key: string): Effect.Effect<Completion | undefined> =>
      passing("read", store.get(key)).pipe(
        // What an older version wrote may not be readable any more.
        Effect.map((stored) => Result.getOrUndefined(decode(stored))?.answer)
      )
    const write = (key: string, completion: Completion): Effect.Effect<void> =>
      passing(
        "written",
        store.set(key, { answer: encode(completion) }, Duration.isFinite(timeToLive) ? timeToLive : undefined)
      )
    const stored = wrap(lm, (request) =>
      Effect.flatMap(keyOf(request), (key) =>
        Effect.flatMap(read(key), (found) => {
          if (found !== undefined && Request.accepts(request, found)) {
            return Cache.hit("store", lm, { ...found, replayed: true })
          }
          return Effect.tap(
            lm.generate(request),
            (completion) => Request.accepts(request, completion) ? write(key, completion) : Effect.void
          )
        })))
    return yield* Cache.cache({ timeToLive: 0 })(stored)
  })
}

const passing = <A>(what: string, self: Effect.Effect<A, unknown>): Effect.Effect<A | undefined> =>
  Effect.catch(self, () => Effect.as(Effect.logWarning(`the cache could not be ${what}`), undefined))
