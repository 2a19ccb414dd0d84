/**
 * Checks arguments against a tool's JSON schema before they are sent. So a model hears of wrong ones field by field,
 * whatever a server says of them, and a failure of the tool is not mistaken for wrong arguments.
 */
import * as Field from "@effect-dspy/core/Field"
import { describe } from "@effect-dspy/core/PredictError"
import * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"

/**
 * What is wrong with arguments, in words for a model, or `undefined`. Where effect can't import the schema (it says so
 * of patterns, which a server could use to make us busy), nothing is found here: the server looks itself.
 *
 * @category constructors
 */
export const check = (schema: JsonSchema.JsonSchema): (argument: unknown) => string | undefined => {
  const imported = Result.try(() =>
    SchemaRepresentation.fromJsonSchemaDocument(
      String(schema.$schema).includes("draft-07")
        ? JsonSchema.fromSchemaDraft07(schema)
        : JsonSchema.fromSchemaDraft2020_12(schema)
    )
  )
  if (Result.isFailure(imported)) return () => undefined
  // A schema made of JSON schema needs no services.
  const decode = Schema.decodeUnknownResult(imported.success as Schema.Codec<unknown>, { errors: "all" })
  return (argument) => {
    const decoded = decode(argument)
    return Result.isSuccess(decoded)
      ? undefined
      : `Wrong arguments:${Field.issues(decoded.failure.issue).map((issue) => `\n- ${describe(issue)}`).join("")}`
  }
}
