/** Encryption as `docs/jobs.md` shows it: nothing readable in the file, and what was tampered with is refused. */
import { LM } from "@effect-dspy/core"
import { Codec, Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { webcrypto } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

const directory = mkdtempSync(join(tmpdir(), "effect-dspy-codec-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** AES-GCM: a fresh nonce before each text; what was changed since does not open. */
const aes = (key: webcrypto.CryptoKey): Codec.Codec => ({
  seal: (text) =>
    Effect.tryPromise({
      try: () => {
        const iv = crypto.getRandomValues(new Uint8Array(12))
        return crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode(text)).then((sealed) =>
          Buffer.concat([iv, new Uint8Array(sealed)]).toString("base64")
        )
      },
      catch: () => new Codec.CodecError({ operation: "seal" })
    }),
  open: (sealed) =>
    Effect.tryPromise({
      try: () => {
        const bytes = Buffer.from(sealed, "base64")
        return crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes.subarray(0, 12) }, key, bytes.subarray(12)).then((
          text
        ) => new TextDecoder().decode(text))
      },
      catch: () => new Codec.CodecError({ operation: "open" })
    })
})

const newKey = Effect.promise(() =>
  crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"])
)

const Letter = Job.make("letter", { payload: { to: Schema.String }, success: Schema.String, maxAttempts: 1 })

let asked = 0
const model = Layer.succeed(
  LM,
  LM.make({
    provider: "stub",
    model: "stub",
    endpoint: "stub",
    generate: () =>
      Effect.sync(() => {
        asked++
        return {
          content: [{ type: "text" as const, text: "a confidential answer" }],
          finishReason: "stop" as const,
          usage: { calls: 1 },
          provider: "stub",
          model: "stub"
        }
      })
  })
)

describe("a store sealed with AES", () => {
  it.live(
    "holds nothing readable, opens with its key only, and refuses what was changed",
    () =>
      Effect.gen(function*() {
        const filename = join(directory, "sealed.db")
        const key = yield* newKey
        let broken = true
        const handler = Letter.toLayer(({ to }) =>
          Effect.gen(function*() {
            const { content: [part] } = yield* LM.generate({
              messages: [{ role: "user", content: `confidential: ${to}` }]
            })
            if (broken) return yield* Effect.fail("broken")
            return `${to}: ${part?.type === "text" ? part.text : ""}`
          })
        )
        const worker = Worker.layer([handler], { queues: { default: 2 } }).pipe(Layer.provide(model))
        const open = (codec: Codec.Codec) => worker.pipe(Layer.provideMerge(Sqlite.layer({ filename, codec })))
        const id = yield* Effect.gen(function*() {
          const jobs = yield* Jobs
          const sql = yield* SqlClient.SqlClient
          const id = yield* Job.enqueue(Letter, { to: "confidential Ada" })
          yield* Effect.flip(Job.result(Letter, id))
          // The memo that the dead job left, its payload, everything.
          const bytes = readdirSync(directory).map((name) => readFileSync(join(directory, name), "latin1")).join("")
          assert.include(bytes, "letter/")
          assert.notInclude(bytes, "confidential")
          broken = false
          assert.strictEqual(yield* jobs.requeue([id]), 1)
          assert.strictEqual(yield* Job.result(Letter, id), "confidential Ada: a confidential answer")
          assert.strictEqual(asked, 1)
          const tampered = yield* Job.enqueue(Letter, { to: "Eve" }, { delay: "300 millis" })
          yield* sql`UPDATE effect_queue SET element = replace(element, substr(element, 30, 4), 'AAAA') WHERE id = ${tampered}`
          const refused = yield* Effect.flip(Job.result(Letter, tampered))
          assert.deepInclude(refused._tag === "JobDead" ? refused.failure : {}, { kind: "payload" })
          return id
        }).pipe(Effect.provide(open(aes(key))))
        const other = yield* Effect.flip(
          Effect.provide(Job.result(Letter, id), Sqlite.layer({ filename, codec: aes(yield* newKey) }))
        )
        assert.strictEqual(other._tag, "CodecError")
      }),
    20_000
  )
})
