/**
 * How one endpoint says a schema. The encoders differ in data only: a `Dialect`.
 *
 * The life of a schema:
 * 1. It is read into the internal form (`SchemaForm`), once per schema.
 * 2. What no value can have is an error that names the field (`Inhabited`).
 * 3. It is lowered (`Lowering`): what the endpoint can't take is said in another shape, or in words.
 * 4. An answer in that shape goes back through `restore`; then the signature decodes and checks it.
 */
import type { JsonSchema } from "effect/JsonSchema"
import * as Result from "effect/Result"
import type { Dialect } from "./Dialect.ts"
import * as Inhabited from "./Inhabited.ts"
import * as Lowering from "./Lowering.ts"
import * as Restore from "./Restore.ts"
import * as SchemaForm from "./SchemaForm.ts"

/**
 * One endpoint's way of saying a schema.
 *
 * - `schema`: what is put on the wire
 * - `strict`: whether the endpoint can be held to it; if not, the schema is as it was, a hint at most
 * - `restore`: turns the model's JSON back into JSON of the schema that was given; undefined where nothing changed
 * - `touched`: the answer's properties that `restore` changes, each on its own; absent where it changes the whole
 *
 * @category models
 */
export interface Encoded {
  readonly schema: JsonSchema
  readonly strict: boolean
  readonly restore: ((json: unknown) => unknown) | undefined
  readonly touched?: ReadonlySet<string>
}

/** Says a schema, or what of it cannot be said in any way. The same schema gives the same answer. */
export type Encoder = (schema: JsonSchema) => Result.Result<Encoded, SchemaForm.Problem>

/**
 * The encoder of a dialect.
 *
 * @category constructors
 */
export const make = (dialect: Dialect): Encoder => {
  const known = new WeakMap<JsonSchema, ReturnType<Encoder>>()
  return (schema) => {
    let encoded = known.get(schema)
    if (encoded === undefined) {
      encoded = encode(dialect, schema)
      known.set(schema, encoded)
    }
    return encoded
  }
}

const encode = (dialect: Dialect, schema: JsonSchema): ReturnType<Encoder> => {
  const document = SchemaForm.parse(schema)
  const problem = document.problem ?? Inhabited.problem(document)
  if (problem !== undefined) return Result.fail(problem)
  const lowered = Lowering.lower(document, dialect)
  if (lowered.isExact && dialect.isWithinLimits(lowered.schema)) {
    const { restore, touched } = lowered
    return Result.succeed({
      schema: lowered.schema,
      strict: true,
      restore: restore === undefined ? undefined : Restore.safely(restore),
      ...(touched === undefined ? undefined : { touched })
    })
  }
  return Result.succeed({ schema, strict: false, restore: undefined })
}
