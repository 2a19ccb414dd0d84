/** What the compiler reads out of a signature's text. */
import { Predict, Signature } from "@effect-dspy/core"
import { Effect, Schema } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const check = <_ extends true>() => {}

const Ask = Signature.parse(
  "question, context: string[], hint: string? -> answer, confidence: number, mood: 'calm' | \"cross\", tags: 'a'|'b'[], n: integer, ok: boolean?"
)
check<Equal<Signature.Input<typeof Ask>["question"], string>>()
check<Equal<Signature.Input<typeof Ask>["context"], ReadonlyArray<string>>>()
check<Equal<Signature.Output<typeof Ask>["confidence"], number>>()
check<Equal<Signature.Output<typeof Ask>["mood"], "calm" | "cross">>()
check<Equal<Signature.Output<typeof Ask>["n"], number>>()

const ask = Predict.make(Ask)
const run = ask({ question: "?", context: ["a"] })
void ask({ question: "?", context: [], hint: "x" })
check<Equal<Effect.Success<typeof run>["answer"], string>>()
check<Equal<Effect.Success<typeof run>["ok"], boolean | undefined>>()
// @ts-expect-error the context is missing
void ask({ question: "?" })
// @ts-expect-error a list of texts
void ask({ question: "?", context: [1] })

const None = Signature.parse("-> joke")
void Predict.make(None)({})

// @ts-expect-error no such type
Signature.parse("question -> answer: strng")
// @ts-expect-error no such type in a list
Signature.parse("question: text[] -> answer")
// @ts-expect-error no arrow
Signature.parse("question, answer")
// @ts-expect-error two arrows
Signature.parse("a -> b -> c")
// @ts-expect-error no output
Signature.parse("question ->")
// @ts-expect-error a field without a name
Signature.parse("question, -> answer")
// @ts-expect-error both an input and an output
Signature.parse("text -> text")
// @ts-expect-error a literal without its quote
Signature.parse("a -> b: 'x' | y")

// A text that is only known when the program runs is checked then.
const text: string = "a -> b"
Signature.parse(text)

// --- transformers

const Explained = Signature.append({ input: { style: Schema.String }, output: { why: Schema.String } })(Ask)
check<Equal<Signature.Output<typeof Explained>["why"], string>>()
check<Equal<Signature.Input<typeof Explained>["style"], string>>()
const Short = Signature.omit("context", "confidence")(Ask)
const short = Predict.make(Short)({ question: "?" })
check<Equal<"confidence" extends keyof Effect.Success<typeof short> ? true : false, false>>()
// @ts-expect-error no such field
Signature.omit("contxt")(Ask)
