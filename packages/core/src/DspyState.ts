/**
 * Prompts that were tuned by DSPy (Python): its saved state as `Parameters`, and back.
 *
 * DSPy's `program.save("x.json")` writes what its optimizers found: for each predictor instructions, demonstrations
 * and settings of the model. The file knows predictors by their attributes (`draft.predict`) and a signature's fields
 * by their order, so the program that loads it says which of its predictors is which. Whatever has no place here is
 * named in a report, and nothing is loaded in a shape that the signature does not take.
 *
 * Read are the shapes of DSPy 2.4 to 3.3: `signature` with instructions and fields, `extended_signature` beside it,
 * and the older `signature_instructions`. Written is that of 3.3.
 */
import * as Result from "effect/Result"
import * as Adapter from "./Adapter.ts"
import type * as Example from "./Example.ts"
import type { Field } from "./Field.ts"
import * as JsonText from "./JsonText.ts"
import type * as Settings from "./LM/Settings.ts"
import type * as Parameters from "./Parameters.ts"
import { describe } from "./PredictError.ts"
import type { Any as Signature, Encoded } from "./Signature.ts"

/**
 * A predictor of this program that has a state in the file.
 *
 * - `predictor`: anything with a name and a signature
 * - `at`: its path, where the same predictor stands in two places; default: its name
 * - `fields`: names in the file that differ, such as `{ doc_text: "text" }`; `snake_case` for `camelCase` needs none
 *
 * @category models
 */
export interface Target {
  readonly predictor: { readonly name: string; readonly signature: Signature }
  readonly at?: string
  readonly fields?: { readonly [dspy: string]: string }
}

/**
 * Predictors by their names in the file; for a file of one predictor any name will do.
 *
 * @category models
 */
export type Targets = { readonly [dspy: string]: Target | Target["predictor"] }

/**
 * Something in the file that has no place here, or the other way round. `predictor` is the name in the file; values
 * are not shown.
 *
 * - `predictor`: it is not in the file, or not in the program
 * - `fields`: the signature has others, or others in order
 * - `description`, `prefix`: of a field, changed by an optimizer; parameters do not hold them
 * - `demo`: it was left out, or lost a field; `partial`: it is loaded, though it lacks fields
 * - `lm`: settings that were not taken, such as the model itself
 * - `other`: anything else in the predictor's state
 *
 * @category models
 */
export interface Finding {
  readonly predictor: string
  readonly about: "predictor" | "fields" | "description" | "prefix" | "demo" | "partial" | "lm" | "other"
  readonly message: string
}

/**
 * What was read: `parameters` for `Parameters.provide`, what did not fit, and DSPy's version where the file says it.
 *
 * @category models
 */
export interface Loaded {
  readonly parameters: Parameters.Parameters
  readonly report: ReadonlyArray<Finding>
  readonly version: string | undefined
}

/**
 * Reads a saved state. It fails, with what was expected, when the text is not a state that DSPy saved.
 *
 * ```ts
 * import { DspyState, Predict, Signature } from "@effect-dspy/core"
 * import { Result } from "effect"
 *
 * const classify = Predict.make(Signature.parse("text -> label", { name: "Classify" }))
 * const saved = `{ "traces": [], "train": [], "lm": null,
 *   "demos": [{ "augmented": true, "text": "lovely", "label": "pos" }],
 *   "signature": { "instructions": "Say pos or neg.", "fields": [{ "prefix": "Text:" }, { "prefix": "Label:" }] } }`
 * const { parameters, report } = Result.getOrThrow(DspyState.read(saved, { classify }))
 * parameters // => { Classify: { instructions: "Say pos or neg.", demos: [{ input: { text: "lovely" }, output: { label: "pos" } }] } }
 * report // => []
 * ```
 *
 * @category decoding
 */
