/**
 * The run of an explorer: ask for a program, run it, tell what it printed, until one submits.
 *
 * `Rlm` tells its life. A turn is a value in the prompt like any other input, so words in a document that look like
 * a turn stay words.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Adapter from "./Adapter.ts"
import * as Code from "./Code.ts"
import * as CodeError from "./CodeError.ts"
import * as CodeExecutor from "./CodeExecutor.ts"
import * as Field from "./Field.ts"
import type { LM } from "./LM.ts"
import * as Parameters from "./Parameters.ts"
import * as Predict from "./Predict.ts"
import * as PredictError from "./PredictError.ts"
import * as ProseAdapter from "./ProseAdapter.ts"
import type { Event, Options } from "./Rlm.ts"
import * as Signature from "./Signature.ts"

/** Takes an event; the run waits for it. */
export type Listener = (event: Event<unknown>) => Effect.Effect<void>

/** The function that hands in the output. */
const submit = "SUBMIT"

/** Characters of a variable that the model is shown: enough to see what kind of text it is. */
const previewChars = 200

const Turn = Schema.Struct({ reasoning: Schema.String, code: Schema.String, output: Schema.String })

/** What the model is told of the input and of the turns before. */
const seen = {
  variables: Schema.String.annotate({ description: "what the environment holds" }),
  turns: Schema.Array(Turn).annotate({ description: "the programs so far and what they printed" })
}

/** The same for the last call, by names no output field has. */
const found = { exploredVariables: seen.variables, explorationTurns: seen.turns }

const prompt = { prompt: Schema.String }
const answer = { answer: Schema.String }

const program = {
  reasoning: Schema.String.annotate({ description: "what is known, and what to find out next" }),
  code: Code.make("program").annotate({ description: "the next program, in the language of the environment" })
}

/** The predictors of an explorer. */
export type Predictors = ReturnType<typeof predictors>

/**
 * Makes the predictors of a signature.
 *
 * @category constructors
 */
export const predictors = (signature: Signature.Any) => ({
  explore: Predict.make(Signature.make(`${signature.name}Explore`, {
    instructions: `${signature.instructions}\n\nThe input stands in variables of a code environment and may be too ` +
      "large to read. Find the output by writing programs, one a turn; you are shown what each one prints. Look " +
      "first: at sizes, at samples, at the structure. Do with code what code can do (search, count, split), and ask " +
      `a language model about pieces that take understanding. Check what you found, then call ${submit}.`,
    input: { environment: Schema.String, ...seen, turnsLeft: Schema.Int },
    output: program
  })).named("explore"),
  query: Predict.make(
    Signature.make(`${signature.name}Query`, {
      instructions: "Answer the prompt. Say what it asks for and nothing else.",
      input: prompt,
      output: answer
    }),
    { adapter: ProseAdapter.adapter }
  ).named("query"),
  extract: Predict.make(
    Signature.make<string, typeof found, Signature.Fields>(`${signature.name}Extract`, {
      instructions:
        `${signature.instructions}\n\nPrograms have explored the input, which is not shown, and came to a ` +
        "limit. Give the best output that what they printed allows.",
      input: found,
      output: signature.output.fields as Signature.Fields & { readonly [K in keyof typeof found]?: never }
    })
  ).named("extract")
})

/**
 * One run.
 *
 * @category constructors
 */
