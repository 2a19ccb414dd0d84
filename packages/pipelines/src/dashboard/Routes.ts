/**
 * What the dashboard answers: the page, what it asks for, and two questions of whoever watches the process.
 *
 * | request              | answer                                                        |
 * | -------------------- | ------------------------------------------------------------- |
 * | `GET /`              | the page and its files                                        |
 * | `GET /healthz`       | 204: the process answers                                      |
 * | `GET /readyz`        | 204: and so does the store; 503 when it doesn't               |
 * | `GET /api/session`   | `Session`                                                     |
 * | `GET /api/feed`      | server-sent events: `live` with `Live`, `activity`, `down`    |
 * | `GET /api/jobs`      | `Page`, by `state`, `queue`, `name`, `search`, `cursor`, `limit` |
 * | `GET /api/causes`    | `Causes` of the dead, by `queue`                               |
 * | `GET /api/job?id=`   | `Detail`                                                      |
 * | `POST /api/change`   | `Change` to `Changed`                                         |
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Jobs } from "../jobs/Jobs.ts"
import { StoreError } from "../jobs/StoreError.ts"
import type { Access } from "./Access.ts"
import type { Asset } from "./Assets.ts"
import * as Board from "./Board.ts"
import * as Feed from "./Feed.ts"
import type * as Wire from "./Wire.ts"

const State = Schema.Literals(["scheduled", "queued", "running", "retrying", "succeeded", "dead", "cancelled"])

/** Ids a change may name, and jobs one request requeues: work for a fraction of a second. */
const atOnce = 200

const Question = Schema.Struct({
  state: Schema.optionalKey(State),
  queue: Schema.optionalKey(Schema.String),
  name: Schema.optionalKey(Schema.String),
  search: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(200))),
  cursor: Schema.optionalKey(Schema.String),
  limit: Schema.optionalKey(
    Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 100 }))
  )
})

const Ids = Schema.Array(Schema.String).check(Schema.isMaxLength(atOnce))

const Change = Schema.Union([
  Schema.Struct({ change: Schema.Literals(["cancel", "requeue", "hurry"]), ids: Ids }),
  Schema.Struct({ change: Schema.Literal("requeueAll"), queue: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ change: Schema.Literals(["pause", "resume"]), queue: Schema.String })
])

/**
 * All routes.
 *
 * @category layers
 */
export const layer = (options: {
  readonly access: Access
  readonly assets: ReadonlyArray<Asset>
  readonly showContent: boolean
}) => HttpRouter.addAll(make(options))

const make = Effect.fnUntraced(function*({ access, assets, showContent }: Parameters<typeof layer>[0]) {
  const jobs = yield* Jobs
  const board = yield* Board.make(showContent)
  const feed = yield* Feed.make(jobs, board, showContent)

  const apply = (change: Wire.Change): Effect.Effect<Wire.Changed, StoreError> => {
    const moved = (count: number, again = false): Wire.Changed => ({ count, again })
    switch (change.change) {
      case "cancel":
        return Effect.map(
          Effect.forEach(change.ids, jobs.cancel, { concurrency: 1 }),
          (outcomes) => moved(outcomes.filter((outcome) => outcome !== undefined).length)
        )
      case "requeue":
        return Effect.map(jobs.requeue(change.ids), (count) => moved(count))
      case "hurry":
        return Effect.map(board.hurry(change.ids), (count) => moved(count))
      case "requeueAll":
        return Effect.flatMap(
          board.dead(change.queue, atOnce),
          (ids) => Effect.map(jobs.requeue(ids), (count) => moved(count, ids.length === atOnce))
        )
      case "pause":
        return Effect.as(jobs.pause(change.queue), moved(0))
      case "resume":
        return Effect.as(jobs.resume(change.queue), moved(0))
    }
  }

  const query = Effect.fnUntraced(function*<A>(schema: Schema.Codec<A, unknown>) {
    return yield* Schema.decodeUnknownEffect(schema)(yield* HttpServerRequest.ParsedSearchParams)
  })

  return [
    ...assets.map(({ path, response, tag }) =>
      HttpRouter.route("GET", path, (request) =>
        Effect.succeed(
          request.headers["if-none-match"] === tag
            ? HttpServerResponse.empty({ status: 304, headers: { etag: tag } })
            : response
        ))
    ),
    HttpRouter.route("GET", "/healthz", HttpServerResponse.empty()),
    HttpRouter.route(
      "GET",
      "/readyz",
      Effect.match(jobs.paused, {
        onFailure: () => HttpServerResponse.empty({ status: 503 }),
        onSuccess: () => HttpServerResponse.empty()
      })
    ),
    HttpRouter.route("GET", "/api/session", (request) => {
      const verdict = access.judge(request)
      return json({ canChange: verdict._tag === "Admitted" && verdict.canChange, showContent })
    }),
    HttpRouter.route(
      "GET",
      "/api/feed",
      HttpServerResponse.stream(Stream.encodeText(feed), { contentType: "text/event-stream", headers: fresh })
    ),
    HttpRouter.route("GET", "/api/jobs", answered(Effect.flatMap(query(Question), board.page))),
    HttpRouter.route(
      "GET",
      "/api/causes",
      answered(
        Effect.flatMap(
          query(Schema.Struct({ queue: Schema.optionalKey(Schema.String) })),
          ({ queue }) => board.causes(queue)
        )
      )
    ),
    HttpRouter.route(
      "GET",
      "/api/job",
      answered(Effect.flatMap(query(Schema.Struct({ id: Schema.String })), ({ id }) => board.detail(id)))
    ),
    HttpRouter.route("POST", "/api/change", answered(Effect.flatMap(HttpServerRequest.schemaBodyJson(Change), apply))),
    HttpRouter.route("*", "/*", json({ error: "there is nothing here" }, 404))
  ]
})

const fresh = { "cache-control": "no-store" }

const json = (body: unknown, status = 200) => HttpServerResponse.json(body, { status, headers: fresh })

/** An answer as JSON, 404 for none. What was asked is not repeated in an error. */
const answered = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  self.pipe(
    Effect.flatMap((answer) => answer === undefined ? json({ error: "there is no such job" }, 404) : json(answer)),
    Effect.catch((error) =>
      error instanceof StoreError
        ? Effect.andThen(
          Effect.logWarning(`Dashboard: ${error.operation} failed`, error),
          json({ error: "the store of jobs does not answer" }, 503)
        )
        : json({ error: "this is not a question of the dashboard" }, 400)
    )
  )
