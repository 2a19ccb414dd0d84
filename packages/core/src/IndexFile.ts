/**
 * A `VectorIndex` as one file, by effect's `FileSystem`: whichever platform's is provided.
 *
 * Not part of the package's main entry, because few programs need a file system: import it from
 * `@effect-dspy/core/IndexFile`.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as VectorIndex from "./VectorIndex.ts"

/**
 * Writes an index. The file appears whole or not at all: it is written beside its place and then moved there, so a
 * reader never meets half of it, not even after a crash.
 *
 * @category encoding
 */
export const save = (
  path: string,
  index: VectorIndex.VectorIndex
): Effect.Effect<void, PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const partial = `${path}.partial`
    yield* Effect.onError(
      Effect.andThen(files.writeFile(partial, VectorIndex.toBytes(index)), files.rename(partial, path)),
      () => Effect.ignore(files.remove(partial, { force: true }))
    )
  })

/**
 * Reads the index that `save` wrote.
 *
 * ```ts no-run
 * import { Retriever } from "@effect-dspy/core"
 * import * as IndexFile from "@effect-dspy/core/IndexFile"
 *
 * const Live = Retriever.layer(IndexFile.load("handbook.index"))
 * ```
 *
 * @category decoding
 */
export const load = (
  path: string
): Effect.Effect<VectorIndex.VectorIndex, PlatformError | VectorIndex.IndexUnreadable, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    return yield* Effect.fromResult(VectorIndex.fromBytes(yield* files.readFile(path)))
  })
