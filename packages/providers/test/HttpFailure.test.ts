import { LM, LMError } from "@effect-dspy/core"
import { HttpFailure, OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Schedule } from "effect"
import { type Answer, answer, options, reply, serve } from "./server.ts"

const toError = (
  status: number,
  body: unknown = "",
  headers: { readonly [name: string]: string } = {}
): LMError.LMError =>
  HttpFailure.toError(
    "loopback",
    "test-model",
    { status, headers, body: typeof body === "string" ? body : JSON.stringify(body) },
    0
  )

const openai = (message: string, code: string | null = null) => ({
  error: { message, type: "invalid_request_error", param: null, code }
})

describe("a status", () => {
  const table: ReadonlyArray<readonly [number, string, boolean]> = [
    [300, "InvalidResponse", true],
    [400, "InvalidRequest", false],
    [401, "Authentication", false],
    [402, "QuotaExhausted", false],
    [403, "Permission", false],
    [404, "ModelNotFound", false],
    [405, "InvalidRequest", false],
    [408, "ServerError", true],
    [409, "ServerError", true],
    [413, "InvalidRequest", false],
    [422, "InvalidRequest", false],
    [429, "RateLimited", true],
    [500, "ServerError", true],
    [502, "ServerError", true],
    [503, "Overloaded", true],
    [504, "ServerError", true],
    [524, "ServerError", true],
    [529, "Overloaded", true]
  ]

  const bodies: ReadonlyArray<readonly [string, unknown]> = [
    ["nothing", ""],
    ["text", "upstream connect error or disconnect/reset before headers"],
    ["a page", "<html><body>Sorry</body></html>"],
    ["an object", openai("something is wrong")],
    ["a list", [openai("something is wrong")]],
    ["error as text", { error: "something is wrong" }],
    ["detail", { detail: "something is wrong" }],
    ["a bare message", { object: "error", message: "something is wrong" }],
    ["null", "null"]
  ]

  for (const [status, reason, retryable] of table) {
    it(`${status} is ${reason}, whatever the body`, () => {
      for (const [form, body] of bodies) {
        const error = toError(status, body)
        assert.strictEqual(error.reason._tag, reason, form)
        assert.strictEqual(error.isRetryable, retryable, form)
        if ("status" in error.reason) assert.strictEqual(error.reason.status, status)
        const shown = body === "" ? undefined : typeof body === "string" ? body : JSON.stringify(body)
        assert.strictEqual(LMError.reveal(error), shown, form)
      }
    })
  }

  it("tells what to do in its message, and nothing of the body", () => {
    assert.strictEqual(
      toError(401, "sk-123").message,
      "loopback/test-model: the key was not accepted; check the API key"
    )
    assert.strictEqual(
      toError(429, "x", { "retry-after": "90" }).message,
      "loopback/test-model: rate limited, retry after 1m 30s"
    )
  })

  it("carries the wait where waiting helps", () => {
    for (const status of [429, 503, 529, 500, 408, 409]) {
      const wait = toError(status, "", { "retry-after": "7" }).retryAfter
      assert.strictEqual(wait === undefined ? undefined : Duration.toSeconds(wait), 7, String(status))
    }
    for (const status of [400, 401, 402, 404]) {
      assert.strictEqual(toError(status, "", { "retry-after": "7" }).retryAfter, undefined, String(status))
    }
  })
})

describe("429", () => {
  it("is a matter of waiting, unless the account has run dry", () => {
    const tag = (body: unknown) => toError(429, body).reason._tag
    assert.strictEqual(tag(openai("You exceeded your current quota", "insufficient_quota")), "QuotaExhausted")
    assert.strictEqual(tag({ error: { type: "insufficient_quota", message: "x" } }), "QuotaExhausted")
    assert.strictEqual(tag({ error: { type: "billing_error", message: "x" } }), "QuotaExhausted")
    assert.strictEqual(tag(openai("Rate limit reached for requests", "rate_limit_exceeded")), "RateLimited")
    // Words alone don't decide: Google says so of a limit per minute.
    assert.strictEqual(
      tag([{ error: { code: 429, message: "You exceeded your current quota", status: "RESOURCE_EXHAUSTED" } }]),
      "RateLimited"
    )
  })
})

describe("x-should-retry", () => {
  it("goes before the status, both ways", () => {
    assert.isFalse(toError(503, "", { "x-should-retry": "false" }).isRetryable)
    assert.isTrue(toError(400, "", { "x-should-retry": "true" }).isRetryable)
    assert.isTrue(toError(503, "", { "x-should-retry": "perhaps" }).isRetryable)
    assert.isFalse(toError(400, "", { "x-should-retry": "" }).isRetryable)
  })
})

