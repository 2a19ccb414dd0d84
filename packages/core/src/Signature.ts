/**
 * What a model call takes and gives: a name, instructions, an input struct and an output struct.
 *
 * Signatures are Effect Schemas, so types are inferred, checks are schema checks and descriptions are
 * schema annotations. Everything a call needs beyond that (codecs, fields, JSON schema) is derived once
 * and lazily, at the first call, and shared by all predictors and adapters that use the signature.
 *
 * ```ts
 * import { Signature } from "@effect-dspy/core"
 * import { Schema } from "effect"
 *
 * const Summarize = Signature.make("Summarize", {
 *   instructions: "Summarize the text in one sentence.",
 *   input: { text: Schema.String },
 *   output: { summary: Schema.String.annotate({ description: "one sentence" }) }
 * })
 * Summarize.derived.outputs.map((field) => [field.name, field.type, field.description]) // => [["summary", "string", "one sentence"]]
 * ```
 */
import type * as JsonSchema from "effect/JsonSchema"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Field from "./Field.ts"
import type { Issue } from "./PredictError.ts"
import * as SignatureText from "./SignatureText.ts"
import * as StandardField from "./StandardField.ts"
import * as StructSchema from "./StructSchema.ts"

/**
 * Named fields. A field needs no services, so encoding and decoding stay pure.
 *
 * @category models
 */
export type Fields = { readonly [name: string]: Schema.Codec<unknown, unknown, never, never> }

/** A value's JSON form, by field. */
export type Encoded = { readonly [field: string]: unknown }

/**
 * What is derived from a signature.
 *
 * - `history`: the input field that is a conversation, where there is one
 * - `encodeInput`: an input to JSON; `encodeOutput` the same for demonstrations
 * - `decodeOutput`: JSON to an output, all issues at once; unknown keys are dropped
 * - `names`: every property name the input or the output declares
 * - `jsonSchema`: the output as one self-contained JSON schema (draft 2020-12)
 *
 * @category models
 */
export interface Derived {
  readonly inputs: ReadonlyArray<Field.Field>
  readonly outputs: ReadonlyArray<Field.Field>
  readonly history: Field.Field | undefined
  readonly encodeInput: (input: unknown) => Result.Result<Encoded, ReadonlyArray<Issue>>
  readonly decodeInput: (json: unknown) => Result.Result<unknown, ReadonlyArray<Issue>>
  readonly encodeOutput: (output: unknown) => Result.Result<Encoded, ReadonlyArray<Issue>>
  readonly decodeOutput: (json: unknown) => Result.Result<unknown, ReadonlyArray<Issue>>
  readonly names: ReadonlySet<string>
  readonly jsonSchema: JsonSchema.JsonSchema
}

/**
 * A signature whose fields are not known: what adapters and stubs work with.
 *
 * @category models
 */
export interface Any {
  readonly name: string
  readonly instructions: string
  readonly input: Schema.Struct<Fields>
  readonly output: Schema.Struct<Fields>
  readonly derived: Derived
}

/**
 * A signature with the types of its fields. `derived` is worked out at the first use.
 *
 * @category models
 */
export interface Signature<Name extends string, I extends Fields, O extends Fields> extends Pipeable {
  readonly name: Name
  readonly instructions: string
  readonly input: Schema.Struct<I>
  readonly output: Schema.Struct<O>
  readonly derived: Derived
}

/** The value a signature takes. */
export type Input<S extends { readonly input: Schema.Top }> = S["input"]["Type"]

/** The value a signature gives. */
export type Output<S extends { readonly output: Schema.Top }> = S["output"]["Type"]

/**
 * Makes a signature. A key that is both input and output does not compile, and throws for untyped
 * callers. Without `instructions` the task is stated from the field names.
 *
 * Fields may be schemas of other libraries too (zod, valibot, arktype): see `StandardField`.
 *
 * @category constructors
 */
export const make: {
  <const Name extends string, const I extends Fields, const O extends Fields>(
    name: Name,
    options: Options<I, O>
  ): Signature<Name, I, O>
  <const Name extends string, const I extends StandardField.Fields, const O extends StandardField.Fields>(
    name: Name,
    options: Options<I, O>
  ): Signature<Name, StandardField.Lifted<I>, StandardField.Lifted<O>>
} = <Name extends string>(name: Name, options: Options<StandardField.Fields, StandardField.Fields>) => {
  const input = StandardField.lift(options.input)
  const output = StandardField.lift(options.output)
  const inputs = Object.keys(input)
  const outputs = Object.keys(output)
  const clash = outputs.filter((key) => inputs.includes(key))
  if (clash.length > 0) throw new TypeError(`${name}: both an input and an output field: ${clash.join(", ")}`)
  if (outputs.length === 0) throw new TypeError(`${name}: a signature needs at least one output field`)
  // The overloads say which fields these are.
  return build(
    name,
    options.instructions ?? stated(inputs.filter((key) => !isHistory(input[key])), outputs),
    Schema.Struct(input),
    Schema.Struct(output)
  ) as never
}

