/** The HTTP clients that the tests of the wire run on. */
import { NodeTransport } from "@effect-dspy/pipelines/node"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "effect/http/FetchHttpClient"

export const clients = [
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici],
  ["NodeTransport", NodeTransport.layer]
] as const
