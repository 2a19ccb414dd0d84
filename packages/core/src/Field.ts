/**
 * One field of a signature: its name, what it means, and how it is read and written on its own.
 *
 * A `Signature` derives its fields once; adapters name them in prompts and read them one by one where a
 * reply comes in pieces. Types stay with the signature: at this level values are `unknown`.
 */
import type * as JsonSchema from "effect/JsonSchema"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Media from "./Media.ts"
import type { Issue } from "./PredictError.ts"
import * as TypeNotation from "./TypeNotation.ts"

/**
 * A schema a field may have: anything that encodes and decodes without services.
 *
 * @category models
 */
export type Any = Schema.Codec<unknown, unknown, never, never>

/**
 * - `type`: the field's type as a prompt names it
 * - `header`: the line its block begins with in prompts
 * - `isText`: its JSON form is plain text, so a reply's characters are the value
 * - `isHistory`: it is a conversation, which is not a block of the prompt
 * - `isReasoning`: a model that thinks need not be asked for it
 * - `hasMedia`: its values hold images or files, which become parts of a turn
 * - `decode`: reads the JSON form, checks included; `encode` writes it
 *
 * @category models
 */
export interface Field {
  readonly name: string
  readonly description: string | undefined
  readonly isOptional: boolean
  readonly type: string
  readonly header: string
  readonly isText: boolean
  readonly isHistory: boolean
  readonly isReasoning: boolean
  readonly hasMedia: boolean
  readonly jsonSchema: JsonSchema.JsonSchema
  readonly decode: (json: unknown) => Result.Result<unknown, ReadonlyArray<Issue>>
  readonly encode: (value: unknown) => Result.Result<unknown, ReadonlyArray<Issue>>
}

// What effect expects where a number has no finite check. A model that reads it would take it for an invitation.
const anyNumber = /(number \| )?"Infinity" \| "-Infinity" \| "NaN"/

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Schema issues as data: where and what was expected, without the value that was there.
 *
 * @category conversions
 */
export const issues = (issue: SchemaIssue.Issue): ReadonlyArray<Issue> =>
  format(issue).issues.map(({ message, path }) => ({
    path: (path ?? []).map((segment) => {
      const key = typeof segment === "object" ? segment.key : segment
      return typeof key === "number" ? key : String(key)
    }),
    expected: message === "Missing key"
      ? "a value, but the field is missing"
      : message.replace(/^Expected /, "").replace(anyNumber, "number")
  }))

/**
 * The property names a JSON schema declares, at any depth.
 *
 * @category getters
 */
export const declaredNames = (schema: unknown, names: Set<string> = new Set()): ReadonlySet<string> => {
  if (Array.isArray(schema)) schema.forEach((item) => declaredNames(item, names))
  else if (typeof schema === "object" && schema !== null) {
    for (const [keyword, value] of Object.entries(schema)) {
      if (keyword === "properties") Object.keys(value).forEach((name) => names.add(name))
      declaredNames(value, names)
    }
  }
  return names
}

/**
 * Issues as errors may show them: keys that the schema does not declare are data (of a record, say) and
 * become `*`.
 *
 * @category conversions
 */
export const shown = (found: ReadonlyArray<Issue>, declared: ReadonlySet<string>): ReadonlyArray<Issue> =>
  found.map(({ expected, path }) => ({
    path: path.map((key) => typeof key === "number" || declared.has(key) ? key : "*"),
    expected
  }))

// A field may be a number that JSON cannot hold: its codec would take the strings "NaN" and "Infinity",
// and JSON.parse makes Infinity of 1e999. Neither is an answer.
const nonFinite = { expected: "a finite number" }

/**
 * Finds the first number in a decoded value that is not finite.
 *
 * @category guards
 */
export const findNonFinite = (value: unknown, path: ReadonlyArray<string | number> = []): Issue | undefined => {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : { path, ...nonFinite }
  if (typeof value !== "object" || value === null) return undefined
  for (const [key, item] of within(value)) {
    const found = findNonFinite(item, [...path, key])
    if (found !== undefined) return found
  }
  return undefined
}

// Of a collection its items, not how it keeps them. An Option iterates over itself, for `yield*`.
const within = (value: object): Iterable<readonly [string | number, unknown]> => {
  if (!Predicate.isIterable(value)) return Object.entries(value)
  const items = [...value]
  return items[0] === value ? Object.entries(value) : items.entries()
}

/**
 * Describes one key of a struct. `jsonSchema` is that key's part of the struct's JSON schema.
 *
 * @category constructors
 */
export const make = (name: string, schema: Any, jsonSchema: JsonSchema.JsonSchema): Field => {
  const codec = Schema.toCodecJson(schema)
  const decode = Schema.decodeUnknownResult(codec, { errors: "all" })
  const encode = Schema.encodeUnknownResult(codec, { errors: "all" })
  const annotations = Schema.resolveAnnotations(schema)
  const description = Schema.resolveAnnotationsKey(schema)?.description ?? annotations?.description
  return {
    name,
    description,
    isOptional: SchemaAST.isOptional(schema.ast),
    type: TypeNotation.render(jsonSchema),
    header: `[[ ## ${name} ## ]]\n`,
    isText: jsonSchema.type === "string" && jsonSchema.enum === undefined && jsonSchema.const === undefined,
    isHistory: annotations?.["effect-dspy/history"] === true,
    isReasoning: annotations?.["effect-dspy/reasoning"] === true,
    hasMedia: Media.isIn(jsonSchema),
    jsonSchema,
    decode: (json) => {
      const decoded = decode(json)
      if (Result.isFailure(decoded)) return Result.fail(under(name, issues(decoded.failure.issue)))
      const found = findNonFinite(decoded.success, [name])
      return found === undefined ? Result.succeed(decoded.success) : Result.fail([found])
    },
    encode: (value) => Result.mapError(encode(value), (error) => under(name, issues(error.issue)))
  }
}

const under = (name: string, found: ReadonlyArray<Issue>): ReadonlyArray<Issue> =>
  found.map((issue) => ({ path: [name, ...issue.path], expected: issue.expected }))
