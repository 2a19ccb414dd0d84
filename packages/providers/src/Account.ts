/**
 * On whose account an endpoint is asked, as a word that tells accounts apart and tells nothing of the key.
 *
 * Caches, memos and shared limits hold it in their keys (`LM.Service.endpoint`): the same prompt with another key is
 * another question, and another account has limits of its own.
 */
import * as Digest from "effect/crypto/Digest"
import * as Hex from "effect/encoding/Hex"
import * as Redacted from "effect/Redacted"
import type { Headers } from "./Protocol.ts"

/** 48 bits: enough to tell keys apart, too few to find a key from. */
const digits = 12

/**
 * The base URL with a fingerprint of the key and of the headers, which name organizations and projects. A key that is
 * fetched anew for every request changes while its account stays: leave it out.
 *
 * @category getters
 */
export const endpoint = (
  baseUrl: string,
  key: Redacted.Redacted<string> | undefined,
  headers: Headers = {}
): string => {
  const named = Object.entries(headers).sort(([a], [b]) => a < b ? -1 : 1)
  return key === undefined && named.length === 0
    ? baseUrl
    : `${baseUrl}#${fingerprint(JSON.stringify([key === undefined ? "" : Redacted.value(key), named]))}`
}

// WebCrypto digests in promises only, and a layer that waits for one can't be built at once. MD5 will do: a collision
// would take two accounts of one's own, and gain their owner nothing.
const fingerprint = (text: string): string => {
  const { implementation: md5 } = Digest.md5
  if (md5 === undefined) throw new Error("effect has no MD5 of its own any more")
  return Hex.encode(md5(new TextEncoder().encode(text))).slice(0, digits)
}
