/** How numbers, times and costs are written. */

/** @import { Usage } from "../src/dashboard/Wire.ts" */

const whole = new Intl.NumberFormat("en")
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })

/** @param {number} value */
export const number = (value) => whole.format(value)

/** @param {number} value */
export const compact = (value) => value < 10_000 ? whole.format(value) : short.format(value)

/**
 * A duration in at most two units.
 *
 * @param {number} ms
 * @returns {string}
 */
export const duration = (ms) => {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} days`
}

/**
 * A time, seen from now.
 *
 * @param {number} at
 * @param {number} now
 * @returns {string}
 */
export const relative = (at, now) => {
  const away = at - now
  if (Math.abs(away) < 1000) return "now"
  // Asleep until something wakes it: the store writes that as a hundred years.
  if (away > 50 * 365 * 86_400_000) return "until woken"
  return away > 0 ? `in ${duration(away)}` : `${duration(-away)} ago`
}

const clock = new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "medium" })

/** @param {number} at */
export const time = (at) => clock.format(at)

/**
 * Tokens and money, as far as they are known.
 *
 * @param {Usage | undefined} usage
 * @returns {string}
 */
export const cost = (usage) => {
  if (usage === undefined) return ""
  const parts = []
  if (usage.calls > 0) parts.push(usage.calls === 1 ? "1 request" : `${number(usage.calls)} requests`)
  if (usage.inputTokens !== undefined || usage.outputTokens !== undefined) {
    parts.push(`${compact(usage.inputTokens ?? 0)} → ${compact(usage.outputTokens ?? 0)} tokens`)
  }
  if (usage.costUsd !== undefined) parts.push(`$${usage.costUsd.toFixed(usage.costUsd < 0.1 ? 4 : 2)}`)
  return parts.join(" · ")
}

/**
 * JSON as people read it; other text as it is.
 *
 * @param {string} text
 * @returns {string}
 */
export const pretty = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
