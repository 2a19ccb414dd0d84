/**
 * Memory where it must not grow. `npm run bench:memory`
 *
 * Bars: the main job's peak with 800 files within 60 MB of that with 80; a batch of a million inputs in
 * constant memory, and a million calls, with a tracer and events but without a collector, too; the main job gone 100 ms after Ctrl-C.
 */
import { Events, LM } from "@effect-dspy/core"
import { Batch } from "@effect-dspy/pipelines"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { spawn } from "node:child_process"
import { copyFileSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, reply, stub } from "./Work.ts"

const scratch = mkdtempSync(join(tmpdir(), "effect-dspy-bench-"))
const readmes = globSync("node_modules/**/README.md")
const files = Array.from({ length: 800 }, (_, index) => {
  const copy = join(scratch, `${index}.md`)
  copyFileSync(readmes[index % readmes.length] ?? "README.md", copy)
  return copy
})

/** What `npm start` runs, with the bounds on the heap it sets. */
const [, ...command] = String(JSON.parse(readFileSync("package.json", "utf8")).scripts.start).split(" ")

const job = (args: ReadonlyArray<string>) =>
  spawn(process.execPath, [...command, ...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, NODE_OPTIONS: `--import=${join(import.meta.dirname, "peak.mjs")}` }
  })

/** Peak resident memory of the main job over so many files, in MB. */
const peak = (count: number) =>
  new Promise<number>((resolve) => {
    job(["--json", "--latency", "0", ...files.slice(0, count)]).on(
      "message",
      (bytes) => resolve(Number(bytes) / 2 ** 20)
    )
  })

/** Milliseconds from SIGINT to the end of the process, with eight documents in flight. */
const interrupt = () =>
  new Promise<number>((resolve) => {
    const child = job(["--latency", "30s", ...files.slice(0, 80)])
    let sent = 0
    setTimeout(() => {
      sent = performance.now()
      child.kill("SIGINT")
    }, 1500)
    child.on("exit", () => resolve(performance.now() - sent))
  })

/** Live heap in MB after so many of a million inputs, as a batch goes through them. */
const batch = () => {
  const samples: Array<number> = []
  const inputs = Stream.range(1, 1_000_000)
  return Effect.runPromise(
    Batch.run(inputs, (n) => Effect.succeed({ n, text: "x".repeat(100) }), { concurrency: 16 }).pipe(
      Stream.runForEach(({ index }) =>
        Effect.sync(() => {
          if (index % 250_000 !== 249_999) return
          globalThis.gc?.()
          samples.push(process.memoryUsage().heapUsed / 2 ** 20)
        })
      ),
      Effect.as(samples)
    )
  )
}

/** Live heap in MB at each quarter of a million calls, observed by a tracer that keeps nothing and by nobody else. */
const calls = async (layer: Layer.Layer<never> | Layer.Layer<Events.Events>) => {
  const samples: Array<number> = []
  const quarter = (count: number): Effect.Effect<void, unknown, LM> => {
    let left = count
    return Effect.whileLoop({ while: () => left-- > 0, body: () => describe({ content: "short" }), step: () => {} })
  }
  for (let index = 0; index < 4; index++) {
    await Effect.runPromise(
      quarter(250_000).pipe(Effect.provideService(LM, stub(() => reply)), Effect.provide(layer))
    )
    globalThis.gc?.()
    samples.push(process.memoryUsage().heapUsed / 2 ** 20)
  }
  return samples
}

const tracer = Layer.succeed(
  Tracer.Tracer,
  Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })
)
const untraced = await calls(Layer.empty)
const traced = await calls(Layer.merge(tracer, Events.layer))

const few = await peak(80)
const many = await peak(800)
const milliseconds = await interrupt()
const heap = await batch()
rmSync(scratch, { recursive: true, force: true })

console.log(`main job, peak: 80 files ${few.toFixed(0)} MB, 800 files ${many.toFixed(0)} MB   within 60 MB`)
console.log(`main job, from Ctrl-C to its end: ${milliseconds.toFixed(0)} ms   at most 100 ms`)
console.log(
  `batch of a million, live heap at each quarter: ${heap.map((mb) => mb.toFixed(1)).join(", ")} MB   constant`
)
const quarters = (heap: ReadonlyArray<number>) => heap.map((mb) => mb.toFixed(1)).join(", ")
console.log(`a million calls, live heap at each quarter: ${quarters(untraced)} MB   constant`)
console.log(`the same with a tracer and events, no collector: ${quarters(traced)} MB   constant`)
