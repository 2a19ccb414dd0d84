/**
 * The exchange of a predictor with a model: one request, its reading, and the re-asks when it can't be used.
 *
 * The life of an exchange:
 * 1. The model is asked. `accept` tells caches and memos on the way whether the answer can be used.
 * 2. The reply is read, once: `accept` and the exchange ask about the same reading.
 * 3. If that fails and attempts are left, the last reply and what was wrong with it go back.
 * 4. Rounds and attempts are bounded; when none is left, the call fails with what was wrong last.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Adapter from "./Adapter.ts"
import type * as Call from "./Call.ts"
import * as Completion from "./Completion.ts"
import * as Echo from "./Echo.ts"
import * as Field from "./Field.ts"
import type * as Follow from "./Follow.ts"
import type { LM } from "./LM.ts"
import * as Attempts from "./LM/Attempts.ts"
import type { Request } from "./LM/Request.ts"
import * as Settings from "./LM/Settings.ts"
import * as Message from "./Message.ts"
import * as PredictError from "./PredictError.ts"
import type * as Signature from "./Signature.ts"
import * as Spans from "./Spans.ts"

/**
 * Opens the exchange of one call; with `follow` its replies are streamed and told of.
 *
 * @category constructors
 */
export const make = (
  { fiber, input, lm, rendered, settings, signature }: Call.Opened,
  follow: Follow.Follow | undefined
): Call.Exchange<PredictError.PredictError> => {
  const span = Spans.traced(fiber) ? Spans.current(fiber) : undefined
  const attempts = Attempts.open(fiber, lm, settings, span === undefined ? undefined : { span, first: undefined })
  const reply: Reply = new Reply(rendered.format)
  const base: Request = {
    messages: [...rendered.prefix, ...conversation(signature, rendered.format, input), rendered.format.input(input)],
    output: rendered.format.output,
    settings,
    accept: (completion) => Result.isSuccess(reply.read(completion)),
    call: { signature, input, demos: rendered.demos },
    attempts,
    stable: rendered.prefix.length
  }
  const self: Rounds = { signature, lm, attempts, reply, base, follow }
  return {
    run: Effect.suspend(() => Attempts.bounded(fiber, lm, attempts, round(self, base, 1))),
    usage: () => Attempts.usage(attempts),
    attempts: () => attempts.used,
    last: () => reply.last,
    messages: () => (reply.request ?? base).messages
  }
}

/**
 * What was said before, where the signature has a field for it: as turns, or as JSON where the adapter writes no turns.
 *
 * @category formatting
 */
export const conversation = (
  signature: Signature.Any,
  format: Adapter.Format,
  input: Signature.Encoded
): ReadonlyArray<Message.Message> => {
  const { history } = signature.derived
  if (history === undefined) return []
  const said = (input[history.name] ?? []) as ReadonlyArray<Adapter.Demo>
  return format.turns?.(said) ?? Adapter.demoTurns(signature, said, (output) => JSON.stringify(output))
}

/** One logical call: `base` is the request the conversation began with. */
interface Rounds {
  readonly signature: Signature.Any
  readonly lm: LM.Service
  readonly attempts: Attempts.Attempts
  readonly reply: Reply
  readonly base: Request
  readonly follow: Follow.Follow | undefined
}

/** One request and its reading. */
const round = (
  self: Rounds,
  request: Request,
  rounds: number
): Effect.Effect<unknown, PredictError.PredictError> => {
  const { follow, lm, reply } = self
  reply.request = request
  if (follow === undefined) {
    return Effect.flatMap(lm.generate(request), (completion) => {
      const read = reply.read(completion)
      return Result.isSuccess(read)
        ? Effect.succeed(read.success)
        : again(self, request, rounds, completion, read.failure)
    })
  }
  return Effect.flatMap(follow.ask(lm, request), ({ completion, cut }) => {
    const read = cut === undefined ? reply.read(completion) : Result.fail(cut)
    if (Result.isFailure(read)) return again(self, request, rounds, completion, read.failure)
    return Effect.flatMap(follow.settle(read.success), (settled) =>
      Result.isSuccess(settled)
        ? Effect.succeed(settled.success)
        : again(self, request, rounds, completion, settled.failure))
  })
}

/** After a reply that can't be used: asks again when that can help, or fails. */
const again = (
  self: Rounds,
  request: Request,
  rounds: number,
  completion: Completion.Completion,
  reason: PredictError.OutputReason
): Effect.Effect<unknown, PredictError.PredictError> => {
  const { attempts, base, follow, lm, reply, signature } = self
  // Rounds are bounded too: an LM not built by LM.make, or one that replays, would never use up attempts.
  const next = rounds < attempts.max && Attempts.left(attempts)
    ? reask(reply.format, lm, base, request.settings, completion, reason)
    : undefined
  if (next !== undefined) {
    const asked = round(self, next, rounds + 1)
    return follow === undefined ? asked : Effect.andThen(follow.restart(shown(signature, reason).message), asked)
  }
  return Effect.fail(
    new PredictError.OutputError({
      signature: signature.name,
      provider: completion.provider,
      model: completion.model,
      reason: shown(signature, reason),
      raw: Redacted.make(Completion.text(completion)),
      usage: Attempts.usage(attempts),
      attempts: attempts.used
    })
  )
}

// Only the last reply goes back, not all of them: the conversation must not grow with every round. The settings
// are those of the last request: a token limit once raised stays raised, and is not raised to itself again.
const reask = (
  format: Adapter.Format,
  lm: LM.Service,
  base: Request,
  settings: Settings.Settings,
  completion: Completion.Completion,
  reason: PredictError.OutputReason
): Request | undefined => {
  switch (reason._tag) {
    case "Truncated": {
      const { maxTokens, retryMaxTokens } = Settings.merge(lm.defaults, settings)
      if (retryMaxTokens === undefined || retryMaxTokens <= (maxTokens ?? 0)) return undefined
      return { ...base, settings: { ...settings, maxTokens: retryMaxTokens } }
    }
    case "Empty":
      // There is nothing to comment on, and endpoints refuse empty assistant turns.
      return { ...base, settings }
    default:
      return {
        ...base,
        settings,
        messages: [...base.messages, Message.assistant(Completion.text(completion)), format.feedback(reason)]
      }
  }
}

/** Reads completions, each once: `accept` and the predictor ask about the same one. */
class Reply {
  readonly format: Adapter.Format
  /** What was asked last, which a reply may repeat. */
  request: Request | undefined
  last: Completion.Completion | undefined
  private result: Result.Result<unknown, PredictError.OutputReason> | undefined

  constructor(format: Adapter.Format) {
    this.format = format
  }

  read(completion: Completion.Completion): Result.Result<unknown, PredictError.OutputReason> {
    if (this.result !== undefined && this.last === completion) return this.result
    this.last = completion
    return this.result = this.reading(completion)
  }

  private reading(completion: Completion.Completion): Result.Result<unknown, PredictError.OutputReason> {
    if (completion.finishReason === "length") return Result.fail(new PredictError.Truncated())
    const said = Completion.text(completion)
    const text = this.request === undefined ? said : Echo.remove(said, this.request)
    return text.trim() === "" ? Result.fail(new PredictError.Empty()) : this.format.read(text)
  }
}

// The model was told of every key; an error must not carry those that are its own words.
const shown = (signature: Signature.Any, reason: PredictError.OutputReason): PredictError.OutputReason =>
  reason._tag === "Invalid"
    ? new PredictError.Invalid({ issues: Field.shown(reason.issues, signature.derived.names) })
    : reason
