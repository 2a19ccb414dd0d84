import { LM, Predict, Signature, Step, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Pipeline } from "@effect-dspy/pipelines"
import { type Codec, Cron, Group, type Handlers, Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { assert } from "@effect/vitest"
import { Effect, Layer, Option, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { onEveryEngine, type Store } from "./engines.ts"

const soon = Schedule.spaced("10 millis")

const infoOf = (id: string) => Effect.flatMap(Jobs, (jobs) => Effect.flatMap(jobs.find(id), Effect.fromOption))

const until = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(holds, (done) => done ? Effect.void : Effect.andThen(Effect.sleep("10 millis"), until(holds)))

const work = <R = never>(
  store: Store,
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers.Handlers | R>>,
  options: Partial<Worker.Options> = {}
) => Worker.layer(handlers, { queues: { default: 4 }, ...options }).pipe(Layer.provideMerge(store))

const Title = Signature.make("Title", {
  instructions: "Give a title.",
  input: { content: Schema.String },
  output: { title: Schema.String }
})
const Mood = Signature.make("Mood", {
  input: { title: Schema.String },
  output: { mood: Schema.Literals(["good", "bad"]) }
})

onEveryEngine("durable jobs", (test) => {
  test("an answer that was paid for is never asked for again; what changed is asked anew", (store) =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const lm = TestLM.layer((request) => {
        const name = request.call?.signature.name ?? "?"
        asked.push(name)
        return name === "Title" ? { title: `T${asked.length}` } : { mood: "good" }
      })
      const title = Predict.make(Title)
      const other = Predict.make(Signature.withInstructions("Give a short title.")(Title))
      const mood = Predict.make(Mood)
      let run = 0
      const spent: Array<unknown> = []
      const Document = Job.make("document", {
        payload: { content: Schema.String },
        success: Schema.String,
        retry: soon
      })
      const handler = Document.toLayer(({ content }) =>
        Effect.gen(function*() {
          run++
          const [first, usage] = yield* Usage.track(title({ content }))
          spent.push(usage.calls)
          // The same question twice is two questions; both are answered again as they were.
          const second = yield* title({ content })
          const third = run === 3 ? yield* other({ content }) : first
          yield* mood(first)
          if (run < 3) return yield* Effect.fail("not yet")
          return `${first.title} ${second.title} ${third.title}`
        })
      )
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Document, { content: "words" })
        assert.strictEqual(yield* Job.result(Document, id), "T1 T2 T4")
        assert.deepStrictEqual(asked, ["Title", "Title", "Mood", "Title"])
        assert.deepStrictEqual(spent, [1, 0, 0])
        // Another job pays for itself, and what the first one kept is gone with it.
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`SELECT id FROM effect_persistence`, [])
      }).pipe(Effect.provide(work(store, [handler]).pipe(Layer.provide(lm))))
    }))

  test("an answer that can't be read is not kept", (store) =>
    Effect.gen(function*() {
      let sent = 0
      const lm = TestLM.layer(() => ++sent < 3 ? "no such thing" : { mood: "bad" })
      const mood = Predict.make(Mood)
      const Judge = Job.make("judge", { payload: { title: Schema.String }, success: Schema.String, retry: soon })
      const handler = Judge.toLayer((payload) =>
        Effect.map(LM.withSettings({ attempts: 1 })(mood(payload)), ({ mood }) => mood)
      )
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* Job.result(Judge, yield* Job.enqueue(Judge, { title: "a private title" })), "bad")
        assert.strictEqual(sent, 3)
      }).pipe(Effect.provide(work(store, [handler]).pipe(Layer.provide(lm))))
    }))

  test("code steps of a pipeline and memos are done once; what fails is done again", (store) =>
    Effect.gen(function*() {
      const done = { words: 0, saved: 0, flaky: 0 }
      const words = Step.make("Words", {
        input: { text: Schema.String },
        output: { words: Schema.Array(Schema.String), at: Schema.Date },
        run: ({ text }) => Effect.sync(() => (done.words++, { words: text.split(" "), at: new Date(0) }))
      })
      const count = Step.make("Count", {
        input: { words: Schema.Array(Schema.String) },
        output: { count: Schema.Int },
        run: ({ words }) =>
          Effect.suspend(() => ++done.flaky < 3 ? Effect.fail("flaky") : Effect.succeed({ count: words.length }))
      })
      const Counting = Pipeline.make("Counting", { input: { text: Schema.String }, steps: { words, count } })
      const Task = Job.fromStep(Counting, { retry: soon })
      const handler = Task.toLayer((input) =>
        Effect.gen(function*() {
          const saved = yield* Job.memo("save", Schema.Int, Effect.sync(() => ++done.saved))
          assert.strictEqual(saved, 1)
          return yield* Counting(input)
        })
      )
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Task, { text: "to be counted" })
        assert.deepStrictEqual(yield* Job.result(Task, id), {
          words: ["to", "be", "counted"],
          at: new Date(0),
          count: 3
        })
        assert.deepStrictEqual(done, { words: 1, saved: 1, flaky: 3 })
      }).pipe(Effect.provide(work(store, [handler])))
    }))

  test("a parent waits for its children without holding a slot", (store) =>
    Effect.gen(function*() {
      let parents = 0
      const Child = Job.make("child", {
        payload: { n: Schema.Int },
        success: Schema.Int,
        error: Schema.String,
        maxAttempts: 1
      })
      const Parent = Job.make("parent", { payload: {}, success: Schema.Array(Schema.Int) })
      const handlers = [
        Child.toLayer(({ n }) => n < 0 ? Effect.fail("negative") : Effect.as(Effect.sleep("20 millis"), n * 2)),
        Parent.toLayer(() =>
          Effect.gen(function*() {
            parents++
            const both = yield* Effect.all([Job.call(Child, { n: 1 }), Job.call(Child, { n: 2 })], { concurrency: 2 })
            const failed = yield* Effect.flip(Job.call(Child, { n: -1 }))
            assert.strictEqual(failed, "negative")
            return [...both, yield* Job.call(Child, { n: 3 })]
          })
        )
      ]
      yield* Effect.gen(function*() {
        const jobs = yield* Jobs
        const id = yield* Job.enqueue(Parent, {})
        assert.deepStrictEqual(yield* Job.result(Parent, id), [2, 4, 6])
        assert.strictEqual((yield* infoOf(id)).attempts, 1)
        const children = yield* jobs.list({ name: "child" })
        assert.deepStrictEqual(
          children.map((job) => [job.parent, job.attempts]),
          Array.from({ length: 4 }, () => [id, 1])
        )
        assert.isAtLeast(parents, 4)
        // One slot for all of them.
      }).pipe(Effect.provide(work(store, handlers, { queues: { default: 1 } })))
    }))

  test("asleep or waiting for a signal, a job holds no slot and goes on where it was", (store) =>
    Effect.gen(function*() {
      let before = 0
      const Order = Job.make("order", {
        payload: {},
        success: Schema.Struct({ by: Schema.String, slept: Schema.Boolean })
      })
      const Quick = Job.make("quick", { payload: {} })
      const Approval = Schema.Struct({ by: Schema.String })
      const handlers = [
        Order.toLayer(() =>
          Effect.gen(function*() {
            const started = yield* Job.memo("started", Schema.Finite, Effect.sync(() => (before++, Date.now())))
            yield* Job.sleep("a while", "300 millis")
            const slept = Date.now() - started >= 299
            const { by } = yield* Job.waitFor("approval", Approval)
            return { by, slept }
          })
        ),
        Quick.toLayer(() => Effect.void)
      ]
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Order, {})
        yield* until(Effect.map(infoOf(id), (job) => job.state === "scheduled"))
        yield* Job.result(Quick, yield* Job.enqueue(Quick, {}))
        // Before anybody waits for it, and twice: the last value counts.
        yield* Job.signal(id, "approval", Approval, { by: "nobody" })
        yield* Job.signal(id, "approval", Approval, { by: "Ada" })
        assert.deepStrictEqual(yield* Job.result(Order, id), { by: "Ada", slept: true })
        assert.strictEqual(before, 1)
        assert.strictEqual((yield* infoOf(id)).attempts, 1)
        // And the signal that comes while the job waits.
        const second = yield* Job.enqueue(Order, {})
        yield* until(
          Effect.map(infoOf(second), (job) => job.state === "scheduled" && job.dueAt > Date.now() + 3_600_000)
        )
        yield* Job.signal(second, "approval", Approval, { by: "Bob" })
        assert.strictEqual((yield* Job.result(Order, second)).by, "Bob")
      }).pipe(Effect.provide(work(store, handlers, { queues: { default: 1 } })))
    }))

  test("giving the slot back waits for work that is being paid for", (store) =>
    Effect.gen(function*() {
      let sent = 0
      const lm = TestLM.layer(() => ({ title: `T${++sent}` }), { latency: "150 millis" })
      const title = Predict.make(Title)
      const Both = Job.make("both", { payload: {}, success: Schema.String })
      const handler = Both.toLayer(() =>
        Effect.map(
          Effect.all([title({ content: "x" }), Job.sleep("nap", "50 millis")], { concurrency: 2 }),
          ([{ title }]) => title
        )
      )
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* Job.result(Both, yield* Job.enqueue(Both, {})), "T1")
        assert.strictEqual(sent, 1)
      }).pipe(Effect.provide(work(store, [handler]).pipe(Layer.provide(lm))))
    }))

  test("a group calls back when its last job has ended, and on success when all have", (store) =>
    Effect.gen(function*() {
      let broken = true
      const called: Array<string> = []
      const Part = Job.make("part", { payload: { n: Schema.Int }, maxAttempts: 1 })
      const Report = Job.make("report", { payload: { what: Schema.String } })
      const handlers = [
        Part.toLayer(({ n }) => Effect.suspend(() => n === 2 && broken ? Effect.fail("broken") : Effect.void)),
        Report.toLayer(({ what }) => Effect.sync(() => called.push(what)))
      ]
      yield* Effect.gen(function*() {
        const jobs = yield* Jobs
        const callbacks = (name: string) => ({
          onComplete: Job.entry(Report, { what: `${name} complete` }),
          onSuccess: Job.entry(Report, { what: `${name} success` })
        })
        const group = yield* Group.make(
          callbacks("mixed"),
          (group) => Job.enqueueMany(Part, [{ n: 1 }, { n: 2 }, { n: 3 }], { group })
        )
        assert.deepInclude(Option.getOrThrow(yield* Group.completed(group)), { total: 3, pending: 0, failed: 1 })
        yield* until(Effect.sync(() => called.length === 1))
        assert.deepStrictEqual(called, ["mixed complete"])
        broken = false
        const dead = yield* jobs.list({ group, state: "dead" })
        yield* jobs.requeue(dead.map(({ id }) => id))
        yield* until(Effect.sync(() => called.length === 2))
        assert.deepStrictEqual(called, ["mixed complete", "mixed success"])
        yield* Group.make(callbacks("empty"), () => Effect.void)
        yield* until(Effect.sync(() => called.length === 4))
        assert.deepStrictEqual(called.slice(2).toSorted(), ["empty complete", "empty success"])
        // A failure while it is filled leaves nothing.
        const failed = yield* Effect.flip(
          Group.make(
            callbacks("failed"),
            (group) => Effect.andThen(Job.enqueue(Part, { n: 1 }, { group }), Effect.fail("stop"))
          )
        )
        assert.strictEqual(failed, "stop")
        assert.strictEqual((yield* jobs.list({ name: "part" })).length, 3)
      }).pipe(Effect.provide(work(store, handlers)))
    }))

  test("what a codec seals is sealed in the store: payload, result, memo, error", (store) =>
    Effect.gen(function*() {
      const reverse = (text: string) => [...text].toReversed().join("")
      const codec: Codec.Codec = {
        seal: (text) => Effect.succeed(`sealed:${reverse(text)}`),
        open: (text) => Effect.succeed(reverse(text.slice("sealed:".length)))
      }
      const Private = Job.make("private", {
        payload: { word: Schema.String },
        success: Schema.String,
        error: Schema.String,
        retry: soon,
        maxAttempts: 2
      })
      let runs = 0
      const handler = Private.toLayer(({ word }) =>
        Effect.gen(function*() {
          const kept = yield* Job.memo("kept", Schema.String, Effect.succeed(word))
          yield* Job.progress("half")
          if (word === "topsecret2") return yield* Effect.fail("topsecret error")
          return ++runs < 2 ? yield* Effect.fail("topsecret error") : `${kept}!`
        })
      )
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const sealing = yield* Jobs
        const sealed = Effect.provideService(Jobs, { ...sealing, codec })
        const program = Effect.gen(function*() {
          const first = yield* Job.enqueue(Private, { word: "topsecret" })
          const second = yield* Job.enqueue(Private, { word: "topsecret2" })
          assert.strictEqual(yield* Job.result(Private, first), "topsecret!")
          assert.strictEqual(yield* Effect.flip(Job.result(Private, second)), "topsecret error")
        }).pipe(Effect.provide(Worker.layer([handler], { queues: { default: 4 } })))
        yield* sealed(program)
        const stored = JSON.stringify([
          yield* sql`SELECT element, last_failure FROM effect_queue`,
          yield* sql`SELECT id, result, failure, error, progress FROM effect_dspy_jobs`,
          yield* sql`SELECT value FROM effect_persistence`
        ])
        assert.include(stored, "terces")
        assert.notInclude(stored, "secret")
      }).pipe(Effect.provide(store))
    }))

  test("around runs around every handler", (store) =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const Task = Job.make("task", { payload: {}, success: Schema.Int })
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Task, {})
        assert.strictEqual(yield* Job.result(Task, id), 1)
        assert.deepStrictEqual(seen, [`begin ${id} 1`, "end"])
      }).pipe(Effect.provide(work(store, [Task.toLayer(() => Effect.succeed(1))], {
        around: (job, handler) =>
          Effect.sync(() => seen.push(`begin ${job.id} ${job.attempt}`)).pipe(
            Effect.andThen(handler),
            Effect.tap(() => Effect.sync(() => seen.push("end")))
          )
      })))
    }))

  test("a cron job is enqueued once for each time, whoever else does it", (store) =>
    Effect.gen(function*() {
      const slots: Array<string> = []
      const Tick = Job.make("tick", { payload: { at: Schema.String } })
      const cron = [Cron.make("* * * * * *", Tick, (slot) => ({ at: slot.toISOString() }))]
      const handler = Tick.toLayer(({ at }) => Effect.sync(() => slots.push(at)))
      yield* until(Effect.sync(() => slots.length >= 2)).pipe(
        Effect.provide(Worker.layer([handler], { queues: { default: 2 }, cron })),
        Effect.provide(Worker.layer([handler], { queues: { default: 2 }, cron }), { local: true })
      )
      assert.strictEqual(new Set(slots).size, slots.length)
    }).pipe(Effect.provide(store)))
})
