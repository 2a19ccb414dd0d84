/**
 * Takes the prompt out of a reply that repeats it.
 *
 * Some models write the conversation again before they answer, after it or within. The prompt holds headers, schemas
 * and worked examples, and a field read from those would be a field nobody answered. So a reply that holds a turn of
 * the prompt is read without it: turns are looked for in their order, each once, word for word.
 */
import type { Request } from "./LM/Request.ts"
import * as Message from "./Message.ts"

/**
 * The reply without the turns of its request; the same text when it holds none of them.
 *
 * ```ts
 * import { Echo, Message, Request } from "@effect-dspy/core"
 *
 * const messages = [Message.system("Reply with {\"stars\": 5} or the like."), Message.user("It was lovely.")]
 * const request: Request.Request = { messages, output: Request.text, settings: {} }
 * Echo.remove('Reply with {"stars": 5} or the like.\nIt was lovely.\n{"stars": 4}', request) // => "{\"stars\": 4}"
 * ```
 *
 * @category combinators
 */
export const remove = (reply: string, { messages, output }: Request): string => {
  const anchor = messages.find((message) => message.role === "system" || message.role === "user")
  if (anchor === undefined) return reply
  const last = messages.findLast((message) => message.role === "user")
  // A turn is longer than nearly every reply, so nearly every reply leaves here.
  if (!holds(reply, Message.text(anchor)) && !holds(reply, Message.text(last))) return reply
  let kept = ""
  let rest = reply
  const turns = messages.flatMap((message) =>
    message.role === "tool" ? message.content.map(({ content }) => content) : [Message.text(message)]
  )
  for (const turn of output._tag === "Json" ? [...turns, output.instruction] : turns) {
    const at = turn === "" ? -1 : rest.indexOf(turn)
    if (at < 0) continue
    kept += rest.slice(0, at)
    rest = rest.slice(at + turn.length)
  }
  return (kept + rest).trim()
}

/** Shorter turns may stand in an answer by chance. */
const minimum = 12

const holds = (reply: string, turn: string): boolean =>
  turn.length >= minimum && turn.length <= reply.length && reply.includes(turn)
