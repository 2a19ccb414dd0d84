/**
 * A question about a log of a megabyte, which no prompt holds: the model explores it by writing programs, which run
 * in a sandbox.
 *
 *     node --conditions=@effect-dspy/source examples/src/explore.ts
 *
 * The model is a script, so that this runs without a key; `OpenAi.layer` takes its place and nothing else changes.
 */
import { Rlm, Signature, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Sandbox } from "@effect-dspy/pipelines/sandbox"
import { Effect, Layer, Schema, Stream } from "effect"

const diagnose = Rlm.make(Signature.make("Diagnose", {
  instructions: "Find out which service fails, how often, and why.",
  input: { log: Schema.String.annotate({ description: "one line a request" }) },
  output: { service: Schema.String, failures: Schema.Int, cause: Schema.String }
}))

const services = ["checkout", "search", "login", "images"]
const log = Array.from({ length: 32_000 }, (_, n) => {
  const fails = n % 1_250 === 700
  const service = fails ? "search" : services[n % services.length]
  return `${n} ${service} ${fails ? "500 replica 3 is behind by 40 s" : "200 served in 12 ms"}`
}).join("\n")

const model = TestLM.layer({
  DiagnoseExplore: [
    { reasoning: "What does a line look like?", code: "const lines = log.split('\\n'); print(lines.length, lines[0])" },
    {
      reasoning: "The third word is a status.",
      code:
        "const bad = lines.filter((line) => !line.includes(' 200 ')); print(bad.slice(0, 3).join('\\n')); bad.length"
    },
    {
      reasoning: "All of one service. Why, in plain words?",
      code: "const cause = await llm_query('What went wrong here?\\n' + bad.slice(0, 5).join('\\n'))\n" +
        "SUBMIT({ service: bad[0].split(' ')[1], failures: bad.length, cause })"
    }
  ],
  DiagnoseQuery: "A replica lags behind."
})

const program = Rlm.stream(diagnose, { log }).pipe(
  Stream.runForEach((event) =>
    Effect.sync(() => {
      if (event._tag === "Program") console.log(`${event.reasoning}\n${event.code.replace(/^/gm, "  > ")}`)
      if (event._tag === "Output") console.log(event.output.trimEnd().replace(/^/gm, "  "))
      if (event._tag === "Done") console.log(event.output)
    })
  ),
  Usage.track
)

const [, usage] = await Effect.runPromise(Effect.provide(program, Layer.merge(model, Sandbox.layer())))
console.log(`${log.length} characters, ${usage.calls} requests`)
