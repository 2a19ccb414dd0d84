/**
 * The arguments of tool calls, which models write as text, in a stream piece by piece.
 */
import type { ToolCall } from "@effect-dspy/core/Completion"
import type { Part } from "@effect-dspy/core/LM/Sink"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Json))

/**
 * A call from its arguments as text; empty text means no arguments. Text that is not JSON is kept and marked.
 *
 * ```ts
 * import { ToolInput } from "@effect-dspy/providers"
 *
 * ToolInput.call("1", "add", '{"a":1}').arguments // => { a: 1 }
 * ToolInput.call("1", "add", '{"a":').malformed // => true
 * ```
 *
 * @category constructors
 */
export const call = (id: string, name: string, text: string, metadata?: ToolCall["metadata"]): ToolCall => {
  const given = text.trim() === "" ? Result.succeed({}) : decode(text)
  return {
    type: "toolCall",
    id,
    name,
    ...(Result.isSuccess(given) ? { arguments: given.success } : { arguments: text, malformed: true as const }),
    ...(metadata === undefined ? undefined : { metadata })
  }
}

/**
 * - `add`: takes a piece of the call at `index`, or of the last one where servers don't number them; `id` and
 *   `name` may come with the first piece only
 * - `all`: the calls in the order they began
 *
 * @category models
 */
export interface ToolInput {
  readonly add: (
    index: number | undefined,
    id: string | undefined,
    name: string | undefined,
    text: string
  ) => ReadonlyArray<Part>
  readonly all: () => ReadonlyArray<ToolCall>
}

/**
 * Collects the calls of one answer.
 *
 * @category constructors
 */
export const make = (): ToolInput => {
  const calls: Array<{ readonly id: string; readonly key: number | undefined; name: string; text: string }> = []
  return {
    add: (index, id, name, text) => {
      const last = calls.at(-1)
      const known = index === undefined
        ? (last !== undefined && (id === undefined || id === "" || id === last.id) ? last : undefined)
        : calls.find((one) => one.key === index)
      const found = known ??
        { id: id === undefined || id === "" ? `call_${calls.length}` : id, key: index, name: "", text: "" }
      if (known === undefined) calls.push(found)
      if (found.name === "") found.name = name ?? ""
      found.text += text
      return text === "" ? [] : [{ type: "toolInput", id: found.id, name: found.name, text }]
    },
    all: () => calls.map(({ id, name, text }) => call(id, name, text))
  }
}
