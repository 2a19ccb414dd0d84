/**
 * Fields by other schema libraries: zod, arktype, valibot, and whatever speaks Standard Schema.
 *
 * `Signature.make` takes such schemas as they are; `make` gives the effect schema that stands for one, for tools, steps
 * and nested fields. The library validates, and says by Standard JSON Schema what a model is shown. What it finds wrong
 * goes back to the model like any finding; values are taken out of its words, because findings stand in errors.
 *
 * - zod 4.2 and arktype 2.1.28 speak both standards; a valibot schema does as `toStandardJsonSchema(schema)` of
 *   `@valibot/to-json-schema`. Describe an arktype as `type("string", "@", "...")`: inline, the compiler can't infer
 *   what its `describe` gives.
 * - A schema that takes `undefined` is an optional field; a default is filled in.
 * - Inputs are values of the schema's output, as in effect. They are written for prompts as JSON and have to be the
 *   same when they are read again: a transformation that can be gone through twice (trimming, coercing, a date from its
 *   text) is no trouble, a one-way one (the length of a text) is for output fields.
 *
 * ```ts
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 * import { z } from "zod"
 *
 * const rate = Predict.make(Signature.make("Rate", {
 *   input: { text: z.string() },
 *   output: { stars: z.number().int().min(1).max(5), tags: z.array(z.string()).default([]) }
 * }))
 * await Effect.runPromise(rate({ text: "Lovely." }).pipe(Effect.provide(TestLM.layer([{ stars: 5 }])))) // => { stars: 5, tags: [] }
 * ```
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type { StandardJSONSchemaV1, StandardSchemaV1, StandardTypedV1 } from "effect/StandardSchema"
import * as Field from "./Field.ts"

/**
 * A schema of another library: it validates, and it knows its JSON schema.
 *
 * @category models
 */
export interface Any extends StandardTypedV1 {
  readonly "~standard": StandardSchemaV1.Props & StandardJSONSchemaV1.Props
}

/**
 * Fields, each of them a schema of effect or of another library.
 *
 * @category models
 */
export type Fields = { readonly [name: string]: Field.Any | Any }

/** The effect schema that stands for a schema of another library. */
export type From<S extends StandardTypedV1> = undefined extends StandardTypedV1.InferOutput<S>
  ? Schema.optionalKey<Schema.Codec<Exclude<StandardTypedV1.InferOutput<S>, undefined>, unknown>>
  : Schema.Codec<StandardTypedV1.InferOutput<S>, unknown>

/** Fields with effect schemas only. */
export type Lifted<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field.Any ? F[K] : F[K] extends StandardTypedV1 ? From<F[K]> : never
}

/**
 * A schema can't be a field. Thrown where it is declared, like every mistake in a declaration.
 *
 * - `field`: its name; `vendor`: whose schema it is
 *
 * @category errors
 */
export class StandardFieldError
  extends Schema.TaggedError<StandardFieldError>("@effect-dspy/core/StandardFieldError")("StandardFieldError", {
    field: Schema.String,
    vendor: Schema.String,
    problem: Schema.String
  })
{
  override get message(): string {
    return `${this.field}: a ${this.vendor} schema that can't be a field: ${this.problem}`
  }
}

/**
 * Whether a value is a schema of another library.
 *
 * @category guards
 */
export const isStandard = (schema: unknown): schema is StandardSchemaV1 =>
  (typeof schema === "object" || typeof schema === "function") && schema !== null && "~standard" in schema &&
  !Schema.isSchema(schema)

/**
 * Fields with effect schemas only: those of other libraries are replaced.
 *
 * @category conversions
 */
export const lift = <const F extends Fields>(fields: F): Lifted<F> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, schema]) => {
      if (!Schema.isSchema(schema) && !isStandard(schema)) throw new TypeError(`${name}: expected a schema`)
      return [name, isStandard(schema) ? make(name, schema) : schema]
    })
    // Field by field, what `Lifted` says.
  ) as Lifted<F>

