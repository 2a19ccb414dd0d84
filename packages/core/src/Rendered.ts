/**
 * What a predictor sends with every call, rendered once: the system turn and the demonstrations.
 *
 * A predictor owns one cache. Tuned parameters are told apart by the identity of their entry, so an
 * evaluation over a thousand examples renders a candidate's prompt once.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Adapter, Demo, Format } from "./Adapter.ts"
import type * as Example from "./Example.ts"
import * as Field from "./Field.ts"
import type { Message } from "./Message.ts"
import type { Entry } from "./Parameters.ts"
import type { Issue } from "./PredictError.ts"
import { type Any as Signature, type Encoded, type Fields, make } from "./Signature.ts"

/**
 * What the calls of a predictor have in common: the signature that is asked for, its format, its demonstrations, its
 * first turns.
 *
 * @category models
 */
export interface Rendered {
  readonly signature: Signature
  readonly format: Format
  readonly demos: ReadonlyArray<Demo>
  readonly prefix: ReadonlyArray<Message>
}

/**
 * Looks up or renders; fails when a demonstration does not fit the signature. For a model that `thinks` without being
 * asked, fields for its thoughts are left out of the signature.
 *
 * @category models
 */
export interface Cache {
  (adapter: Adapter, entry: Entry | undefined, thinks?: boolean): Result.Result<Rendered, ReadonlyArray<Issue>>
}

/**
 * The cache of one predictor; `demos` are its own.
 *
 * @category constructors
 */
export const cache = (signature: Signature, demos: ReadonlyArray<Example.Example<unknown, unknown>> = []): Cache => {
  const plain = ofSignature(signature, demos)
  let thinking: Cache | undefined
  return (adapter, entry, thinks = false) => {
    if (!thinks) return plain(adapter, entry)
    thinking ??= asksForThoughts(signature) ? ofSignature(withoutThoughts(signature), demos) : plain
    return thinking(adapter, entry)
  }
}

const asksForThoughts = ({ derived: { outputs } }: Signature): boolean =>
  outputs.some((field) => field.isReasoning) && outputs.some((field) => !field.isReasoning)

const withoutThoughts = (signature: Signature): Signature => {
  const kept = signature.derived.outputs.filter((field) => !field.isReasoning)
  const fields = Object.fromEntries(kept.map(({ name }) => [name, signature.output.fields[name] ?? Schema.Never]))
  return make<string, {}, Fields>(signature.name, {
    instructions: signature.instructions,
    input: signature.input.fields,
    output: fields
  })
}

const ofSignature = (signature: Signature, demos: ReadonlyArray<Example.Example<unknown, unknown>>): Cache => {
  const untuned: Entry = {}
  const byAdapter = new WeakMap<Adapter, WeakMap<Entry, ReturnType<Cache>>>()
  let lastAdapter: Adapter | undefined
  let lastEntry: Entry | undefined
  let last: ReturnType<Cache> | undefined
  return (adapter, entry = untuned) => {
    // Nearly every call asks for what the one before asked for.
    if (last !== undefined && adapter === lastAdapter && entry === lastEntry) return last
    let byEntry = byAdapter.get(adapter)
    if (byEntry === undefined) {
      byEntry = new WeakMap()
      byAdapter.set(adapter, byEntry)
    }
    let rendered = byEntry.get(entry)
    if (rendered === undefined) {
      rendered = render(signature, adapter.format(signature), entry, entry.demos ?? demos)
      byEntry.set(entry, rendered)
    }
    lastAdapter = adapter
    lastEntry = entry
    last = rendered
    return rendered
  }
}

const render = (
  signature: Signature,
  format: Format,
  entry: Entry,
  demos: ReadonlyArray<Example.Example<unknown, unknown>>
): ReturnType<Cache> => {
  const { inputs, outputs } = signature.derived
  const encoded: Array<Demo> = []
  for (const [index, demo] of demos.entries()) {
    const input = encode(inputs, demo.input)
    const output = encode(outputs, demo.output)
    const issues = Field.shown([...input.issues, ...output.issues], signature.derived.names)
    if (issues.length > 0) {
      return Result.fail(issues.map((issue) => ({ ...issue, path: ["demos", index, ...issue.path] })))
    }
    encoded.push({ input: input.values, output: output.values })
  }
  const instructions = entry.instructions ?? signature.instructions
  return Result.succeed({ signature, format, demos: encoded, prefix: format.prefix(instructions, encoded) })
}

// Field by field, because a demonstration may lack fields: training data rarely has the reasoning.
const encode = (fields: ReadonlyArray<Field.Field>, record: unknown) => {
  const values: { [field: string]: unknown } = {}
  const issues: Array<Issue> = []
  const given = typeof record === "object" && record !== null ? record as Encoded : {}
  for (const field of fields) {
    // A field may be called like a member every object has.
    const value = Object.hasOwn(given, field.name) ? given[field.name] : undefined
    if (value === undefined) continue
    const result = field.encode(value)
    if (Result.isSuccess(result)) values[field.name] = result.success
    else issues.push(...result.failure)
  }
  return { values, issues }
}
