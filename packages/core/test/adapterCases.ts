/**
 * Replies and what they must be read as: facts about DSPy 3.3's chat and JSON adapters, put as signatures
 * of ours. `fields` is what must come out; without it no output may come out.
 */
import type { Signature } from "@effect-dspy/core"
import { Effect, Schema } from "effect"

export interface AdapterCase {
  readonly id: string
  readonly adapter: "chat" | "json"
  readonly about: string
  readonly output: Signature.Fields
  readonly reply: string
  readonly fields?: { readonly [field: string]: unknown }
}

const answer = { answer: Schema.String }
const maybe = Schema.NullOr(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))
const noted = {
  answer: Schema.String,
  note: Schema.NullOr(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed("No note"))),
  maybe
}
const tagged = {
  ...noted,
  tags: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
}
const person = Schema.Struct({ name: Schema.String, age: Schema.Int })
const option = Schema.Literals(["option1", "option2"])
const anyJson = Schema.Record(Schema.String, Schema.Unknown)

/** The section of one field, closed as the layout asks. */
const section = (name: string, value: string) => `[[ ## ${name} ## ]]\n${value}\n\n[[ ## completed ## ]]`

/** A case about one value, in a section called `x`. */
const value = (
  id: string,
  about: string,
  schema: Signature.Fields[string],
  text: string,
  read?: { readonly x: unknown }
): AdapterCase => ({
  id,
  adapter: "chat",
  about,
  output: { x: schema },
  reply: section("x", text),
  ...(read === undefined ? undefined : { fields: read })
})

export const cases: ReadonlyArray<AdapterCase> = [
  {
    id: "chat-001",
    adapter: "chat",
    about: "an object with other keys is not the output",
    output: answer,
    reply: "{'output':'mismatched value'}"
  },
  {
    id: "chat-002",
    adapter: "chat",
    about: "a closing marker of another name ends the value",
    output: answer,
    reply: "[[ ## answer ## ]]\nParis\n[[ ## completion ## ]]",
    fields: { answer: "Paris" }
  },
  {
    id: "chat-006",
    adapter: "chat",
    about: "prose is the value of a text field",
    output: answer,
    reply: section("answer", "I should use a tool."),
    fields: { answer: "I should use a tool." }
  },
  {
    id: "chat-007",
    adapter: "chat",
    about: "fields with defaults may be left out, and digits stay text",
    output: tagged,
    reply: section("answer", "42"),
    fields: { answer: "42", note: "No note", tags: [], maybe: null }
  },
  {
    id: "chat-008",
    adapter: "chat",
    about: "what is there goes before the defaults",
    output: tagged,
    reply:
      "[[ ## answer ## ]]\n42\n\n[[ ## note ## ]]\nhello\n\n[[ ## tags ## ]]\n[\"a\"]\n\n[[ ## maybe ## ]]\nyes\n\n" +
      "[[ ## completed ## ]]",
    fields: { answer: "42", note: "hello", tags: ["a"], maybe: "yes" }
  },
  {
    id: "chat-009",
    adapter: "chat",
    about: "a required field that is missing fails, whatever else is there",
    output: tagged,
    reply: section("note", "present")
  },
  { id: "chat-010", adapter: "chat", about: "nothing is not an answer", output: answer, reply: "" },
  value("value-001", "text", Schema.String, "hello", { x: "hello" }),
  value("value-002", "an object as JSON", person, "{\"name\": \"John\", \"age\": 30}", {
    x: { name: "John", age: 30 }
  }),
  value("value-003", "an object that lacks a key", person, "{\"name\": \"John\"}"),
  value("value-004", "a whole number", Schema.Int, "42", { x: 42 }),
  value("value-005", "a number", Schema.Finite, "3.14", { x: 3.14 }),
  value("value-006", "true", Schema.Boolean, "true", { x: true }),
  value("value-007", "false", Schema.Boolean, "false", { x: false }),
  value("value-008", "a list", Schema.Array(Schema.Int), "[1, 2, 3]", { x: [1, 2, 3] }),
  value("value-009", "a literal", option, "option1", { x: "option1" }),
  value("value-010", "a literal in single quotes", option, "'option1'", { x: "option1" }),
  value("value-011", "a literal in double quotes", option, "\"option1\"", { x: "option1" }),
  value("value-012", "a literal in Python's type notation", option, "Literal[option1]", { x: "option1" }),
  value("value-013", "a literal in brackets behind a type", option, "str[option1]", { x: "option1" }),
  value("value-014", "no literal of the list", option, "invalid"),
  value("value-015", "text where null is possible", Schema.NullOr(Schema.String), "test", { x: "test" }),
  value("value-016", "a number where null is possible", Schema.NullOr(Schema.Int), "5", { x: 5 }),
  value("value-017", "brackets within text", Schema.NullOr(Schema.String), "text with [placeholder]", {
    x: "text with [placeholder]"
  }),
  value(
    "value-018",
    "text where a number would do as well",
    Schema.Union([Schema.Int, Schema.String, Schema.Null]),
    "fallback",
    { x: "fallback" }
  ),
  value(
    "value-019",
    "brackets within text where a number would do as well",
    Schema.Union([Schema.Int, Schema.String, Schema.Null]),
    "text with [placeholder]",
    { x: "text with [placeholder]" }
  ),
  value("value-020", "any object", anyJson, "{\"key\": \"value\"}", { x: { key: "value" } }),
  value("value-021", "any object, Python quotes", anyJson, "{'key': 'value'}", { x: { key: "value" } }),
  value("value-022", "prose is no object", anyJson, "not json or literal"),
  {
    id: "json-001",
    adapter: "json",
    about: "an object written with single quotes",
    output: { answer: Schema.Struct({ analysis: Schema.String, result: Schema.String }) },
    reply: "{'answer': {'analysis': 'Paris is the capital of France', 'result': 'Paris'}}",
    fields: { answer: { analysis: "Paris is the capital of France", result: "Paris" } }
  },
  {
    id: "json-002",
    adapter: "json",
    about: "a key that is nearly right is not right",
    output: answer,
    reply: "{'answer1': 'Paris'}"
  },
  {
    id: "json-004",
    adapter: "json",
    about: "keys with defaults may be left out",
    output: noted,
    reply: "{\"answer\": \"42\"}",
    fields: { answer: "42", note: "No note", maybe: null }
  },
  {
    id: "json-005",
    adapter: "json",
    about: "a required key that is missing fails",
    output: noted,
    reply: "{\"note\": \"present\"}"
  }
]
