import { ChatAdapter, JsonAdapter, LM, Predict, type PredictError, Signature, XmlAdapter } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { type AdapterCase, cases } from "./adapterCases.ts"

const adapters = {
  chat: ChatAdapter.adapter,
  json: JsonAdapter.adapter,
  xml: XmlAdapter.adapter,
  compact: JsonAdapter.compact
}

const run = ({ adapter, output, reply }: AdapterCase) =>
  Predict.make(
    Signature.make<"Case", { readonly question: Schema.String }, Signature.Fields>("Case", {
      input: { question: Schema.String },
      output
    }),
    { adapter: adapters[adapter] }
  )({ question: "?" }).pipe(
    LM.withSettings({ attempts: 1 }),
    Effect.provide(TestLM.layer([reply])),
    Effect.result
  )

/** Why a case of DSPy's is not read the same here. */
const exceptions = new Map([
  ["value-012", "Literal[option1] is Python's notation of a type, not a value a model of ours is shown"],
  ["value-013", "str[option1] is neither a value nor a type of anybody's; reading it would be guessing"]
])

describe("replies that DSPy reads are read the same", () => {
  for (const adapterCase of cases) {
    const { about, fields, id } = adapterCase
    const exception = exceptions.get(id)
    it.effect(`${id}: ${about}${exception === undefined ? "" : ` (not here: ${exception})`}`, () =>
      Effect.gen(function*() {
        const result: Result.Result<unknown, PredictError.PredictError> = yield* run(adapterCase)
        if (fields !== undefined && exception === undefined) {
          assert.deepStrictEqual(result, Result.succeed(fields))
        } else {
          assert.strictEqual(Result.isFailure(result) ? result.failure._tag : result._tag, "OutputError")
        }
      }))
  }

  it("the table holds every case, and no exception is stale", () => {
    assert.lengthOf(cases, 55)
    for (const id of exceptions.keys()) assert.isDefined(cases.find((adapterCase) => adapterCase.id === id)?.fields)
  })
})
