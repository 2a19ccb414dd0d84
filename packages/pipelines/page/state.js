/**
 * What the page knows, in one record. Whatever changes it, the page is drawn anew, once for all changes of a moment.
 */

/** @import { Detail, Live, Session } from "../src/dashboard/Wire.ts" */
/** @import { Found } from "./list.js" */
import * as server from "./server.js"

/**
 * @template {HTMLElement} [A=HTMLElement]
 * @param {string} id
 * @returns {A}
 */
export const element = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`there is no #${id}`)
  return /** @type {A} */ (found)
}

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
export const state = {
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

/** @type {Array<() => void>} */
const drawing = []

/**
 * Draws a part of the page whenever something has changed.
 *
 * @param {() => void} draw
 */
export const drawn = (draw) => drawing.push(draw)

let due = false

/** @param {Partial<typeof state>} change */
export const update = (change) => {
  Object.assign(state, change)
  if (due) return
  due = true
  requestAnimationFrame(() => {
    due = false
    for (const draw of drawing) draw()
  })
}

export const now = () => Date.now() + state.skew

/** @type {ReturnType<typeof setTimeout> | undefined} */
let telling

/** @param {string} text */
export const tell = (text) => {
  element("status").textContent = text
  clearTimeout(telling)
  telling = setTimeout(() => element("status").replaceChildren(), 8000)
}

/**
 * Tells what went wrong; a token that is refused is forgotten.
 *
 * @param {unknown} error
 * @param {(trouble: string) => void} told
 */
export const failed = async (error, told) => {
  if (error instanceof server.Refused) {
    server.lock()
    update({ session: { ...state.session, canChange: false } })
  }
  told(error instanceof Error ? error.message : String(error))
}
