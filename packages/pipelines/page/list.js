/** The list of jobs: by state, by queue, searched, a page at a time. */

/** @import { Causes, Failure, Job, Live, State } from "../src/dashboard/Wire.ts" */
import { number, relative, time } from "./format.js"
import { states } from "./overview.js"
import { live as current } from "./vendor/lit-html/directives/live.js"
import { repeat } from "./vendor/lit-html/directives/repeat.js"
import { html, nothing } from "./vendor/lit-html/lit-html.js"

/**
 * What is asked for; it stands in the page's address.
 *
 * @typedef {{ readonly state?: State, readonly queue?: string, readonly search?: string }} Question
 */

/**
 * What was found. `next` is where the next page begins; `page` counts from 1.
 *
 * @typedef {{
 *   readonly jobs: ReadonlyArray<Job>
 *   readonly next?: string
 *   readonly causes?: Causes
 *   readonly page: number
 *   readonly searching: boolean
 *   readonly trouble?: string
 * }} Found
 */

/**
 * @typedef {{
 *   readonly link: (question: { readonly [K in keyof Question]?: Question[K] | undefined }) => string
 *   readonly ask: (question: Question) => void
 *   readonly show: (id: string) => string
 *   readonly older: () => void
 *   readonly newer: () => void
 *   readonly cancel: (ids: ReadonlyArray<string>) => void
 *   readonly requeue: (ids: ReadonlyArray<string>) => void
 *   readonly requeueAll: (queue: string | undefined) => void
 *   readonly hurry: (ids: ReadonlyArray<string>) => void
 * }} Actions
 */

/**
 * @param {Question} question
 * @param {Found} found
 * @param {Live | undefined} live
 * @param {number} now
 * @param {Actions} actions
 */
export const list = (question, found, live, now, actions) => {
  const queues = live?.queues ?? []
  const counted = queues.filter(({ name }) => question.queue === undefined || name === question.queue)
  /** @param {State} state */
  const count = (state) => counted.reduce((sum, { counts }) => sum + (counts[state] ?? 0), 0)
  return html`
    <h2 id="jobs-title">Jobs</h2>
    <form class="search" role="search" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <label for="search">Search</label>
      <input id="search" type="search" name="search" placeholder="id, name or failure  ( / )" autocomplete="off"
        spellcheck="false" maxlength="200" .value=${current(question.search ?? "")}
        @input=${(/** @type {InputEvent & { target: HTMLInputElement }} */ { target }) =>
    actions.ask({ ...question, search: target.value })}>
      <label for="queue">Queue</label>
      <select id="queue" name="queue" @change=${(/** @type {Event & { target: HTMLSelectElement }} */ { target }) =>
    actions.ask({ ...question, queue: target.value })}>
        <option value="" ?selected=${question.queue === undefined}>all queues</option>
        ${queues.map(({ name }) => html`<option value=${name} ?selected=${question.queue === name}>${name}</option>`)}
      </select>
    </form>
    <nav class="states" aria-label="States">
      <a href=${actions.link({ ...question, state: undefined })} aria-current=${
    question.state === undefined ? "true" : nothing
  }>all</a>
      ${
    states.map((state) =>
      html`
        <a href=${actions.link({ ...question, state })} aria-current=${question.state === state ? "true" : nothing}>
          ${state} <span class="count">${number(count(state))}</span>
        </a>`
    )
  }
    </nav>
    ${question.state === "dead" && count("dead") > 0 ? dead(count("dead"), question, found.causes, actions) : nothing}
    ${found.trouble === undefined ? nothing : html`<p class="trouble" role="alert">${found.trouble}</p>`}
    ${found.jobs.length === 0 ? nothing : table(found.jobs, now, actions)}
    <p class="quiet" role="status">${
    found.searching
      ? "Searching …"
      : found.jobs.length > 0
      ? ""
      : found.next === undefined
      ? "No job."
      : "Nothing found so far."
  }</p>
    <nav class="pages" aria-label="Pages">
      <button ?disabled=${found.page === 1} @click=${actions.newer}>Newer</button>
      <span>page ${number(found.page)}</span>
      <button ?disabled=${found.next === undefined} @click=${actions.older}>
        ${found.jobs.length === 0 && found.next !== undefined ? "Search further back" : "Older"}
      </button>
    </nav>`
}

