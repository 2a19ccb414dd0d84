/** Files that are too large for the repository: recordings and specifications, where a machine has them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** The folder that holds them, or undefined where it is not known. */
export const folder: string | undefined = process.env.EFFECT_DSPY_SHARED || undefined

export const read = (path: string): string => readFileSync(join(folder ?? "", "wire", path), "utf8")

/**
 * One recorded exchange. Some recordings are of the answer only: they have no status.
 */
export interface Recording {
  readonly id: string
  readonly provider: string
  readonly endpoint: string
  readonly uri: string | null
  readonly status: number | null
  readonly features: ReadonlyArray<string>
  readonly responseHeaders: { readonly [name: string]: string } | null
  readonly request: { readonly [key: string]: unknown } | null
  readonly responseJson?: { readonly [key: string]: unknown } | null
  readonly responseText?: string | null
  /** How the text of a stream is kept, where not as it came. */
  readonly framing?: string
}

export const recordings = (): ReadonlyArray<Recording> =>
  read("recordings/cases.jsonl").trim().split("\n").map((line) => JSON.parse(line) as Recording)
