/**
 * What is asked for and which job is shown stand in the page's address, behind the #, so that they can be sent to
 * somebody and are not sent to the server.
 */

/** @import { Question } from "./list.js" */
import { states } from "./overview.js"

/**
 * What stands there.
 *
 * @returns {{ readonly question: Question, readonly job: string | undefined }}
 */
export const address = () => {
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
 * The address of a question, and of a job over it.
 *
 * @param {{ readonly [K in keyof Question]?: Question[K] | undefined }} question
 * @param {string} [job]
 */
export const link = (question, job) => {
  const asked = Object.entries({ ...question, job }).flatMap(([key, value]) =>
    value === undefined || value === "" ? [] : [[key, value]]
  )
  return `#${new URLSearchParams(asked)}`
}

/**
 * The address of a job over what is asked for now.
 *
 * @param {string} id
 */
export const show = (id) => link(address().question, id)
