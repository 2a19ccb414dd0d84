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
  Person,
  Tree
]

/** Names that schemas use as keywords are names like any other. */
const names = ["title", "format", "pattern", "items", "required", "type", "enum", "anyOf", "properties", "default", "x"]

const field = (next: () => number, depth: number): Field => {
  const pick = <A>(options: ReadonlyArray<A>): A => options[Math.floor(next() * options.length)] as A
  const inner = () => field(next, depth - 1)
  if (depth === 0) return pick(leaves)
  switch (Math.floor(next() * 14)) {
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
      return next() < 0.3 ? Schema.Tuple([inner(), inner()]) : inner()
    case 8:
      return next() < 0.3 ? Schema.Record(Schema.String, inner()) : inner()
    case 9:
      return next() < 0.3 ? Schema.NonEmptyArray(inner()) : inner()
    case 10:
      return next() < 0.2 ? Schema.Array(Schema.Unknown) : inner()
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

export const signature = (seed: number): Signature.Any => {
  const next = random(seed)
  return Signature.make(`Seed ${seed}`, {
    instructions: "Make something up.",
    input: { topic: Schema.String },
    output: fields(next, 2, 1 + Math.floor(next() * 4))
  })
}
