/** Code that means no good, in real processes. */
import { CodeError, CodeExecutor } from "@effect-dspy/core"
import { Sandbox } from "@effect-dspy/pipelines/sandbox"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Effect, Fiber, type Scope } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"

/** Processes of sandboxes that this test process has started. */
const children = (): ReadonlyArray<number> =>
  execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n").flatMap((line) => {
    const [, pid, parent, args = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return Number(parent) === process.pid && args.includes("SandboxProcess") ? [Number(pid)] : []
  })

const open = <R = never>(options: CodeExecutor.Options<R> = {}) =>
  Effect.flatMap(CodeExecutor.CodeExecutor, ({ session }) => session(options))

/** In a sandbox, and with none of its processes left afterwards. */
const test = <A, E>(self: Effect.Effect<A, E, CodeExecutor.CodeExecutor | Scope.Scope>) =>
  Effect.gen(function*() {
    const result = yield* self.pipe(Effect.scoped, Effect.provide(Sandbox.layer({ limits: { time: "2 seconds" } })))
    assert.deepStrictEqual(children(), [])
    return result
  })

const failure = (session: CodeExecutor.Session, code: string) => Effect.flip(session.run(code))

describe("a session", () => {
  it.live("keeps what runs define, and gives the last value and what was printed", () =>
    test(Effect.gen(function*() {
      const { run } = yield* open({ variables: { text: "tide \u{1F30A} \ud800", nested: { list: [1, null] } } })
      assert.deepStrictEqual(yield* run("let n = nested.list[0]; function twice(x) { return 2 * x }; n"), {
        output: "",
        value: 1
      })
      assert.deepStrictEqual(yield* run("console.log(text.length, [n], new Map([[1, 2]])); twice(n)"), {
        output: "9 [1] [[1,2]]\n",
        value: 2
      })
      assert.deepStrictEqual(yield* run("const later = await Promise.resolve([twice(3)]); later"), {
        output: "",
        value: [6]
      })
      assert.deepStrictEqual(yield* run("later[0] + n"), { output: "", value: 7 })
      assert.deepStrictEqual(yield* run("undefined"), { output: "" })
      assert.deepStrictEqual(yield* run("10n"), { output: "", value: "10" })
    })))

  it.live("calls functions of the host side by side, bounded, and hears of their failures", () =>
    test(Effect.gen(function*() {
      let inFlight = 0
      let most = 0
      const { run } = yield* open({
        concurrency: 3,
        functions: {
          ask: (...args) =>
            Effect.gen(function*() {
              most = Math.max(most, ++inFlight)
              yield* Effect.sleep(20)
              inFlight--
              return { args }
            }),
          fail: () => Effect.fail(new TypeError("no such book")),
          nothing: () => Effect.succeed(undefined)
        }
      })
      const { value } = yield* run("await Promise.all(Array.from({ length: 10 }, (_, i) => ask(i, 'x')))")
      assert.deepStrictEqual(value, Array.from({ length: 10 }, (_, index) => ({ args: [index, "x"] })))
      assert.strictEqual(most, 3)
      assert.strictEqual((yield* run("try { await fail() } catch (e) { e.message }")).value, "no such book")
      assert.strictEqual((yield* run("typeof await nothing()")).value, "undefined")
      // Waiting for the host is not the code's time.
      const slow = yield* open({
        functions: { wait: () => Effect.as(Effect.sleep(1300), 1) },
        limits: { time: "1 second" }
      })
      assert.strictEqual((yield* slow.run("await wait()")).value, 1)
    })))

  it.live("runs one thing after the other, and sessions do not see each other", () =>
    test(Effect.gen(function*() {
      const [one, two] = yield* Effect.all([open(), open()], { concurrency: 2 })
      yield* one.run("let n = 0; Object.prototype.spoiled = true")
      const values = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, index) => index),
        () => one.run("n = await Promise.resolve(n + 1)"),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        values.map(({ value }) => Number(value)).sort((a, b) => a - b),
        [
          ...Array(10).keys()
        ].map((index) => index + 1)
      )
      assert.strictEqual((yield* two.run("typeof n + ({}).spoiled")).value, "undefinedundefined")
    })))

  it.live("ends a run with a function that ends it, whatever the code does about it", () =>
    test(Effect.gen(function*() {
      const { run } = yield* open({ endings: ["SUBMIT"] })
      assert.deepStrictEqual(yield* run("print('a'); SUBMIT({ answer: 42 }); print('b')"), {
        output: "a\n",
        ending: { name: "SUBMIT", argument: { answer: 42 } }
      })
      const caught = yield* run("while (true) try { SUBMIT() } catch {}")
      assert.deepStrictEqual(caught, { output: "", ending: { name: "SUBMIT", argument: undefined } })
    })))
})

