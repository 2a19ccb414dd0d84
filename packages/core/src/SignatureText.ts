/**
 * Signatures as text: `question, context: string[] -> answer, confidence: number`.
 *
 * One grammar, read twice: by the compiler, as types, and by `read`, as schemas. `Signature.parse` puts them together.
 *
 *     signature = fields "->" fields        fields = field { "," field }
 *     field     = name [ ":" type ] [ "?" ]
 *     type      = one [ "[]" ]              one = "string" | "number" | "integer" | "boolean" | literal { "|" literal }
 *     literal   = a text in single or double quotes, without quotes and commas in it
 */
import * as Schema from "effect/Schema"

type Space = " " | "\n" | "\t"

type Trim<S extends string> = S extends `${Space}${infer R}` ? Trim<R> : S extends `${infer R}${Space}` ? Trim<R> : S

type Split<S extends string> = S extends `${infer A},${infer B}` ? [Trim<A>, ...Split<B>] : [Trim<S>]

/** The named types. */
interface Named {
  readonly string: string
  readonly number: number
  readonly integer: number
  readonly boolean: boolean
}

/** The text of a type that does not exist. */
interface Unknown<S extends string> {
  readonly "no type": S
}

type Literal<S extends string> = S extends `"${infer L}"` | `'${infer L}'` ? L : Unknown<S>

type Literals<S extends string> = S extends `${infer A}|${infer B}` ? Literal<Trim<A>> | Literals<Trim<B>> : Literal<S>

type One<S extends string> = S extends keyof Named ? Named[S] : Literals<S>

type TypeOf<S extends string> = S extends `${infer T}[]` ? ReadonlyArray<One<Trim<T>>> : One<S>

type NameOf<F extends string> = F extends `${infer N}:${string}` ? Trim<N> : F extends `${infer N}?` ? Trim<N> : F

type Written<F extends string> = F extends `${string}:${infer T}` ? Trim<T>
  : F extends `${string}?` ? "string?"
  : "string"

type SchemaOf<T extends string> = T extends `${infer R}?` ? Schema.optionalKey<Schema.Codec<TypeOf<Trim<R>>>>
  : Schema.Codec<TypeOf<T>>

type Fields<L extends ReadonlyArray<string>> = { readonly [F in L[number] as NameOf<F>]: SchemaOf<Written<F>> }

type Side<S extends string> = Trim<S> extends "" ? {} : Fields<Split<S>>

/** The input fields of a text. */
export type Inputs<S extends string> = S extends `${infer I}->${string}` ? Side<I> : {}

/** The output fields of a text. */
export type Outputs<S extends string> = S extends `${string}->${infer O}` ? Side<O> : {}

type NotATypeOf<T extends string> = T extends `${infer R}?` ? NotATypeOf<Trim<R>>
  : TypeOf<T> extends infer Read ? Read extends ReadonlyArray<infer Item> ? Extract<Item, Unknown<string>>
    : Extract<Read, Unknown<string>>
  : never

type Wrong<L extends ReadonlyArray<string>> = {
  [I in keyof L]: NameOf<L[I]> extends "" ? "a field without a name" : NotATypeOf<Written<L[I]>>
}[number]

type WrongIn<S extends string> = Trim<S> extends "" ? never : Wrong<Split<S>>

/** What is wrong with a text, for the compiler to say; `unknown` when nothing is. */
export type Check<S extends string> = string extends S ? unknown
  : S extends `${infer I}->${infer O}` ? O extends `${string}->${string}` ? { readonly "more than one arrow": S }
    : Trim<O> extends "" ? { readonly "no output field": S }
    : [WrongIn<I> | WrongIn<O>] extends [never] ? [keyof Inputs<S> & keyof Outputs<S>] extends [never] ? unknown
      : { readonly "both an input and an output field": keyof Inputs<S> & keyof Outputs<S> }
    : { readonly "cannot be read": WrongIn<I> | WrongIn<O> }
  : { readonly "no arrow between inputs and outputs": S }

type Read = { readonly [name: string]: Schema.Codec<unknown, unknown, never, never> }

/**
 * Reads a text as schemas. For untyped callers: it throws what the compiler says to others.
 *
 * @category parsing
 */
export const read = (text: string): { readonly input: Read; readonly output: Read } => {
  const [input, output, ...more] = text.split("->")
  if (input === undefined || output === undefined || more.length > 0) {
    throw new TypeError("a signature has one arrow, between inputs and outputs")
  }
  return { input: side(input), output: side(output) }
}

const side = (text: string): Read =>
  text.trim() === "" ? {} : Object.fromEntries(
    text.split(",").map((field) => {
      const [, name = "", written = "string", optional] = /^\s*([^\s:?]+)\s*(?::([^?]*))?(\?)?\s*$/.exec(field) ?? []
      if (name === "") throw new TypeError("a field without a name")
      const schema = typeNamed(written.trim())
      return [name, optional === undefined ? schema : Schema.optionalKey(schema)]
    })
  )

const typeNamed = (text: string): Read[string] =>
  text.endsWith("[]") ? Schema.Array(one(text.slice(0, -2).trim())) : one(text)

const named = new Map<string, Read[string]>([
  ["string", Schema.String],
  ["number", Schema.Finite],
  ["integer", Schema.Int],
  ["boolean", Schema.Boolean]
])

const one = (text: string): Read[string] => {
  const known = named.get(text)
  if (known !== undefined) return known
  const literals = text.split("|").map((literal) => /^\s*(["'])(.*)\1\s*$/.exec(literal)?.[2])
  if (literals.some((literal) => literal === undefined)) throw new TypeError(`no type: ${text}`)
  return Schema.Literals(literals.filter((literal) => literal !== undefined))
}
