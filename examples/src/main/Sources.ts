/**
 * From command-line arguments to documents, and from a document to its text.
 *
 * Arguments are expanded before anything runs: a directory means its text files, a pattern what it
 * matches, `-` standard input. Texts are read when their turn comes, so memory holds only those in flight.
 * A directory inside that can't be read is a failure like a file that can't: nothing is left out in silence.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Result from "effect/Result"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as NodeFS from "node:fs"
import * as Net from "node:net"
import { glob, isDynamicPattern } from "tinyglobby"
import {
  FileBinary,
  FileEmpty,
  type FileError,
  FileMissing,
  FileTooLarge,
  FileUnreadable,
  FolderEmpty
} from "./Failure.ts"

/** `name` as the user wrote it or as it was found; `path` is where it lies, or why it can't be read. */
export interface Source {
  readonly name: string
  readonly path: Result.Result<string, FileError>
}

const stdin = "-"

const document = /\.(?:md|markdown|txt)$/i

/** All documents the arguments name, each once, in the order they are named. `base` is the user's directory. */
export const expand = Effect.fn("Sources.expand")(function*(args: ReadonlyArray<string>, base: string) {
  const fs = yield* FileSystem.FileSystem
  const seen = new Set<string>()
  const sources: Array<Source> = []
  for (const arg of args) {
    for (const source of yield* expandOne(arg, base)) {
      const { path } = source
      const same = Result.isFailure(path) || path.success === stdin
        ? source.name
        : yield* Effect.orElseSucceed(fs.realPath(path.success), () => path.success)
      if (seen.has(same)) continue
      seen.add(same)
      sources.push(source)
    }
  }
  return sources
})

const expandOne = Effect.fnUntraced(function*(arg: string, base: string) {
  const fs = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  if (arg === stdin) return [{ name: arg, path: Result.succeed(stdin) }]
  // What is left of a shell's variable that isn't set. As a path it would be the directory the user stands in.
  if (arg === "") return [failed(new FileMissing({ file: "\"\"" }))]
  const found = (name: string): Source => ({ name, path: Result.succeed(paths.resolve(base, name)) })
  const info = yield* Effect.result(fs.stat(paths.resolve(base, arg)))
  if (Result.isSuccess(info)) {
    if (info.success.type !== "Directory") return [found(arg)]
    const inside = yield* walk(paths.resolve(base, arg), arg)
    return inside.length === 0 ? [failed(new FolderEmpty({ file: arg }))] : inside
  } else if (info.failure.reason._tag !== "NotFound") {
    return [failed(new FileUnreadable({ file: arg, problem: problem(info.failure) }))]
  } else if (isDynamicPattern(arg)) {
    const names = yield* matches(arg, base)
    if (names.length > 0) return names.map(found)
  }
  return [failed(new FileMissing({ file: arg }))]
})

const failed = (error: FileError): Source => ({ name: error.file, path: Result.fail(error) })

/** What a pattern matches. */
const matches = (pattern: string, cwd: string) =>
  Effect.map(
    Effect.promise((signal) =>
      glob(pattern, { cwd, signal, dot: false, caseSensitiveMatch: false, expandDirectories: false })
    ),
    (names) => names.toSorted()
  )

/**
 * The documents in a directory and below, as they are called from `name` on, and the directories that can't be looked
 * into. One directory after the other, so that Ctrl-C is heard in between.
 */
const walk = Effect.fnUntraced(function*(folder: string, name: string) {
  const paths = yield* Path.Path
  const sources: Array<Source> = []
  const open = [""]
  for (let below = open.pop(); below !== undefined; below = open.pop()) {
    const here = below
    const within = paths.join(folder, here)
    const entries = yield* Effect.result(
      Effect.tryPromise(() => NodeFS.promises.readdir(within, { withFileTypes: true }))
    )
    if (Result.isFailure(entries)) {
      const file = paths.join(name, here)
      sources.push(failed(new FileUnreadable({ file, problem: "no permission to look into it" })))
      continue
    }
    for (const entry of entries.success) {
      if (entry.name.startsWith(".") || entry.name === "node_modules") continue
      const path = paths.join(here, entry.name)
      if (entry.isDirectory()) open.push(path)
      else if (
        document.test(entry.name) && (entry.isFile() || entry.isSymbolicLink() && (yield* isFile(within, entry)))
      ) {
        sources.push({ name: paths.join(name, path), path: Result.succeed(paths.join(folder, path)) })
      }
    }
  }
  return sources.toSorted((a, b) => a.name < b.name ? -1 : 1)
})

