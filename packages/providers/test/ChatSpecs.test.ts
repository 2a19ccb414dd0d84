/**
 * Every request a profile can be asked, against a closed table of keys and the descriptions of OpenAI and OpenRouter.
 */
import { Message } from "@effect-dspy/core"
import { ChatCompletions, Profiles, Quirks } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { request as generated } from "./requests.ts"
import { specsAt } from "./shared.ts"
import { type Json, type Keys, specification, strangers } from "./specification.ts"

const profiles = Object.values(Profiles.table)

const models = ["gpt-4o", "gpt-5-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "unheard-of"]

/** Bodies of many requests to one profile, and what could not be said, which never was sent. */
const bodies = (profile: (typeof profiles)[number], count: number) => {
  const sent: Array<Json> = []
  const unsaid = new Set<string>()
  for (let seed = 0; seed < count; seed++) {
    const model = models[seed % models.length] ?? ""
    const protocol = ChatCompletions.make({
      maxTokensField: "max_tokens",
      streamUsage: true,
      ...profile.dialect,
      provider: profile.name,
      model,
      capabilities: { ...ChatCompletions.capabilities, ...profile.capabilities, ...Quirks.of(model) }
    })
    const details = { reasoning_details: [{ type: "reasoning.text", text: "Hm.", index: 0 }] }
    const request = generated(seed, [{ [profile.name]: details }, { another: { x: 1 } }])
    const encoded = protocol.encode(request, seed % 2 === 0)
    if (Result.isSuccess(encoded)) sent.push(JSON.parse(encoded.success.body) as Json)
    else unsaid.add(encoded.failure._tag === "Unsupported" ? encoded.failure.feature : encoded.failure._tag)
  }
  return { sent, unsaid }
}

const call: Keys = { id: "any", type: "any", function: { name: "any", arguments: "any" } }

const part: Keys = {
  by: "type",
  of: {
    text: { type: "any", text: "any" },
    image_url: { type: "any", image_url: { url: "any" } },
    input_audio: { type: "any", input_audio: { data: "any", format: "any" } },
    file: { type: "any", file: { file_data: "any", filename: "any", file_id: "any" } }
  }
}

const keys: Keys = {
  model: "any",
  messages: [{
    by: "role",
    of: {
      system: { role: "any", content: "any" },
      user: { role: "any", content: [part] },
      assistant: {
        role: "any",
        content: "any",
        tool_calls: [call],
        reasoning_content: "any",
        reasoning_details: "any"
      },
      tool: { role: "any", tool_call_id: "any", content: "any" }
    }
  }],
  response_format: {
    by: "type",
    of: {
      json_object: { type: "any" },
      json_schema: { type: "any", json_schema: { name: "any", schema: "any", strict: "any" } }
    }
  },
  tools: [{ type: "any", function: { name: "any", description: "any", parameters: "any", strict: "any" } }],
  tool_choice: "any",
  temperature: "any",
  top_p: "any",
  max_tokens: "any",
  max_completion_tokens: "any",
  stop: "any",
  seed: "any",
  random_seed: "any",
  reasoning_effort: "any",
  stream: "any",
  stream_options: { include_usage: "any" }
}

describe("requests to every profile", () => {
  it("hold no key that nobody knows, and none that the endpoint does not", () => {
    for (const profile of profiles) {
      const { sent } = bodies(profile, 200)
      assert.isAbove(sent.length, 100, profile.name)
      const found = new Set(sent.flatMap((body) => Object.keys(body)))
      for (const body of sent) assert.deepStrictEqual(strangers(body, keys), [], profile.name)
      const { maxTokensField = "max_tokens", seedField = "seed", streamUsage = true } = profile.dialect
      assert.isFalse(found.has(maxTokensField === "max_tokens" ? "max_completion_tokens" : "max_tokens"), profile.name)
      assert.isFalse(found.has(seedField === "seed" ? "random_seed" : "seed"), profile.name)
      assert.strictEqual(found.has("stream_options"), streamUsage, profile.name)
      for (const name of profile.capabilities.without ?? []) {
        const field = { reasoningEffort: "reasoning_effort", seed: seedField }[name as "seed"]
        assert.isFalse(found.has(field), `${profile.name}: ${name}`)
      }
    }
  })

  it("name sounds as the protocol does", () => {
    const protocol = ChatCompletions.make({
      maxTokensField: "max_tokens",
      streamUsage: true,
      provider: "loopback",
      model: "m",
      capabilities: ChatCompletions.capabilities
    })
    const names = { "audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/vnd.wave": "wav" }
    for (const [mediaType, format] of Object.entries(names)) {
      const sound = { type: "audio", mediaType, source: { _tag: "Base64", data: "aGk=" } } as const
      const request = { messages: [Message.user([sound])], output: { _tag: "Text" }, settings: {} } as const
      const { body } = Result.getOrThrow(protocol.encode(request, false))
      assert.include(body, `"format":"${format}"`)
    }
  })

  it("that can't take a kind of media fail before anything is sent", () => {
    assert.include([...bodies(Profiles.deepseek, 200).unsaid], "image input")
    assert.include([...bodies(Profiles.ollamaV1, 200).unsaid], "image input as Url")
    assert.sameMembers([...bodies(Profiles.openrouter, 200).unsaid], [
      "image input as Uploaded",
      "file input as Url"
    ])
  })

  it.skipIf(specsAt === undefined)("pass OpenAI's description where the endpoint means to be like it", () => {
    const problems = specification("openai-chat-responses.slice.json", "CreateChatCompletionRequest")
    for (const profile of [Profiles.azure, Profiles.vllm, Profiles.xai, Profiles.compatible]) {
      for (const body of bodies(profile, 300).sent) {
        assert.strictEqual(problems(body), "", `${profile.name} ${JSON.stringify(body)}`)
      }
    }
  })

  it.skipIf(specsAt === undefined)("pass OpenRouter's description", () => {
    const problems = specification("openrouter-chat.slice.json", "ChatRequest")
    const { sent } = bodies(Profiles.openrouter, 300)
    assert.isTrue(sent.some((body) => JSON.stringify(body.messages).includes("reasoning_details")))
    for (const body of sent) assert.strictEqual(problems(body), "", JSON.stringify(body))
    const [body = {}] = sent
    for (const change of [{ messages: [{ role: "bot", content: "x" }] }, { temperature: "hot" }, { unheard: 1 }]) {
      assert.notStrictEqual(problems({ ...body, ...change }), "")
    }
  })
})
