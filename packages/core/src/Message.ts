/**
 * One turn of the conversation that is sent to a model.
 *
 * Adapters write messages, providers put them on the wire. Only text so far: parts for images, audio
 * and files come with the providers that can carry them.
 */

/**
 * Who speaks, and what is said.
 *
 * @category models
 */
export interface Message {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}

/**
 * A turn that sets the task.
 *
 * @category constructors
 */
export const system = (content: string): Message => ({ role: "system", content })

/**
 * A turn of the caller.
 *
 * @category constructors
 */
export const user = (content: string): Message => ({ role: "user", content })

/**
 * A turn of the model: a demonstration, or a reply that goes back with comments.
 *
 * @category constructors
 */
export const assistant = (content: string): Message => ({ role: "assistant", content })