describe("code that is stopped", () => {
  const kept = { time: "1 second", memoryBytes: 16_000_000, outputChars: 10_000 } as const

  for (
    const [about, code, tag] of [
      ["an endless loop", "while (true) {}", "TimeLimit"],
      [
        "an endless loop that catches everything",
        "while (true) try { while (true) {} } catch {} finally {}",
        "TimeLimit"
      ],
      ["an endless chain of promises", "(function again() { Promise.resolve().then(again) })()", "TimeLimit"],
      ["a regular expression that backtracks for ever", "/^(a+)+$/.test('a'.repeat(50) + 'b')", "TimeLimit"],
      ["a getter that is run by returning", "({ get a() { while (true) {} } })", "TimeLimit"],
      ["a memory bomb", "const all = []; while (true) all.push({})", "MemoryLimit"],
      ["a memory bomb that is kept", "globalThis.all = []; while (true) all.push({})", "MemoryLimit"],
      ["one huge array", "new Uint8Array(1e9)", "MemoryLimit"],
      ["1 GB of output", "for (let i = 0; i < 1000; i++) console.log('x'.repeat(1_000_000))", "OutputLimit"],
      [
        "1 GB of output in small pieces",
        "const line = 'x'.repeat(99); for (let i = 0; i < 1e7; i++) console.log(line)",
        "OutputLimit"
      ],
      ["a large value", "'x'.repeat(100_000)", "OutputLimit"],
      ["a flood of calls", "while (true) ask('x')", "OutputLimit"],
      ["a flood of large calls", "const x = 'x'.repeat(3_000_000); while (true) ask(x)", "OutputLimit"],
      ["endless recursion", "(function deeper() { deeper() })()", "Thrown"],
      ["a promise nobody settles", "await new Promise(() => {})", "Stalled"],
      ["no program at all", "let = = 3", "Thrown"]
    ] as const
  ) {
    it.live(`${about}: ${tag}, and the session goes on`, () =>
      test(Effect.gen(function*() {
        const session = yield* open({
          // Filling memory takes time of its own.
          limits: tag === "TimeLimit"
            ? kept
            : { ...kept, time: "20 seconds", ...(tag === "MemoryLimit" ? { memoryBytes: 4_000_000 } : undefined) },
          functions: { ask: () => Effect.never }
        })
        yield* session.run("let before = 1")
        const start = yield* Clock.currentTimeMillis
        const error = yield* failure(session, code)
        assert.strictEqual(error.reason._tag, tag)
        assert.isBelow((yield* Clock.currentTimeMillis) - start, 30_000)
        if (!error.stateLost) {
          yield* session.run("globalThis.all = undefined")
          assert.strictEqual((yield* session.run("before")).value, 1)
        } else assert.strictEqual((yield* session.run("typeof before")).value, "undefined")
      })))
  }

  it.live("a step that cannot be stopped from within is killed, and the next run starts anew", () =>
    test(Effect.gen(function*() {
      const session = yield* open({ limits: { time: "1 second" }, variables: { given: 7 } })
      yield* session.run("let before = 1")
      const [first] = children()
      const error = yield* failure(session, "for (let i = 0; i < 1000; i++) 'x'.repeat(1 << 24)")
      assert.deepStrictEqual([error.reason._tag, error.stateLost], ["TimeLimit", true])
      assert.deepStrictEqual((yield* session.run("[typeof before, given]")).value, ["undefined", 7])
      assert.notInclude(children(), first)
    })))

  it.live("what it printed and threw is there for who asks, and in no message", () =>
    test(Effect.gen(function*() {
      const session = yield* open()
      const error = yield* failure(session, "console.log('secret 1'); throw new RangeError('secret 2')")
      assert.notInclude(`${error.message} ${JSON.stringify(error)} ${error}`, "secret")
      const { message, output } = CodeError.reveal(error)
      assert.strictEqual(output, "secret 1\n")
      assert.match(message, /^RangeError: secret 2\n.*code\.js:1/)
    })))
})

describe("code that wants out", () => {
  const ways = [
    ["the process", "process.exit(0)", /process is not defined/],
    ["the process by its constructor", "(() => {}).constructor('return process')().exit()", /process is not defined/],
    ["the host by its functions", "ask.constructor.constructor('return process')().exit()", /process is not defined/],
    ["a file", "await (await import('node:fs')).promises.readFile('/etc/passwd')", /could not load module/],
    ["a module", "import fs from 'fs'", /SyntaxError/],
    ["require", "require('child_process').execSync('id')", /require is not defined/],
    ["the network", "await fetch('http://127.0.0.1:1/')", /fetch is not defined/],
    ["a socket", "new WebSocket('ws://127.0.0.1:1/')", /WebSocket is not defined/],
    ["WebAssembly", "new WebAssembly.Memory({ initial: 1 })", /WebAssembly is not defined/],
    ["a function of the host it was not given", "await missing()", /missing is not defined/]
  ] as const

  it.live("of its engine finds an error of its own", () =>
    test(Effect.gen(function*() {
      const session = yield* open({ functions: { ask: () => Effect.succeed(1) } })
      for (const [about, code, pattern] of ways) {
        const error = yield* failure(session, code)
        assert.strictEqual(error.reason._tag, "Thrown", about)
        assert.match(CodeError.reveal(error).message, pattern)
      }
      // It fools itself only.
      yield* session.run("JSON.stringify = () => '{}'; JSON.parse = () => 0; Promise.prototype.then = 0")
      assert.deepStrictEqual((yield* session.run("[1]")).value, [1])
    })))

  it.live("its process has no environment, and may not write or start anything", () =>
    test(Effect.gen(function*() {
      yield* open()
      const [pid] = children()
      const args = execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" })
      assert.include(args, "--permission")
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter((entry) => entry !== "")
      assert.isTrue(environment.every((entry) => entry.startsWith("NODE_CHANNEL_")), environment.join())
    })))
})

