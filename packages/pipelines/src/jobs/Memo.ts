/**
 * What a job keeps of its work, so that no run of it pays twice.
 *
 * Every accepted answer of a model is kept under the identity of its request: endpoint, model, messages, schema,
 * settings, tools. So a changed prompt or signature asks again and never gets a stale answer, and an answer that
 * nobody could read is not kept at all. Code steps are kept under their name, place and input. Both are kept
 * before anybody sees them; what has been seen is stored.
 */
import * as Completion from "@effect-dspy/core/Completion"
import type { Middleware as Around } from "@effect-dspy/core/LM/Around"
import * as Identity from "@effect-dspy/core/LM/Identity"
import * as Request from "@effect-dspy/core/LM/Request"
import * as Parameters from "@effect-dspy/core/Parameters"
import type { Fields } from "@effect-dspy/core/Signature"
import type * as Step from "@effect-dspy/core/Step"
import * as Telling from "@effect-dspy/core/Telling"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import type { Run } from "./Run.ts"

/**
 * Keeps accepted answers of models. A kept answer is `replayed`: it counts no call and no token.
 *
 * @category middleware
 */
export const answers = (run: Run): Around => (request, lm, next) =>
  Effect.withFiber((fiber) =>
    kept(run, `lm/${hash(Identity.of(lm, request))}`, CompletionText, run.working(next(request)), {
      keep: (completion) => Request.accepts(request, completion),
      // A kept answer that nobody accepts any more (another adapter, a stricter schema) is asked for again.
      replay: (completion) => {
        const replayed = { ...completion, replayed: true }
        if (!Request.accepts(request, replayed)) return Option.none()
        const to = Telling.listener(fiber)
        const { model, provider } = lm
        if (to !== undefined) Telling.tell(to, fiber, { _tag: "CacheHit", cache: "job", provider, model })
        return Option.some(replayed)
      }
    })
  )

const CompletionText = Schema.fromJsonString(Schema.toCodecJson(Completion.Completion))

/**
 * Keeps what code steps give.
 *
 * @category middleware
 */
export const steps = (run: Run): Step.Middleware => (step, input, work) =>
  Effect.withFiber((fiber) => {
    const { input: Input, output: Output } = texts(step)
    const encoded = Schema.encodeUnknownOption(Input)(input)
    // An input that can't be written down can't be recognized; such a step runs each time.
    if (Option.isNone(encoded)) return work
    const place = Parameters.join(fiber.getRef(Parameters.Path), step.name)
    return kept(run, `step/${place}/${hash(encoded.value)}`, Output, run.working(work))
  })

/**
 * Keeps the result of any effect under a name.
 *
 * @category combinators
 */
export const named = <A, E, R>(
  run: Run,
  name: string,
  schema: Schema.Codec<A, unknown>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  kept(run, `memo/${name}`, Schema.fromJsonString(Schema.toCodecJson(schema)), run.working(effect))

/**
 * The same for an effect that may give the job's slot back, and so must not be waited for before that.
 *
 * @category combinators
 */
export const awaited = <A, E, R>(
  run: Run,
  name: string,
  schema: Schema.Codec<A, unknown>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => kept(run, `wait/${name}`, Schema.fromJsonString(Schema.toCodecJson(schema)), effect)

/** Finds a value, or does the work and keeps what it gives. */
const kept = <A, E, R>(
  run: Run,
  question: string,
  text: Schema.Codec<A, string>,
  work: Effect.Effect<A, E, R>,
  options: {
    readonly keep: (value: A) => boolean
    readonly replay: (value: A) => Option.Option<A>
  } = { keep: () => true, replay: Option.some }
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const { codec } = run.jobs
    const key = run.key(question)
    const fresh = Effect.flatMap(work, (value) => {
      if (!options.keep(value)) return Effect.succeed(value)
      // Marked as work again: what has been paid for is written down before the slot is given back.
      return run.working(
        Schema.encodeEffect(text)(value).pipe(
          Effect.flatMap(codec.seal),
          Effect.flatMap((sealed) => run.remember(key, sealed)),
          // What can't be written down is given all the same; the next run does the work again.
          Effect.catch((error) =>
            Effect.logWarning(`Job ${run.claim.id}: ${question.split("/")[0]} can't be kept`, error)
          ),
          Effect.as(value)
        )
      )
    })
    return Effect.flatMap(run.recall(key), (sealed) =>
      sealed === undefined ? fresh : codec.open(sealed).pipe(
        Effect.flatMap(Schema.decodeEffect(text)),
        Effect.option,
        Effect.map(Option.flatMap(options.replay)),
        Effect.flatMap(Option.match({ onNone: () => fresh, onSome: Effect.succeed }))
      ))
  })

interface Texts {
  readonly input: Schema.Codec<unknown, string>
  readonly output: Schema.Codec<unknown, string>
}

const derived = new WeakMap<Schema.Struct<Fields>, Texts>()

/** A step's input and output as JSON text, derived once. */
const texts = (step: Pick<Step.Any, "input" | "output">): Texts => {
  const known = derived.get(step.input)
  if (known !== undefined) return known
  const made = {
    input: Schema.fromJsonString(Schema.toCodecJson(step.input)),
    output: Schema.fromJsonString(Schema.toCodecJson(step.output))
  }
  derived.set(step.input, made)
  return made
}

const hash = (text: string): string => createHash("sha256").update(text).digest("hex")
