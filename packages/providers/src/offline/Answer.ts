/**
 * An output for a JSON schema, found in a text.
 *
 * Each part of a schema has candidates, best first; the caller keeps the first one that its own checks
 * accept. So patterns, brands and filters this module has never heard of are respected: either some
 * candidate meets them, or there is no answer.
 */
import type { JsonSchema } from "effect/JsonSchema"
import * as Rank from "./Rank.ts"
import * as Similarity from "./Similarity.ts"
import { cut, words } from "./Words.ts"

/**
 * - `name`: what the field is called, in words; `description`: what is said about it
 * - `variation`: 0 for the best answer, other numbers for other samples
 * - `root`: the whole schema, where references lead
 *
 * @category models
 */
export interface Question {
  readonly reading: Rank.Reading
  readonly name: string
  readonly description: string
  readonly variation: number
  readonly root: JsonSchema
}

// References may lead back to where they came from; what may be left out or empty is, from here on.
const maxDepth = 6

/**
 * Values for a schema, best first, each worked out when it is asked for: the first one is nearly always
 * taken.
 *
 * @category constructors
 */
export function* candidates(schema: JsonSchema, question: Question, depth = 0): Generator<unknown, void> {
  yield* kind(schema, question, depth)
}

/**
 * The best value for a schema, `undefined` when there is none.
 *
 * @category constructors
 */
export const best = (schema: JsonSchema, question: Question, depth = 0): unknown =>
  candidates(schema, question, depth).next().value

const kind = (schema: JsonSchema, question: Question, depth: number): Iterable<unknown> => {
  if (typeof schema.$ref === "string") return candidates(resolve(schema.$ref, question.root), question, depth + 1)
  if (schema.const !== undefined) return [schema.const]
  if (Array.isArray(schema.enum)) return literals(schema.enum, question)
  const union = schema.anyOf ?? schema.oneOf
  if (Array.isArray(union)) return members(union, question, depth)
  switch (schema.type) {
    case "string":
      return strings(schema, question)
    case "number":
    case "integer":
      return numbers(schema, question)
    case "boolean":
      return mentions(question) ? [true, false] : [false, true]
    case "null":
      return [null]
    case "array":
      return arrays(schema, question, depth)
    case "object":
      return objects(schema, question, depth)
    default:
      return [Rank.keywords(question.reading, 1)[0] ?? ""]
  }
}

const resolve = (ref: string, root: JsonSchema): JsonSchema => {
  const name = ref.slice(ref.lastIndexOf("/") + 1).replace(/~1/g, "/").replace(/~0/g, "~")
  return child(child(root.$defs)[name])
}

const child = (value: unknown): JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value as JsonSchema : {}

const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** The closest label first: to the text, and to its most frequent words. */
const literals = (labels: ReadonlyArray<unknown>, { reading, variation }: Question): ReadonlyArray<unknown> => {
  const ranked = Similarity.rank(Similarity.ofCounts(reading.counts), labels, String)
  const start = variation % ranked.length
  return [...ranked.slice(start), ...ranked.slice(0, start)]
}

function* members(union: ReadonlyArray<unknown>, question: Question, depth: number): Generator<unknown> {
  const schemas = union.map(child)
  const nullable = schemas.some((schema) => schema.type === "null")
  if (nullable && depth >= maxDepth) yield null
  for (const schema of schemas) if (schema.type !== "null") yield* candidates(schema, question, depth + 1)
  if (nullable) yield null
}

function* strings(schema: JsonSchema, question: Question): Generator<string> {
  const least = typeof schema.minLength === "number" ? schema.minLength : 0
  const most = typeof schema.maxLength === "number" ? schema.maxLength : Infinity
  for (const found of texts(question)) {
    const text = cut(found, most)
    if (text.length >= least && (text !== "" || least === 0)) yield text
  }
}

/** What the field's name asks for, then whatever else the text has to offer, down to its single words. */
function* texts({ description, name, reading, variation }: Question): Generator<string> {
  if (/\b(title|headline|heading|subject|name)\b/i.test(name)) yield Rank.title(reading, variation)
  else if (/\b(keyword|tag|topic|term|label|word)s?\b/i.test(name)) {
    yield* Rank.keywords(reading, 5).slice(variation)
  } else yield Rank.sentences(reading, count(description), variation).join(" ")
  for (const sentences of [1, 3, 8]) yield Rank.sentences(reading, sentences).join(" ")
  yield Rank.title(reading)
  yield* Rank.keywords(reading, 12)
  yield reading.text.trim()
  yield* reading.text.match(/\S{1,200}/g)?.slice(0, 2000) ?? []
}

