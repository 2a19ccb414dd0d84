/**
 * The page: what happens, what is done, and which part shows what. Everything that comes from the server is rendered as
 * text.
 */

/** @import { Change } from "../src/dashboard/Wire.ts" */
/** @import { Question } from "./list.js" */
import { address, link, show } from "./address.js"
import * as charts from "./charts.js"
import { detail } from "./detail.js"
import * as finding from "./finding.js"
import { number } from "./format.js"
import { list } from "./list.js"
import { overview } from "./overview.js"
import { running } from "./running.js"
import * as server from "./server.js"
import { drawn, element, failed, now, state, tell, update } from "./state.js"
import * as unlocking from "./unlocking.js"
import { html, render } from "./vendor/lit-html/lit-html.js"

/** @type {HTMLDialogElement} */
const detailDialog = element("detail")

// One job.

let reading = new AbortController()

/** @param {string | undefined} job */
const open = async (job) => {
  reading.abort()
  if (job === undefined) {
    if (detailDialog.open) detailDialog.close()
    return
  }
  if (!detailDialog.open) {
    update({ detail: undefined, trouble: undefined })
    detailDialog.showModal()
  }
  const own = new AbortController()
  reading = own
  try {
    update({ detail: await server.job(job, own.signal), trouble: undefined })
  } catch (error) {
    if (!own.signal.aborted) await failed(error, (trouble) => update({ trouble }))
  }
}

const close = () => {
  location.hash = link(address().question)
}
detailDialog.addEventListener("close", () => {
  if (address().job !== undefined) close()
})

// Changes.

/**
 * @param {Change} change
 * @param {(count: number) => string} done
 */
const apply = async (change, done) => {
  if (!state.session.canChange && !await unlocking.unlock()) return
  try {
    let count = 0
    for (let again = true; again;) {
      const changed = await server.change(change)
      count += changed.count
      again = changed.again
      tell(done(count))
    }
    await Promise.all([finding.find(true), open(address().job)])
  } catch (error) {
    await failed(error, tell)
  }
}

/** @param {number} count */
const jobs = (count) => count === 1 ? "1 job" : `${number(count)} jobs`

const actions = {
  link,
  show,
  close,
  /** @param {Question} question */
  ask: (question) => {
    // Typing is one step back, not one for each letter.
    history.replaceState(null, "", link(question))
    clearTimeout(asking)
    asking = setTimeout(finding.first, 200)
  },
  older: finding.older,
  newer: finding.newer,
  /** @param {ReadonlyArray<string>} ids */
  cancel: (ids) =>
    confirm(`Cancel ${ids.join(", ")}?`)
      ? apply({ change: "cancel", ids }, (count) => `${jobs(count)} cancelled.`)
      : undefined,
  /** @param {ReadonlyArray<string>} ids */
  requeue: (ids) => apply({ change: "requeue", ids }, (count) => `${jobs(count)} put back into the queue.`),
  /** @param {string | undefined} queue */
  requeueAll: (queue) =>
    confirm(`Retry all dead jobs${queue === undefined ? "" : ` of ${queue}`}?`)
      ? apply(
        { change: "requeueAll", ...(queue === undefined ? {} : { queue }) },
        (count) => `${jobs(count)} put back into the queue.`
      )
      : undefined,
  /** @param {ReadonlyArray<string>} ids */
  hurry: (ids) => apply({ change: "hurry", ids }, (count) => `${jobs(count)} due now.`),
  /** @param {string} queue @param {boolean} pause */
  pause: (queue, pause) =>
    apply({ change: pause ? "pause" : "resume", queue }, () => `${queue} is ${pause ? "paused" : "resumed"}.`)
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let asking

// What is seen.

const connections = {
  connecting: "connecting …",
  live: "live",
  lost: "connection lost, trying again …",
  down: "the store does not answer"
}

const bar = () =>
  html`
  <span class="connection ${state.connection}" role="status">${connections[state.connection]}</span>
  ${
    state.session.canChange
      ? html`<button @click=${unlocking.lock}>Lock changes</button>`
      : html`<button @click=${unlocking.unlock}>Unlock changes</button>`
  }`

const draw = () => {
  const { job, question } = address()
  const at = now()
  render(bar(), element("bar"))
  if (state.live !== undefined) {
    if (queuesFresh) {
      element("queues").replaceChildren()
      queuesFresh = false
    }
    render(overview(state.live, { ...actions, canChange: state.session.canChange }), element("queues"))
  }
  render(running(state.live, at, actions), element("running"))
  render(list(question, state.found, state.live, at, actions), element("jobs"))
  if (job !== undefined) render(detail(job, state.detail, state.trouble, at, actions), detailDialog)
}

let queuesFresh = true

drawn(draw)

// What happens.

addEventListener("hashchange", () => {
  void finding.again()
  void open(address().job)
  update({})
})

addEventListener("keydown", (event) => {
  const target = event.target
  const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement
  if (event.key === "/" && !typing && !detailDialog.open && !unlocking.isOpen()) {
    event.preventDefault()
    element("search").focus()
  }
})

// Times go on when nothing else happens.
setInterval(() => document.hidden ? undefined : update({}), 1000)

/** What is looked at from its beginning follows what happens, at most every two seconds. */
const followed = { last: 0, waits: false }

const follow = () => {
  if (followed.waits) return
  const wait = Math.max(0, followed.last + 2000 - Date.now())
  followed.waits = true
  setTimeout(() => {
    followed.waits = false
    followed.last = Date.now()
    if (document.hidden) return
    const { job } = address()
    if (finding.atBeginning()) void finding.find(true)
    if (job !== undefined) void open(job)
  }, wait)
}

addEventListener("visibilitychange", follow)

draw()
void server.session().then((session) => update({ session }), () => undefined)
void finding.first()
void open(address().job)
void server.listen({
  live: (live) => {
    update({ live, skew: live.now - Date.now(), connection: "live" })
    follow()
  },
  activity: charts.update,
  down: () => update({ connection: "down" }),
  connection: (connection) => update({ connection }),
  refused: async () => {
    server.lock()
    await unlocking.unlock()
  }
})
