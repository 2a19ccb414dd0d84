/**
 * Who may look and who may change something.
 *
 * 1. On loopback anybody on the machine may look, but only at a name of this machine: a page of another site that has
 *    its name point here (DNS rebinding) comes with its own name in `Host`, and is refused.
 * 2. Beyond loopback every request needs the token.
 * 3. A change needs the token everywhere, and a body and headers that no form or link of another site can send.
 *
 * The token comes in the `Authorization` header, as `Bearer`, or as the password of `Basic`, which browsers ask for
 * by themselves. It is never in an address, a cookie or a log. It is compared by digest, so the comparison takes the
 * same time however much of a guess is right.
 */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { createHash, timingSafeEqual } from "node:crypto"

/**
 * The token is too short to be a secret, or can't stand in a header.
 *
 * @category errors
 */
export class WeakToken extends Schema.TaggedError<WeakToken>("@effect-dspy/pipelines/dashboard/WeakToken")(
  "WeakToken",
  { atLeast: Schema.Int }
) {
  override get message(): string {
    return `the dashboard's token needs at least ${this.atLeast} letters, digits or signs, and no spaces: make one with \`openssl rand -hex 24\`, or leave it out`
  }
}

/** A shorter one could be guessed over the network. */
const shortest = 16

const fit = new RegExp(`^[!-~]{${shortest},}$`)

/**
 * How a request is judged: `refused` with a status, or let in, to look or to change.
 *
 * @category models
 */
export type Verdict =
  | { readonly _tag: "Refused"; readonly status: 401 | 403 | 421; readonly why: string }
  | { readonly _tag: "Admitted"; readonly canChange: boolean }

/**
 * Judges requests.
 *
 * @category models
 */
export interface Access {
  readonly judge: (request: HttpServerRequest.HttpServerRequest) => Verdict
}

/**
 * Whether only this machine can reach an address.
 *
 * @category guards
 */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host)

/**
 * The token: given, from `DASHBOARD_TOKEN`, or made up and shown once on standard error.
 *
 * @category constructors
 */
export const token = Effect.fnUntraced(function*(given: Redacted.Redacted | string | undefined) {
  const known = given === undefined
    ? Option.getOrUndefined(yield* Config.option(Config.Redacted("DASHBOARD_TOKEN")))
    : typeof given === "string"
    ? Redacted.make(given)
    : given
  if (known === undefined) {
    const made = Base64Url.encode(SecureRandom.randomBytesUnsafe(24))
    yield* Console.error(`The dashboard's token for changes, shown once: ${made}`)
    return Redacted.make(made)
  }
  if (!fit.test(Redacted.value(known))) return yield* new WeakToken({ atLeast: shortest })
  return known
})

/**
 * Judges by a token, for a server that listens on `host`.
 *
 * @category constructors
 */
export const make = (token: Redacted.Redacted, host: string): Access => {
  const expected = digest(Redacted.value(token))
  const open = isLoopback(host)
  return {
    judge: (request) => {
      const name = request.headers["host"] ?? ""
      if (open && !isLoopback(nameOf(name))) return { _tag: "Refused", status: 421, why: "unknown host" }
      const offered = credential(request.headers["authorization"])
      const right = offered !== undefined && timingSafeEqual(digest(offered), expected)
      // A wrong token is always refused, even where none is needed: whoever sends one wants to be let in with it.
      if (!right && (!open || offered !== undefined)) return { _tag: "Refused", status: 401, why: "token" }
      if (request.method === "GET" || request.method === "HEAD") return { _tag: "Admitted", canChange: right }
      if (!right) return { _tag: "Refused", status: 401, why: "token" }
      return isOwn(request, name)
        ? { _tag: "Admitted", canChange: true }
        : { _tag: "Refused", status: 403, why: "another site" }
    }
  }
}

/**
 * Whether a change comes from the dashboard's own page, or from a program. Browsers say where a request comes from,
 * and send JSON elsewhere only after asking, which is not answered here.
 */
const isOwn = (request: HttpServerRequest.HttpServerRequest, host: string): boolean => {
  const { "content-type": type, origin, "sec-fetch-site": site } = request.headers
  return type?.split(";")[0]?.trim() === "application/json"
    && (site === undefined || site === "same-origin")
    && (origin === undefined || (URL.canParse(origin) && new URL(origin).host === host))
}

/** A `Host` without its port. */
const nameOf = (host: string): string =>
  /^\[(.*)\](?::\d+)?$/.exec(host)?.[1] ?? host.replace(/:\d+$/, "").toLowerCase()

const credential = (header: string | undefined): string | undefined => {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+) *$/i.exec(header ?? "") ?? []
  if (scheme === undefined || value === undefined) return undefined
  if (scheme.toLowerCase() === "bearer") return value
  const pair = Buffer.from(value, "base64").toString("utf8")
  return pair.slice(pair.indexOf(":") + 1)
}

const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest()
