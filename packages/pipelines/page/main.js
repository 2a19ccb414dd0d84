/**
 * The page. Its state is one record; whatever changes it, the parts are rendered anew, and lit-html touches what is
 * different. Everything that comes from the server is rendered as text.
 */

/** @import { Change, Detail, Live, Session } from "../src/dashboard/Wire.ts" */
/** @import { Found, Question } from "./list.js" */
import * as charts from "./charts.js"
import { detail } from "./detail.js"
import { number } from "./format.js"
import { list } from "./list.js"
import { overview, states } from "./overview.js"
import { running } from "./running.js"
import * as server from "./server.js"
import { html, nothing, render } from "./vendor/lit-html/lit-html.js"

/**
 * @template {HTMLElement} [A=HTMLElement]
 * @param {string} id
 * @returns {A}
 */
const element = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`there is no #${id}`)
  return /** @type {A} */ (found)
}

/** @type {HTMLDialogElement} */
const detailDialog = element("detail")
/** @type {HTMLDialogElement} */
const unlockDialog = element("unlock")

/**
 * @type {{
 *   connection: "live" | "lost" | "down" | "connecting"
 *   session: Session
 *   live: Live | undefined
 *   skew: number
 *   found: Found
 *   detail: Detail | undefined
 *   trouble: string | undefined
 *   wrong: boolean
 * }}
 */
const state = {
  connection: "connecting",
  session: { canChange: false, showContent: false },
  live: undefined,
  // The store's clock, seen from this machine's.
  skew: 0,
  found: { jobs: [], page: 1, searching: true },
  detail: undefined,
  trouble: undefined,
  wrong: false
}

let due = false

/** @param {Partial<typeof state>} change */
const update = (change) => {
  Object.assign(state, change)
  if (due) return
  due = true
  requestAnimationFrame(() => {
    due = false
    draw()
  })
}

const now = () => Date.now() + state.skew

/** @type {ReturnType<typeof setTimeout> | undefined} */
let telling

/** @param {string} text */
const tell = (text) => {
  element("status").textContent = text
  clearTimeout(telling)
  telling = setTimeout(() => element("status").replaceChildren(), 8000)
}

// What is asked for and which job is shown stand in the address, behind the #, so that they can be sent to somebody
// and are not sent to the server.

/** @returns {{ readonly question: Question, readonly job: string | undefined }} */
const address = () => {
  const asked = new URLSearchParams(location.hash.slice(1))
  const inState = states.find((state) => state === asked.get("state"))
  const queue = asked.get("queue") ?? ""
  const search = asked.get("search") ?? ""
  return {
    question: {
      ...(inState === undefined ? {} : { state: inState }),
      ...(queue === "" ? {} : { queue }),
      ...(search === "" ? {} : { search })
    },
    job: asked.get("job") ?? undefined
  }
}

/**
 * @param {{ readonly [K in keyof Question]?: Question[K] | undefined }} question
 * @param {string} [job]
 */
const link = (question, job) => {
  const asked = Object.entries({ ...question, job }).flatMap(([key, value]) =>
    value === undefined || value === "" ? [] : [[key, value]]
  )
  return `#${new URLSearchParams(asked)}`
}

/** @param {string} id */
const show = (id) => link(address().question, id)

// The list. `starts` are the places where the pages so far begin.

/** @type {Array<string | undefined>} */
let starts = [undefined]
let searching = new AbortController()

const perPage = 50

/** A search looks at ten thousand jobs at a time; so many times by itself, then when told to. */
const looks = 20

/** @param {boolean} quiet */
const find = async (quiet = false) => {
  searching.abort()
  const own = new AbortController()
  searching = own
  const { question } = address()
  if (!quiet) update({ found: { ...state.found, page: starts.length, searching: true } })
  try {
    const causes = question.state === "dead" ? server.causes(question.queue, own.signal) : undefined
    // Awaited below; until then nobody minds that it fails.
    causes?.catch(() => undefined)
    let cursor = starts.at(-1)
    /** @type {Found["jobs"]} */
    let jobs = []
    for (let look = 0; look < looks; look++) {
      const page = await server.jobs({ ...question, cursor, limit: String(perPage - jobs.length) }, own.signal)
      jobs = [...jobs, ...page.jobs]
      cursor = page.next
      if (cursor === undefined || jobs.length >= perPage) break
    }
    const known = await causes
    update({
      found: {
        jobs,
        page: starts.length,
        searching: false,
        ...(cursor === undefined ? {} : { next: cursor }),
        ...(known === undefined ? {} : { causes: known })
      }
    })
  } catch (error) {
    if (!own.signal.aborted) {
      await failed(error, (trouble) => update({ found: { ...state.found, searching: false, trouble } }))
    }
  }
}

