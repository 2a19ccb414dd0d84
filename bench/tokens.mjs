/**
 * The endpoint of `stream.ts` and `protocols.ts`, in a process of its own: streams its answer, a token of four
 * characters an event, in the protocol it is asked in. With `whole` all events come at once.
 */
import { createServer } from "node:http"
import { chunk } from "./Chunk.ts"

const [answer = "", whole] = process.argv.slice(2)
const pieces = answer.match(/[^]{1,4}/g) ?? []

const data = (value) => `data: ${JSON.stringify(value)}\n\n`
const named = (type, value) => `event: ${type}\n${data({ type, ...value })}`

/** The events of the answer as vendors write them, by a word of the path. */
const protocols = {
  completions: () => [
    chunk({ role: "assistant", content: "" }, null),
    ...pieces.map((content) => chunk({ content }, null)),
    `${chunk({}, "stop")}data: [DONE]\n\n`
  ],
  responses: () => {
    const id = "msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654"
    const item = {
      id,
      type: "message",
      role: "assistant",
      content: [{ type: "output_text", text: answer, annotations: [] }]
    }
    const response = { id: "resp_1", object: "response", model: "stub" }
    return [
      named("response.created", { sequence_number: 0, response: { ...response, status: "in_progress", output: [] } }),
      named("response.output_item.added", { sequence_number: 1, output_index: 0, item: { ...item, content: [] } }),
      ...pieces.map((delta, index) =>
        named("response.output_text.delta", {
          sequence_number: index + 2,
          item_id: id,
          output_index: 0,
          content_index: 0,
          delta,
          logprobs: [],
          obfuscation: "aB3dEfGhIjKl"
        })
      ),
      named("response.completed", { response: { ...response, status: "completed", output: [item] } })
    ]
  },
  messages: () => [
    named("message_start", {
      message: { id: "msg_1", type: "message", role: "assistant", model: "stub", content: [] }
    }),
    named("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    ...pieces.map((text) => named("content_block_delta", { index: 0, delta: { type: "text_delta", text } })),
    named("content_block_stop", { index: 0 }),
    named("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: pieces.length } }),
    named("message_stop", {})
  ],
  streamGenerateContent: () =>
    pieces.map((text, index) =>
      data({
        candidates: [{
          content: { parts: [{ text }], role: "model" },
          ...(index === pieces.length - 1 ? { finishReason: "STOP" } : {}),
          index: 0
        }],
        usageMetadata: {
          promptTokenCount: 131,
          candidatesTokenCount: index,
          totalTokenCount: 131 + index,
          promptTokensDetails: [{ modality: "TEXT", tokenCount: 131 }]
        },
        modelVersion: "stub",
        responseId: "B94haYr_OovWjMcPjJy_6Qk"
      })
    ),
  chat: () => {
    const line = (content, more) =>
      `${
        JSON.stringify({
          model: "stub",
          created_at: "2026-08-04T08:52:19.385406455-07:00",
          message: { role: "assistant", content },
          ...more
        })
      }\n`
    return [
      ...pieces.map((content) => line(content, { done: false })),
      line("", { done: true, done_reason: "stop", prompt_eval_count: 131, eval_count: pieces.length })
    ]
  }
}

const written = new Map()

const eventsOf = (url) => {
  const name = Object.keys(protocols).find((word) => url.includes(word))
  const events = written.get(name) ?? protocols[name]()
  written.set(name, events)
  return events
}

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    const events = eventsOf(request.url)
    response.writeHead(200, { "content-type": "text/event-stream" })
    if (whole !== undefined) return response.end(events.join(""))
    let at = 0
    // A write for each event, as models have it: what comes together at the other end is up to the sockets.
    const next = () => {
      const event = events[at++]
      if (event === undefined) return response.end()
      if (response.write(event)) setImmediate(next)
      else response.once("drain", next)
    }
    next()
  })
})
server.listen(0, "127.0.0.1", () => process.send(server.address().port))
process.on("disconnect", () => process.exit())
