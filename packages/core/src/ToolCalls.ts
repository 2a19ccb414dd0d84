/**
 * Calls of tools as an output field: for programs that run tools by themselves. `ReAct` does it for those that don't.
 *
 * Models write one call where a list is asked for, or wrap the list in an object of its name; both are read as the
 * list they mean. What is sent to a model is the list alone.
 */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

const ToolCall = Schema.Struct({ name: Schema.String, args: Schema.Record(Schema.String, Schema.Json) })

const List = Schema.Array(ToolCall)

// A list is left as it is; what else there is becomes one.
const listed = (written: Schema.Json): ReadonlyArray<Schema.Json> => {
  if (Array.isArray(written)) return written
  const wrapped = typeof written === "object" && written !== null && "tool_calls" in written
    ? written.tool_calls
    : undefined
  return Array.isArray(wrapped) ? wrapped : [written]
}

/** Anything, told to a model as the list. */
const Written = Schema.Json.check(Schema.makeFilter(() => true, {
  toJsonSchema: () => Schema.toJsonSchemaDocument(List, { onExcessProperty: "error" }).schema
}))

/**
 * Calls, each with a tool's name and its arguments.
 *
 * ```ts
 * import { ToolCalls } from "@effect-dspy/core"
 * import { Schema } from "effect"
 *
 * const call = { name: "weather", args: { city: "Paris" } }
 * Schema.decodeUnknownSync(ToolCalls.ToolCalls)({ tool_calls: [call] }) // => [{ name: "weather", args: { city: "Paris" } }]
 * Schema.decodeUnknownSync(ToolCalls.ToolCalls)(call) // => [{ name: "weather", args: { city: "Paris" } }]
 * ```
 *
 * @category schemas
 */
export const ToolCalls = Written.pipe(
  Schema.decodeTo(
    List,
    // What `listed` gives is checked by the list.
    SchemaTransformation.transform<typeof List.Encoded, Schema.Json>({
      decode: (written) => listed(written) as typeof List.Encoded,
      encode: (calls) => calls
    })
  )
).annotate({ description: "tools to call, by name, with their arguments" })

/**
 * Names of tools and arguments.
 *
 * @category models
 */
export type ToolCalls = typeof ToolCalls.Type
