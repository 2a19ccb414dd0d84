/**
 * What makes two requests the same.
 *
 * Caches, recordings and memos ask it here, so that none of them forgets a part: who is asked, on whose account, the
 * messages, the requested output with its schema, the tools, and every setting that can change the answer. What only
 * concerns the call (attempts, time, listeners, cache hints) is left out.
 */
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
 * Makes the keys of requests to one LM for a map in memory: the same identity, put together of the texts of the request
 * itself. What is the same in many requests is written once. Keys are strings, which the engine hashes and compares,
 * and begin with what differs most.
 *
 * @category constructors
 */
export const keys = (lm: Service): (request: Request) => string => {
  const asked = JSON.stringify([lm.endpoint, lm.provider, lm.model])
  const ofSettings = once((settings: Settings.Settings) =>
    JSON.stringify(wishes(Settings.merge(lm.defaults, settings)))
  )
  return ({ messages, output, settings, toolChoice, tools }) => {
    let key = ""
    for (let index = messages.length - 1; index >= 0; index--) {
      const message = messages[index]
      if (message === undefined) continue
      const { content, role } = message
      // With its length before it, no text can be taken for the end of another.
      if (typeof content === "string") key += `${role} ${content.length} ${content}`
      else {
        const parts = JSON.stringify(content)
        key += `${role}, parts ${parts.length} ${parts}`
      }
    }
    const choice = toolChoice === undefined ? "" : JSON.stringify(toolChoice)
    const offered = tools === undefined ? "" : written(tools)
    return `${key}\n${asked}\n${ofSettings(settings)}\n${choice}\n${offered}\n${written(output)}`
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

/** More than a program has signatures. One that makes them without end must not fill the memory. */
const most = 1000

const numbers = new Map<string, string>()

// Schemas and tools belong to a signature, not to a call, and are long: a number stands for each text.
const written = once<Output | ReadonlyArray<Tool>>((value) => {
  const text = JSON.stringify(value)
  const known = numbers.get(text)
  if (known !== undefined || numbers.size >= most) return known ?? text
  const number = `#${numbers.size}`
  numbers.set(text, number)
  return number
})

/**
 * The endpoint of an LM that stands for several: whoever keeps answers must not confuse them with those of other models
 * in a row.
 *
 * @category getters
 */
export const endpoints = (lms: ReadonlyArray<Service>): string =>
  lms.map(({ endpoint, model }) => `${endpoint} ${model}`).join(", ")
