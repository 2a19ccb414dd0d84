/**
 * Every request that Gemini and Ollama can be asked, against closed tables of keys and their makers' descriptions.
 */
import { type Capabilities, GenerateContent, OllamaChat, Quirks } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Protocol } from "../src/Protocol.ts"
import { request as generated } from "./requests.ts"
import { specsAt } from "./shared.ts"
import { discovery, isRecord, type Json, type Keys, specification, strangers } from "./specification.ts"

const seeds = Array.from({ length: 400 }, (_, seed) => seed)

const gemini = (model: string, more: Partial<Capabilities.Capabilities> = {}): Protocol =>
  GenerateContent.make({
    provider: "gemini",
    model,
    capabilities: { ...GenerateContent.capabilities, ...Quirks.of(model), ...more },
    auth: "key",
    signedCalls: model.startsWith("gemini-3")
  })

const ollama = (model: string): Protocol =>
  OllamaChat.make({
    provider: "ollama",
    model,
    capabilities: { ...OllamaChat.capabilities, ...Quirks.of(model) },
    keepAlive: "5m",
    contextLength: 4096
  })

const gemProtocols = [
  "gemini-2.0-flash",
  "gemini-2.5-flash",
  "gemini-2.5-pro",
  "gemini-3-flash-preview",
  "gemini-3-pro-preview",
  "gemini-flash-latest"
].map((model) => gemini(model))

const ollamaProtocols = ["qwen3", "gpt-oss:20b"].map(ollama)

/** Bodies of many requests, and what could not be said, which never was sent. */
const bodies = (protocols: ReadonlyArray<Protocol>, metadata: Parameters<typeof generated>[1]) => {
  const sent: Array<readonly [seed: number, body: Json]> = []
  const unsaid = new Set<string>()
  for (const seed of seeds) {
    const request = generated(seed, metadata)
    const protocol = protocols[seed % protocols.length]
    const encoded = protocol?.encode(request, seed % 2 === 0)
    if (encoded === undefined) continue
    if (Result.isSuccess(encoded)) sent.push([seed, JSON.parse(encoded.success.body) as Json])
    else unsaid.add(encoded.failure._tag === "Unsupported" ? encoded.failure.feature : encoded.failure._tag)
  }
  return { sent, unsaid }
}

const signatures = [{ gemini: { thoughtSignature: "c2lnbg==" } }, { anthropic: { signature: "x" } }]

const parts: Keys = [{
  text: "any",
  thought: "any",
  thoughtSignature: "any",
  inlineData: { mimeType: "any", data: "any" },
  fileData: { mimeType: "any", fileUri: "any" },
  functionCall: { id: "any", name: "any", args: "any" },
  functionResponse: { id: "any", name: "any", response: { output: "any", error: "any" } }
}]

const geminiKeys: Keys = {
  systemInstruction: { parts },
  contents: [{ role: "any", parts }],
  tools: [{ functionDeclarations: [{ name: "any", description: "any", parametersJsonSchema: "any" }] }],
  toolConfig: { functionCallingConfig: { mode: "any", allowedFunctionNames: "any" } },
  generationConfig: {
    temperature: "any",
    topP: "any",
    maxOutputTokens: "any",
    stopSequences: "any",
    seed: "any",
    thinkingConfig: { includeThoughts: "any", thinkingBudget: "any", thinkingLevel: "any" },
    responseMimeType: "any",
    responseJsonSchema: "any"
  }
}

const call: Keys = { id: "any", function: { name: "any", arguments: "any" } }

const ollamaKeys: Keys = {
  model: "any",
  stream: "any",
  think: "any",
  keep_alive: "any",
  format: "any",
  options: { temperature: "any", top_p: "any", num_predict: "any", num_ctx: "any", stop: "any", seed: "any" },
  tools: [{ type: "any", function: { name: "any", description: "any", parameters: "any" } }],
  messages: [{
    by: "role",
    of: {
      system: { role: "any", content: "any" },
      user: { role: "any", content: "any", images: "any" },
      assistant: { role: "any", content: "any", thinking: "any", tool_calls: [call] },
      tool: { role: "any", content: "any", tool_name: "any", tool_call_id: "any" }
    }
  }]
}

/** Everything under a key, however deep. */
const under = (node: unknown, key: string): ReadonlyArray<unknown> =>
  Array.isArray(node)
    ? node.flatMap((one) => under(one, key))
    : isRecord(node)
    ? [...(key in node ? [node[key]] : []), ...Object.values(node).flatMap((one) => under(one, key))]
    : []

