/**
 * How many tokens a request will take, before it is sent.
 *
 * Limits and budgets that reserve ahead need a figure when there is none yet. It is a guess on the high side, and is
 * settled with the real usage when the answer is there.
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type { Request } from "./Request.ts"
import type { Service } from "./Tag.ts"

/** Tokens an answer is expected to take when nobody limits it. */
const defaultAnswer = 1000

const utf8 = new TextEncoder()

/** Written over again and again: encoding into it costs a tenth of a new array for each text. */
const scratch = new Uint8Array(16_384)

const bytes = (text: string): number => {
  let total = 0
  let rest = text
  while (rest.length > 0) {
    const { read, written } = utf8.encodeInto(rest, scratch)
    total += written
    rest = rest.slice(read)
  }
  return total
}

/**
 * Counts the tokens of a text. The default takes four bytes of UTF-8 for one token, which fits English within a
 * fifth or so and other scripts less well; provide the model's own tokenizer where that matters.
 *
 * @category services
 */
export const Tokenizer = Context.Reference<(text: string) => number>("@effect-dspy/core/LM/Tokenizer", {
  defaultValue: () => (text) => Math.ceil(bytes(text) / 4)
})

/**
 * Tokens of the prompt, by the fiber's `Tokenizer`. Pictures, sound and files are not counted: what they take is known
 * to their endpoint alone.
 *
 * @category getters
 */
export const ofPrompt = (fiber: Fiber.Fiber<unknown, unknown>, request: Request): number => {
  const count = fiber.getRef(Tokenizer)
  let tokens = 0
  for (const message of request.messages) {
    if (typeof message.content === "string") tokens += count(message.content)
    else {
      for (const part of message.content) {
        if (part.type === "text" || part.type === "reasoning") tokens += count(part.text)
        else if (part.type === "toolResult") tokens += count(part.content)
        else if (part.type === "toolCall") tokens += count(JSON.stringify(part.arguments))
      }
    }
  }
  if (request.tools !== undefined) tokens += count(JSON.stringify(request.tools))
  // The schema itself takes about as much as what is said of it in words.
  if (request.output._tag === "Json") tokens += count(request.output.instruction)
  return tokens
}

/**
 * Tokens of the answer: `maxTokens`, the layer's default included, or 1,000.
 *
 * @category getters
 */
export const ofAnswer = (lm: Service, request: Request): number =>
  request.settings.maxTokens ?? lm.defaults.maxTokens ?? defaultAnswer

/**
 * Tokens of the prompt and of the answer.
 *
 * @category getters
 */
export const estimate = (fiber: Fiber.Fiber<unknown, unknown>, lm: Service, request: Request): number =>
  ofPrompt(fiber, request) + ofAnswer(lm, request)
