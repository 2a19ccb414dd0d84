/**
 * The main job as a user starts it: a process of its own, a directory of documents, an endpoint on loopback.
 */
import { Schema } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Category } from "../src/main/Category.ts"

export const root = fileURLToPath(new URL("../..", import.meta.url))

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** The arguments of node that start the main job. */
export const command: ReadonlyArray<string> = ["--conditions=@effect-dspy/source", main]

export interface Options {
  readonly cwd?: string
  readonly env?: { readonly [name: string]: string }
  /** What is written to it; an object leaves it to the caller. */
  readonly stdin?: string | Uint8Array | { readonly open: true }
  /** Whom the process belongs to, else whoever runs the tests. */
  readonly uid?: number
}

export interface Run {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A run that goes on; `output` is what it has printed so far. */
export interface Started {
  readonly child: ChildProcess
  readonly done: Promise<Run>
  readonly output: { stdout: string; stderr: string }
}

/** What node made of the sources, kept between the hundred starts of the tests: half of what a start costs. */
const compiled = join(tmpdir(), "effect-dspy-compiled")

/** Starts the main job with nothing of this process's environment, and ends it after a minute at the latest. */
export const start = (args: ReadonlyArray<string>, options: Options = {}): Started => {
  const child = spawn(process.execPath, [...command, ...args], {
    cwd: options.cwd ?? root,
    env: { NODE_COMPILE_CACHE: compiled, ...options.env },
    ...(options.uid === undefined ? undefined : { uid: options.uid, gid: options.uid }),
    stdio: [options.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    timeout: 60_000,
    killSignal: "SIGKILL"
  })
  const output = { stdout: "", stderr: "" }
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text
  })
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text
  })
  // The job may end without having read all of its input.
  child.stdin?.on("error", () => {})
  if (typeof options.stdin === "string" || options.stdin instanceof Uint8Array) child.stdin?.end(options.stdin)
  const done = new Promise<Run>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ code, signal, ...output }))
  })
  return { child, done, output }
}

export const run = (args: ReadonlyArray<string>, options?: Options): Promise<Run> => start(args, options).done

const Milliseconds = Schema.Natural

const Step = Schema.Struct({
  startMs: Milliseconds,
  endMs: Milliseconds,
  attempts: Schema.Natural,
  status: Schema.Literals(["succeeded", "failed", "interrupted", "skipped"])
})

/** A line of `--json`, and nothing beside it. */
const Line = Schema.Struct({
  file: Schema.String,
  ok: Schema.Boolean,
  result: Schema.optionalKey(Schema.Struct({
    title: Schema.NonEmptyString,
    keywords: Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1), Schema.isMaxLength(8)),
    category: Category,
    summary: Schema.NonEmptyString,
    reasoning: Schema.String,
    score: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
  })),
  error: Schema.optionalKey(Schema.Struct({
    tag: Schema.String,
    reason: Schema.optionalKey(Schema.String),
    message: Schema.NonEmptyString,
    retryable: Schema.Boolean
  })),
  timing: Schema.Struct({
    wallMs: Milliseconds,
    criticalMs: Milliseconds,
    steps: Schema.Record(Schema.String, Step)
  }),
  usage: Schema.Struct({
    calls: Schema.Natural,
    inputTokens: Schema.optionalKey(Schema.Natural),
    outputTokens: Schema.optionalKey(Schema.Natural)
  })
})

export type Line = typeof Line.Type

const decodeLine = Schema.decodeUnknownSync(Schema.fromJsonString(Line), { onExcessProperty: "error" })

/** The lines of `--json`; anything else on standard output throws. */
export const lines = (stdout: string): ReadonlyArray<Line> => {
  if (stdout === "") return []
  if (!stdout.endsWith("\n")) throw new Error("the last line has no end")
  return stdout.slice(0, -1).split("\n").map((line) => decodeLine(line))
}

/** The first line of `--json`. */
export const first = (stdout: string): Line => {
  const [line] = lines(stdout)
  if (line === undefined) throw new Error("nothing was printed")
  return line
}

/** Why a document failed. */
export const failure = (line: Line | undefined): NonNullable<Line["error"]> => {
  if (line?.error === undefined) throw new Error(`${line?.file} did not fail`)
  return line.error
}