/** `two or three sentences` asks for three; without a number there are two. */
const count = (description: string): number => {
  const names = ["zero", "one", "two", "three", "four", "five", "six"]
  const asked = words(description).map((word) => names.includes(word) ? names.indexOf(word) : Number(word))
  const sentences = asked.filter((number) => Number.isInteger(number) && number > 0 && number < 20)
  return sentences.length === 0 ? 2 : Math.max(...sentences)
}

const numbers = (schema: JsonSchema, { reading }: Question): ReadonlyArray<number> => {
  const bound = (value: unknown) =>
    typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined
  const low = bound(schema.minimum) ?? bound(schema.exclusiveMinimum)
  const high = bound(schema.maximum) ?? bound(schema.exclusiveMaximum)
  const from = low ?? (high === undefined ? 0 : high - 10)
  const to = high ?? from + 10
  const step = typeof schema.multipleOf === "number" ? schema.multipleOf : schema.type === "integer" ? 1 : 0
  const at = from + (to - from) * Rank.quality(reading)
  const all = step === 0
    ? [at]
    : [Math.round(at / step) * step, Math.floor(at / step) * step, Math.ceil(at / step) * step]
  return [...all, (from + to) / 2, from, to, from + (step || 1), to - (step || 1), 0, 1]
    .filter((number) => number >= from && number <= to && (schema.type !== "integer" || Number.isInteger(number)))
}

/** Whether the text speaks of what a yes-or-no field is called. */
const mentions = ({ description, name, reading }: Question): boolean =>
  words(`${name} ${description}`).some((word) => reading.counts.has(word))

const arrays = (schema: JsonSchema, question: Question, depth: number): ReadonlyArray<unknown> => {
  const { reading, variation } = question
  const prefix = list(schema.prefixItems).map(child)
  if (prefix.length > 0) return [prefix.map((item) => best(item, question, depth + 1))]
  const least = typeof schema.minItems === "number" ? schema.minItems : 0
  const most = typeof schema.maxItems === "number" ? schema.maxItems : Infinity
  if (depth >= maxDepth && least === 0) return [[]]
  const item = child(schema.items)
  const wanted = Math.min(most, Math.max(least, 5))
  const plain = item.type === "string" && item.enum === undefined &&
    !/sentence|step|point|fact|reason/i.test(question.name)
  const items = plain
    ? [...Rank.keywords(reading, wanted + variation).slice(variation), best(item, question, depth + 1)]
    : Array.isArray(item.enum)
    ? literals(item.enum, question).slice(0, Math.max(least, 1))
    // Each item is an answer of its own, for one of the best sentences.
    : Rank.sentences(reading, Math.min(wanted, 3), variation).map((sentence) =>
      best(item, { ...question, reading: Rank.read(sentence) }, depth + 1)
    )
  const unique = [...new Set(items.filter((value) => value !== undefined))].slice(0, wanted)
  // A short text may not have as many different things as are asked for.
  const last = unique.at(-1)
  while (last !== undefined && unique.length < least) unique.push(last)
  return [unique, unique.slice(0, Math.max(least, 1)), []].filter((values) => values.length >= least)
}

const objects = (schema: JsonSchema, question: Question, depth: number): ReadonlyArray<unknown> => {
  const properties = Object.entries(child(schema.properties))
  if (properties.length === 0 && typeof schema.additionalProperties === "object") {
    const value = child(schema.additionalProperties)
    const keys = depth >= maxDepth ? [] : Rank.keywords(question.reading, 3)
    return [Object.fromEntries(keys.map((key) => [key, best(value, question, depth + 1)])), {}]
  }
  const required = list(schema.required)
  const filled = properties.flatMap(([name, property]) => {
    if (depth >= maxDepth && !required.includes(name)) return []
    const described = child(property)
    const description = typeof described.description === "string" ? described.description : ""
    const value = best(described, { ...question, name: spaced(name), description }, depth + 1)
    return value === undefined ? [] : [[name, value] as const]
  })
  return [Object.fromEntries(filled)]
}

/**
 * A field's name in words: `maxScore` and `max_score` are `max score`.
 *
 * @category formatting
 */
export const spaced = (name: string): string => name.replace(/([a-z\d])([A-Z])/g, "$1 $2").replace(/[_-]+/g, " ")
