/**
 * Images, audio and files as fields of a signature.
 *
 * A field of one of these schemas, or of lists or structs of them, becomes parts of the user turn: the prompt's text
 * says where each belongs. Values are plain data, the parts of `Message`; an endpoint that can't take a kind fails
 * with `Unsupported` before anything is sent.
 */
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Schema from "effect/Schema"
import type { Media as Part, Text } from "./Message.ts"

const Source = Schema.Union([
  Schema.TaggedStruct("Base64", { data: Schema.String }),
  Schema.TaggedStruct("Url", { url: Schema.String }),
  Schema.TaggedStruct("Uploaded", { id: Schema.String })
])

const schema = <const Kind extends Part["type"]>(kind: Kind) =>
  Schema.Struct({
    type: Schema.Literal(kind),
    mediaType: Schema.String,
    source: Source,
    name: Schema.optionalKey(Schema.String)
  })

/**
 * A picture.
 *
 * ```ts
 * import { Media, Message, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const describe = Predict.make(Signature.make("Describe", { input: { photo: Media.Image }, output: { words: Schema.String } }))
 * const program = describe({ photo: Media.url("image", "https://example.com/cat.png") })
 * const lm = TestLM.layer((request) => ({ words: JSON.stringify(request.messages[1]?.content) }))
 * const { words } = await Effect.runPromise(Effect.provide(program, lm))
 * JSON.parse(words)[0] // => { type: "text", text: "[[ ## photo ## ]]\n(image 1)" }
 * ```
 *
 * @category schemas
 */
export const Image = schema("image")

/**
 * A picture.
 *
 * @category models
 */
export type Image = typeof Image.Type

/**
 * A recording.
 *
 * @category schemas
 */
export const Audio = schema("audio")

/**
 * A recording.
 *
 * @category models
 */
export type Audio = typeof Audio.Type

/**
 * A document: a PDF, a text, whatever an endpoint reads.
 *
 * @category schemas
 */
export const File = schema("file")

/**
 * A document.
 *
 * @category models
 */
export type File = typeof File.Type

type Kind = Part["type"]

/** One of the three, by its kind. */
type Of<K extends Kind> = Part & { readonly type: K }

/**
 * From bytes.
 *
 * @category constructors
 */
export const bytes = <const K extends Kind>(kind: K, content: Uint8Array, mediaType: string, name?: string): Of<K> => ({
  type: kind,
  mediaType,
  source: { _tag: "Base64", data: Base64.encode(content) },
  ...(name === undefined ? undefined : { name })
})

/**
 * From an address the endpoint can reach. The media type is told by the ending unless it is given.
 *
 * @category constructors
 */
export const url = <const K extends Kind>(kind: K, address: string, mediaType?: string): Of<K> => ({
  type: kind,
  mediaType: mediaType ?? typeOf(address),
  source: { _tag: "Url", url: address }
})

/**
 * What was uploaded to the endpoint before, by the name it gave.
 *
 * @category constructors
 */
export const uploaded = <const K extends Kind>(kind: K, id: string, mediaType: string): Of<K> => ({
  type: kind,
  mediaType,
  source: { _tag: "Uploaded", id }
})

/**
 * From a text: a document that a model can cite by its name.
 *
 * @category constructors
 */
export const text = (name: string, content: string): Of<"file"> =>
  bytes("file", new TextEncoder().encode(content), "text/plain", name)

/**
 * From a path, through the file system of the program. The media type is told by the ending unless it is given.
 *
 * @category constructors
 */
export const read = <const K extends Kind>(
  kind: K,
  path: string,
  mediaType?: string
): Effect.Effect<Of<K>, PlatformError.PlatformError, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((files) =>
    Effect.map(
      files.readFile(path),
      (content) => bytes(kind, content, mediaType ?? typeOf(path), path.split(/[/\\]/).at(-1))
    )
  )

/**
 * Whether a JSON schema holds a place for one of these.
 *
 * @category guards
 */
export const isIn = (jsonSchema: unknown): boolean => {
  if (Array.isArray(jsonSchema)) return jsonSchema.some(isIn)
  if (typeof jsonSchema !== "object" || jsonSchema === null) return false
  const { properties } = jsonSchema as { readonly properties?: unknown }
  if (typeof properties === "object" && properties !== null && "mediaType" in properties && "source" in properties) {
    return true
  }
  return Object.values(jsonSchema).some(isIn)
}

/**
 * A value as text with its media taken out: `(image 1)` stands where each was. Numbers go on from `found`, to which
 * they are added.
 *
 * @category formatting
 */
export const show = (value: unknown, found: Array<Part>): string => {
  const taken = (part: unknown): unknown => {
    if (isMedia(part)) {
      found.push(part)
      return `(${part.type} ${found.length})`
    }
    if (Array.isArray(part)) return part.map(taken)
    if (typeof part !== "object" || part === null) return part
    return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, taken(item)]))
  }
  const left = taken(value)
  return typeof left === "string" ? left : JSON.stringify(left)
}

/** Parts of a turn: a text and the media that belong to it. */
export type Parts = ReadonlyArray<Text | Part>

const isMedia = (value: unknown): value is Part =>
  typeof value === "object" && value !== null && "type" in value && "mediaType" in value && "source" in value

/** The formats models take, by the endings of their files. */
const types: { readonly [ending: string]: string } = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  wav: "audio/wav",
  mp3: "audio/mpeg",
  ogg: "audio/ogg",
  flac: "audio/flac",
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  html: "text/html",
  csv: "text/csv",
  json: "application/json"
}

const typeOf = (name: string): string =>
  types[/\.([a-z0-9]+)(?:[?#].*)?$/i.exec(name)?.[1]?.toLowerCase() ?? ""] ?? "application/octet-stream"
