/**
 * What makes two requests the same.
 *
 * Caches, recordings and memos ask it here, so that none of them forgets a part: who is asked, on whose
 * account, the messages, the wished output with its schema, the tools, and every setting that can change the
 * answer. What only concerns the call (attempts, time, listeners, cache hints) is left out.
 */
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import type { Message } from "../Message.ts"
import type { Output, Request, Tool, ToolChoice } from "./Request.ts"
import * as Settings from "./Settings.ts"
import type { Service } from "./Tag.ts"

/** Settings of the call, not of the answer. */
const ofTheCall: ReadonlySet<string> = new Set(
  ["attempts", "timeout", "retryMaxTokens"] satisfies ReadonlyArray<
    keyof Settings.Settings
  >
)

/**
 * What a request asks, without who is asked: plain JSON data.
 *
 * @category models
 */
export interface Question {
  readonly messages: ReadonlyArray<Message>
  readonly output: Output
  readonly settings: { readonly [name: string]: unknown }
  readonly tools?: ReadonlyArray<Tool>
  readonly toolChoice?: ToolChoice
}

/**
 * The question a request asks, its settings in the order of their names.
 *
 * @category getters
 */
export const question = (request: Request): Question => ({
  messages: request.messages,
  output: request.output,
  settings: wishes(request.settings),
  ...(request.tools === undefined ? undefined : { tools: request.tools }),
  ...(request.toolChoice === undefined ? undefined : { toolChoice: request.toolChoice })
})

const wishes = (settings: Settings.Settings): Question["settings"] =>
  Object.fromEntries(
    Object.entries(settings).filter(([name]) => !ofTheCall.has(name)).sort(([a], [b]) => a < b ? -1 : 1)
  )

/**
 * The identity of a request to an LM, as JSON text. The layer's defaults are part of it.
 *
 * @category getters
 */
export const of = (lm: Service, request: Request): string =>
  JSON.stringify([
    lm.endpoint,
    lm.provider,
    lm.model,
    question({ ...request, settings: Settings.merge(lm.defaults, request.settings) })
  ])

/**
 * The same identity for a map in memory. Nothing is written down for it: its texts are those of the request itself, what
 * is the same in many requests is written once, and two keys are equal when all their texts are.
 *
 * @category models
 */
export class Key implements Equal.Equal {
  private readonly texts: ReadonlyArray<string>
  private readonly hash: number

  constructor(texts: ReadonlyArray<string>) {
    this.texts = texts
    this.hash = texts.reduce(sampled, texts.length)
  }

  [Hash.symbol](): number {
    return this.hash
  }

  [Equal.symbol](that: unknown): boolean {
    return that instanceof Key && that.hash === this.hash && that.texts.length === this.texts.length &&
      that.texts.every((text, index) => text === this.texts[index])
  }
}

/** Characters of one text that go into a hash, about: reading all of a long prompt would cost more than comparing it. */
const samples = 128

const sampled = (hash: number, text: string): number => {
  const { length } = text
  let mixed = Math.imul(hash, 31) + length | 0
  const step = length > samples ? Math.floor(length / samples) : 1
  for (let at = 0; at < length; at += step) mixed = Math.imul(mixed, 31) + text.charCodeAt(at) | 0
  // Prompts that were made from one template mostly differ near their end.
  for (let at = Math.max(0, length - 16); at < length; at++) mixed = Math.imul(mixed, 31) + text.charCodeAt(at) | 0
  return mixed
}

/**
 * Makes the keys of requests to one LM.
 *
 * @category constructors
 */
export const keys = (lm: Service): (request: Request) => Key => {
  const asked = JSON.stringify([lm.endpoint, lm.provider, lm.model])
  const ofSettings = once((settings: Settings.Settings) =>
    JSON.stringify(wishes(Settings.merge(lm.defaults, settings)))
  )
  return ({ messages, output, settings, toolChoice, tools }) => {
    const texts = [asked, ofSettings(settings), written(output)]
    texts.push(tools === undefined ? "" : written(tools), toolChoice === undefined ? "" : JSON.stringify(toolChoice))
    for (const { content, role } of messages) {
      if (typeof content === "string") texts.push(role, content)
      else texts.push(`${role}, parts`, JSON.stringify(content))
    }
    return new Key(texts)
  }
}

const once = <K extends object>(write: (key: K) => string): (key: K) => string => {
  const known = new WeakMap<K, string>()
  return (key) => {
    let text = known.get(key)
    if (text === undefined) {
      text = write(key)
      known.set(key, text)
    }
    return text
  }
}

// Schemas and tools belong to a signature, not to a call.
const written = once<Output | ReadonlyArray<Tool>>((value) => JSON.stringify(value))

/**
 * The endpoint of an LM that stands for several: whoever keeps answers must not take those of another row of models
 * for these.
 *
 * @category getters
 */
export const endpoints = (lms: ReadonlyArray<Service>): string =>
  lms.map(({ endpoint, model }) => `${endpoint} ${model}`).join(", ")
