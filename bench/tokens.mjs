/** The endpoint of `stream.ts`, in a process of its own: streams its answer, a token of four characters an event. */
import { createServer } from "node:http"

const answer = process.argv[2] ?? ""

const chunk = (delta, finish_reason) =>
  `data: ${
    JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      created: 1,
      model: "stub",
      choices: [{ index: 0, delta, finish_reason }]
    })
  }\n\n`

const events = [
  chunk({ role: "assistant", content: "" }, null),
  ...(answer.match(/[^]{1,4}/g) ?? []).map((content) => chunk({ content }, null)),
  `${chunk({}, "stop")}data: [DONE]\n\n`
]

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" })
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
