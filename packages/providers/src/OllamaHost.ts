/**
 * Where an Ollama server is, by `OLLAMA_HOST`.
 *
 * The variable is the server's own: it says what to listen on, often without scheme, sometimes without port, or on
 * all interfaces at once. A client reads it as the server's own client does.
 */
import * as Config from "effect/Config"

/**
 * The base URL of a host: the scheme is `http` where none is named, the port 11434 where neither is.
 *
 * ```ts
 * import { OllamaHost } from "@effect-dspy/providers"
 *
 * OllamaHost.toUrl("") // => "http://127.0.0.1:11434"
 * OllamaHost.toUrl("0.0.0.0:8080") // => "http://127.0.0.1:8080"
 * OllamaHost.toUrl("https://ollama.example.org/api-gate/") // => "https://ollama.example.org/api-gate"
 * ```
 *
 * @category conversions
 */
export const toUrl = (host: string): string => {
  const bare = host.trim().replace(/^["']|["']$/g, "").replace(/\/+$/, "")
  const [, scheme, name = "", port, path = ""] =
    /^(?:([a-z]+):\/\/)?(\[[^\]]*\]|[^/:]*)(?::(\d+))?(\/.*)?$/i.exec(bare) ?? []
  const local = name === "" || name === "0.0.0.0" || name === "[::]" ? "127.0.0.1" : name
  const authority = port === undefined ? (scheme === undefined ? `${local}:11434` : local) : `${local}:${port}`
  return `${scheme ?? "http"}://${authority}${path}`
}

/**
 * The base URL by `OLLAMA_BASE_URL`, then `OLLAMA_HOST`, or that of a server on this machine.
 *
 * @category config
 */
export const config: Config.Config<string> = Config.orElse(
  Config.String("OLLAMA_BASE_URL"),
  () => Config.map(Config.withDefault(Config.String("OLLAMA_HOST"), ""), toUrl)
)
