/**
 * Citations as an output field: which words of which document an answer rests on.
 */
import * as Schema from "effect/Schema"

/**
 * Quotes, word for word, each with the name of the document it is from.
 *
 * @category schemas
 */
export const Citations = Schema.Array(
  Schema.Struct({ document: Schema.String, quote: Schema.String })
).annotate({ description: "what the answer rests on: quotes, word for word, with the names of their documents" })

/**
 * Quotes and their documents.
 *
 * @category models
 */
export type Citations = typeof Citations.Type

/**
 * The citations whose words do not stand in the document they name: `documents` by name. White space and quotation
 * marks may differ.
 *
 * ```ts
 * import { Citations } from "@effect-dspy/core"
 *
 * const documents = { tides: "The moon pulls the\nwater." }
 * Citations.unfounded([{ document: "tides", quote: "the moon pulls the water" }, { document: "tides", quote: "the sun" }], documents) // => [{ document: "tides", quote: "the sun" }]
 * ```
 *
 * @category guards
 */
export const unfounded = (citations: Citations, documents: { readonly [name: string]: string }): Citations =>
  citations.filter(({ document, quote }) =>
    !Object.hasOwn(documents, document) || !normal(documents[document] ?? "").includes(normal(quote))
  )

const normal = (text: string): string =>
  text.normalize("NFKC").replace(/["'\u2018-\u201f]/g, "").replace(/\s+/g, " ").trim().toLowerCase()
