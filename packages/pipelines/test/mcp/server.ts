/** Our server as a process: what a client starts over stdio. */
import { McpSteps } from "@effect-dspy/pipelines/mcp"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import { Layer } from "effect"
import { model, tools } from "./served.ts"

McpSteps.layerStdio({ name: "test", version: "1.0.0", instructions: "Summaries.", tools }).pipe(
  Layer.provide([model, NodeStdio.layer]),
  Layer.launch,
  NodeRuntime.runMain
)
