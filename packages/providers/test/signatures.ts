/** Signatures put together at random, the same ones for the same seed. */
import { Signature } from "@effect-dspy/core"
import { Schema } from "effect"

type Field = Signature.Fields[string]

/** Mulberry32: small, even enough, and the same everywhere. */
export const random = (seed: number) => {
  let state = seed
  return () => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface Tree {
  readonly label: string
  readonly branches: ReadonlyArray<Tree>
}

const Tree = Schema.Struct({
  label: Schema.String,
  branches: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })

interface Sum {
  readonly kind: "sum"
  readonly parts: readonly [Expression, Expression]
}

type Expression = number | Sum | { readonly [name: string]: Expression }

/** Recursion through a union, a tuple and a record. */
const Expression = Schema.Union([
  Schema.Finite,
  Schema.Struct({
    kind: Schema.tag("sum"),
    parts: Schema.Tuple([
      Schema.suspend((): Schema.Codec<Expression> => Expression),
      Schema.suspend((): Schema.Codec<Expression> => Expression)
    ])
  }),
  Schema.Record(
    Schema.String.check(Schema.isPattern(/^v/u)),
    Schema.suspend((): Schema.Codec<Expression> => Expression)
  )
]).annotate({ identifier: "Expression" })

interface Chain {
  readonly id: bigint
  readonly next?: Chain
}

/** Recursion through a key that may be left out. */
const Chain = Schema.Struct({
  id: Schema.BigInt,
  next: Schema.optionalKey(Schema.suspend((): Schema.Codec<Chain> => Chain))
}).annotate({ identifier: "Chain" })

class Person extends Schema.Class<Person>("Person")({
  name: Schema.NonEmptyString,
  age: Schema.optional(Schema.Natural)
}) {}

const leaves: ReadonlyArray<Field> = [
  Schema.String,
  Schema.String.annotate({ description: "a few words" }),
  Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(20)),
  Schema.String.check(Schema.isPattern(/^[a-z]{1,8}$/u)),
  Schema.String.annotate({ title: "Name", examples: ["Ada"], default: "nobody" }),
  Schema.Int,
  Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
  Schema.Finite,
  Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
  Schema.Boolean,
  Schema.Null,
  Schema.BigInt,
  Schema.Literal("only"),
  Schema.Literals(["format", "pattern", "minimum"]),
  Schema.Literals(["one", 2]),
  Schema.Date,
  Schema.Option(Schema.Date),
  Schema.OptionFromNullOr(Schema.String),
  Schema.NumberFromString.check(Schema.isFinite()),
  Schema.String.pipe(Schema.brand("Id")),
  Schema.URL,
  Person,
  Tree,
  Expression,
  Chain
]

/** Names that schemas use as keywords are names like any other. */
const names = ["title", "format", "pattern", "items", "required", "type", "enum", "anyOf", "properties", "default", "x"]

const field = (next: () => number, depth: number): Field => {
  const pick = <A>(options: ReadonlyArray<A>): A => options[Math.floor(next() * options.length)] as A
  const inner = () => field(next, depth - 1)
  if (depth === 0) return pick(leaves)
  const sometimes = (rare: () => Field) => next() < 0.5 ? rare() : inner()
  switch (Math.floor(next() * 17)) {
    case 0:
    case 1:
      return struct(next, depth - 1)
    case 2:
      return Schema.Array(inner())
    case 3:
      return Schema.Array(inner()).check(Schema.isMinLength(1), Schema.isMaxLength(3))
    case 4:
      return Schema.NullOr(inner())
    case 5:
      return Schema.Union([pick(leaves), inner()])
    case 6:
      return Schema.Union([
        Schema.Struct({ kind: Schema.tag("a"), value: inner() }),
        Schema.Struct({ kind: Schema.tag("b"), values: Schema.Array(inner()) })
      ])
    case 7:
      return sometimes(() => Schema.Tuple([inner(), inner()]))
    case 8:
      return sometimes(() => Schema.Record(Schema.String, inner()))
    case 9:
      return sometimes(() => Schema.NonEmptyArray(inner()))
    case 10:
      return sometimes(() => Schema.Array(Schema.Unknown))
    case 11:
      return sometimes(() => Schema.Tuple([inner(), Schema.optionalKey(inner())]))
    case 12:
      return sometimes(() => Schema.TupleWithRest(Schema.Tuple([inner()]), [inner()]))
    case 13:
      return sometimes(() => Schema.Union([Schema.Record(Schema.String, inner()), Schema.Array(inner())]))
    default:
      return pick(leaves)
  }
}

const fields = (next: () => number, depth: number, count: number): Signature.Fields => {
  const found: { [name: string]: Field } = {}
  for (let index = 0; index < count; index++) {
    const name = names[Math.floor(next() * names.length)] ?? "x"
    const schema = field(next, depth)
    const chance = next()
    found[name] = chance < 0.1
      ? Schema.optional(schema)
      : chance < 0.15
      ? Schema.optionalKey(Schema.NullOr(schema))
      : chance < 0.18
      ? Schema.optionalKey(schema)
      : schema
  }
  return found
}

const struct = (next: () => number, depth: number): Field =>
  Schema.Struct(fields(next, depth, 1 + Math.floor(next() * 3)))

export const signature = (seed: number): Signature.Signature<string, Signature.Fields, Signature.Fields> => {
  const next = random(seed)
  return Signature.make(`Seed ${seed}`, {
    instructions: "Make something up.",
    input: { topic: Schema.String },
    output: fields(next, 2, 1 + Math.floor(next() * 4))
  })
}