/**
 * The effect schema of one field. `name` is the field's, for errors and definitions.
 *
 * @category constructors
 */
export const make = <const S extends Any>(name: string, schema: S): From<S> => {
  const { "~standard": standard } = schema
  const fail = (problem: string) => new StandardFieldError({ field: name, vendor: standard.vendor, problem })
  const validate = (value: unknown): StandardSchemaV1.Result<unknown> => {
    const result = standard.validate(value)
    if ("then" in result) throw fail("it validates asynchronously; a reply is read at once")
    return result
  }
  const jsonSchema = shown(name, schema, fail)
  // A check that finds nothing, and says what is written: of `Unknown` effect would say that it is JSON.
  const written: Schema.Codec<unknown> = Schema.Any.check(
    Schema.makeFilter(() => true, { toJsonSchema: () => jsonSchema })
  )
  const codec = written.pipe(Schema.decodeTo(
    Schema.Unknown,
    SchemaTransformation.transformEffect<unknown, unknown>({
      decode: (json) => {
        const infinite = Field.findNonFinite(json)
        if (infinite !== undefined) return Effect.fail(wrong([infinite]))
        const read = validate(json)
        return read.issues === undefined ? Effect.succeed(read.value) : Effect.fail(wrong(read.issues.map(told(json))))
      },
      encode: (value) => encode(validate, value)
    })
  ))
  const { description } = jsonSchema
  // The library says of what type its values are.
  const described = typeof description === "string" ? codec.annotate({ description }) : codec
  return optional(described, validate) as unknown as From<S>
}

// A schema is asked for what stands in place of nothing.
const optional = (
  codec: Schema.Codec<unknown, unknown>,
  validate: (value: unknown) => StandardSchemaV1.Result<unknown>
): Schema.Top => {
  const absent = Result.try(() => validate(undefined))
  if (Result.isFailure(absent)) {
    if (absent.failure instanceof StandardFieldError) throw absent.failure
    // A transformation that does not expect it: the field is required.
    return codec
  }
  const { issues, value } = absent.success as { readonly issues?: unknown; readonly value?: unknown }
  if (issues !== undefined) return codec
  return value === undefined ? Schema.optionalKey(codec) : codec.pipe(Schema.withDecodingDefaultKey(Effect.sync(() => {
    const made = validate(undefined)
    return made.issues === undefined ? made.value : value
  })))
}

interface Found {
  readonly path: ReadonlyArray<string | number>
  readonly expected: string
}

const wrong = (found: ReadonlyArray<Found>): SchemaIssue.Issue => {
  const [first, ...rest] = found.map(({ expected, path }) =>
    new SchemaIssue.Pointer(path, new SchemaIssue.InvalidValue({ message: expected }))
  )
  return first === undefined
    ? new SchemaIssue.InvalidValue({ message: "another value" })
    : new SchemaIssue.Composite(Schema.Unknown.ast, [first, ...rest])
}

const unwritable = wrong([{
  path: [],
  expected: "a value that its schema reads back from JSON (a one-way transformation is for outputs)"
}])

/**
 * The JSON form of a value that the schema reads back from it: the same value, or one that reading again does not
 * change.
 */
const encode = (
  validate: (value: unknown) => StandardSchemaV1.Result<unknown>,
  value: unknown
): Effect.Effect<unknown, SchemaIssue.Issue> => {
  const json = toJson(value)
  if (Result.isFailure(json)) return Effect.fail(unwritable)
  const read = validate(json.success)
  if (read.issues !== undefined) return Effect.fail(wrong(read.issues.map(told(json.success))))
  if (Equal.equals(read.value, value)) return Effect.succeed(json.success)
  const again = toJson(read.value)
  if (Result.isFailure(again)) return Effect.fail(unwritable)
  const reread = validate(again.success)
  return reread.issues === undefined && Equal.equals(reread.value, read.value)
    ? Effect.succeed(again.success)
    : Effect.fail(unwritable)
}

