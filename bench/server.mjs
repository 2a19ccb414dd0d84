/**
 * The endpoint of `transport.ts`, in a process of its own: takes a request to its end and answers at once, as a stream
 * where the request asks for one.
 */
import { createServer } from "node:http"

const [answer, stream] = process.argv.slice(2).map((text) => Buffer.from(text))

const server = createServer((request, response) => {
  let tail = ""
  request.on("data", (chunk) => {
    tail = (tail + chunk.toString("latin1", Math.max(0, chunk.length - 200))).slice(-200)
  })
  request.on("end", () => {
    const streaming = tail.includes("\"stream\":true")
    const bytes = streaming ? stream : answer
    response.writeHead(200, {
      "content-type": streaming ? "text/event-stream" : "application/json",
      ...(streaming ? {} : { "content-length": bytes.length })
    })
    response.end(bytes)
  })
})
server.listen(0, "127.0.0.1", () => process.send(server.address().port))
process.on("disconnect", () => process.exit())
