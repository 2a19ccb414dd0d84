/** A model on loopback that counts what it is asked and sees when somebody hangs up. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export interface Loopback {
  readonly url: string
  /** Requests by what they ask, with the times they came. */
  readonly asked: Map<string, Array<number>>
  /** Times at which a request was broken off. */
  readonly closed: Array<number>
  readonly inFlight: () => number
  readonly close: () => void
}

export const listen = (latency: () => number): Promise<Loopback> =>
  new Promise((resolve) => {
    const asked = new Map<string, Array<number>>()
    const closed: Array<number> = []
    let inFlight = 0
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
        const question = Buffer.concat(chunks).toString()
        asked.set(question, [...(asked.get(question) ?? []), Date.now()])
        inFlight++
        const timer = setTimeout(() => response.end(`answer to ${question}`), latency())
        response.on("close", () => {
          inFlight--
          clearTimeout(timer)
          if (!response.writableEnded) closed.push(Date.now())
        })
      })
    })
    server.listen(0, "127.0.0.1", () =>
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        asked,
        closed,
        inFlight: () => inFlight,
        close: () => server.closeAllConnections()
      }))
  })
