/** What a run is made of, along its time. */

/** @import { Attempt, Entry } from "../src/dashboard/Wire.ts" */
import { cost, duration, number } from "./format.js"
import { html, nothing } from "./vendor/lit-html/lit-html.js"

/**
 * The entries of a run as bars. What is a part of something stands under it, a step further in.
 *
 * @param {Attempt} run
 * @param {number} now milliseconds since the run began
 */
export const waterfall = (run, now) => {
  if (run.entries.length === 0) return nothing
  const total = Math.max(1, run.ms ?? now, ...run.entries.map(({ at, ms }) => at + (ms ?? 0)))
  return html`
    <ol class="waterfall">
      ${ordered(run.entries).map(({ depth, entry }) => bar(entry, depth, total, run.ms ?? now))}
    </ol>
    ${run.more === undefined ? nothing : html`<p class="quiet">and ${number(run.more)} more</p>`}`
}

/**
 * @param {ReadonlyArray<Entry>} entries
 * @returns {ReadonlyArray<{ readonly entry: Entry, readonly depth: number }>}
 */
const ordered = (entries) => {
  /** @type {Map<number | undefined, Array<number>>} */
  const parts = new Map()
  entries.forEach((entry, index) => {
    const siblings = parts.get(entry.within)
    if (siblings === undefined) parts.set(entry.within, [index])
    else siblings.push(index)
  })
  /** @type {Array<{ readonly entry: Entry, readonly depth: number }>} */
  const rows = []
  /** @param {number | undefined} of @param {number} depth */
  const walk = (of, depth) => {
    for (const index of parts.get(of) ?? []) {
      const entry = entries[index]
      if (entry === undefined) continue
      // A step that is one call of the same name says nothing that the call does not.
      const [part, ...others] = parts.get(index) ?? []
      const call = part === undefined || others.length > 0 ? undefined : entries[part]
      if (part !== undefined && entry.kind === "step" && call?.kind === "call" && call.name === entry.name) {
        rows.push({ entry: call, depth })
        walk(part, depth + 1)
      } else {
        rows.push({ entry, depth })
        walk(index, depth + 1)
      }
    }
  }
  walk(undefined, 0)
  return rows
}

/**
 * @param {Entry} entry
 * @param {number} depth
 * @param {number} total
 * @param {number} now
 */
const bar = (entry, depth, total, now) => {
  const ms = entry.ms ?? Math.max(0, now - entry.at)
  const state = entry.kept === true ? "kept" : entry.outcome ?? "open"
  const start = Math.min(100, (100 * entry.at) / total)
  const length = Math.min(100 - start, (100 * ms) / total)
  const written = entry.outcome === undefined && entry.characters !== undefined && entry.characters > 0
    ? `${number(entry.characters)} characters`
    : ""
  const told = [
    entry.kept === true ? "kept from before" : "",
    entry.error ?? "",
    entry.sent !== undefined && entry.sent > 1 ? `${entry.sent} requests` : "",
    written,
    entry.model ?? "",
    entry.firstTokenMs === undefined ? "" : `first token ${duration(entry.firstTokenMs)}`,
    cost(entry.usage)
  ].filter((part) => part !== "").join(" · ")
  return html`
    <li>
      <span class="name" .style=${`--depth: ${Math.min(depth, 6)}`}>
        <span class="kind">${entry.kind}</span> ${entry.name}
      </span>
      <span class="track"><span
        class="span ${entry.kind} ${state}"
        .style=${`left: min(${start.toFixed(2)}%, calc(100% - 3px)); width: ${length.toFixed(2)}%`}
      ></span></span>
      <span class="time">${duration(ms)}</span>
      <span class="told">${told}</span>
    </li>`
}
