/** The queues with what is in them. */

/** @import { Live, Queue, State } from "../src/dashboard/Wire.ts" */
import { compact, duration, number } from "./format.js"
import { html, nothing } from "./vendor/lit-html/lit-html.js"

/**
 * In the order of a job's life.
 *
 * @type {ReadonlyArray<State>}
 */
export const states = ["scheduled", "queued", "running", "retrying", "succeeded", "dead", "cancelled"]

/**
 * @typedef {{
 *   readonly canChange: boolean
 *   readonly link: (question: { readonly state?: State, readonly queue?: string }) => string
 *   readonly pause: (queue: string, pause: boolean) => void
 * }} Actions
 */

/**
 * @param {Live} live
 * @param {Actions} actions
 */
export const overview = (live, actions) =>
  live.queues.length === 0
    ? html`<p class="quiet">No job has been enqueued yet.</p>`
    : html`
      <div class="scroll" tabindex="0" role="region" aria-label="Queues by state">
        <table class="queues">
          <thead>
            <tr>
              <th scope="col">Queue</th>
              ${states.map((state) => html`<th scope="col" class="number">${state}</th>`)}
              <th scope="col" class="number">oldest waits</th>
              <th scope="col"><span class="hidden">Actions</span></th>
            </tr>
          </thead>
          <tbody>${live.queues.map((queue) => row(queue, actions))}</tbody>
        </table>
      </div>`

/**
 * @param {Queue} queue
 * @param {Actions} actions
 */
const row = (queue, { link, pause }) =>
  html`
  <tr>
    <th scope="row">
      <a href=${link({ queue: queue.name })}>${queue.name}</a>
      ${queue.paused ? html`<span class="badge paused">paused</span>` : nothing}
    </th>
    ${
    states.map((state) => {
      const count = queue.counts[state] ?? 0
      const text = `${compact(count)}${queue.atLeast.includes(state) ? "+" : ""}`
      return html`<td data-label=${state} class="number ${count === 0 ? "none" : state}">${
        count === 0
          ? "0"
          : html`<a
            href=${link({ queue: queue.name, state })}
            title=${number(count)}
            aria-label=${`${text} ${state} in ${queue.name}`}
          >${text}</a>`
      }</td>`
    })
  }
    <td data-label="oldest" class="number ${queue.oldestMs === undefined ? "none" : ""}">${
    queue.oldestMs === undefined ? "–" : duration(queue.oldestMs)
  }</td>
    <td class="actions">
      <button @click=${() => pause(queue.name, !queue.paused)} aria-label=${`${
    queue.paused ? "Resume" : "Pause"
  } ${queue.name}`}>
        ${queue.paused ? "Resume" : "Pause"}
      </button>
    </td>
  </tr>`
