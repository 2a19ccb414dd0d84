/**
 * One event of a streamed answer, as endpoints of Chat Completions write it. It imports nothing, so that an endpoint in a
 * process of its own starts at once.
 */
export const chunk = (delta: object, finish_reason: string | null): string =>
  `data: ${
    JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      created: 1,
      model: "stub",
      choices: [{ index: 0, delta, finish_reason }]
    })
  }\n\n`