export const run = (
  signature: Signature.Any,
  predictors: Predictors,
  options: Options,
  name: string,
  input: unknown,
  tell: Listener = () => Effect.void
): Effect.Effect<unknown, PredictError.PredictError | CodeError.CodeError, LM | CodeExecutor.CodeExecutor> => {
  const { derived } = signature
  const encoded = derived.encodeInput(input)
  if (Result.isFailure(encoded)) {
    const issues = Field.shown(encoded.failure, derived.names)
    return Effect.fail(new PredictError.InputError({ signature: signature.name, issues }))
  }
  return Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const { duration, outputChars = 10_000, queries = 50, turns: most = 20 } = options.limits ?? {}
    const executor = yield* CodeExecutor.CodeExecutor
    let turn = 0
    const session = yield* executor.session({
      // An input in its JSON form.
      variables: encoded.success as { readonly [name: string]: Schema.Json },
      functions: yield* asking(predictors, options, queries, (prompt) => tell({ _tag: "Query", turn, prompt })),
      endings: [submit],
      ...(options.code === undefined ? undefined : { limits: options.code })
    })
    // The time a sandbox takes to start is not the model's.
    const end = duration === undefined ? Infinity : clock.currentTimeMillisUnsafe() + Duration.toMillis(duration)
    const left = () => end - clock.currentTimeMillisUnsafe()
    const variables = described(signature, encoded.success)
    const environment = manual(signature, executor, queries)
    let turns: ReadonlyArray<typeof Turn.Type> = []

    /** A call that is asked again without the oldest turn when the prompt is too long. */
    const fitting = <A>(
      ask: () => Effect.Effect<A, PredictError.PredictError, LM>
    ): Effect.Effect<A, PredictError.PredictError, LM> =>
      Effect.catchIf(
        Effect.suspend(ask),
        (error) => error._tag === "LMError" && error.reason._tag === "ContextTooLong" && turns.length > 0,
        () => {
          turns = turns.slice(1)
          return Effect.andThen(tell({ _tag: "Shortened", turn }), fitting(ask))
        }
      )

    for (; turn < most && left() > 0; turn++) {
      const asked = fitting(() => predictors.explore({ environment, variables, turns, turnsLeft: most - turn }))
      const written = yield* within(asked, left())
      if (Option.isNone(written)) break
      const { code, reasoning } = written.value
      yield* tell({ _tag: "Program", turn, reasoning, code })
      const ran = yield* within(Effect.result(session.run(code)), left())
      if (Option.isNone(ran)) break
      const outcome = yield* judged(signature, ran.value)
      if ("submitted" in outcome) return outcome.submitted
      const output = cut(outcome.output, outputChars)
      yield* tell({ _tag: "Output", turn, output, isError: outcome.isError })
      turns = [...turns, { reasoning, code, output }]
    }
    yield* tell({ _tag: "Limit", turn, limit: turn < most ? "duration" : "turns" })
    return yield* fitting(() => predictors.extract({ exploredVariables: variables, explorationTurns: turns }))
  }).pipe(Effect.scoped, Parameters.within(name))
}

/** Interrupts what takes longer than there is time. */
const within = <A, E, R>(self: Effect.Effect<A, E, R>, millis: number): Effect.Effect<Option.Option<A>, E, R> =>
  millis === Infinity ? Effect.asSome(self) : Effect.timeoutOption(self, Math.max(0, millis))

/** What a program came to: the output, or what the model is told. */
type Outcome = { readonly submitted: unknown } | { readonly output: string; readonly isError: boolean }

const judged = (
  { derived }: Signature.Any,
  result: Result.Result<CodeExecutor.Ran, CodeError.CodeError>
): Effect.Effect<Outcome, CodeError.CodeError> => {
  if (Result.isFailure(result)) {
    const { failure } = result
    // No other program would fare better.
    if (failure.reason._tag === "NotStarted") return Effect.fail(failure)
    const { message, output } = CodeError.reveal(failure)
    const lost = failure.stateLost ? "\nEverything earlier programs have defined is gone; the input is there." : ""
    return Effect.succeed({ output: `${output}Error: ${message}${lost}`, isError: true })
  }
  const { ending, output, value } = result.success
  if (ending === undefined) {
    const shown = value === undefined ? output : `${output}=> ${Adapter.show(value)}`
    return Effect.succeed({ output: shown === "" ? "(nothing was printed)" : shown, isError: false })
  }
  const decoded = derived.decodeOutput(ending.argument)
  if (Result.isSuccess(decoded)) return Effect.succeed({ submitted: decoded.success })
  const [only, ...others] = derived.outputs
  // Some models hand in the one field as it is.
  const bare = only === undefined || others.length > 0
    ? decoded
    : derived.decodeOutput({ [only.name]: ending.argument })
  if (Result.isSuccess(bare)) return Effect.succeed({ submitted: bare.success })
  const findings = decoded.failure.map((issue) => `- ${PredictError.describe(issue)}`).join("\n")
  return Effect.succeed({ output: `${output}Error: ${submit} could not be used:\n${findings}`, isError: true })
}

