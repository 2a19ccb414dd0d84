import { LM, LMError } from "@effect-dspy/core"
import * as Completion from "@effect-dspy/core/Completion"
import { Capabilities, ChatCompletions, OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Redacted, Result } from "effect"
import { inspect } from "node:util"
import { type Answer, answer, ask, options, reply, says, serve } from "./server.ts"

const dialect: ChatCompletions.Dialect = {
  provider: "loopback",
  model: "test-model",
  capabilities: Capabilities.all,
  maxTokensField: "max_tokens",
  streamUsage: true
}

const protocol = ChatCompletions.make(dialect)

/** Reads a body; a failure is what the endpoint would raise. */
const decodeText = (body: string) =>
  Result.mapError(protocol.decode(body), (reason) => LMError.make(dialect.provider, dialect.model, reason))

const decode = (body: unknown) => decodeText(JSON.stringify(body))

const completion = (body: unknown) => Result.getOrThrow(decode(body))

const failure = (body: unknown) => Result.getOrThrow(Result.flip(decode(body)))

const message = (fields: { readonly [key: string]: unknown }, choice: { readonly [key: string]: unknown } = {}) =>
  says("", { choices: [{ index: 0, message: { role: "assistant", ...fields }, finish_reason: "stop", ...choice }] })

/** Runs a program against a server that gives these answers. */
const against = <A, E>(answers: ReadonlyArray<Answer>, program: Effect.Effect<A, E, LM>) =>
  Effect.flatMap(serve(answers), (server) => Effect.provide(program, OpenAiCompatible.layer(options(server))))