describe("requests to Gemini", () => {
  const { sent, unsaid } = bodies(gemProtocols, signatures)

  it("hold no key that Google does not know, and something of everything", () => {
    assert.isAbove(sent.length, 300)
    for (const [seed, body] of sent) assert.deepStrictEqual(strangers(body, geminiKeys), [], `seed ${seed}`)
    for (
      const key of [
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "functionDeclarations",
        "responseJsonSchema",
        "thinkingBudget",
        "thinkingLevel",
        "thoughtSignature",
        "allowedFunctionNames"
      ]
    ) {
      assert.isTrue(sent.some(([, body]) => under(body, key).length > 0), key)
    }
    assert.deepStrictEqual([...unsaid], [])
  })

  it("never hold another provider's metadata, or a turn in which nothing is said", () => {
    for (const [seed, body] of sent) {
      assert.notInclude(JSON.stringify(body.contents), "signature\":\"x\"", `seed ${seed}`)
      for (const said of under(body.contents, "parts")) assert.isNotEmpty(said, `seed ${seed}`)
    }
  })

  it("never ask for a schema beside tools where a model knows one of both only", () => {
    for (const [seed, body] of sent) {
      const model = seed % gemProtocols.length
      if (model > 2 || body.tools === undefined) continue
      assert.isUndefined(under(body.generationConfig, "responseMimeType")[0], `seed ${seed}`)
    }
  })

  it.skipIf(specsAt === undefined)("pass Google's description", () => {
    const problems = discovery(
      "gemini-vertex-discovery-slice.json",
      "GoogleCloudAiplatformV1beta1GenerateContentRequest"
    )
    for (const [seed, body] of sent) assert.strictEqual(problems(body), "", `seed ${seed}`)
    const [, body = {}] = sent[0] ?? []
    const wrong: { readonly [what: string]: Json } = {
      "a key nobody knows": { stream: true },
      "turns without parts": { contents: [{ role: "user", content: "x" }] },
      "a temperature in words": { generationConfig: { temperature: "hot" } },
      "half a token": { generationConfig: { maxOutputTokens: 0.5 } },
      "a level nobody knows": { generationConfig: { thinkingConfig: { thinkingLevel: "NONE" } } },
      "a mode nobody knows": { toolConfig: { functionCallingConfig: { mode: "REQUIRED" } } },
      "arguments as text": { contents: [{ parts: [{ functionCall: { name: "x", args: "{}" } }] }] },
      "media in OpenAI's words": { contents: [{ parts: [{ image_url: { url: "x" } }] }] }
    }
    for (const [what, change] of Object.entries(wrong)) {
      assert.notStrictEqual(problems({ ...body, ...change }), "", what)
    }
  })
})

describe("requests to Ollama", () => {
  const { sent, unsaid } = bodies(ollamaProtocols, [{ another: { x: 1 } }])

  it("hold no key that Ollama does not know, and something of everything", () => {
    assert.isAbove(sent.length, 150)
    for (const [seed, body] of sent) assert.deepStrictEqual(strangers(body, ollamaKeys), [], `seed ${seed}`)
    for (const key of ["images", "tool_calls", "tool_name", "thinking", "format", "tools", "think", "num_predict"]) {
      assert.isTrue(sent.some(([, body]) => under(body, key).length > 0), key)
    }
    // What can't be put into a request to it is known before anything is sent.
    assert.sameMembers([...unsaid], [
      "image input as Url",
      "image input as Uploaded",
      "audio input",
      "file input"
    ])
  })

  it("never bind a model that may call tools to a grammar", () => {
    for (const [seed, body] of sent) if (body.tools !== undefined) assert.notProperty(body, "format", `seed ${seed}`)
  })

  it.skipIf(specsAt === undefined)("pass Ollama's description", () => {
    const problems = specification("ollama-native.slice.json", "ChatRequest")
    for (const [seed, body] of sent) assert.strictEqual(problems(body), "", `seed ${seed}`)
    const [, body = {}] = sent[0] ?? []
    const wrong: { readonly [what: string]: Json } = {
      "a key nobody knows": { max_tokens: 5 },
      "a role nobody has": { messages: [{ role: "bot", content: "x" }] },
      "content in parts": { messages: [{ role: "user", content: [{ type: "text", text: "x" }] }] },
      "arguments as text": {
        messages: [{ role: "assistant", content: "", tool_calls: [{ function: { name: "x", arguments: "{}" } }] }]
      },
      "a format in words": { format: "yaml" },
      "an effort nobody knows": { think: "heroic" },
      "a limit in words": { options: { num_predict: "5" } }
    }
    for (const [what, change] of Object.entries(wrong)) {
      assert.notStrictEqual(problems({ ...body, ...change }), "", what)
    }
  })
})