/** What a signature is made of. */
interface Options<I, O> {
  readonly instructions?: string | undefined
  readonly input: I
  readonly output: O & Apart<I>
}

/** Has no key of the input; the literal is what the compiler shows when there is one. */
type Apart<I> = { readonly [K in keyof I as string extends K ? never : K]?: "an input field has this name" }

/**
 * The same signature with other instructions.
 *
 * @category combinators
 */
export const withInstructions =
  (instructions: string) =>
  <Name extends string, I extends Fields, O extends Fields>(self: Signature<Name, I, O>): Signature<Name, I, O> =>
    build(self.name, instructions, self.input, self.output)

/** Fields to be added to a signature. */
interface Added<P extends Fields, Q extends Fields> {
  readonly input?: P
  readonly output?: Q
}

/**
 * The same signature with fields before its own: a model reads and writes them first.
 *
 * @category combinators
 */
export const prepend =
  <const P extends Fields = {}, const Q extends Fields = {}>({ input, output }: Added<P, Q>) =>
  <Name extends string, I extends Fields, O extends Fields>(
    self: Signature<Name, I, O>
  ): Signature<Name, P & I, Q & O> =>
    rebuild(self, { ...input, ...self.input.fields }, { ...output, ...self.output.fields })

/**
 * The same signature with fields after its own.
 *
 * ```ts
 * import { Signature } from "@effect-dspy/core"
 * import { Schema } from "effect"
 *
 * const Rate = Signature.parse("text -> stars: integer")
 * const Explained = Rate.pipe(Signature.append({ output: { why: Schema.String } }))
 * Object.keys(Explained.output.fields) // => ["stars", "why"]
 * ```
 *
 * @category combinators
 */
export const append =
  <const P extends Fields = {}, const Q extends Fields = {}>({ input, output }: Added<P, Q>) =>
  <Name extends string, I extends Fields, O extends Fields>(
    self: Signature<Name, I, O>
  ): Signature<Name, I & P, O & Q> =>
    rebuild(self, { ...self.input.fields, ...input }, { ...self.output.fields, ...output })

/**
 * The same signature without some of its fields.
 *
 * @category combinators
 */
export const omit =
  <const K extends string>(...keys: ReadonlyArray<K>) =>
  <Name extends string, I extends Fields, O extends Fields>(
    self:
      & Signature<Name, I, O>
      & ([K] extends [keyof I | keyof O] ? unknown : NoSuchField<Exclude<K, keyof I | keyof O>>)
  ): Signature<Name, Omit<I, K>, Omit<O, K>> => {
    const left = (fields: Fields) =>
      Object.fromEntries(Object.entries(fields).filter(([key]) => !keys.some((one) => one === key)))
    return rebuild(self, left(self.input.fields), left(self.output.fields))
  }

/** What a wrong key looks like to the compiler. */
interface NoSuchField<K> {
  readonly "the signature has no such field": K
}

/**
 * A signature from a line of text: fields with their types, inputs before the arrow and outputs after it. A type is
 * `string` (the default), `number`, `integer`, `boolean`, quoted literals joined by `|`, or one of them with `[]`;
 * `?` makes a field optional. What the text says is what the compiler knows, and a typo does not compile.
 *
 * ```ts
 * import { Signature } from "@effect-dspy/core"
 *
 * const Ask = Signature.parse("question, context: string[] -> answer, mood: 'calm' | 'cross', confidence: number?")
 * Ask.name // => "AnswerMoodConfidence"
 * Ask.derived.outputs.map((field) => field.type) // => ["string", "\"calm\" | \"cross\"", "number"]
 * ```
 *
 * @category constructors
 */
export const parse = <const S extends string>(
  text: S & SignatureText.Check<S>,
  options: { readonly name?: string; readonly instructions?: string } = {}
): Signature<string, SignatureText.Inputs<S>, SignatureText.Outputs<S>> => {
  const { input, output } = SignatureText.read(text)
  const name = options.name ?? Object.keys(output).map((key) => key.charAt(0).toUpperCase() + key.slice(1)).join("")
  // The text's types are those of the fields it was read as.
  return make<string, {}, Fields>(name, {
    instructions: options.instructions,
    input,
    output
  }) as unknown as Signature<string, SignatureText.Inputs<S>, SignatureText.Outputs<S>>
}