const first = () => {
  starts = [undefined]
  return find()
}

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

/** @type {(() => void) | undefined} */
let unlocked

/** @returns {Promise<boolean>} */
const unlock = () => {
  update({ wrong: false })
  draw()
  if (!unlockDialog.open) unlockDialog.showModal()
  return new Promise((resolve) => {
    unlocked = () => resolve(true)
    unlockDialog.addEventListener("close", () => resolve(false), { once: true })
  })
}

/** @param {SubmitEvent} event */
const offer = async (event) => {
  event.preventDefault()
  const form = /** @type {HTMLFormElement} */ (event.target)
  /** @type {HTMLInputElement} */
  const { value: token } = element("token")
  try {
    if (!await server.unlock(token)) return update({ wrong: true })
    form.reset()
    update({ session: await server.session(), wrong: false })
    unlocked?.()
    unlockDialog.close()
    tell("Changes are unlocked in this tab.")
  } catch (error) {
    tell(String(error instanceof Error ? error.message : error))
  }
}

const lock = async () => {
  server.lock()
  update({ session: await server.session() })
}

/**
 * @param {unknown} error
 * @param {(trouble: string) => void} told
 */
const failed = async (error, told) => {
  if (error instanceof server.Refused) {
    server.lock()
    update({ session: { ...state.session, canChange: false } })
  }
  told(error instanceof Error ? error.message : String(error))
}

/**
 * @param {Change} change
 * @param {(count: number) => string} done
 */
const apply = async (change, done) => {
  if (!state.session.canChange && !await unlock()) return
  try {
    let count = 0
    for (let again = true; again;) {
      const changed = await server.change(change)
      count += changed.count
      again = changed.again
      tell(done(count))
    }
    await Promise.all([find(true), open(address().job)])
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
    asking = setTimeout(first, 200)
  },
  older: () => {
    starts.push(state.found.next)
    return find()
  },
  newer: () => {
    starts.pop()
    return find()
  },
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
      ? html`<button @click=${lock}>Lock changes</button>`
      : html`<button @click=${unlock}>Unlock changes</button>`
  }`

const unlockForm = () =>
  html`
  <form method="dialog" @submit=${offer}>
    <h2 id="unlock-title">Unlock changes</h2>
    <p>Changes need the dashboard's token: <code>DASHBOARD_TOKEN</code>, or the one that was shown when it started.</p>
    <label for="token">Token</label>
    <input id="token" name="token" type="password" autocomplete="off" required
      aria-describedby="wrong" aria-invalid=${state.wrong ? "true" : "false"}>
    <p id="wrong" class="trouble" role="alert">${state.wrong ? "This token is not right." : nothing}</p>
    <p class="actions">
      <button type="submit">Unlock</button>
      <button type="button" @click=${() => unlockDialog.close()}>Not now</button>
    </p>
  </form>`

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
  render(unlockForm(), unlockDialog)
}

let queuesFresh = true

// What happens.

let lastQuestion = location.hash
addEventListener("hashchange", () => {
  const { job, question } = address()
  const asked = link(question)
  if (asked !== lastQuestion) void first()
  lastQuestion = asked
  void open(job)
  update({})
})

addEventListener("keydown", (event) => {
  const target = event.target
  const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement
  if (event.key === "/" && !typing && !detailDialog.open && !unlockDialog.open) {
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
    const { job, question } = address()
    if (starts.length === 1 && !state.found.searching && question.search === undefined) void find(true)
    if (job !== undefined) void open(job)
  }, wait)
}

addEventListener("visibilitychange", follow)

draw()
void server.session().then((session) => update({ session }), () => undefined)
void first()
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
    await unlock()
  }
})
