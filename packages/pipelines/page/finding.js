/**
 * The list of jobs: a page is asked for by where the one before it ended. `starts` are the places where the pages so
 * far begin.
 */

/** @import { Found } from "./list.js" */
import { address, link } from "./address.js"
import * as server from "./server.js"
import { failed, state, update } from "./state.js"

/** @type {Array<string | undefined>} */
let starts = [undefined]
let searching = new AbortController()

const perPage = 50

/** A search looks at ten thousand jobs at a time; so many times by itself, then when told to. */
const looks = 20

/**
 * Asks for the page that is seen; `quiet` when nobody has asked.
 *
 * @param {boolean} quiet
 */
export const find = async (quiet = false) => {
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

let asked = ""

/** Begins a question at its first page. */
export const first = () => {
  starts = [undefined]
  asked = link(address().question)
  return find()
}

/** Begins anew when another question stands in the address. */
export const again = () => link(address().question) === asked ? undefined : first()

/** Whether the first page is seen, and can follow what happens. */
export const atBeginning = () =>
  starts.length === 1 && !state.found.searching && address().question.search === undefined

export const older = () => {
  starts.push(state.found.next)
  return find()
}

export const newer = () => {
  starts.pop()
  return find()
}