describe("answers", () => {
  it("give their text, why they stopped, and who wrote them", () => {
    assert.deepStrictEqual(completion(says("Paris")), {
      content: [{ type: "text", text: "Paris" }],
      finishReason: "stop",
      usage: { calls: 1 },
      provider: "loopback",
      model: "test-model-2026",
      id: "chatcmpl-1"
    })
  })

  it("name the model that was asked for when they don't name one", () => {
    assert.strictEqual(completion(says("", { model: undefined })).model, "test-model")
    assert.strictEqual(completion(says("", { model: null })).model, "test-model")
  })

  it("keep reasoning apart from the text, under either name", () => {
    for (const name of ["reasoning", "reasoning_content"]) {
      const answered = completion(message({ content: "Paris", [name]: "Let me think." }))
      assert.deepStrictEqual(answered.content, [
        { type: "reasoning", text: "Let me think." },
        { type: "text", text: "Paris" }
      ])
      assert.strictEqual(Completion.text(answered), "Paris")
    }
    for (const nothing of ["", null, undefined, [{ type: "summary" }]]) {
      const answered = completion(message({ content: "Paris", reasoning: nothing, reasoning_content: nothing }))
      assert.deepStrictEqual(answered.content, [{ type: "text", text: "Paris" }])
    }
  })

  it("may come in parts", () => {
    const parts = [
      { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
      { type: "text", text: "Pa" },
      { type: "reference", reference_ids: [1] },
      { type: "text", text: "ris" }
    ]
    assert.deepStrictEqual(completion(message({ content: parts })).content, [
      { type: "reasoning", text: "hm" },
      { type: "text", text: "Paris" }
    ])
    assert.strictEqual(Completion.text(completion(message({ content: [] }))), "")
  })

  it("without content are empty, not an error of the protocol", () => {
    assert.strictEqual(Completion.text(completion(message({ content: null }))), "")
    assert.strictEqual(Completion.text(completion(message({}))), "")
    assert.strictEqual(Completion.text(completion(message({ tool_calls: [] }))), "")
  })

  it("stop at the limit, at their end, or for a reason of their own", () => {
    const reason = (finish_reason: unknown) => completion(message({ content: "x" }, { finish_reason })).finishReason
    assert.strictEqual(reason("stop"), "stop")
    assert.strictEqual(reason("length"), "length")
    assert.strictEqual(reason("tool_calls"), "toolCalls")
    assert.strictEqual(reason("function_call"), "toolCalls")
    assert.strictEqual(reason("eos"), "other")
    assert.strictEqual(reason("toString"), "other")
    assert.strictEqual(reason(null), "stop")
    assert.strictEqual(reason(undefined), "stop")
  })

  it("are read whatever else they hold", () => {
    const odd = says("Paris", {
      id: 7,
      created: "now",
      system_fingerprint: null,
      error: null,
      x_groq: { id: "req" },
      choices: [
        { index: "0", logprobs: {}, message: { role: null, content: "Paris", annotations: {} }, stop_reason: 42 },
        { message: { content: "another" } }
      ]
    })
    assert.strictEqual(Completion.text(completion(odd)), "Paris")
  })

  it("of another protocol are invalid, and their text stays behind", () => {
    const bodies = ["<html>Welcome</html>", "", "null", "[]", "{}", "{\"choices\":[]}", "{\"choices\":[{}]}", "7"]
    for (const body of bodies) {
      const error = Result.getOrThrow(Result.flip(decodeText(body)))
      assert.deepInclude(error.reason, { _tag: "InvalidResponse", status: 200 }, body)
      assert.strictEqual(LMError.reveal(error), body)
      assert.isTrue(error.isRetryable)
      if (body !== "") assert.notInclude(error.message, body === "7" ? " 7" : body)
    }
  })
})

describe("refusals", () => {
  it("are errors that keep the model's words to themselves", () => {
    const error = failure(message({ content: null, refusal: "I can't help with poison." }))
    assert.strictEqual(error.reason._tag, "Refused")
    assert.isFalse(error.isRetryable)
    assert.strictEqual(LMError.reveal(error), "I can't help with poison.")
    assert.notInclude(inspect(error, { depth: null }) + JSON.stringify(error) + error.stack, "poison")
  })

  it("by a filter count as well, whatever text came before", () => {
    const error = failure(message({ content: "First, take" }, { finish_reason: "content_filter" }))
    assert.strictEqual(error.reason._tag, "Refused")
    assert.notInclude(inspect(error, { depth: null }), "First")
  })

  it("that are empty are none", () => {
    assert.strictEqual(Completion.text(completion(message({ content: "Paris", refusal: null }))), "Paris")
    assert.strictEqual(Completion.text(completion(message({ content: "Paris", refusal: "" }))), "Paris")
  })
})

describe("usage", () => {
  const usage = (figures: unknown) => completion(says("x", { usage: figures })).usage

  it("holds the figures that were reported, and no others", () => {
    assert.deepStrictEqual(usage(undefined), { calls: 1 })
    assert.deepStrictEqual(usage(null), { calls: 1 })
    assert.deepStrictEqual(usage({ prompt_tokens: 20, completion_tokens: 0, total_tokens: 20 }), {
      calls: 1,
      inputTokens: 20,
      outputTokens: 0
    })
    assert.deepStrictEqual(usage({ prompt_tokens: null, completion_tokens: 3, completion_tokens_details: null }), {
      calls: 1,
      outputTokens: 3
    })
  })

  it("knows cached tokens and reasoning as OpenAI reports them", () => {
    const figures = {
      prompt_tokens: 2006,
      completion_tokens: 300,
      prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 256, accepted_prediction_tokens: 0 }
    }
    assert.deepStrictEqual(usage(figures), {
      calls: 1,
      inputTokens: 2006,
      cachedTokens: 1920,
      outputTokens: 300,
      reasoningTokens: 256
    })
  })

  it("knows DeepSeek's cache hits", () => {
    const figures = { prompt_tokens: 339, prompt_cache_hit_tokens: 320, prompt_cache_miss_tokens: 19 }
    assert.deepStrictEqual(usage(figures), { calls: 1, inputTokens: 339, cachedTokens: 320 })
  })

  it("knows reasoning that is counted beside the answer, and xAI's price", () => {
    const figures = {
      prompt_tokens: 291,
      completion_tokens: 26,
      total_tokens: 513,
      completion_tokens_details: { reasoning_tokens: 196 },
      cost_in_usd_ticks: 1_330_500
    }
    assert.deepStrictEqual(usage(figures), {
      calls: 1,
      inputTokens: 291,
      outputTokens: 222,
      reasoningTokens: 196,
      costUsd: 0.00013305
    })
  })

  it("knows OpenRouter's price and cache writes", () => {
    const figures = {
      prompt_tokens: 2168,
      completion_tokens: 100,
      cost: 0.000497,
      prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 2161 }
    }
    assert.deepStrictEqual(usage(figures), {
      calls: 1,
      inputTokens: 2168,
      cachedTokens: 0,
      cacheWriteTokens: 2161,
      outputTokens: 100,
      costUsd: 0.000497
    })
  })

  it("in a form nobody knows never costs the answer that came with it", () => {
    const odd = [
      "free",
      [],
      { prompt_tokens: 20, cost: { total_cost: 0.006 } },
      { prompt_tokens: 20, cost: "0.006" },
      { prompt_tokens: 20, completion_tokens: "5" },
      { prompt_tokens: 20, prompt_tokens_details: [], completion_tokens_details: "none" }
    ]
    for (const figures of odd) {
      const known = typeof figures === "object" && !Array.isArray(figures)
      assert.deepStrictEqual(usage(figures), known ? { calls: 1, inputTokens: 20 } : { calls: 1 }, inspect(figures))
    }
  })
})

