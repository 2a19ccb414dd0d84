/** Files that are too large for the repository: recordings and specifications, where a machine has them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

// What the environment says is asked here and nowhere else. Tests of what is not there are skipped, by name.

/** The folder with `cases.jsonl`, undefined where nobody named one. */
export const recordingsAt: string | undefined = process.env.WIRE_RECORDINGS || undefined

/** The folder with the vendors' API descriptions (`openapi`) and rules for schemas (`schema-profiles`). */
export const specsAt: string | undefined = process.env.WIRE_SPECS || undefined

export const readSpecs = (path: string): string => readFileSync(join(specsAt ?? "", path), "utf8")

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
  readFileSync(join(recordingsAt ?? "", "cases.jsonl"), "utf8").trim().split("\n").map((line) =>
    JSON.parse(line) as Recording
  )
