/**
 * Replies and what they must be read as: facts about DSPy 3.3's adapters, put as signatures
 * of ours. `fields` is what must come out; without it no output may come out.
 */
import { Code, type Signature, ToolCalls } from "@effect-dspy/core"
import { Effect, Schema } from "effect"

export interface AdapterCase {
  readonly id: string
  readonly adapter: "chat" | "json" | "xml" | "compact"
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

const inner = Schema.Struct({
  value: Schema.Int,
  label: Schema.String,
  address: Schema.Struct({ city: Schema.String })
})
const scored = Schema.Struct({ name: Schema.String, score: Schema.Finite })

interface Tree {
  readonly value: string
  readonly children: ReadonlyArray<Tree>
}

const Tree = Schema.Struct({
  value: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })

/** DSPy wraps its list in an object of its name; here the list is the field. */
const weather = { name: "get_weather", args: { city: "Paris" } }

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
    id: "chat-004",
    adapter: "chat",
    about: "a list of tool calls, with a bracket left out",
    output: { tool_calls: ToolCalls.ToolCalls },
    reply: "[[ ## tool_calls ## ]]\n[{'name': 'get_weather', 'args': {'city': 'Paris'}]",
    fields: { tool_calls: [weather] }
  },
  {
    id: "chat-005",
    adapter: "chat",
    about: "one tool call where a list belongs",
    output: { tool_calls: ToolCalls.ToolCalls },
    reply: "[[ ## tool_calls ## ]]\n{'name': 'get_weather', 'args': {'city': 'Paris'}}",
    fields: { tool_calls: [weather] }
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
    id: "json-003",
    adapter: "json",
    about: "no tool calls, in an object of their name",
    output: { answer: Schema.String, tool_calls: ToolCalls.ToolCalls },
    reply: "{'answer': 'sunny', 'tool_calls': {'tool_calls': []}}",
    fields: { answer: "sunny", tool_calls: [] }
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
  },
  {
    id: "xml-001",
    adapter: "xml",
    about: "one element",
    output: answer,
    reply: "<answer>Paris</answer>",
    fields: { answer: "Paris" }
  },
  {
    id: "xml-002",
    adapter: "xml",
    about: "two elements with space around them",
    output: { answer: Schema.String, explanation: Schema.String },
    reply: "\n<answer>Paris</answer>\n<explanation>The capital of France is Paris.</explanation>\n",
    fields: { answer: "Paris", explanation: "The capital of France is Paris." }
  },
  {
    id: "xml-003",
    adapter: "xml",
    about: "an element is missing",
    output: { answer: Schema.String, explanation: Schema.String },
    reply: "<answer>Paris</answer>"
  },
  {
    id: "xml-004",
    adapter: "xml",
    about: "a number and a truth value",
    output: { number: Schema.Int, flag: Schema.Boolean },
    reply: "\n<number>42</number>\n<flag>true</flag>\n",
    fields: { number: 42, flag: true }
  },
  {
    id: "xml-005",
    adapter: "xml",
    about: "words where a number belongs",
    output: { number: Schema.Int },
    reply: "<number>not_a_number</number>"
  },
  {
    id: "xml-006",
    adapter: "xml",
    about: "a record of lists, by elements that come again",
    output: { counts: Schema.Record(Schema.String, Schema.Array(Schema.Int)) },
    reply: "<counts><first>3</first><first>4</first><second>5</second></counts>",
    fields: { counts: { first: [3, 4], second: [5] } }
  },
  {
    id: "xml-007",
    adapter: "xml",
    about: "an empty record",
    output: { counts: Schema.Record(Schema.String, Schema.Array(Schema.Int)) },
    reply: "<counts />",
    fields: { counts: {} }
  },
  {
    id: "xml-008",
    adapter: "xml",
    about: "an empty list",
    output: { items: Schema.Array(Schema.String) },
    reply: "<items />",
    fields: { items: [] }
  },
  {
    id: "xml-009",
    adapter: "xml",
    about: "a closing tag within a text",
    output: { code: Schema.String },
    reply: "<code>print('</code>')</code>"
  },
  {
    id: "xml-010",
    adapter: "xml",
    about: "references in a text",
    output: { code: Schema.String },
    reply: "<code>\nprint('&lt;/code> &amp; done')\n</code>",
    fields: { code: "print('</code> & done')" }
  },
  {
    id: "xml-011",
    adapter: "xml",
    about: "nested objects as elements",
    output: { result: inner },
    reply: "<result><value>5</value><label>foo</label><address><city>London</city></address></result>",
    fields: { result: { value: 5, label: "foo", address: { city: "London" } } }
  },
  {
    id: "xml-012",
    adapter: "xml",
    about: "a nested object as JSON in its element",
    output: { result: inner },
    reply: "<result>{\"value\": 5, \"label\": \"foo\", \"address\": {\"city\": \"London\"}}</result>",
    fields: { result: { value: 5, label: "foo", address: { city: "London" } } }
  },
  {
    id: "xml-013",
    adapter: "xml",
    about: "a list of objects as item elements",
    output: { items: Schema.Array(scored) },
    reply: "<items><item><name>a</name><score>1.1</score></item><item><name>b</name><score>2.2</score></item></items>",
    fields: { items: [{ name: "a", score: 1.1 }, { name: "b", score: 2.2 }] }
  },
  {
    id: "xml-014",
    adapter: "xml",
    about: "a list of objects as JSON in its element",
    output: { items: Schema.Array(scored) },
    reply: "<items>[{\"name\": \"a\", \"score\": 1.1}, {\"name\": \"b\", \"score\": 2.2}]</items>",
    fields: { items: [{ name: "a", score: 1.1 }, { name: "b", score: 2.2 }] }
  },
  {
    id: "xml-015",
    adapter: "xml",
    about: "a tree, with elements in elements of one name",
    output: { root: Tree },
    reply: "<root><value>parent</value><children><value>child</value><children /></children></root>",
    fields: { root: { value: "parent", children: [{ value: "child", children: [] }] } }
  },
  {
    id: "xml-016",
    adapter: "xml",
    about: "null as an empty element, and a union told by its elements",
    output: {
      text: Schema.NullOr(Schema.String),
      profile: Schema.NullOr(Schema.Struct({ city: Schema.String })),
      model: Schema.Union([
        Schema.Struct({ name: Schema.String }),
        Schema.Struct({ labels: Schema.Array(Schema.String) })
      ])
    },
    reply: "<text /><profile /><model><labels>one</labels><labels>two</labels></model>",
    fields: { text: null, profile: null, model: { labels: ["one", "two"] } }
  },
  {
    id: "xml-017",
    adapter: "xml",
    about: "tool calls as JSON in an element",
    output: {
      tool_calls: Schema.Array(
        Schema.Struct({ name: Schema.String, args: anyJson, result: Schema.optionalKey(Schema.String) })
      ),
      answer: Schema.String
    },
    reply:
      "<tool_calls>[{\"name\": \"get_weather\", \"args\": {\"city\": \"Tokyo\"}, \"result\": \"Sunny\"}]</tool_calls>\n" +
      "<answer>The weather is Sunny.</answer>",
    fields: {
      tool_calls: [{ name: "get_weather", args: { city: "Tokyo" }, result: "Sunny" }],
      answer: "The weather is Sunny."
    }
  },
  {
    id: "baml-001",
    adapter: "compact",
    about: "a key that is missing fails",
    output: { answer: Schema.String, n: Schema.Int },
    reply: "{\"answer\": \"x\"}"
  },
  {
    id: "chat-146",
    adapter: "chat",
    about: "code in a fence",
    output: { code: Code.make("python") },
    reply: "[[ ## code ## ]]\n```python\nprint(1)\n```",
    fields: { code: "print(1)" }
  }
]