const toJson = (value: unknown): Result.Result<unknown, unknown> =>
  Result.try(() => JSON.parse(JSON.stringify(value)) as unknown)

/**
 * A finding in our words: what was expected. Libraries say it in a sentence, with the value that was there behind it.
 */
const told = (root: unknown) => ({ message, path = [] }: StandardSchemaV1.Issue): Found => {
  // An array of its own: arktype's paths map to paths, which begin with their length.
  const keys = Array.from(path, (segment) => {
    const key = typeof segment === "object" ? segment.key : segment
    return typeof key === "number" ? key : String(key)
  })
  const sentence = message.split(/,? (?:but )?received | \(was /)[0] ?? ""
  const [, expected] = /(?:expected|must be) (.+)/is.exec(sentence) ?? []
  return { path: keys, expected: without(root, expected ?? `a valid value: ${sentence}`) }
}

/** Shorter texts are words of the sentence as often as they are the value. */
const tellingLength = 4

// The words may still hold parts of the value, keys of records among them.
const without = (value: unknown, text: string): string => {
  if (typeof value === "string") return value.length < tellingLength ? text : text.replaceAll(value, "...")
  if (typeof value !== "object" || value === null) return text
  return Object.entries(value).reduce((left, [key, item]) => without(item, without(key, left)), text)
}

/** The field's JSON schema in one piece: definitions under names of the field, so that two fields don't mix theirs. */
const shown = (
  name: string,
  { "~standard": standard }: Any,
  fail: (problem: string) => StandardFieldError
): JsonSchema.JsonSchema => {
  // Missing where a caller is untyped or a library older than the standard.
  const converter = standard.jsonSchema as StandardJSONSchemaV1.Converter | undefined
  if (converter === undefined) {
    throw fail("it does not tell its JSON schema (Standard JSON Schema); a newer version or a converter does")
  }
  const given = Result.try(() => converter.input({ target: "draft-2020-12" }))
  if (Result.isFailure(given)) throw fail(`it has no JSON schema: ${messageOf(given.failure)}`)
  const { $defs, $schema: _, ...rest } = given.success as JsonSchema.JsonSchema
  let isRecursive = false
  const reference = ($ref: string): string => {
    if ($ref === "#") isRecursive = true
    return $ref === "#" ? `#/$defs/${name}` : $ref.replace(/^#\/\$defs\//, `#/$defs/${name}_`)
  }
  const schema = own(rest, reference) as JsonSchema.JsonSchema
  const definitions = Object.fromEntries(
    Object.entries($defs ?? {}).map(([key, one]) => [`${name}_${key}`, own(one, reference) as JsonSchema.JsonSchema])
  )
  if (isRecursive) return { $ref: `#/$defs/${name}`, $defs: { ...definitions, [name]: schema } }
  return Object.keys(definitions).length === 0 ? schema : { ...schema, $defs: definitions }
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** What holds data, and no schemas. */
const values = new Set(["const", "enum", "default", "examples"])

// With references to where the definitions will be; without patterns that a format says in one word; and closed, as
// endpoints want objects: a library passes over keys it does not know, and a model need not invent any.
const own = (node: unknown, reference: ($ref: string) => string, isPart = false): unknown => {
  if (Array.isArray(node)) return node.map((item) => own(item, reference, isPart))
  if (typeof node !== "object" || node === null) return node
  const isFormat = "format" in node && typeof node.format === "string"
  const isOpen = !isPart && "properties" in node && !("additionalProperties" in node)
  const entries = Object.entries(node).filter(([key]) => !(isFormat && key === "pattern")).map(([key, value]) => [
    key,
    values.has(key)
      ? value
      : key === "$ref" && typeof value === "string"
      ? reference(value)
      // Parts of one object: each of them closed, they would rule each other out.
      : own(value, reference, key === "allOf")
  ])
  return { ...Object.fromEntries(entries), ...(isOpen ? { additionalProperties: false } : undefined) }
}