export const read = (text: string, targets: Targets): Result.Result<Loaded, string> => {
  const json = JsonText.read(text)
  if (Result.isFailure(json) || !Adapter.isRecord(json.success)) return Result.fail("expected a JSON object")
  const { metadata, ...saved } = json.success
  const states = predictorsOf(saved, Object.keys(targets))
  if (states.size === 0) return Result.fail("expected the state of at least one predictor of DSPy")
  const report: Array<Finding> = []
  const parameters: { [key: string]: Parameters.Entry } = {}
  const taken = new Set<string>()
  for (const [name, given] of Object.entries(targets)) {
    const target = targetOf(given)
    const found = [...states.keys()].find((key) => key === name || short(key) === short(name))
    if (found === undefined) {
      report.push({ predictor: name, about: "predictor", message: "is not in the file" })
      continue
    }
    taken.add(found)
    const state = states.get(found) ?? {}
    parameters[target.at ?? target.predictor.name] = entryOf(
      state,
      target,
      (about, message) => report.push({ predictor: found, about, message })
    )
  }
  for (const name of states.keys()) {
    if (!taken.has(name)) report.push({ predictor: name, about: "predictor", message: "is not in the program" })
  }
  return Result.succeed({ parameters, report, version: versionOf(metadata) })
}

/**
 * Writes parameters as DSPy 3.3 would save them. Settings of the model stay behind: DSPy keeps them with a model.
 *
 * @category encoding
 */
export const write = (parameters: Parameters.Parameters, targets: Targets): string => {
  const states = Object.entries(targets).map(([name, given]) => {
    const { at, fields = {}, predictor } = targetOf(given)
    const { instructions: untuned, derived } = predictor.signature
    const { demos = [], instructions = untuned } = parameters[at ?? predictor.name] ?? {}
    const theirs = (own: string) => Object.entries(fields).find(([, name]) => name === own)?.[0] ?? own
    const flat = (demo: Example.Any) =>
      Object.fromEntries(
        [...pairs(derived.inputs, demo.input), ...pairs(derived.outputs, demo.output)].map(([key, value]) => [
          theirs(key),
          value
        ])
      )
    const state = {
      traces: [],
      train: [],
      demos: demos.map(flat),
      signature: {
        instructions,
        fields: [...derived.inputs, ...derived.outputs].map((field) => ({
          prefix: `${title(theirs(field.name))}:`,
          description: field.description ?? `\${${theirs(field.name)}}`
        }))
      },
      lm: null
    }
    return [name, state] as const
  })
  return `${JSON.stringify({ ...Object.fromEntries(states), metadata: { dependency_versions: {} } }, null, 2)}\n`
}

/** Says what did not fit. */
type Tell = (about: Finding["about"], message: string) => void

const targetOf = (given: Targets[string]): Target => "predictor" in given ? given : { predictor: given }

// A predictor inside a ChainOfThought is one attribute further down, by a name that changed between versions.
const short = (name: string): string => name.replace(/\._?predict$/, "")

const isState = (value: unknown): value is Encoded =>
  Adapter.isRecord(value) && ("demos" in value || "signature" in value || "signature_instructions" in value)

/** The states of a file. A predictor that was saved by itself has no name there. */
const predictorsOf = (saved: Encoded, names: ReadonlyArray<string>): ReadonlyMap<string, Encoded> => {
  if (isState(saved)) return new Map([[names[0] ?? "self", saved]])
  const found = Object.entries(saved).filter((entry): entry is [string, Encoded] => isState(entry[1]))
  const [only] = found
  // So does the one of a ChainOfThought that was saved by itself.
  return only !== undefined && found.length === 1 && names.length === 1 && /^(self|_?predict)$/.test(only[0])
    ? new Map([[names[0] ?? only[0], only[1]]])
    : new Map(found)
}

const versionOf = (metadata: unknown): string | undefined => {
  const versions = Adapter.isRecord(metadata) ? metadata.dependency_versions : undefined
  return Adapter.isRecord(versions) && typeof versions.dspy === "string" ? versions.dspy : undefined
}

/** What a predictor's state is made of; `extended_*` are those of a ChainOfThought before 2.6. */
const known = new Set([
  "demos",
  "lm",
  "signature",
  "signature_instructions",
  "signature_prefix",
  "extended_signature",
  "extended_signature_instructions",
  "extended_signature_prefix",
  "fields"
])

