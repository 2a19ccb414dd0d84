/**
 * What both servers serve: a story, streamed while a model writes it.
 */
import { Predict, Signature } from "@effect-dspy/core"
import { Schema } from "effect"

export const tell = Predict.make(Signature.make("Tell", {
  instructions: "Tell a short story.",
  input: { about: Schema.String.annotate({ description: "what the story is about" }) },
  output: { title: Schema.String, story: Schema.String }
}))

/** What a request asks for: `/tell?about=tides`, and nothing else. */
export const aboutOf = (url: string | undefined): string | undefined => {
  const { pathname, searchParams } = new URL(url ?? "", "http://localhost")
  const about = searchParams.get("about")
  return pathname !== "/tell" || about === null || about === "" ? undefined : about
}
