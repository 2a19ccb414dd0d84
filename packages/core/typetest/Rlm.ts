/** What the compiler knows of explorers and the code they run. */
import { type CodeError, CodeExecutor, type LM, type PredictError, Rlm, Signature, type Step } from "@effect-dspy/core"
import { Context, Effect, Schema, type Scope, type Stream } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const check = <_ extends true>() => {}

class Db extends Context.Service<Db, { readonly id: number }>()("test/Db") {}

const Find = Signature.make("Find", { input: { book: Schema.String }, output: { page: Schema.Int } })
const find = Rlm.make(Find, { queryWith: (self) => self })
const run = find({ book: "" })
check<Equal<Effect.Success<typeof run>["page"], number>>()
check<Equal<Effect.Error<typeof run>, PredictError.PredictError | CodeError.CodeError>>()
check<Equal<Effect.Services<typeof run>, LM | CodeExecutor.CodeExecutor>>()

const events = Rlm.stream(find, { book: "" })
check<Equal<Stream.Success<typeof events>, Rlm.Event<{ readonly page: number }>>>()

// It stands where any step does.
const step: Step.Step<
  { readonly book: string },
  { readonly page: number },
  PredictError.PredictError | CodeError.CodeError,
  LM | CodeExecutor.CodeExecutor
> = find.named("Search")
void step

// @ts-expect-error the input is a book
void find({ text: "" })

// What functions of the host need, the session needs.
const session = Effect.flatMap(
  CodeExecutor.CodeExecutor,
  ({ session }) => session({ functions: { id: () => Effect.map(Db, ({ id }) => id) } })
)
check<Equal<Effect.Services<typeof session>, CodeExecutor.CodeExecutor | Db | Scope.Scope>>()
check<Equal<Effect.Error<typeof session>, CodeError.CodeError>>()
