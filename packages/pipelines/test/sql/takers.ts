/** Takes slots of 50 ms out of a shared bucket, as fast as it can, and prints when they are. */
import { RateLimiterStore } from "@effect-dspy/pipelines/sql"
import { Clock, Context, Duration, Effect } from "effect"
import * as Database from "./database.ts"

const [place = ":memory:", count = "1"] = process.argv.slice(2)
const refillMs = 50
const real = Context.getUnsafe(Context.empty(), Clock.Clock)

/** Remembers what time it told last: inside the transaction, that is the time the store went by. */
const told = { ms: 0 }
const clock: Clock.Clock = Object.create(real, {
  currentTimeMillis: { value: Effect.sync(() => (told.ms = real.currentTimeMillisUnsafe())) }
})

const program = Effect.gen(function*() {
  const store = yield* RateLimiterStore.make()
  const take = Effect.map(
    store.tokenBucket({
      key: "k",
      tokens: 1,
      limit: 1,
      refillRate: Duration.millis(refillMs),
      allowOverflow: true
    }),
    ([remaining, elapsed]) => told.ms + Math.max(0, -remaining * refillMs - elapsed)
  )
  return yield* Effect.replicateEffect(take, Number(count))
})

const slots = await Effect.runPromise(
  program.pipe(Effect.provide(Database.layer(place)), Effect.provideService(Clock.Clock, clock))
)
console.log(JSON.stringify(slots))
