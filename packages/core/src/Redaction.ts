/**
 * Text that may hold a prompt, a reply or a provider's words, kept readable for the program and hidden
 * from everything that prints.
 *
 * Error classes use `Redaction.Text` for such fields: inspect, JSON, `Cause.pretty` and loggers show
 * `<redacted>`, and so does the encoded form, which a durable queue may store.
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/**
 * Text that is `Redacted` in the program and `<redacted>` wherever it is written.
 *
 * @category models
 */
export const Text = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Redacted(Schema.String),
    SchemaTransformation.transform({
      decode: (text: string) => Redacted.make(text),
      // Encoding is where a stored failure would leak: the words stay behind.
      encode: () => "<redacted>"
    })
  )
)