/**
 * What the dead died of, and the way back for all of them.
 *
 * @param {number} count
 * @param {Question} question
 * @param {Causes | undefined} found
 * @param {Actions} actions
 */
const dead = (count, question, found, actions) =>
  html`
  ${
    found === undefined || found.causes.length === 0 ? nothing : html`
    <p class="causes">
      ${found.of < count ? html`<span class="quiet">Of the newest ${number(found.of)}:</span>` : nothing}
      ${
      found.causes.map((failure) =>
        html`
        <a href=${actions.link({ ...question, search: words(failure) })}>${cause(failure)}
          <span class="count">${number(failure.count)}</span></a>`
      )
    }
    </p>`
  }
  <p>
    <button @click=${() => actions.requeueAll(question.queue)}>
      Retry all ${number(count)} dead jobs${question.queue === undefined ? "" : ` of ${question.queue}`}
    </button>
  </p>`

/**
 * @param {ReadonlyArray<Job>} jobs
 * @param {number} now
 * @param {Actions} actions
 */
const table = (jobs, now, actions) =>
  html`
  <table class="jobs">
    <thead>
      <tr>
        <th scope="col">Job</th>
        <th scope="col">Queue</th>
        <th scope="col">State</th>
        <th scope="col" class="number">Attempts</th>
        <th scope="col">When</th>
        <th scope="col"><span class="hidden">Actions</span></th>
      </tr>
    </thead>
    <tbody>${repeat(jobs, ({ id }) => id, (job) => row(job, now, actions))}</tbody>
  </table>`

/**
 * @param {Job} job
 * @param {number} now
 * @param {Actions} actions
 */
const row = (job, now, actions) =>
  html`
  <tr>
    <th scope="row">
      <a class="id" href=${actions.show(job.id)}>${job.id}</a>
      ${job.failure === undefined ? nothing : html`<span class="cause">${cause(job.failure)}</span>`}
    </th>
    <td data-label="Queue">${job.queue}</td>
    <td data-label="State"><span class="badge ${job.state}">${job.state}</span></td>
    <td data-label="Attempts" class="number">${job.attempts}</td>
    <td data-label="When" title=${time(when(job))}>${relative(when(job), now)}</td>
    <td class="actions">${buttons(job, actions)}</td>
  </tr>`

/**
 * A failure in a line. That it failed goes without saying.
 *
 * @param {Pick<Failure, "kind" | "name" | "message">} failure
 */
const cause = ({ kind, message, name }) =>
  [...(kind === "failed" ? [] : [kind]), name, ...(message === undefined ? [] : [message])].join(": ")

/**
 * What a failure is found by: the stored text is JSON, so only as far as nothing is escaped in it.
 *
 * @param {Pick<Failure, "name" | "message">} failure
 */
const words = ({ message, name }) => (/^[^"\\\n]{8,150}/.exec(message ?? "")?.[0] ?? name).trim()

/**
 * The time that matters of a job: its end, when it is due, when it began.
 *
 * @param {Job} job
 */
const when = (job) =>
  job.finishedAt
    ?? (job.state === "scheduled" || job.state === "retrying"
      ? job.dueAt
      : job.state === "running"
      ? job.startedAt
      : undefined)
    ?? job.enqueuedAt

/**
 * What can be done about a job in its state.
 *
 * @param {Job} job
 * @param {Pick<Actions, "cancel" | "requeue" | "hurry">} actions
 */
export const buttons = ({ id, state }, { cancel, hurry, requeue }) =>
  html`
  ${
    state === "dead" || state === "cancelled"
      ? html`<button @click=${() => requeue([id])} aria-label=${`Retry ${id}`}>Retry</button>`
      : nothing
  }
  ${
    state === "retrying" || state === "scheduled"
      ? html`<button @click=${() => hurry([id])} aria-label=${`Run now: ${id}`}>Run now</button>`
      : nothing
  }
  ${
    state === "succeeded" || state === "dead" || state === "cancelled"
      ? nothing
      : html`<button class="danger" @click=${() => cancel([id])} aria-label=${`Cancel ${id}`}>Cancel</button>`
  }`