const entryOf = (state: Encoded, target: Target, tell: Tell): Parameters.Entry => {
  const { signature } = target.predictor
  const extended = signature.derived.outputs.some(({ name }) => name === "reasoning")
  const pick = (key: string) => (extended ? state[`extended_${key}`] : undefined) ?? state[key]
  const described = pick("signature")
  const given = Adapter.isRecord(described) ? described : {}
  const instructions = given.instructions ?? pick("signature_instructions")
  compare(Array.isArray(given.fields) ? given.fields : [], target, tell)
  const last = pick("signature_prefix")
  if (typeof last === "string") prefix(signature.derived.outputs.at(-1), last, target, tell)
  const demos = Array.isArray(state.demos)
    ? state.demos.flatMap((demo: unknown, index) => demoOf(demo, index, target, tell))
    : []
  const settings = settingsOf(state.lm, tell)
  for (const [key, value] of Object.entries(state)) {
    // An optimizer's traces and training data are empty unless its run was broken off.
    const isEmpty = value === null || (Array.isArray(value) && value.length === 0)
    if (!known.has(key) && !isEmpty) tell("other", `\`${key}\` is not loaded`)
  }
  return {
    ...(typeof instructions === "string" ? { instructions } : undefined),
    ...(demos.length === 0 ? undefined : { demos }),
    ...(settings === undefined ? undefined : { settings })
  }
}

// Prefixes are the file's only names of fields: "Doc Text:" for `doc_text`, "HTML Page:" for `HTMLPage`.
const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "")

const theirsOf = (own: string, { fields = {} }: Target): string =>
  Object.entries(fields).find(([, name]) => name === own)?.[0] ?? own

const compare = (fields: ReadonlyArray<unknown>, target: Target, tell: Tell): void => {
  if (fields.length === 0) return
  const { inputs, outputs } = target.predictor.signature.derived
  const own = [...inputs, ...outputs]
  const labels = fields.map((field) => label(Adapter.isRecord(field) ? field.prefix : undefined))
  const expected = own.map(({ name }) => plain(theirsOf(name, target)))
  const named = labels.every((label) => label !== undefined)
  if (fields.length !== own.length || (named && labels.some((label, index) => label !== expected[index]))) {
    tell("fields", `the file has ${fields.length} fields, the signature has ${own.map(({ name }) => name).join(", ")}`)
  }
  fields.forEach((field: unknown, index) => {
    const at = labels[index] === undefined ? index : expected.indexOf(labels[index])
    const same = own[at]
    if (same === undefined || !Adapter.isRecord(field)) return
    prefix(same, field.prefix, target, tell)
    const { description } = field
    if (typeof description !== "string" || description === "" || description === same.description) return
    if (/^\$\{\w+\}$/.test(description)) return
    tell("description", `of \`${same.name}\` is another than the signature's, and not loaded`)
  })
}

// What stands behind the colon is more than a name: a hint, of a ChainOfThought or an optimizer.
const label = (prefix: unknown): string | undefined =>
  typeof prefix === "string" ? plain(prefix.split(":")[0] ?? "") : undefined

const prefix = (field: Field | undefined, given: unknown, target: Target, tell: Tell): void => {
  if (field === undefined || typeof given !== "string") return
  const isName = plain(given) === plain(theirsOf(field.name, target))
  if (isName || (field.name === "reasoning" && given.startsWith("Reasoning: Let's think step by step"))) return
  tell("prefix", `of \`${field.name}\` is not loaded`)
}

/** Keys of a demonstration that are notes of DSPy's. */
const notes = new Set(["augmented", "dspy_uuid", "dspy_split"])