/** A query that is not sent; the program is told why. */
class NotAsked extends Schema.TaggedError<NotAsked>("@effect-dspy/core/Rlm/NotAsked")("NotAsked", {
  message: Schema.String
}) {}

/** The functions by which a program asks a model; they share one bound and one limit. */
const asking = (
  { query }: Predictors,
  { concurrency = 8, queryWith = (self) => self }: Options,
  queries: number,
  tell: (prompt: string) => Effect.Effect<void>
): Effect.Effect<{ readonly [name: string]: CodeExecutor.HostFunction<LM> }> =>
  Effect.map(Semaphore.make(concurrency), (permits) => {
    let asked = 0
    const take = (prompts: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<string>, NotAsked> => {
      const texts = prompts.filter((prompt) => typeof prompt === "string" && prompt !== "") as ReadonlyArray<string>
      if (texts.length < prompts.length) {
        return Effect.fail(new NotAsked({ message: "a prompt must be a text that is not empty" }))
      }
      if (asked + texts.length > queries) {
        return Effect.fail(
          new NotAsked({ message: `${queries - asked} of ${queries} queries are left; go on with what you have found` })
        )
      }
      asked += texts.length
      return Effect.succeed(texts)
    }
    const ask = (prompt: string) =>
      Effect.andThen(tell(prompt), permits.withPermit(queryWith(Effect.map(query({ prompt }), ({ answer }) => answer))))
    return {
      llm_query: (prompt) => Effect.flatMap(take([prompt]), ([text = ""]) => ask(text)),
      // What was paid for is not thrown away because of one that failed.
      llm_query_batched: (prompts) =>
        Effect.flatMap(
          take(Array.isArray(prompts) ? prompts : [prompts]),
          (texts) =>
            Effect.forEach(texts, (text) =>
              Effect.match(ask(text), {
                onFailure: (error) => `[ERROR] ${error.message}`,
                onSuccess: (answer) => answer
              }), { concurrency })
        )
    }
  })

const manual = (
  { derived: { outputs } }: Signature.Any,
  executor: CodeExecutor.Service,
  queries: number
): string =>
  `${executor.manual}

Functions:
- await llm_query(prompt): asks a language model, which sees the prompt and nothing else; gives its answer as a text
- await llm_query_batched(prompts): asks many at once; gives a list of answers, "[ERROR] ..." for those that failed
- ${submit}({ ${outputs.map(({ name }) => name).join(", ")} }): hands in the output and ends the work

At most ${queries} prompts can be sent. The fields to hand in:
${
    outputs.map(({ description, name, type }) =>
      `- ${name} (${type})${description === undefined ? "" : `: ${description}`}`
    ).join("\n")
  }`

const described = ({ derived: { inputs } }: Signature.Any, values: Signature.Encoded): string =>
  inputs.flatMap(({ description, name, type }) => {
    if (!Object.hasOwn(values, name) || values[name] === undefined) return []
    const value = values[name]
    const text = Adapter.show(value)
    const size = typeof value === "string"
      ? `${text.length} characters`
      : Array.isArray(value)
      ? `${value.length} items, ${text.length} characters as JSON`
      : `${text.length} characters as JSON`
    const begins = text.length <= previewChars ? text : `${text.slice(0, previewChars)}...`
    return [
      `- ${name} (${type})${description === undefined ? "" : `: ${description}`}; ${size}: ${JSON.stringify(begins)}`
    ]
  }).join("\n")

const cut = (text: string, chars: number): string =>
  text.length <= chars ? text : `${text.slice(0, chars)}\n(${text.length - chars} more characters are not shown)`
