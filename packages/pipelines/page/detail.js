/** One job, with everything that is known of it. */

/** @import { Attempt, Detail } from "../src/dashboard/Wire.ts" */
import { cost, duration, number, pretty, relative, time } from "./format.js"
import { buttons } from "./list.js"
import { progress } from "./running.js"
import { html, nothing } from "./vendor/lit-html/lit-html.js"
import { waterfall } from "./waterfall.js"

/**
 * @typedef {{
 *   readonly close: () => void
 *   readonly show: (id: string) => string
 *   readonly cancel: (ids: ReadonlyArray<string>) => void
 *   readonly requeue: (ids: ReadonlyArray<string>) => void
 *   readonly hurry: (ids: ReadonlyArray<string>) => void
 * }} Actions
 */

/**
 * @param {string} id
 * @param {Detail | undefined} detail
 * @param {string | undefined} trouble
 * @param {number} now
 * @param {Actions} actions
 */
export const detail = (id, detail, trouble, now, actions) =>
  html`
  <header>
    <h2 id="detail-title">${id}</h2>
    <button @click=${actions.close}>Close</button>
  </header>
  ${trouble === undefined ? nothing : html`<p class="trouble" role="alert">${trouble}</p>`}
  ${detail === undefined ? nothing : body(detail, now, actions)}`

/**
 * @param {Detail} detail
 * @param {number} now
 * @param {Actions} actions
 */
const body = ({ content, job, kept, runs }, now, actions) =>
  html`
  <p class="actions"><span class="badge ${job.state}">${job.state}</span> ${buttons(job, actions)}</p>
  ${job.progress === undefined ? nothing : progress(job.progress)}
  ${
    job.failure === undefined ? nothing : html`
    <h3>Why</h3>
    <p class="cause">${job.failure.kind} in attempt ${job.failure.attempt}: <strong>${job.failure.name}</strong>${
      job.failure.message === undefined ? "" : `: ${job.failure.message}`
    }</p>
    ${job.failure.where === undefined ? nothing : html`<pre tabindex="0">${job.failure.where}</pre>`}`
  }
  <dl>
    ${fact("Job", job.name)} ${fact("Queue", job.queue)} ${fact("Attempts", number(job.attempts))}
    ${fact("Priority", number(job.priority))}
    ${fact("Enqueued", `${time(job.enqueuedAt)} (${relative(job.enqueuedAt, now)})`)}
    ${
    job.finishedAt === undefined
      ? job.state === "running" ? nothing : fact("Due", `${time(job.dueAt)} (${relative(job.dueAt, now)})`)
      : fact("Ended", `${time(job.finishedAt)} (${relative(job.finishedAt, now)})`)
  }
    ${job.group === undefined ? nothing : fact("Group", job.group)}
    ${
    job.parent === undefined
      ? nothing
      : html`<div><dt>Parent</dt><dd><a href=${actions.show(job.parent)}>${job.parent}</a></dd></div>`
  }
    ${fact("Answers kept", number(kept))}
  </dl>
  <h3>Runs</h3>
  ${runs.length === 0 ? html`<p class="quiet">None is known.</p>` : runs.toReversed().map((run) => attempt(run, now))}
  ${
    content === undefined ? html`<p class="quiet">Payload, result and answers are not shown here.</p>` : html`
    <h3>Payload</h3><pre tabindex="0">${pretty(content.payload)}</pre>
    ${content.result === undefined ? nothing : html`<h3>Result</h3><pre tabindex="0">${pretty(content.result)}</pre>`}
    ${content.failed === undefined ? nothing : html`<h3>Error</h3><pre tabindex="0">${pretty(content.failed)}</pre>`}
    ${
      content.answers.length === 0 ? nothing : html`<h3>Answers kept</h3>${
        content.answers.map(({ key, text }) =>
          html`
        <details><summary>${key}</summary><pre tabindex="0">${pretty(text)}</pre></details>`
        )
      }`
    }`
  }`

/**
 * @param {string} name
 * @param {string} value
 */
const fact = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`

/**
 * @param {Attempt} run
 * @param {number} now
 */
const attempt = (run, now) =>
  html`
  <section class="run">
    <h4>
      Attempt ${run.attempt}
      <span class="badge ${run.outcome ?? "running"}">${run.outcome ?? "running"}</span>
    </h4>
    <p class="facts">${
    [
      time(run.startedAt),
      duration(run.ms ?? now - run.startedAt),
      run.error ?? "",
      cost(run.usage),
      run.trace === undefined ? "" : `trace ${run.trace}`
    ].filter((part) => part !== "").join(" · ")
  }</p>
    ${waterfall(run, now - run.startedAt)}
  </section>`
