/**
 * From command-line arguments to documents, and from a document to its text.
 *
 * Arguments are expanded before anything runs: a directory means its text files, a pattern what it
 * matches, `-` standard input. Texts are read when their turn comes, so memory holds only those in flight.
 */
import { Effect, FileSystem, Path, Result, Stdio, Stream } from "effect"
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

const documents = "**/*.{md,markdown,txt}"

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
  const found = (name: string): Source => ({ name, path: Result.succeed(paths.resolve(base, name)) })
  const info = yield* Effect.result(fs.stat(paths.resolve(base, arg)))
  if (Result.isSuccess(info)) {
    if (info.success.type !== "Directory") return [found(arg)]
    const names = yield* matches(documents, paths.resolve(base, arg), ["**/node_modules/**"])
    if (names.length === 0) return [failed(new FolderEmpty({ file: arg }))]
    return names.map((name) => found(paths.join(arg, name)))
  } else if (info.failure.reason._tag !== "NotFound") {
    return [failed(new FileUnreadable({ file: arg, problem: info.failure.reason._tag }))]
  } else if (isDynamicPattern(arg)) {
    const names = yield* matches(arg, base, [])
    if (names.length > 0) return names.map(found)
  }
  return [failed(new FileMissing({ file: arg }))]
})

const failed = (error: FileError): Source => ({ name: error.file, path: Result.fail(error) })

const matches = (pattern: string, cwd: string, ignore: ReadonlyArray<string>) =>
  Effect.map(
    Effect.promise(() =>
      glob(pattern, { cwd, ignore: [...ignore], dot: false, caseSensitiveMatch: false, expandDirectories: false })
    ),
    (names) => names.toSorted()
  )

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
    // A device has no end; a pipe has one, and says its size only when it has been read.
    if (info.type === "CharacterDevice") return yield* new FileUnreadable({ file, problem: "it is a device" })
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
          : new FileUnreadable({ file, problem: error.reason._tag })
      )
  )
})

const readStdin = Effect.fnUntraced(function*(maxBytes: number) {
  const { stdin: input } = yield* Stdio.Stdio
  const chunks: Array<Uint8Array> = []
  let size = 0
  yield* input.pipe(
    Stream.runForEach((chunk) => {
      size += chunk.byteLength
      chunks.push(chunk)
      return size > maxBytes ? Effect.fail(new FileTooLarge({ file: stdin, maxBytes })) : Effect.void
    }),
    Effect.catchTag(
      "PlatformError",
      (error) => Effect.fail(new FileUnreadable({ file: stdin, problem: error.reason._tag }))
    )
  )
  return Buffer.concat(chunks)
})
