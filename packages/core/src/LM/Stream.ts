/**
 * A model's answer as it is written.
 *
 * One logical call like `generate`: attempts and the total timeout are counted, middleware and decorators
 * apply. Leaving the stream early interrupts the call and closes its socket.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { LMError } from "../LMError.ts"
import { generate } from "./Generate.ts"
import type * as Request from "./Request.ts"
import * as Sink from "./Sink.ts"
import type { LM } from "./Tag.ts"

/** Parts a reader may be behind before the model's socket is no longer read. */
const bufferSize = 64

/**
 * Streams an answer. The last part is `finish`, with the whole of it; after a `restart` the parts before it are
 * void, because another attempt answers.
 *
 * ```ts
 * import { LM } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Stream } from "effect"
 *
 * const parts = LM.stream({ messages: [{ role: "user", content: "hello" }] }).pipe(
 *   Stream.map((part) => part.type),
 *   Stream.runCollect,
 *   Effect.provide(TestLM.layer(["Hello!"]))
 * )
 * await Effect.runPromise(parts) // => ["text", "finish"]
 * ```
 *
 * @category constructors
 */
export const stream = (
  options: Pick<Request.Request, "messages"> & Partial<Request.Request>
): Stream.Stream<Sink.Part, LMError, LM> =>
  Stream.callback<Sink.Part, LMError, LM>((queue) => {
    const sink = Sink.make((parts) => Effect.asVoid(Queue.offerAll(queue, parts)))
    return generate({ ...options, sink }).pipe(
      Effect.flatMap(sink.finish),
      Effect.matchCauseEffect({
        onFailure: (cause) => Queue.failCause(queue, cause),
        onSuccess: () => Queue.end(queue)
      })
    )
  }, { bufferSize })
