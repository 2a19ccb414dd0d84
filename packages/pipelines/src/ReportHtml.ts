/**
 * Reports of runs as one page that stands alone: what was lost, the steps as a waterfall, and their figures.
 */
import * as Html from "@effect-dspy/core/Html"
import * as Usage from "@effect-dspy/core/Usage"
import type { Cause, Report, Step } from "./Report.ts"
import { cost, lossOf, slowest, time, timesOf, waitOf, words } from "./ReportText.ts"

const { html } = Html

/** The page's colours by cause. */
const colours: { readonly [K in Cause]: string } = {
  model: "a",
  tool: "f",
  failed: "c",
  retry: "c",
  rateLimit: "b",
  permit: "d",
  turn: "d",
  code: "e"
}

const shown: ReadonlyArray<readonly [label: string, cause: Cause]> = [
  ["model", "model"],
  ["tools", "tool"],
  ["failed, and waiting to retry", "failed"],
  ["rate limit", "rateLimit"],
  ["waiting for a permit or a turn", "permit"],
  ["code", "code"]
]

const bar = (cause: Cause, fromMs: number, toMs: number, wholeMs: number, title: string) => {
  const percent = (ms: number) => Math.max(0, Math.min(100, (100 * ms) / Math.max(1, wholeMs))).toFixed(3)
  return html`<span class="bar ${colours[cause]}" title="${title}" style="left:${percent(fromMs)}%;width:${
    percent(toMs - fromMs)
  }%"></span>`
}

const track = (step: Step, wholeMs: number): Html.Html => {
  const { critical, endMs, pieces, readyMs, startMs } = step
  if (readyMs === undefined || startMs === undefined || endMs === undefined) return html`<div class="track"></div>`
  const label = `${step.name} from ${time(startMs)} to ${time(endMs)}: ${timesOf(step.parts)}`
  return html`<div class="track${critical ? " critical" : ""}" role="img" aria-label="${label}">${
    bar("code", startMs, endMs, wholeMs, label)
  }${
    pieces.map(({ cause, detail, fromMs, toMs }) =>
      bar(
        cause,
        fromMs,
        toMs,
        wholeMs,
        `${words[cause]} ${time(toMs - fromMs)}${detail === undefined ? "" : `: ${detail}`}`
      )
    )
  }</div>`
}

const section = (report: Report): Html.Html => {
  const { criticalPath, error, lost, ms, outcome, pipeline, queuedMs, steps, usage } = report
  const slow = slowest(report)
  return html`<section><h2>${pipeline}</h2>
<p>${outcome}${error !== undefined && ` (${error})`} after ${time(ms)}${
    queuedMs !== undefined && `, ${time(queuedMs)} in the queue before`
  }: ${cost(usage)}. Critical path: ${criticalPath.steps.join(" → ")} (${timesOf(criticalPath.parts)}).${
    slow !== undefined && ` Slowest step on it: ${slow.name}, ${time(slow.ms)}.`
  }</p>
${lost.length > 0 && html`<h3>Lost</h3><ul>${lost.map((loss) => html`<li>${lossOf(loss)}</li>`)}</ul>`}
${
    Html.table(
      "The steps; those of the critical path are outlined.",
      ["Step", "Waited for", "From", "Took", "Slack", "When", "Its time went to", "Requests, tokens, cost"],
      steps.map((step) => [
        step.critical ? html`<b>${step.name}</b>` : step.name,
        waitOf(step),
        step.startMs === undefined ? "–" : time(step.startMs),
        step.startMs === undefined || step.endMs === undefined ? step.outcome : time(step.endMs - step.startMs),
        step.endMs === undefined ? "–" : time(step.slackMs),
        track(step, ms),
        [timesOf(step.parts), step.outcome !== "succeeded" && ` [${step.error ?? step.outcome}]`],
        cost({ ...step.usage, calls: step.requests })
      ]),
      [2, 3, 4]
    )
  }</section>`
}

/**
 * A page of one or more runs, the longest first, as the text of a file.
 *
 * @category formatting
 */
export const page = (title: string, reports: ReadonlyArray<Report>): string => {
  const total = reports.map(({ usage }) => usage).reduce(Usage.add, Usage.zero)
  const failed = reports.filter(({ outcome }) => outcome !== "succeeded").length
  return Html.page(
    title,
    html`<p>${reports.length} ${reports.length === 1 ? "run" : "runs"}${failed > 0 && `, ${failed} not succeeded`}: ${
      cost(total)
    }</p>
<p class="key quiet" aria-hidden="true">${
      shown.map(([label, cause]) => html`<span class="${colours[cause]}"></span>${label}`)
    }</p>
${reports.toSorted((a, b) => b.ms - a.ms).map(section)}`
  )
}