const demoOf = (demo: unknown, index: number, target: Target, tell: Tell): ReadonlyArray<Example.Any> => {
  if (!Adapter.isRecord(demo)) {
    tell("demo", `${index} is not an object`)
    return []
  }
  const { inputs, outputs } = target.predictor.signature.derived
  const read = new Map<Field, unknown>()
  const wrong: Array<string> = []
  for (const [key, value] of Object.entries(demo)) {
    if (notes.has(key) || value === null && !inputs.concat(outputs).some(({ name }) => name === key)) continue
    const field = [...inputs, ...outputs].find((field) => isCalled(field, key, target))
    if (field === undefined) {
      tell("demo", `${index} has a field \`${key}\`, which the signature has not`)
      continue
    }
    const decoded = valueOf(field, value)
    if (Result.isSuccess(decoded)) read.set(field, decoded.success)
    else wrong.push(...decoded.failure.map(describe))
  }
  const side = (fields: ReadonlyArray<Field>): Encoded =>
    Object.fromEntries(fields.flatMap((field) => read.has(field) ? [[field.name, read.get(field)]] : []))
  if (wrong.length > 0) {
    tell("demo", `${index} is left out: ${wrong.join("; ")}`)
    return []
  }
  const input = side(inputs)
  const output = side(outputs)
  // DSPy shows no such examples either.
  if (Object.keys(output).length === 0 || (inputs.length > 0 && Object.keys(input).length === 0)) {
    tell("demo", `${index} is left out: it has no ${Object.keys(output).length === 0 ? "output" : "input"}`)
    return []
  }
  const lacking = [...inputs, ...outputs].filter((field) => !field.isOptional && !field.isHistory && !read.has(field))
  if (lacking.length > 0) tell("partial", `${index} lacks ${lacking.map(({ name }) => name).join(", ")}`)
  return [{ input, output }]
}

const isCalled = (field: Field, key: string, target: Target): boolean => {
  const renamed = target.fields !== undefined && Object.hasOwn(target.fields, key) ? target.fields[key] : undefined
  if (renamed !== undefined) return field.name === renamed
  // The steps of a ChainOfThought were called `rationale` until 2.5.
  return plain(field.name) === plain(key) || (key === "rationale" && field.name === "reasoning")
}

// Objects were written as texts of JSON before 2.6, and lists in a text field are shown as JSON.
const valueOf = (field: Field, value: unknown): ReturnType<Field["decode"]> => {
  const decoded = field.decode(value)
  if (Result.isSuccess(decoded)) return decoded
  if (typeof value !== "string") return field.isText ? field.decode(JSON.stringify(value)) : decoded
  const json = JsonText.read(value)
  const again = Result.isSuccess(json) ? field.decode(json.success) : decoded
  return Result.isSuccess(again) ? again : decoded
}

const settingsOf = (lm: unknown, tell: Tell): Settings.Settings | undefined => {
  if (!Adapter.isRecord(lm)) return undefined
  const { max_completion_tokens, max_tokens = max_completion_tokens, seed, stop, temperature, top_p } = lm
  const settings = {
    ...(typeof temperature === "number" ? { temperature } : undefined),
    ...(typeof top_p === "number" ? { topP: top_p } : undefined),
    ...(typeof max_tokens === "number" ? { maxTokens: max_tokens } : undefined),
    ...(typeof seed === "number" ? { seed } : undefined),
    ...(typeof stop === "string" ? { stop: [stop] } : undefined),
    ...(Array.isArray(stop) && stop.every((text) => typeof text === "string") ? { stop } : undefined)
  }
  const taken = new Set(["max_completion_tokens", "max_tokens", "seed", "stop", "temperature", "top_p"])
  const left = Object.entries(lm).filter(([key, value]) => !taken.has(key) && !isNothing(value)).map(([key]) => key)
  if (left.length > 0) tell("lm", `settings that are not loaded: ${left.join(", ")}; the model is the layer's`)
  return Object.keys(settings).length === 0 ? undefined : settings
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === "object" && Object.keys(value).length === 0)

const pairs = (fields: ReadonlyArray<Field>, values: Encoded): ReadonlyArray<readonly [string, unknown]> =>
  fields.flatMap((field) => {
    if (!Object.hasOwn(values, field.name)) return []
    const encoded = field.encode(values[field.name])
    return Result.isSuccess(encoded) && encoded.success !== undefined ? [[field.name, encoded.success]] : []
  })

const title = (name: string): string =>
  name.replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1 $2").split(/[_\s]+/).map((word) =>
    word.charAt(0).toUpperCase() + word.slice(1)
  ).join(" ")
