/**
 * Endpoints that speak OpenAI's Chat Completions, one row each.
 *
 * What a row does not say is taken to be as with OpenAI; where an endpoint refuses a form of output after all, the
 * call is asked again in a looser one. Access tokens of clouds expire: give `apiKey` as an effect there.
 */
import * as Config from "effect/Config"
import type { Capabilities } from "./Capabilities.ts"
import * as OllamaHost from "./OllamaHost.ts"
import type { Profile } from "./Profile.ts"

const recorded = { on: "2026-11-25", by: "recorded" } as const
const documented = { on: "2026-11-25", by: "documented" } as const
const untried = { on: "2026-11-25", by: "untried" } as const

const at = (url: string) => Config.succeed(url)

/** JSON mode or a schema, but not beside tools. */
const eitherOr = { outputBesideTools: ["tool", "prompt"] } satisfies Partial<Capabilities>

/** A grammar holds every token, so beside tools there is none; and which tool to call can't be said. */
const grammar = {
  structuredOutput: ["native", "json", "prompt"],
  outputBesideTools: ["prompt"],
  media: { image: ["Base64"] }
} satisfies Partial<Capabilities>

/**
 * Ollama's copy of OpenAI's API; its own is `Ollama`.
 *
 * @category profiles
 */
export const ollamaV1: Profile = {
  name: "ollama-v1",
  baseUrl: Config.map(OllamaHost.config, (url) => `${url}/v1`),
  keyName: undefined,
  needsKey: false,
  capabilities: { ...grammar, toolChoice: false },
  dialect: {},
  checked: recorded
}

/**
 * LM Studio on this machine. It knows schemas, but no JSON of any shape.
 *
 * @category profiles
 */
export const lmstudio: Profile = {
  name: "lmstudio",
  baseUrl: at("http://127.0.0.1:1234/v1"),
  keyName: undefined,
  needsKey: false,
  capabilities: { ...grammar, structuredOutput: ["native", "prompt"] },
  dialect: {},
  checked: documented
}

/**
 * vLLM on this machine. Tools need the server's flags for them.
 *
 * @category profiles
 */
export const vllm: Profile = {
  name: "vllm",
  baseUrl: at("http://127.0.0.1:8000/v1"),
  keyName: "VLLM_API_KEY",
  needsKey: false,
  capabilities: {},
  dialect: {},
  checked: recorded
}

/**
 * llama.cpp's server on this machine.
 *
 * @category profiles
 */
export const llamacpp: Profile = {
  name: "llamacpp",
  baseUrl: at("http://127.0.0.1:8080/v1"),
  keyName: "LLAMACPP_API_KEY",
  needsKey: false,
  capabilities: grammar,
  dialect: {},
  checked: untried
}

/**
 * OpenRouter: many vendors' models behind one key.
 *
 * @category profiles
 */
export const openrouter: Profile = {
  name: "openrouter",
  baseUrl: at("https://openrouter.ai/api/v1"),
  keyName: "OPENROUTER_API_KEY",
  needsKey: true,
  capabilities: {},
  dialect: { reasoningBack: "reasoning_details" },
  checked: recorded
}

/**
 * Groq.
 *
 * @category profiles
 */
export const groq: Profile = {
  name: "groq",
  baseUrl: at("https://api.groq.com/openai/v1"),
  keyName: "GROQ_API_KEY",
  needsKey: true,
  capabilities: { ...eitherOr, media: { image: ["Base64", "Url"] } },
  dialect: { maxTokensField: "max_completion_tokens" },
  checked: recorded
}

/**
 * DeepSeek: JSON of any shape and no schemas. It reasons unless told otherwise by a switch of its own, takes no
 * temperature then, and wants its reasoning back with the calls it led to.
 *
 * @category profiles
 */
export const deepseek: Profile = {
  name: "deepseek",
  baseUrl: at("https://api.deepseek.com/v1"),
  keyName: "DEEPSEEK_API_KEY",
  needsKey: true,
  capabilities: {
    structuredOutput: ["json", "prompt"],
    outputBesideTools: ["json", "prompt"],
    media: {},
    reasoning: "always",
    efforts: ["minimal", "low", "medium", "high"],
    without: ["seed"],
    withoutWhileReasoning: ["temperature"]
  },
  dialect: { reasoningBack: "reasoning_content" },
  checked: recorded
}

/**
 * Mistral: the seed has a name of its own, and unknown fields are refused.
 *
 * @category profiles
 */
export const mistral: Profile = {
  name: "mistral",
  baseUrl: at("https://api.mistral.ai/v1"),
  keyName: "MISTRAL_API_KEY",
  needsKey: true,
  capabilities: { media: { image: ["Base64", "Url"], audio: ["Base64"] }, without: ["reasoningEffort"] },
  dialect: { seedField: "random_seed", streamUsage: false },
  checked: recorded
}

/**
 * Together AI.
 *
 * @category profiles
 */
