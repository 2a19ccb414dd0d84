/** The token, asked for when it is needed. */

import * as server from "./server.js"
import { drawn, element, state, tell, update } from "./state.js"
import { html, nothing, render } from "./vendor/lit-html/lit-html.js"

/** @type {HTMLDialogElement} */
const dialog = element("unlock")

/** Whether the page is waiting for it. */
export const isOpen = () => dialog.open

/** @type {(() => void) | undefined} */
let unlocked

/**
 * Asks for the token; gives whether it was right in the end.
 *
 * @returns {Promise<boolean>}
 */
export const unlock = () => {
  update({ wrong: false })
  if (!dialog.open) dialog.showModal()
  return new Promise((resolve) => {
    unlocked = () => resolve(true)
    dialog.addEventListener("close", () => resolve(false), { once: true })
  })
}

/** @param {SubmitEvent} event */
const offer = async (event) => {
  event.preventDefault()
  /** @type {HTMLInputElement} */
  const field = element("token")
  try {
    if (!await server.unlock(field.value)) return update({ wrong: true })
    field.value = ""
    update({ session: await server.session(), wrong: false })
    unlocked?.()
    dialog.close()
    tell("Changes are unlocked in this tab.")
  } catch (error) {
    tell(String(error instanceof Error ? error.message : error))
  }
}

/** Forgets it. */
export const lock = async () => {
  server.lock()
  update({ session: await server.session() })
}

const form = () =>
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
      <button type="button" @click=${() => dialog.close()}>Not now</button>
    </p>
  </form>`

const draw = () => {
  render(form(), dialog)
}

drawn(draw)
draw()