const rebuild = <Name extends string, I extends Fields, O extends Fields>(
  self: { readonly name: Name; readonly instructions: string },
  input: Fields,
  output: Fields
): Signature<Name, I, O> =>
  // Spreading generic structs loses the intersection for the compiler, not at run time.
  make<Name, {}, Fields>(self.name, { instructions: self.instructions, input, output }) as unknown as Signature<
    Name,
    I,
    O
  >

const stated = (inputs: ReadonlyArray<string>, outputs: ReadonlyArray<string>): string => {
  const names = (keys: ReadonlyArray<string>) => keys.map((key) => `\`${key}\``).join(", ")
  return inputs.length === 0 ? `Produce ${names(outputs)}.` : `Given ${names(inputs)}, produce ${names(outputs)}.`
}

// A conversation is not part of the task: it is what was said before.
const isHistory = (schema: Fields[string] | undefined): boolean =>
  schema !== undefined && Schema.resolveAnnotations(schema)?.["effect-dspy/history"] === true

const build = <Name extends string, I extends Fields, O extends Fields>(
  name: Name,
  instructions: string,
  input: Schema.Struct<I>,
  output: Schema.Struct<O>
): Signature<Name, I, O> => {
  const self = { name, instructions, input, output }
  // Not enumerable: printing or comparing a signature must neither derive anything nor show a method.
  Object.defineProperty(self, "pipe", {
    value: function(this: unknown) {
      return pipeArguments(this, arguments)
    }
  })
  Object.defineProperty(self, "derived", {
    configurable: true,
    enumerable: false,
    get() {
      const derived = derive(input, output)
      Object.defineProperty(self, "derived", { value: derived, enumerable: false })
      return derived
    }
  })
  // Both were added just above, where the compiler does not look.
  return self as typeof self & Pipeable & { readonly derived: Derived }
}

const derive = (input: Schema.Struct<Fields>, output: Schema.Struct<Fields>): Derived => {
  const inputSchema = StructSchema.make(input)
  const jsonSchema = StructSchema.make(output)
  const inputCodec = Schema.toCodecJson(input)
  const outputCodec = Schema.toCodecJson(output)
  const inputs = fieldsOf(input, inputSchema)
  return {
    inputs,
    history: inputs.find((field) => field.isHistory),
    outputs: fieldsOf(output, jsonSchema),
    // The JSON form of a struct is an object.
    encodeInput: twice((options) => Schema.encodeUnknownResult(inputCodec, options)) as Derived["encodeInput"],
    decodeInput: twice((options) => Schema.decodeUnknownResult(inputCodec, options)),
    encodeOutput: twice((options) => Schema.encodeUnknownResult(outputCodec, options)) as Derived["encodeOutput"],
    decodeOutput: mayBeNonFinite(output)
      ? finite(twice((options) => Schema.decodeUnknownResult(outputCodec, options)))
      : twice((options) => Schema.decodeUnknownResult(outputCodec, options)),
    names: Field.declaredNames([inputSchema, jsonSchema]),
    jsonSchema
  }
}

type Codec = (value: unknown) => Result.Result<unknown, ReadonlyArray<Issue>>

// Most values are right, and stopping at the first issue is the faster way to find that out; a value that
// is wrong is gone through again for all of its issues.
const twice = (
  codec: (
    options: { readonly errors: "first" | "all" }
  ) => (value: unknown) => Result.Result<unknown, Schema.SchemaError>
): Codec => {
  const first = codec({ errors: "first" })
  const all = codec({ errors: "all" })
  return (value) => {
    const result = first(value)
    // A success carries no error, whatever its type says.
    if (Result.isSuccess(result)) return result as Result.Result<unknown, never>
    const again = all(value)
    return Result.fail(Field.issues((Result.isFailure(again) ? again.failure : result.failure).issue))
  }
}

const finite = (decode: Codec): Codec => (json) => {
  const decoded = decode(json)
  if (Result.isFailure(decoded)) return decoded
  const found = Field.findNonFinite(decoded.success)
  return found === undefined ? decoded : Result.fail([found])
}

const fieldsOf = (struct: Schema.Struct<Fields>, schema: JsonSchema.JsonSchema): ReadonlyArray<Field.Field> => {
  const properties = schema.properties as { readonly [name: string]: JsonSchema.JsonSchema } | undefined
  return Object.entries(struct.fields).map(([name, field]) => Field.make(name, field, properties?.[name] ?? {}))
}

// Asked of the decoded type: a transformation can make NaN of a text. Where numbers are checked by their own
// schema, no reply need be gone through again.
const mayBeNonFinite = (struct: Schema.Struct<Fields>): boolean => {
  const found = (node: unknown): boolean =>
    typeof node === "object" && node !== null && (StructSchema.isNonFinite(node) || Object.values(node).some(found))
  const { definitions, schema } = Schema.toJsonSchemaDocument(Schema.toType(struct))
  return found(schema) || found(definitions)
}
