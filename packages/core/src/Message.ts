/**
 * One turn of the conversation that is sent to a model.
 *
 * Adapters write messages, providers put them on the wire. Only text so far: parts for images, audio
 * and files come with the providers that can carry them.
 */

/** @category models */
export interface Message {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}

/** @category constructors */
export const system = (content: string): Message => ({ role: "system", content })

/** @category constructors */
export const user = (content: string): Message => ({ role: "user", content })

/** @category constructors */
export const assistant = (content: string): Message => ({ role: "assistant", content })