// A link to a directory is not entered: it may lead back up, and then there is no end to it.
const isFile = (folder: string, { name }: NodeFS.Dirent): Effect.Effect<boolean> =>
  Effect.promise(() => NodeFS.promises.stat(`${folder}/${name}`).then((info) => info.isFile(), () => false))

/** Why something can't be read, in the system's words where effect has none. */
const problem = ({ reason }: PlatformError.PlatformError): string => {
  if (reason._tag === "PermissionDenied") return "permission denied"
  const code = /\b(E[A-Z]{2,})\b/.exec(String(reason.cause))?.[1]
  return code ?? reason._tag
}

/** The text of a document, checked: small enough, text, and not empty. */
export const text = Effect.fn("Sources.text")(function*(source: Source, maxBytes: number) {
  const path = yield* Effect.fromResult(source.path)
  const bytes = path === stdin ? yield* readStdin(maxBytes) : yield* readFile(source.name, path, maxBytes)
  const decoded = Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  // Text has no NUL; files that happen to be valid UTF-8 but are not text nearly always do.
  if (Result.isFailure(decoded) || decoded.success.includes("\0")) return yield* new FileBinary({ file: source.name })
  if (decoded.success.trim() === "") return yield* new FileEmpty({ file: source.name })
  return decoded.success
})

const readFile = Effect.fnUntraced(function*(file: string, path: string, maxBytes: number) {
  const fs = yield* FileSystem.FileSystem
  const read = Effect.gen(function*() {
    const info = yield* fs.stat(path)
    if (info.size > BigInt(maxBytes)) return yield* new FileTooLarge({ file, maxBytes })
    if (info.type === "FIFO") return yield* collect(pipe(file, path), file, maxBytes)
    if (info.type !== "File") return yield* new FileUnreadable({ file, problem: kinds[info.type] ?? "it is no file" })
    const bytes = yield* fs.readFile(path)
    return bytes.byteLength > maxBytes ? yield* new FileTooLarge({ file, maxBytes }) : bytes
  })
  return yield* Effect.catchTag(
    read,
    "PlatformError",
    (error) =>
      Effect.fail(
        error.reason._tag === "NotFound"
          ? new FileMissing({ file })
          : new FileUnreadable({ file, problem: problem(error) })
      )
  )
})

const kinds: { readonly [type: string]: string } = {
  CharacterDevice: "it is a device",
  BlockDevice: "it is a device",
  Socket: "it is a socket"
}

/**
 * A named pipe, such as the `<(command)` of shells. Read like a file it would hold a thread until somebody writes, and
 * with it Ctrl-C.
 */
const pipe = (file: string, path: string) =>
  NodeStream.fromReadable({
    evaluate: () =>
      new Net.Socket({
        fd: NodeFS.openSync(path, NodeFS.constants.O_RDONLY | NodeFS.constants.O_NONBLOCK),
        writable: false
      }),
    onError: () => new FileUnreadable({ file, problem: "the pipe broke" })
  })

const readStdin = Effect.fnUntraced(function*(maxBytes: number) {
  const { stdin: input } = yield* Stdio.Stdio
  return yield* Effect.catchTag(
    collect(input, stdin, maxBytes),
    "PlatformError",
    (error) => Effect.fail(new FileUnreadable({ file: stdin, problem: problem(error) }))
  )
})

const collect = Effect.fnUntraced(function*<E>(input: Stream.Stream<Uint8Array, E>, file: string, maxBytes: number) {
  const chunks: Array<Uint8Array> = []
  let size = 0
  yield* Stream.runForEach(input, (chunk) => {
    size += chunk.byteLength
    chunks.push(chunk)
    return size > maxBytes ? Effect.fail(new FileTooLarge({ file, maxBytes })) : Effect.void
  })
  return Buffer.concat(chunks)
})