export const together: Profile = {
  name: "together",
  baseUrl: at("https://api.together.ai/v1"),
  keyName: "TOGETHER_API_KEY",
  needsKey: true,
  capabilities: { media: { image: ["Base64", "Url"] } },
  dialect: {},
  checked: documented
}

/**
 * Fireworks AI.
 *
 * @category profiles
 */
export const fireworks: Profile = {
  name: "fireworks",
  baseUrl: at("https://api.fireworks.ai/inference/v1"),
  keyName: "FIREWORKS_API_KEY",
  needsKey: true,
  capabilities: { ...eitherOr, media: { image: ["Base64", "Url"] } },
  dialect: {},
  checked: untried
}

/**
 * xAI.
 *
 * @category profiles
 */
export const xai: Profile = {
  name: "xai",
  baseUrl: at("https://api.x.ai/v1"),
  keyName: "XAI_API_KEY",
  needsKey: true,
  capabilities: { media: { image: ["Base64", "Url"] } },
  dialect: { maxTokensField: "max_completion_tokens" },
  checked: recorded
}

/**
 * Azure OpenAI. The model is the name of your deployment; `AZURE_OPENAI_ENDPOINT` is that of your resource, such as
 * `https://NAME.openai.azure.com`. For a token of Entra ID give it as `apiKey` and `keyHeader: "bearer"`.
 *
 * @category profiles
 */
export const azure: Profile = {
  name: "azure",
  baseUrl: Config.String("AZURE_OPENAI_ENDPOINT"),
  keyName: "AZURE_OPENAI_API_KEY",
  needsKey: true,
  capabilities: {},
  dialect: {
    path: "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
    keyHeader: "api-key",
    maxTokensField: "max_completion_tokens"
  },
  checked: documented
}

/**
 * Cerebras.
 *
 * @category profiles
 */
export const cerebras: Profile = {
  name: "cerebras",
  baseUrl: at("https://api.cerebras.ai/v1"),
  keyName: "CEREBRAS_API_KEY",
  needsKey: true,
  capabilities: { ...eitherOr, media: {} },
  dialect: { maxTokensField: "max_completion_tokens" },
  checked: untried
}

/**
 * Hugging Face: many hosts' models behind one key.
 *
 * @category profiles
 */
export const huggingface: Profile = {
  name: "huggingface",
  baseUrl: at("https://router.huggingface.co/v1"),
  keyName: "HF_TOKEN",
  needsKey: true,
  capabilities: { media: { image: ["Base64", "Url"] } },
  dialect: {},
  checked: documented
}

// The endpoint without a region has a host of its own.
const vertexHost = (location: string) =>
  location === "global" ? "aiplatform.googleapis.com" : `${location}-aiplatform.googleapis.com`

/**
 * Vertex AI, such as `vertex/google/gemini-2.5-flash`, in the project `GOOGLE_CLOUD_PROJECT` and the region
 * `GOOGLE_CLOUD_LOCATION`. The key is an access token, which lasts an hour.
 *
 * @category profiles
 */
export const vertex: Profile = {
  name: "vertex",
  baseUrl: Config.map(
    Config.all({
      project: Config.String("GOOGLE_CLOUD_PROJECT"),
      location: Config.withDefault(Config.String("GOOGLE_CLOUD_LOCATION"), "global")
    }),
    ({ location, project }) =>
      `https://${vertexHost(location)}/v1/projects/${project}/locations/${location}/endpoints/openapi`
  ),
  keyName: "VERTEX_ACCESS_TOKEN",
  needsKey: true,
  capabilities: {},
  dialect: {},
  checked: documented
}

/**
 * Amazon Bedrock in the region `AWS_REGION`. The key is one of Bedrock's own, which may be short-lived.
 *
 * @category profiles
 */
export const bedrock: Profile = {
  name: "bedrock",
  baseUrl: Config.map(
    Config.String("AWS_REGION"),
    (region) => `https://bedrock-runtime.${region}.amazonaws.com/openai/v1`
  ),
  keyName: "AWS_BEARER_TOKEN_BEDROCK",
  needsKey: true,
  capabilities: { media: {} },
  dialect: { maxTokensField: "max_completion_tokens" },
  checked: documented
}

/**
 * Any other endpoint, at `OPENAI_BASE_URL`.
 *
 * @category profiles
 */
export const compatible: Profile = {
  name: "compatible",
  baseUrl: Config.String("OPENAI_BASE_URL"),
  baseUrlName: "OPENAI_BASE_URL",
  keyName: "OPENAI_API_KEY",
  needsKey: false,
  capabilities: {},
  dialect: {},
  checked: untried
}

/**
 * Every row by its name.
 *
 * @category constructors
 */
export const table: { readonly [name: string]: Profile } = Object.fromEntries(
  [
    ollamaV1,
    lmstudio,
    vllm,
    llamacpp,
    openrouter,
    groq,
    deepseek,
    mistral,
    together,
    fireworks,
    xai,
    azure,
    cerebras,
    huggingface,
    vertex,
    bedrock,
    compatible
  ].map((profile) => [profile.name, profile])
)
