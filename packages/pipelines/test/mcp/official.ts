/** A server by the official SDK: tools that answer in every way a tool can. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { z } from "zod"

export const official = (): McpServer => {
  const server = new McpServer({ name: "official", version: "1.0.0" })
  server.registerTool("population", {
    description: "Looks up how many people live in a city.",
    inputSchema: { city: z.string().describe("its name"), year: z.number().int().optional() }
  }, ({ city }) => ({ content: [{ type: "text", text: city === "Oslo" ? "717710" : "0" }] }))
  server.registerTool("add", {
    description: "Adds two numbers.",
    inputSchema: { a: z.number(), b: z.number() },
    outputSchema: { sum: z.number() }
  }, ({ a, b }) => ({ content: [], structuredContent: { sum: a + b } }))
  server.registerTool("files.read.all", { description: "Has a name no model endpoint takes." }, () => ({
    content: [
      { type: "text", text: "one" },
      { type: "resource", resource: { uri: "file:///two", text: "two" } },
      { type: "resource_link", uri: "file:///three", name: "three" },
      { type: "image", data: "AAAA", mimeType: "image/png" }
    ]
  }))
  server.registerTool("broken", { description: "Fails." }, () => ({
    content: [{ type: "text", text: "out of a secret order" }],
    isError: true
  }))
  server.registerTool("slow", { description: "Takes for ever." }, (extra) =>
    new Promise((resolve) => {
      extra.signal.addEventListener("abort", () => {
        cancelled.count++
        resolve({ content: [] })
      })
    }))
  server.registerTool("exit", { description: "Ends the server." }, () => process.exit(3))
  return server
}

/** How many calls of `slow` were cancelled. */
export const cancelled = { count: 0 }

if (process.argv[2] === "stdio") await official().connect(new StdioServerTransport())
