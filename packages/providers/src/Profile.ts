/**
 * What is known of one OpenAI-compatible endpoint, as data.
 *
 * `Profiles` has those that are known; a record of your own is as good as any of them. A profile that is wrong
 * or out of date costs a changed option, not a release: every value can be overridden where it is used.
 */
import type * as Config from "effect/Config"
import type { Capabilities } from "./Capabilities.ts"
import type { Dialect } from "./ChatCompletions.ts"

/**
 * - `name`: as it stands in model strings, before the slash
 * - `baseUrl`: up to the protocol's path; `<NAME>_BASE_URL` goes before it
 * - `keyName`: the environment variable of the key
 * - `needsKey`: whether the endpoint answers nobody without a key; a key that is there is sent in any case
 * - `capabilities`: what all models of the endpoint share
 * - `dialect`: how it differs from OpenAI's
 * - `checked`: when the row was last looked at, and by what: `recorded` answers of the endpoint were read,
 *   `documented` place, key and fields stand in its maker's own pages, `untried` neither
 *
 * @category models
 */
export interface Profile {
  readonly name: string
  readonly baseUrl: Config.Config<string>
  readonly baseUrlName?: string
  readonly keyName: string | undefined
  readonly needsKey: boolean
  readonly capabilities: Partial<Capabilities>
  readonly dialect: Partial<Omit<Dialect, "provider" | "model" | "capabilities">>
  readonly checked: { readonly on: string; readonly by: "recorded" | "documented" | "untried" }
}

/**
 * The environment variable that moves a profile's endpoint somewhere else.
 *
 * ```ts
 * import { Profile, Profiles } from "@effect-dspy/providers"
 *
 * Profile.baseUrlName(Profiles.llamacpp) // => "LLAMACPP_BASE_URL"
 * ```
 *
 * @category getters
 */
export const baseUrlName = (self: Profile): string =>
  self.baseUrlName ?? `${self.name.toUpperCase().replace(/[^A-Z0-9]/g, "_")}_BASE_URL`
