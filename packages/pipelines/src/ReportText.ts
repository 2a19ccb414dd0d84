/**
 * A run's report for people: as text for a terminal, and as a Gantt chart in Mermaid's words.
 */
import type { Usage } from "@effect-dspy/core/Usage"
import { type Cause, causes, type Loss, type Parts, type Report, type Step } from "./Report.ts"

/**
 * What the causes are called.
 *
 * @category constants
 */
export const words: { readonly [K in Cause]: string } = {
  model: "model",
  tool: "tools",
  failed: "failed requests",
  retry: "waiting to retry",
  rateLimit: "rate limit",
  permit: "waiting for a permit",
  turn: "waiting for a turn",
  code: "code"
}

/**
 * A length of time: milliseconds below a second, else seconds.
 *
 * @category formatting
 */
export const time = (ms: number): string => Math.abs(ms) < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms) / 1000} s`

/**
 * Requests, tokens and money; what is not known is left out.
 *
 * @category formatting
 */
export const cost = ({ calls, costUsd, inputTokens, outputTokens }: Usage): string =>
  [
    `${calls} ${calls === 1 ? "request" : "requests"}`,
    ...(inputTokens === undefined && outputTokens === undefined
      ? []
      : [`${(inputTokens ?? 0) + (outputTokens ?? 0)} tokens`]),
    ...(costUsd === undefined ? [] : [`$${Number(costUsd.toPrecision(4))}`])
  ].join(", ")

/**
 * Times by cause, the longest first.
 *
 * @category formatting
 */
export const timesOf = (parts: Parts): string =>
  causes.flatMap((cause) => {
    const ms = parts[cause]
    return ms === undefined ? [] : [{ cause, ms }]
  }).toSorted((a, b) => b.ms - a.ms).map(({ cause, ms }) => `${words[cause]} ${time(ms)}`).join(", ")

/**
 * One loss as a sentence's beginning: how much, by what, where.
 *
 * @category formatting
 */
export const lossOf = ({ cause, critical, details, ms, step }: Loss): string =>
  `${time(ms)} ${words[cause]} in ${step}${details.length === 0 ? "" : ` (${details.join(", ")})`}${
    critical ? "" : ", beside the critical path"
  }`

/**
 * What stood between a step and its beginning.
 *
 * @category formatting
 */
export const waitOf = ({ after, waitedFor }: Step): string =>
  waitedFor === undefined ? after.length === 0 ? "the input" : after.join(", ") : waitedFor

/**
 * The step of the critical path that took longest, from its fields to its end.
 *
 * @category getters
 */
export const slowest = ({ steps }: Report): { readonly name: string; readonly ms: number } | undefined =>
  steps.filter(({ critical }) => critical)
    .map(({ endMs = 0, name, readyMs = 0 }) => ({ name, ms: endMs - readyMs }))
    .toSorted((a, b) => b.ms - a.ms)[0]

/**
 * A report for a terminal.
 *
 * @category formatting
 */
export const text = (report: Report): string => {
  const { criticalPath, error, lost, ms, outcome, pipeline, queuedMs, steps, usage } = report
  const slow = slowest(report)
  const rows = [
    ["step", "waited for", "from", "to", "slack", "requests", "its time went to"],
    ...steps.map((step) => [
      `${step.critical ? "*" : " "} ${step.name}`,
      waitOf(step),
      step.startMs === undefined ? "-" : time(step.startMs),
      step.endMs === undefined ? step.outcome : time(step.endMs),
      step.endMs === undefined ? "-" : time(step.slackMs),
      cost({ ...step.usage, calls: step.requests }),
      step.outcome === "succeeded" ? timesOf(step.parts) : `${timesOf(step.parts)} [${step.error ?? step.outcome}]`
    ])
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return [
    `${pipeline} ${outcome}${error === undefined ? "" : ` (${error})`} after ${time(ms)}${
      queuedMs === undefined ? "" : `, ${time(queuedMs)} in the queue before`
    }: ${cost(usage)}`,
    `critical path: ${criticalPath.steps.join(" -> ")} (${timesOf(criticalPath.parts)})`,
    ...(slow === undefined ? [] : [`slowest step on it: ${slow.name}, ${time(slow.ms)}`]),
    "",
    ...rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()),
    ...(lost.length === 0 ? [] : ["", "lost:", ...lost.map((loss) => `  ${lossOf(loss)}`)])
  ].join("\n")
}

// Mermaid reads some characters as its own, and a word of ours must not be one of its commands.
const plain = (name: string): string => name.replaceAll(/[:;,#%"`<>{}[\]()\n\r]/g, " ").trim() || "step"

/**
 * A report as a Mermaid Gantt chart: a section for each step, a bar for each thing that took time in it. Steps of the
 * critical path are marked.
 *
 * @category formatting
 */
export const mermaid = (report: Report): string => {
  const bar = (label: string, tags: ReadonlyArray<string>, fromMs: number, toMs: number) =>
    `  ${plain(label)} :${[...tags, Math.round(fromMs), Math.round(toMs)].join(", ")}`
  const started = report.steps.flatMap((step) =>
    step.startMs === undefined || step.endMs === undefined
      ? []
      : [{ ...step, startMs: step.startMs, endMs: step.endMs }]
  )
  return [
    "gantt",
    `  title ${plain(report.pipeline)}, ${time(report.ms)}`,
    "  dateFormat x",
    "  axisFormat %M:%S.%L",
    ...started.flatMap(({ critical, endMs, name, outcome, pieces, startMs }) => [
      `  section ${plain(name)}`,
      bar(name, [...(critical ? ["crit"] : []), ...(outcome === "succeeded" ? ["done"] : [])], startMs, endMs),
      ...pieces.filter(({ cause }) => cause !== "model").map(({ cause, detail, fromMs, toMs }) =>
        bar(`${words[cause]} ${detail ?? ""}`, ["active"], fromMs, toMs)
      )
    ])
  ].join("\n")
}