describe("400", () => {
  const words: { readonly [reason: string]: ReadonlyArray<unknown> } = {
    ContextTooLong: [
      openai("Your input exceeds the limit", "context_length_exceeded"),
      openai("This model's maximum context length is 8192 tokens. However, you requested 9000 tokens"),
      openai("This endpoint's maximum context length is 200000 tokens."),
      openai("prompt too long; exceeded max context length by 1119046 tokens"),
      openai("Your input exceeds the context window of this model."),
      {
        type: "error",
        error: { type: "invalid_request_error", message: "prompt is too long: 210000 tokens > 200000" }
      },
      { message: "Input is too long for requested model." },
      [{ error: { code: 400, message: "The input token count (2) exceeds the maximum number of tokens allowed (1)" } }],
      {
        error: {
          code: 400,
          message: "the request exceeds the available context size",
          type: "exceed_context_size_error"
        }
      },
      { error: { code: 400, message: "request (4390 tokens) exceeds the available context size (4096 tokens)" } },
      { code: "x", error: "This model's maximum prompt length is 131072 but the request contains 136973 tokens." },
      { detail: "maximum context length exceeded" },
      "prompt is too long"
    ],
    Authentication: [
      openai("Incorrect API key provided: sk-...", "invalid_api_key"),
      [{
        error: { code: 400, message: "API key not valid. Please pass a valid API key.", status: "INVALID_ARGUMENT" }
      }],
      { code: "Client specified an invalid argument", error: "Incorrect API key provided: xa***" }
    ],
    Refused: [
      { error: { code: "content_filter", message: "The response was filtered" } },
      { error: { code: "content_policy_violation", message: "x" } },
      { error: { code: "400", inner_error: { code: "ResponsibleAI" }, message: "Azure's Responsible AI policy" } }
    ],
    ModelNotFound: [
      openai("The model `gpt-9` does not exist", "model_not_found"),
      openai("model 'llama9' not found, try pulling it first"),
      { error: "Unknown model: grok-9" }
    ],
    InvalidRequest: [
      openai("Unsupported parameter: 'max_tokens' is not supported with this model.", "unsupported_parameter"),
      openai("Invalid schema for response_format 'Answer'", "invalid_schema"),
      openai("max_tokens is too large: 100000. This model supports at most 16384 completion tokens"),
      "Bad Request"
    ]
  }

  for (const [reason, bodies] of Object.entries(words)) {
    it(`is ${reason} by these words`, () => {
      for (const body of bodies) {
        const error = toError(400, body)
        assert.strictEqual(error.reason._tag, reason, JSON.stringify(body))
        assert.isFalse(error.isRetryable)
      }
    })
  }
})

describe("failures over the wire", () => {
  const eager = LM.retry({ schedule: Schedule.spaced("1 millis") })
  const question = answer({ question: "why?" })
  const busy: Answer = { status: 503, body: "upstream connect error" }
  const unusable = reply("I'd rather not say.")
  const good = reply("{\"answer\":\"yes\"}")

  const run = (script: ReadonlyArray<Answer>, attempts: number, retry = eager) =>
    Effect.gen(function*() {
      const server = yield* serve(script)
      const exit = yield* Effect.result(question).pipe(
        LM.withSettings({ attempts }),
        Effect.provide(Layer.orDie(OpenAiCompatible.layer(options(server))).pipe(retry))
      )
      return { exit, sent: server.started }
    })

  it.live("a permanent 503 costs exactly the attempts that were set", () =>
    Effect.gen(function*() {
      for (const attempts of [1, 3, 5]) {
        const { exit, sent } = yield* run(Array.from({ length: 10 }, () => busy), attempts)
        assert.strictEqual(sent, attempts)
        assert.deepInclude(exit, { _tag: "Failure" })
        if (exit._tag === "Failure" && exit.failure._tag === "LMError") {
          assert.strictEqual(exit.failure.reason._tag, "Overloaded")
        } else assert.fail("expected an LMError")
      }
    }))

  it.live("retries and re-asks share one budget", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* run([busy, unusable, good], 3), { sent: 3 })
      const mixed = [busy, unusable, busy, unusable, good]
      for (const attempts of [1, 2, 3, 4]) {
        const { exit, sent } = yield* run(mixed, attempts)
        assert.strictEqual(sent, attempts)
        assert.strictEqual(exit._tag, "Failure")
      }
      const last = yield* run(mixed, 5)
      assert.strictEqual(last.sent, 5)
      assert.deepInclude(last.exit, { _tag: "Success", success: { answer: "yes" } })
    }))

  it.live("without LM.retry a failure is sent once, and an unusable answer is still asked again", () =>
    Effect.gen(function*() {
      const none: typeof eager = (layer) => layer
      assert.strictEqual((yield* run([busy, good], 3, none)).sent, 1)
      assert.strictEqual((yield* run([unusable, good], 3, none)).sent, 2)
    }))

  it.live("what cannot get better is sent once", () =>
    Effect.gen(function*() {
      for (const status of [400, 401, 402, 403, 404, 422]) {
        assert.strictEqual((yield* run([{ status }, good], 3)).sent, 1, String(status))
      }
      const dry = { status: 429, body: openai("no credit", "insufficient_quota") }
      assert.strictEqual((yield* run([dry, good], 3)).sent, 1)
      const told: Answer = { status: 500, headers: { "x-should-retry": "false" } }
      assert.strictEqual((yield* run([told, good], 3)).sent, 1)
    }))

  it.live("what can is sent again", () =>
    Effect.gen(function*() {
      const again: ReadonlyArray<Answer> = [
        ...[408, 409, 429, 500, 502, 503, 529].map((status) => ({ status })),
        { status: 400, headers: { "x-should-retry": "true" } },
        { body: "<html></html>" },
        { body: "x".repeat(100), cut: "inside" },
        { cut: "before" }
      ]
      for (const failing of again) {
        const { exit, sent } = yield* run([failing, good], 3)
        assert.strictEqual(sent, 2, JSON.stringify(failing))
        assert.strictEqual(exit._tag, "Success", JSON.stringify(failing))
      }
    }))
})
