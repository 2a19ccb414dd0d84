/** The endpoint of `transport.ts`, in a process of its own: takes a request to its end and answers at once. */
import { createServer } from "node:http"

const answer = Buffer.from(process.argv[2] ?? "")

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": answer.length })
    response.end(answer)
  })
})
server.listen(0, "127.0.0.1", () => process.send(server.address().port))
process.on("disconnect", () => process.exit())
