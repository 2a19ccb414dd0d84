/** Jobs that run right now. */

/** @import { Live, Running } from "../src/dashboard/Wire.ts" */
import { duration, number } from "./format.js"
import { repeat } from "./vendor/lit-html/directives/repeat.js"
import { html, nothing } from "./vendor/lit-html/lit-html.js"
import { waterfall } from "./waterfall.js"

/**
 * @typedef {{
 *   readonly show: (id: string) => string
 *   readonly cancel: (ids: ReadonlyArray<string>) => void
 * }} Actions
 */

/**
 * @param {Live | undefined} live
 * @param {number} now
 * @param {Actions} actions
 */
export const running = (live, now, actions) => {
  const all = live?.queues.reduce((sum, { counts }) => sum + (counts.running ?? 0), 0) ?? 0
  const shown = live?.running ?? []
  return html`
    <h2 id="running-title">Running <span class="count">${number(Math.max(all, shown.length))}</span></h2>
    ${
    shown.length === 0
      ? html`<p class="quiet">Nothing runs.</p>`
      : html`
      <ul class="cards">${repeat(shown, ({ id }) => id, (job) => html`<li>${card(job, now, actions)}</li>`)}</ul>
      ${all > shown.length ? html`<p class="quiet">The newest ${shown.length} are shown.</p>` : nothing}`
  }`
}

/**
 * @param {Running} job
 * @param {number} now
 * @param {Actions} actions
 */
const card = (job, now, { cancel, show }) =>
  html`
  <article class="card">
    <header>
      <a class="id" href=${show(job.id)}>${job.id}</a>
      <span class="facts">
        ${job.queue} · attempt ${job.attempts}${job.run === undefined ? "" : ` · ${duration(now - job.run.startedAt)}`}
      </span>
      <button class="danger" @click=${() => cancel([job.id])} aria-label=${`Cancel ${job.id}`}>Cancel</button>
    </header>
    ${job.progress === undefined ? nothing : progress(job.progress)}
    ${job.run === undefined ? nothing : waterfall(job.run, now - job.run.startedAt)}
    ${
    (job.writing ?? []).map((text) => html`<pre class="writing" tabindex="0" aria-label="Being written">${text}</pre>`)
  }
  </article>`

/**
 * What the handler says of it: a share of 1 becomes a bar, anything else is shown as it is.
 *
 * @param {unknown} value
 */
export const progress = (value) =>
  typeof value === "number" && value >= 0 && value <= 1
    ? html`<p class="progress"><progress value=${value} aria-label="Progress"></progress> ${
      Math.round(value * 100)
    } %</p>`
    : html`<p class="progress">${typeof value === "string" ? value : JSON.stringify(value)}</p>`