/** The rows of the table: the lines that show a document. */
export const rows = (stdout: string): ReadonlyArray<string> =>
  stdout.split("\n").filter((line) => line.startsWith("│") && !line.startsWith("│ document "))

/** What a stack trace looks like. */
export const stackTrace = /^\s+at /m

/** Files in a directory of their own, gone when `use` is done. */
export const withFiles = async <A>(
  files: { readonly [path: string]: string | Uint8Array },
  use: (directory: string) => Promise<A>
): Promise<A> => {
  const directory = mkdtempSync(join(tmpdir(), "effect-dspy-main-"))
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), content)
    }
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A request to the endpoint: which signature it is for, and all of its text. */
export interface Asked {
  readonly signature: string
  readonly text: string
  readonly authorization: string | undefined
}

/** `delay` in milliseconds; the default answer is a good one, at once. */
export interface Answer {
  readonly status?: number
  readonly delay?: number
  readonly body?: string
  readonly fields?: { readonly [field: string]: unknown }
}

/** `closed`: connections that the client closed before their answer was sent. */
export interface Endpoint {
  readonly url: string
  readonly asked: Array<Asked>
  inFlight: number
  maxInFlight: number
  finished: number
  closed: number
}

const good: { readonly [signature: string]: { readonly [field: string]: unknown } } = {
  Title: { title: "A title from afar" },
  Keywords: { keywords: ["near", "far"] },
  Category: { category: "science" },
  Summarize: { summary: "It is about distance." },
  Quality: { reasoning: "Clear enough.", score: 0.5 }
}

/** The tokens every answer costs. */
export const cost = { input: 11, output: 3 }

const completion = (fields: { readonly [field: string]: unknown } | undefined) =>
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    model: "m-1",
    choices: [{
      index: 0,
      message: { role: "assistant", content: JSON.stringify(fields ?? {}) },
      finish_reason: "stop"
    }],
    usage: { prompt_tokens: cost.input, completion_tokens: cost.output, total_tokens: cost.input + cost.output }
  })

/** The same in the words of OpenAI's own endpoint. */
const responses = (fields: unknown): string =>
  JSON.stringify({
    id: "resp_1",
    model: "m-2026",
    status: "completed",
    output: [{ type: "message", content: [{ type: "output_text", text: JSON.stringify(fields ?? {}) }] }],
    usage: { input_tokens: cost.input, output_tokens: cost.output }
  })

/** Serves chat completions and OpenAI's responses while `use` runs. */
export const withEndpoint = async <A>(
  answer: (asked: Asked) => Answer,
  use: (endpoint: Endpoint) => Promise<A>
): Promise<A> => {
  const http = Http.createServer((request, response) => {
    let text = ""
    endpoint.maxInFlight = Math.max(endpoint.maxInFlight, ++endpoint.inFlight)
    let timer: NodeJS.Timeout | undefined
    response.on("close", () => {
      clearTimeout(timer)
      endpoint.inFlight--
      if (response.writableFinished) endpoint.finished++
      else endpoint.closed++
    })
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk
    })
    request.on("end", () => {
      const asked: Asked = { signature: signatureOf(text), text, authorization: request.headers.authorization }
      endpoint.asked.push(asked)
      const { body, delay, fields, status } = answer(asked)
      timer = setTimeout(() => {
        response.writeHead(status ?? 200, { "content-type": "application/json" })
        const written = request.url?.endsWith("/responses") === true ? responses : completion
        response.end(body ?? written(fields ?? good[asked.signature]))
      }, delay ?? 0)
    })
  })
  const endpoint: Endpoint = { url: "", asked: [], inFlight: 0, maxInFlight: 0, finished: 0, closed: 0 }
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const { port } = http.address() as AddressInfo
  try {
    return await use(Object.assign(endpoint, { url: `http://127.0.0.1:${port}/v1` }))
  } finally {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  }
}

const Named = Schema.Struct({ name: Schema.String })

const decodeBody = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Union([
  Schema.Struct({ response_format: Schema.Struct({ json_schema: Named }) }),
  Schema.Struct({ text: Schema.Struct({ format: Named }) })
])))

const signatureOf = (text: string): string => {
  const body = decodeBody(text)
  return "text" in body ? body.text.format.name : body.response_format.json_schema.name
}

/** Waits until something is so, at most a minute: a busy machine takes ten seconds to start a process. */
export const until = async (what: string, condition: () => boolean): Promise<void> => {
  const deadline = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
