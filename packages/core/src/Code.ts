/**
 * Code as an output field: models put it in fences, which are not part of it.
 */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/**
 * A text of code in a language. A fence around it is taken away, with the words before and after it; code without a
 * fence is taken as it is.
 *
 * ```ts
 * import { Code } from "@effect-dspy/core"
 * import { Schema } from "effect"
 *
 * Schema.decodeUnknownSync(Code.make("js"))("Here you are:\n```js\nlet x = 1\n```") // => "let x = 1"
 * ```
 *
 * @category schemas
 */
export const make = (language: string) =>
  Schema.String.annotate({ description: `${language} code` }).pipe(
    Schema.decodeTo(
      Schema.String,
      SchemaTransformation.transform({ decode: strip, encode: (code: string) => code })
    )
  ).annotate({ description: `${language} code` })

// The fence that closes is as long as the one that opens; the last one may lack its end.
const fence = /^[ \t]*(`{3,}|~{3,})[^\n]*\n([^]*?)(?:\n[ \t]*\1[ \t]*(?:\n|$)|$(?![^]))/m

/**
 * The code in a text.
 *
 * @category parsing
 */
export const strip = (text: string): string => (fence.exec(text)?.[2] ?? text).replace(/^\s*\n|\s+$/g, "")
