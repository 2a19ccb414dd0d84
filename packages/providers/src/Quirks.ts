/**
 * What single models can't do, by the beginning of their names.
 *
 * A table that is wrong about a model costs a refused or a needlessly changed request, never an answer; a model it
 * does not know is taken to do everything its endpoint does. `options.capabilities` of every layer goes before it.
 */
import type { Capabilities } from "./Capabilities.ts"

/**
 * - `prefixes`: beginnings of model names; the longest that fits wins
 * - `checked`: when the vendor's word was last compared
 *
 * @category models
 */
export interface Quirk {
  readonly prefixes: ReadonlyArray<string>
  readonly checked: string
  readonly capabilities: Partial<Capabilities>
}

const sampling = { withoutWhileReasoning: ["temperature", "topP"] } satisfies Partial<Capabilities>

const openai: ReadonlyArray<Quirk> = [
  {
    prefixes: ["gpt-3.5", "gpt-4", "chatgpt-4o", "gpt-5-chat"],
    checked: "2026-11-25",
    capabilities: { reasoning: "never" }
  },
  {
    prefixes: ["o1", "o3", "o4"],
    checked: "2026-11-25",
    capabilities: { reasoning: "always", efforts: ["low", "medium", "high"], ...sampling }
  },
  {
    prefixes: ["gpt-5"],
    checked: "2026-11-25",
    capabilities: { reasoning: "always", efforts: ["minimal", "low", "medium", "high"], ...sampling }
  },
  {
    prefixes: ["gpt-5.1", "gpt-5.2", "gpt-5.3", "gpt-5.4"],
    checked: "2026-11-25",
    capabilities: { reasoning: "asked", efforts: ["none", "low", "medium", "high"], ...sampling }
  },
  {
    prefixes: ["gpt-5.1-chat", "gpt-5.2-chat", "gpt-5.3-chat"],
    checked: "2026-11-25",
    capabilities: { reasoning: "always", efforts: ["medium"], ...sampling }
  },
  {
    prefixes: ["gpt-5.1-codex", "gpt-5.2-pro", "gpt-5.4-pro", "gpt-5.5-pro", "gpt-6"],
    checked: "2026-11-25",
    capabilities: { reasoning: "always", efforts: ["low", "medium", "high"], ...sampling }
  },
  {
    prefixes: ["gpt-5.5", "gpt-5.6"],
    checked: "2026-11-25",
    capabilities: { reasoning: "default", efforts: ["none", "low", "medium", "high"], ...sampling }
  }
]

// While it counts reasoning tokens a Claude takes no other temperature and can't be made to call a tool.
const budget = {
  reasoning: "asked",
  effortAs: "tokens",
  toolChoice: "unlessReasoning",
  ...sampling
} satisfies Partial<Capabilities>
const native = { structuredOutput: ["native", "tool", "prompt"] } satisfies Partial<Capabilities>
const byTool = { structuredOutput: ["tool", "prompt"] } satisfies Partial<Capabilities>
const adaptive = {
  ...native,
  reasoning: "asked",
  efforts: ["none", "low", "medium", "high"],
  effortAs: "word",
  toolChoice: true
} satisfies Partial<Capabilities>

const anthropic: ReadonlyArray<Quirk> = [
  { prefixes: ["claude-3"], checked: "2026-11-25", capabilities: { ...byTool, reasoning: "never" } },
  {
    prefixes: ["claude-3-7-sonnet", "claude-sonnet-4", "claude-opus-4"],
    checked: "2026-11-25",
    capabilities: { ...byTool, ...budget }
  },
  {
    prefixes: ["claude-opus-4-1", "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"],
    checked: "2026-11-25",
    capabilities: { ...native, ...budget, oneOf: ["temperature", "topP"] }
  },
  {
    prefixes: ["claude-opus-4-6", "claude-sonnet-4-6"],
    checked: "2026-11-25",
    capabilities: { ...adaptive, ...sampling, oneOf: ["temperature", "topP"] }
  },
  {
    prefixes: ["claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5"],
    checked: "2026-11-25",
    capabilities: { ...adaptive, without: ["temperature", "topP"] }
  },
  {
    prefixes: ["claude-fable-5", "claude-mythos"],
    checked: "2026-11-25",
    capabilities: { ...adaptive, without: ["temperature", "topP"], toolChoice: false }
  }
]

// Up to 2.5, a schema and tools exclude each other.
const eitherOr = { outputBesideTools: ["tool", "prompt"] } satisfies Partial<Capabilities>

const google: ReadonlyArray<Quirk> = [
  { prefixes: ["gemini-1", "gemini-2.0"], checked: "2026-11-25", capabilities: { ...eitherOr, reasoning: "never" } },
  {
    prefixes: ["gemini-2.5"],
    checked: "2026-11-25",
    capabilities: {
      ...eitherOr,
      reasoning: "default",
      efforts: ["none", "minimal", "low", "medium", "high"],
      effortAs: "tokens"
    }
  },
  {
    prefixes: ["gemini-2.5-pro"],
    checked: "2026-11-25",
    capabilities: {
      ...eitherOr,
      reasoning: "always",
      efforts: ["minimal", "low", "medium", "high"],
      effortAs: "tokens"
    }
  },
  {
    prefixes: ["gemini-3"],
    checked: "2026-11-25",
    capabilities: { reasoning: "always", efforts: ["minimal", "low", "medium", "high"], effortAs: "word" }
  },
  {
    prefixes: ["gemini-3-pro", "gemini-3.1-pro"],
    checked: "2026-11-25",
    capabilities: { reasoning: "always", efforts: ["low", "high"], effortAs: "word" }
  }
]

const open: ReadonlyArray<Quirk> = [
  {
    prefixes: ["gpt-oss"],
    checked: "2026-11-25",
    capabilities: { reasoning: "always", efforts: ["low", "medium", "high"], effortAs: "word" }
  }
]

/**
 * What is known of models, vendor by vendor.
 *
 * @category constructors
 */
export const table: ReadonlyArray<Quirk> = [...openai, ...anthropic, ...google, ...open]

/**
 * What a model's name says of it; `{}` for a name the table does not know. The name of a vendor or a folder before
 * it, as gateways write it, is passed over.
 *
 * ```ts
 * import { Quirks } from "@effect-dspy/providers"
 *
 * Quirks.of("gpt-5.1-2025-11-13").reasoning // => "asked"
 * Quirks.of("openai/gpt-5-mini").reasoning // => "always"
 * Quirks.of("llama3.2") // => {}
 * ```
 *
 * @category getters
 */
export const of = (model: string): Partial<Capabilities> => {
  const name = model.slice(model.lastIndexOf("/") + 1)
  let longest = ""
  let found: Partial<Capabilities> = {}
  for (const { capabilities, prefixes } of table) {
    for (const prefix of prefixes) {
      if (prefix.length > longest.length && name.startsWith(prefix)) {
        longest = prefix
        found = capabilities
      }
    }
  }
  return found
}