describe("errors inside an answer that says 200", () => {
  const cases: ReadonlyArray<readonly [unknown, string, boolean]> = [
    [{ code: 429, message: "Provider returned error" }, "RateLimited", true],
    [{ code: 502, message: "Provider returned error" }, "ServerError", true],
    [{ code: "503", message: "busy" }, "Overloaded", true],
    [{ code: "rate_limit_exceeded", message: "Rate limit reached" }, "RateLimited", true],
    [{ code: "insufficient_quota", type: "insufficient_quota", message: "no credit" }, "QuotaExhausted", false],
    [{ type: "server_error", message: "The server had an error" }, "ServerError", true],
    [{ type: "overloaded_error", message: "Overloaded" }, "Overloaded", true],
    [{ code: "content_filter", message: "filtered" }, "Refused", false],
    [{ code: "context_length_exceeded", message: "too much" }, "ContextTooLong", false],
    [{ code: 401, message: "who?" }, "Authentication", false],
    [{ message: "something else" }, "InvalidRequest", false],
    ["boom", "InvalidRequest", false]
  ]

  it("are errors by their code", () => {
    for (const [error, reason, retryable] of cases) {
      const failed = failure({ error, choices: [{ message: { content: "Paris" } }] })
      assert.strictEqual(failed.reason._tag, reason, inspect(error))
      assert.strictEqual(failed.isRetryable, retryable, inspect(error))
    }
  })
})

describe("predictors", () => {
  const question = answer({ question: "What is the capital of France?" })

  const reasonOf = (answers: ReadonlyArray<Answer>, program = question) =>
    Effect.map(
      against(answers, Effect.flip(program)),
      (error) => error._tag === "InputError" ? error._tag : error.reason._tag
    )

  it.live("an answer without content is Empty", () =>
    Effect.gen(function*() {
      const once = LM.withSettings({ attempts: 1 })(question)
      assert.strictEqual(yield* reasonOf([reply(null)], once), "Empty")
      assert.deepStrictEqual(yield* against([reply(null), reply("{\"answer\":\"Paris\"}")], question), {
        answer: "Paris"
      })
    }))

  it.live("an answer cut at the limit is Truncated, however complete it looks", () =>
    Effect.gen(function*() {
      const cut: Answer = { body: message({ content: "{\"answer\":\"Paris\"}" }, { finish_reason: "length" }) }
      assert.strictEqual(yield* reasonOf([cut]), "Truncated")
    }))

  it.live("a refusal is not asked again", () =>
    Effect.gen(function*() {
      const refusal: Answer = { body: message({ content: null, refusal: "No." }) }
      assert.strictEqual(yield* reasonOf([refusal, reply("{\"answer\":\"Paris\"}")]), "Refused")
    }))
})

describe("what errors show", () => {
  const key = "sk-very-secret"
  const prompt = "the patient's name is Quentin"
  const asked = LM.generate({ messages: [{ role: "user", content: prompt }] })
  const echo = `{"error":{"message":"wrong: ${prompt} with ${key}"}}`
  const failures: { readonly [name: string]: Answer } = {
    badRequest: { status: 400, body: echo },
    unauthorized: { status: 401, body: echo },
    serverError: { status: 500, body: echo },
    html: { status: 200, body: `<html>${prompt} ${key}</html>` },
    inside: { status: 200, body: echo },
    refusal: { body: message({ refusal: `${prompt} ${key}` }) },
    cut: { body: says(`${prompt} ${key}`), cut: "inside" },
    closed: { cut: "before" }
  }

  it.live("is neither the key nor the prompt nor the endpoint's words", () =>
    Effect.gen(function*() {
      for (const [name, failing] of Object.entries(failures)) {
        const exit = yield* against([failing], Effect.exit(asked))
        assert.isTrue(Exit.isFailure(exit), name)
        if (!Exit.isFailure(exit)) continue
        const error = Cause.squash(exit.cause)
        const shown = [
          inspect(exit, { depth: null, showHidden: true }),
          JSON.stringify(exit),
          JSON.stringify(error),
          String(error),
          Cause.pretty(exit.cause),
          error instanceof Error ? error.stack ?? "" : ""
        ].join("\n")
        assert.include(shown, "loopback")
        for (const secret of [key, "Quentin"]) assert.notInclude(shown, secret, `${name} shows it`)
      }
    }))

  it.live("of a key that no header can carry is not the key", () =>
    Effect.gen(function*() {
      const server = yield* serve([])
      const live = OpenAiCompatible.layer(options(server, { apiKey: Redacted.make(`${key}\nsecond line`) }))
      const exit = yield* Effect.exit(Effect.provide(ask, live))
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) assert.notInclude(inspect(exit, { depth: null }) + Cause.pretty(exit.cause), key)
      assert.strictEqual(server.started, 0)
    }))
})
