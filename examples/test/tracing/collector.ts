/** An OTLP collector on loopback that holds what it is sent to the official protocol definitions. */
import root from "@opentelemetry/otlp-transformer/build/src/generated/root.js"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"

interface Value {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly intValue?: string | number
  readonly doubleValue?: number
  readonly arrayValue?: { readonly values?: ReadonlyArray<Value> }
}

export interface Span {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly kind: number
  readonly failed: boolean
  readonly attributes: { readonly [name: string]: unknown }
  readonly text: string
}

export interface Collector {
  readonly url: string
  readonly spans: Array<Span>
  readonly metrics: Set<string>
  readonly types: Set<string>
  readonly close: () => void
}

/** What the generated code has of each message; its types know the root only. */
interface Message {
  readonly decode: (body: Uint8Array) => object
  readonly fromObject: (json: object) => object
  readonly verify: (message: object) => string | null
  readonly toObject: (message: object, options: object) => Json
}

type Json = { readonly [key: string]: unknown }

const { logs, metrics, trace } = (root as unknown as {
  readonly opentelemetry: {
    readonly proto: {
      readonly collector: { readonly [signal: string]: { readonly v1: { readonly [name: string]: Message } } }
    }
  }
}).opentelemetry.proto.collector

const messages: { readonly [path: string]: Message | undefined } = {
  "/v1/traces": trace?.v1["ExportTraceServiceRequest"],
  "/v1/metrics": metrics?.v1["ExportMetricsServiceRequest"],
  "/v1/logs": logs?.v1["ExportLogsServiceRequest"]
}

export const listen = (): Promise<Collector> =>
  new Promise((resolve) => {
    const spans: Array<Span> = []
    const metrics = new Set<string>()
    const types = new Set<string>()
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
        const sent = Buffer.concat(chunks)
        const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent
        const type = request.headers["content-type"] ?? ""
        const message = messages[request.url ?? ""]
        if (message === undefined) return void response.writeHead(404).end()
        types.add(type)
        const read = type.includes("json") ? fromJson(message, JSON.parse(body.toString())) : decoded(message, body)
        if (request.url === "/v1/traces") spans.push(...spansOf(read))
        if (request.url === "/v1/metrics") { for (const name of namesOf(read)) metrics.add(name) }
        response.end("{}")
      })
    })
    server.listen(0, "127.0.0.1", () =>
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        spans,
        metrics,
        types,
        close: () => {
          server.close()
          server.closeAllConnections()
        }
      }))
  })

const plain = { longs: String, enums: Number, bytes: String, defaults: false } as const

const decoded = (message: Message, body: Uint8Array): Json => {
  const read = message.decode(body)
  const wrong = message.verify(read)
  if (wrong !== null) throw new Error(wrong)
  return message.toObject(read, plain)
}

// The JSON encoding differs from protobuf's own in its ids, which are hexadecimal. What the definitions don't know
// is lost in the message, and so found by looking for it there.
const fromJson = (message: Message, json: Json): Json => {
  const ids = (value: unknown, key = ""): unknown =>
    Array.isArray(value)
      ? value.map((item) => ids(item))
      : typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, ids(inner, key)]))
      : typeof value === "string" && /^(traceId|spanId|parentSpanId)$/.test(key)
      ? Buffer.from(value, "hex").toString("base64")
      : value
  const read = message.fromObject(ids(json) as object)
  const wrong = message.verify(read)
  if (wrong !== null) throw new Error(wrong)
  const back = message.toObject(read, { ...plain, defaults: true, arrays: true })
  const unknown = missing(json, back)
  if (unknown.length > 0) throw new Error(`not in the protocol: ${unknown.join(", ")}`)
  return message.toObject(read, plain)
}

const missing = (sent: unknown, known: unknown, path = ""): ReadonlyArray<string> =>
  Array.isArray(sent)
    ? sent.flatMap((item, index) => missing(item, (known as ReadonlyArray<unknown>)[index], `${path}[]`))
    : typeof sent === "object" && sent !== null
    ? Object.entries(sent).flatMap(([key, value]) =>
      typeof known === "object" && known !== null && key in known
        ? missing(value, known[key as keyof typeof known], `${path}.${key}`)
        : [`${path}.${key}`]
    )
    : []

const hex = (bytes: unknown): string => Buffer.from(String(bytes), "base64").toString("hex")

const value = ({ arrayValue, boolValue, doubleValue, intValue, stringValue }: Value): unknown =>
  stringValue ?? boolValue ?? doubleValue ?? (intValue === undefined ? undefined : Number(intValue))
    ?? arrayValue?.values?.map(value)

const record = (attributes: unknown): { readonly [name: string]: unknown } =>
  Object.fromEntries(
    ((attributes ?? []) as ReadonlyArray<{ readonly key: string; readonly value: Value }>).map((attribute) => [
      attribute.key,
      value(attribute.value)
    ])
  )

type Raw = Json & { readonly name: string; readonly kind: number; readonly status?: { readonly code?: number } }

const spansOf = (read: Json): ReadonlyArray<Span> =>
  ((read["resourceSpans"] ?? []) as ReadonlyArray<{
    readonly resource: { readonly attributes: unknown }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Raw> }>
  }>).flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: String(record(resource.attributes)["service.name"]),
        name: span.name,
        traceId: hex(span["traceId"]),
        spanId: hex(span["spanId"]),
        parentSpanId: span["parentSpanId"] === undefined ? undefined : hex(span["parentSpanId"]),
        kind: span.kind,
        failed: span.status?.code === 2,
        attributes: record(span["attributes"]),
        text: JSON.stringify(span)
      }))
    )
  )

const namesOf = (read: Json): ReadonlyArray<string> =>
  ((read["resourceMetrics"] ?? []) as ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{ readonly metrics?: ReadonlyArray<{ readonly name: string }> }>
  }>).flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics = [] }) => metrics.map(({ name }) => name)))
