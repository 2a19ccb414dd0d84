/**
 * What the main job prints at its end: a row for each document and what the run took.
 */
import type * as Usage from "@effect-dspy/core/Usage"
import Table from "cli-table3"
import * as OneLine from "./OneLine.ts"
import { inARow, type Outcome } from "./Outcome.ts"

export interface Run {
  readonly outcomes: ReadonlyArray<Outcome>
  readonly usage: Usage.Usage
  readonly wallMs: number
  readonly concurrency: number
  readonly sequential: boolean
  readonly total: number
  readonly simulated: string | undefined
}

/** The table; `width` is that of the terminal. */
export const table = (outcomes: ReadonlyArray<Outcome>, width: number, colors: boolean): string => {
  // What borders and the narrow columns leave for the three wide ones.
  const free = Math.max(60, width - 45)
  const widths = { file: Math.floor(free * 0.25), title: Math.floor(free * 0.4), keywords: Math.floor(free * 0.35) }
  const rows = new Table({
    head: ["document", "title", "category", "keywords", "score", "ms"],
    colAligns: ["left", "left", "left", "left", "right", "right"],
    style: colors ? { head: ["bold"], border: ["gray"] } : { head: [], border: [] }
  })
  for (const { error, file, result, timing } of outcomes) {
    rows.push(
      result === undefined
        ? [
          OneLine.fit(file, widths.file, "end"),
          { content: OneLine.fit(`failed: ${error?.message ?? ""}`, widths.title + widths.keywords), colSpan: 3 },
          "",
          timing.wallMs
        ]
        : [
          OneLine.fit(file, widths.file, "end"),
          OneLine.fit(result.title, widths.title),
          result.category,
          OneLine.fit(result.keywords.join(", "), widths.keywords),
          result.score.toFixed(2),
          timing.wallMs
        ]
    )
  }
  return rows.toString()
}

/** The lines under the table: how much was done, what it cost, and the article's comparison. */
export const totals = (run: Run): ReadonlyArray<string> => {
  const { outcomes, usage, wallMs } = run
  // A directory without a document is a failure to tell of, and no document.
  const empty = outcomes.filter(({ error }) => error?.tag === "FolderEmpty").length
  const documents = outcomes.length - empty
  const failed = outcomes.filter((outcome) => !outcome.ok).length - empty
  const left = run.total - outcomes.length
  const counts = `${documents} ${documents === 1 ? "document" : "documents"}` +
    (failed === 0 ? "" : `, ${failed} failed`) +
    (empty === 0 ? "" : `, ${empty} empty ${empty === 1 ? "directory" : "directories"}`) +
    (left === 0 ? "" : `, ${left} not finished`)
  if (usage.calls === 0 || wallMs === 0) return [counts]
  const perMinute = Math.round((documents - failed) / (wallMs / 60_000))
  return [
    `${counts} | ${usage.calls} LM calls | ${tokens(usage)} | ${seconds(wallMs)} | ${perMinute} documents per minute` +
    (run.simulated === undefined ? "" : ` | ${run.simulated}`),
    ...(left === 0 && documents > 0 && outcomes.every(whole) ? [comparison(run)] : [])
  ]
}

// Calls that were broken off would make the times of the comparison too short. A file that can't be read has none.
const whole = ({ ok, usage }: Outcome): boolean => ok || usage.calls === 0

// Every figure is measured: how long each call of this run took, and the graph's longest path over those.
const comparison = ({ concurrency, outcomes, sequential, wallMs }: Run): string => {
  const sum = (of: (outcome: Outcome) => number) => seconds(outcomes.reduce((total, outcome) => total + of(outcome), 0))
  const inside = `one document at a time, concurrent inside ${sum((outcome) => outcome.timing.criticalMs)}`
  return sequential
    ? `this run, all calls in a row ${seconds(wallMs)} | ${inside}`
    : `all calls in a row ${sum(inARow)} | ${inside} | this run, ${concurrency} documents at once ${seconds(wallMs)}`
}

/** The failures, one line each, for standard error. */
export const failures = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> =>
  outcomes.flatMap(({ error, file }) => error === undefined ? [] : [failure(file, error.message)])

const failure = (file: string, message: string): string => OneLine.of(`${file}: ${message}`)

const tokens = ({ inputTokens, outputTokens }: Usage.Usage): string =>
  `${inputTokens ?? "?"} tokens in, ${outputTokens ?? "?"} out`

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
