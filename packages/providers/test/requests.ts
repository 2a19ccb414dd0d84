/** Requests put together at random, the same ones for the same seed. */
import { type LM, Message, type Request } from "@effect-dspy/core"
import type { Completion } from "@effect-dspy/core/Completion"
import { random, signature } from "./signatures.ts"

type Content = Completion["content"][number]

const texts = ["hello", "Grüß dich 🌊", "a\nb", "{\"a\":1}", " ", ""]

const media: ReadonlyArray<Message.Media> = [
  { type: "image", mediaType: "image/png", source: { _tag: "Base64", data: "aGk=" } },
  { type: "image", mediaType: "image/bmp", source: { _tag: "Base64", data: "aGk=" } },
  { type: "image", mediaType: "image/jpeg", source: { _tag: "Url", url: "https://example.com/a.jpg" } },
  { type: "image", mediaType: "image/png", source: { _tag: "Uploaded", id: "file_1" } },
  { type: "audio", mediaType: "audio/wav", source: { _tag: "Base64", data: "aGk=" } },
  { type: "file", mediaType: "application/pdf", source: { _tag: "Base64", data: "aGk=" }, name: "a.pdf" },
  { type: "file", mediaType: "application/pdf", source: { _tag: "Url", url: "https://example.com/a.pdf" } },
  { type: "file", mediaType: "text/plain", source: { _tag: "Base64", data: "aGk=" }, name: "a.txt" },
  { type: "file", mediaType: "application/pdf", source: { _tag: "Uploaded", id: "file_2" } }
]

const settings: ReadonlyArray<LM.Settings> = [
  {},
  { temperature: 0, seed: 1 },
  { temperature: 1.3, topP: 0.5, maxTokens: 100 },
  { stop: ["END"], reasoningEffort: "minimal" },
  { stop: ["\n", "a", "b", "c"], reasoningEffort: "none", maxTokens: 1, rollout: 4 },
  { reasoningEffort: "high", timeout: "1 minute", retryMaxTokens: 9 },
  { reasoningEffort: "medium", maxTokens: 4000, temperature: 1 },
  { topP: 0.9, reasoningEffort: "low" }
]

const tools: ReadonlyArray<Request.Tool> = [
  {
    name: "add",
    description: "Adds two numbers.",
    parameters: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } }, required: ["a", "b"] }
  },
  { name: "now", description: "", parameters: { type: "object", properties: {} } },
  { name: "find-all_2", description: "Finds.", parameters: { properties: { query: { type: "string" } } } }
]

/**
 * A request of any kind. `metadata` are things this provider would want back with a thought, a text or a call.
 */
export const request = (seed: number, metadata: ReadonlyArray<NonNullable<Content["metadata"]>> = []): LM.Request => {
  const next = random(seed)
  const pick = <A>(options: ReadonlyArray<A>): A => options[Math.floor(next() * options.length)] as A
  const chance = (probability: number) => next() < probability
  const marked = () => chance(0.5) && metadata.length > 0 ? { metadata: pick(metadata) } : undefined

  const messages: Array<Message.Message> = []
  while (chance(0.5)) messages.push(Message.system(pick(texts)))
  const turns = Math.floor(next() * 4)
  for (let turn = 0; turn < turns; turn++) {
    messages.push(Message.user(
      chance(0.5)
        ? pick(texts)
        : [{ type: "text", text: pick(texts) }, ...(chance(0.6) ? [pick(media)] : []), { type: "text", text: "Why?" }]
    ))
    if (chance(0.2)) messages.push(Message.system("Be brief from now on."))
    if (chance(0.3)) continue
    if (chance(0.3)) {
      messages.push(Message.assistant(pick(texts)))
      continue
    }
    const calls = Array.from(
      { length: Math.floor(next() * 3) },
      (_, index): Content & { readonly type: "toolCall" } => ({
        type: "toolCall",
        id: `call ${turn}.${index}`,
        name: pick(tools).name,
        ...(chance(0.8) ? { arguments: { a: index } } : { arguments: "{\"a\":", malformed: true }),
        ...marked()
      })
    )
    messages.push(Message.assistant([
      ...(chance(0.4) ? [{ type: "reasoning" as const, text: pick(texts), ...marked() }] : []),
      ...(chance(0.6) ? [{ type: "text" as const, text: pick(texts), ...marked() }] : []),
      ...calls
    ]))
    if (calls.length === 0) continue
    messages.push(Message.tool(calls.map(({ id, name }, index) => ({
      type: "toolResult",
      id,
      name,
      content: pick(texts),
      ...(index === 0 ? undefined : { isError: true })
    }))))
  }
  messages.push(Message.user("And now?"))

  const own = tools.filter(() => chance(0.3))
  const made = signature(seed)
  // One whose parameters are of any form.
  if (chance(0.4)) {
    own.push({ name: "made", description: "Of any form.", parameters: signature(seed + 7919).derived.jsonSchema })
  }
  return {
    messages,
    output: chance(0.3) ? { _tag: "Text" } : {
      _tag: "Json",
      name: made.name,
      schema: made.derived.jsonSchema,
      instruction: "Reply with one JSON object.",
      ...(chance(0.3) ? { mode: pick(["tool", "json", "prompt"]) } : undefined)
    },
    settings: pick(settings),
    stable: Math.floor(next() * messages.length),
    ...(own.length === 0 ? undefined : { tools: own }),
    ...(chance(0.4) ? { toolChoice: pick(["auto", "required", "none", { tool: own[0]?.name ?? "add" }]) } : undefined)
  }
}
