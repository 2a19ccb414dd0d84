import { AnthropicSchema, GeminiSchema, OllamaSchema, OpenAiSchema, type SchemaEncoder } from "@effect-dspy/providers"
import * as RestoreStream from "@effect-dspy/providers/RestoreStream"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Result } from "effect"
import { inspect } from "node:util"
import { random, signature } from "../signatures.ts"
import { isRecord, shapeOf, validator } from "./json.ts"
import { invented, written } from "./wire.ts"

const encoders: { readonly [vendor: string]: SchemaEncoder.Encoder } = {
  OpenAI: OpenAiSchema.encode,
  Anthropic: AnthropicSchema.encode,
  Gemini: GeminiSchema.encode,
  Ollama: OllamaSchema.encode
}

const seeds = Array.from({ length: 60 }, (_, seed) => seed)

/** What a value is, in words. A key of `Schema.optional` that is undefined is as good as absent. */
const shown = (value: unknown): string => inspect(present(value), { depth: null })

const present = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(present)
  if (!isRecord(value) || Object.keys(value).length === 0) return value
  return Object.fromEntries(
    Object.entries(value).filter(([, one]) => one !== undefined).map(([key, one]) => [key, present(one)])
  )
}

for (const [vendor, encode] of Object.entries(encoders)) {
  describe(vendor, () => {
    it.effect("takes every value there and back", () =>
      Effect.gen(function*() {
        let restored = 0
        for (const seed of seeds) {
          const { derived, output } = signature(seed)
          const encoded = Result.getOrThrow(encode(derived.jsonSchema))
          if (!encoded.strict) continue
          if (encoded.restore !== undefined) restored++
          const problems = validator(encoded.schema)
          const values = yield* Arbitrary.sampleEffect(Arbitrary.schema(output), { count: 4, size: 3, seed })
          for (const value of values) {
            const json = Result.getOrThrow(derived.encodeOutput(value))
            const expected = shown(Result.getOrThrow(derived.decodeOutput(json)))
            const about = `seed ${seed}: ${JSON.stringify(json)} as ${JSON.stringify(encoded.schema)}`
            let ways = 0
            let found = false
            for (const wire of written(json, encoded.schema, encoded.schema)) {
              if (++ways > 200) break
              assert.strictEqual(problems(wire), "", about)
              const back = encoded.restore === undefined ? wire : encoded.restore(wire)
              const decoded = derived.decodeOutput(back)
              found = Result.isSuccess(decoded) && shown(decoded.success) === expected
              if (found) break
            }
            assert.isTrue(found, `${about}, ${ways} ways`)
          }
        }
        assert.isAbove(restored, seeds.length / 20)
      }))

    it("restores whatever matches its schema to what matches the signature's", () => {
      for (const seed of seeds) {
        const { derived } = signature(seed)
        const { restore, schema, strict, touched } = Result.getOrThrow(encode(derived.jsonSchema))
        if (!strict) continue
        const sent = validator(shapeOf(schema))
        const problems = validator(shapeOf(derived.jsonSchema))
        const next = random(seed)
        for (let time = 0; time < 10; time++) {
          const wire = invented(schema, schema, next)
          assert.strictEqual(sent(wire), "", `invented ${JSON.stringify(wire)} for ${JSON.stringify(schema)}`)
          const back = restore === undefined ? wire : restore(wire)
          if (restore !== undefined) {
            const read = RestoreStream.make(restore, touched)(JSON.stringify(wire))
            assert.deepStrictEqual(JSON.parse(read), back, `seed ${seed}: while it is written`)
          }
          assert.strictEqual(
            problems(back),
            "",
            `seed ${seed}: ${JSON.stringify(wire)} for ${JSON.stringify(schema)} gave ${JSON.stringify(back)}`
          )
        }
      }
    })
  })
}
