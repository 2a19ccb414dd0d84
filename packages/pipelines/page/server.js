/**
 * The page's side of the server: questions, changes, and what is sent while the page is open.
 *
 * The token goes in a header and is kept for this tab only, so that a reload does not ask for it again.
 */

/** @import { Activity, Causes, Change, Changed, Detail, Live, Page, Session } from "../src/dashboard/Wire.ts" */

const kept = "effect-dspy-dashboard"

/** The server has refused: no token, or a wrong one. */
export class Refused extends Error {}

/** The server or its store did not answer as it should. */
class Trouble extends Error {}

/** @returns {HeadersInit} */
const headers = () => {
  const token = sessionStorage.getItem(kept)
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
const request = async (path, options = {}) => {
  const response = await fetch(path, { ...options, headers: { ...headers(), ...options.headers } })
    .catch((/** @type {unknown} */ cause) => {
      if (options.signal?.aborted) throw cause
      throw new Trouble("the dashboard's server does not answer")
    })
  if (response.status === 401) throw new Refused("this token is not right")
  if (!response.ok) {
    const told = await response.json().catch(() => ({}))
    throw new Trouble(typeof told.error === "string" ? told.error : `the server answers with ${response.status}`)
  }
  return response
}

/**
 * What this page may do.
 *
 * @returns {Promise<Session>}
 */
export const session = async () => (await request("api/session")).json()

/**
 * Whether a token is right; a right one is kept.
 *
 * @param {string} token
 * @returns {Promise<boolean>}
 */
export const unlock = async (token) => {
  const before = sessionStorage.getItem(kept)
  sessionStorage.setItem(kept, token)
  const right = await session().then(({ canChange }) => canChange, (error) => {
    if (error instanceof Refused) return false
    throw error
  })
  if (right) return true
  if (before === null) lock()
  else sessionStorage.setItem(kept, before)
  return false
}

/** Forgets the token. */
export const lock = () => sessionStorage.removeItem(kept)

/**
 * A page of jobs.
 *
 * @param {Record<string, string | undefined>} question
 * @param {AbortSignal} signal
 * @returns {Promise<Page>}
 */
export const jobs = async (question, signal) => {
  const asked = Object.entries(question).flatMap(([key, value]) => value === undefined ? [] : [[key, value]])
  return (await request(`api/jobs?${new URLSearchParams(asked)}`, { signal })).json()
}

/**
 * What the dead died of.
 *
 * @param {string | undefined} queue
 * @param {AbortSignal} signal
 * @returns {Promise<Causes>}
 */
export const causes = async (queue, signal) =>
  (await request(`api/causes${queue === undefined ? "" : `?${new URLSearchParams({ queue })}`}`, { signal })).json()

/**
 * Everything about a job.
 *
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Detail>}
 */
export const job = async (id, signal) => (await request(`api/job?${new URLSearchParams({ id })}`, { signal })).json()

/**
 * Changes something.
 *
 * @param {Change} change
 * @returns {Promise<Changed>}
 */
export const change = async (change) =>
  (await request("api/change", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(change)
  })).json()

/**
 * What the feed tells.
 *
 * @typedef {{
 *   readonly live: (live: Live) => void
 *   readonly activity: (activity: Activity) => void
 *   readonly down: () => void
 *   readonly connection: (state: "live" | "lost") => void
 *   readonly refused: () => Promise<void>
 * }} Listener
 */

/**
 * Listens for as long as the page is open, and connects again when the connection is lost. An `EventSource` could not
 * send the token other than in its address.
 *
 * @param {Listener} listener
 */
export const listen = async (listener) => {
  for (let lost = 0;; lost++) {
    // Browsers open six connections to a host, and each tab would keep one: those that nobody looks at give it back.
    await seen()
    const unseen = new AbortController()
    const leave = () => {
      if (document.hidden) setTimeout(() => document.hidden ? unseen.abort() : undefined, 30_000)
    }
    document.addEventListener("visibilitychange", leave)
    try {
      const response = await request("api/feed", { signal: unseen.signal })
      listener.connection("live")
      lost = 0
      await read(response, listener)
    } catch (error) {
      if (error instanceof Refused) await listener.refused()
    } finally {
      document.removeEventListener("visibilitychange", leave)
    }
    if (unseen.signal.aborted) {
      lost = -1
      continue
    }
    listener.connection("lost")
    await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 500 * 2 ** lost)))
  }
}

/** @returns {Promise<void>} */
const seen = () =>
  new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return
      document.removeEventListener("visibilitychange", look)
      resolve()
    }
    document.addEventListener("visibilitychange", look)
    look()
  })

/**
 * @param {Response} response
 * @param {Listener} listener
 */
const read = async (response, listener) => {
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const events = (rest + value).split("\n\n")
    rest = events.pop() ?? ""
    for (const event of events) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(event) ?? []
      if (name === "live" && data !== undefined) listener.live(JSON.parse(data))
      else if (name === "activity" && data !== undefined) listener.activity(JSON.parse(data))
      else if (name === "down") listener.down()
    }
  }
}