describe("its process", () => {
  it.live("killed in the middle is a typed error, and the next run starts anew", () =>
    test(Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const session = yield* open({
        functions: { hang: () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never) }
      })
      const fiber = yield* Effect.forkChild(failure(session, "await hang()"))
      yield* Deferred.await(started)
      for (const pid of children()) process.kill(pid, "SIGKILL")
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error.reason, { _tag: "ProcessDied", signal: "SIGKILL" })
      assert.isTrue(error.stateLost)
      assert.strictEqual((yield* session.run("1 + 1")).value, 2)
      // Killed between two runs, it is missed at the next one.
      for (const pid of children()) process.kill(pid, "SIGKILL")
      assert.strictEqual((yield* failure(session, "1")).reason._tag, "ProcessDied")
      assert.strictEqual((yield* session.run("3")).value, 3)
    })))

  it.live("is killed when its run is interrupted, and functions it waited for are interrupted", () =>
    test(Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      let interrupted = false
      const session = yield* open({
        functions: {
          hang: () =>
            Deferred.succeed(started, undefined).pipe(
              Effect.andThen(Effect.never),
              Effect.onInterrupt(() =>
                Effect.sync(() => {
                  interrupted = true
                })
              )
            )
        }
      })
      const fiber = yield* Effect.forkChild(session.run("await hang()"))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(interrupted)
      assert.deepStrictEqual(children(), [])
      const loop = yield* Effect.forkChild(session.run("while (true) {}"))
      yield* Effect.sleep(300)
      yield* Fiber.interrupt(loop)
      assert.deepStrictEqual(children(), [])
    })))

  it.live("a defect of a function is the program's, not the code's", () =>
    test(Effect.gen(function*() {
      const session = yield* open({ functions: { bug: () => Effect.die(new TypeError("ours")) } })
      const exit = yield* Effect.exit(session.run("try { await bug() } catch {}"))
      assert.strictEqual(exit._tag === "Failure" ? Cause.pretty(exit.cause).split("\n")[0] : "", "TypeError: ours")
    })))

  it.live("is not started for more sessions than may run at once", () =>
    Effect.gen(function*() {
      const most = yield* Effect.forEach(Array.from({ length: 4 }), () =>
        Effect.scoped(Effect.gen(function*() {
          const { run } = yield* open()
          yield* run("1")
          return children().length
        })), { concurrency: "unbounded" }).pipe(Effect.provide(Sandbox.layer({ processes: 2 })))
      assert.isAtMost(Math.max(...most), 2)
      assert.deepStrictEqual(children(), [])
    }))

  it.live("goes with the process that started it, also when that is killed in the middle of a loop", () =>
    Effect.gen(function*() {
      const parent = spawn(process.execPath, [
        "--conditions=@effect-dspy/source",
        join(import.meta.dirname, "process/looping.ts")
      ], { stdio: ["ignore", "pipe", "inherit"] })
      const pid = yield* Effect.promise(async () => {
        for await (const chunk of parent.stdout) return Number(chunk)
        return 0
      })
      assert.isAbove(pid, 0)
      parent.kill("SIGKILL")
      const isAlive = () => existsSync(`/proc/${pid}`)
      for (let waited = 0; isAlive() && waited < 200; waited++) yield* Effect.sleep(100)
      assert.isFalse(isAlive())
    }))

  it.live("that gets more from a function than it can hold is a typed error", () =>
    test(Effect.gen(function*() {
      const session = yield* open({
        limits: { memoryBytes: 8_000_000, time: "20 seconds" },
        functions: { large: () => Effect.succeed("x".repeat(30_000_000)) }
      })
      assert.strictEqual((yield* failure(session, "await large()")).reason._tag, "MemoryLimit")
      assert.strictEqual((yield* session.run("1 + 1")).value, 2)
    })))

  it.live("variables that are too large do not start", () =>
    test(Effect.gen(function*() {
      const error = yield* Effect.flip(
        open({ variables: { text: "x".repeat(8_000_000) }, limits: { memoryBytes: 2_000_000, time: "20 seconds" } })
      )
      assert.strictEqual(error.reason._tag, "MemoryLimit")
    })))
})
