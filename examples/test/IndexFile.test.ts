/**
 * An index in a file, on a real file system.
 */
import { Retriever, VectorIndex } from "@effect-dspy/core"
import * as IndexFile from "@effect-dspy/core/IndexFile"
import { OfflineEmbeddings } from "@effect-dspy/providers/offline"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"

const documents = [
  { id: "tides", text: "The sea rises and falls twice a day.", metadata: { page: 1 } },
  { id: "bread", text: "Knead flour, water and salt, and let the dough rest." }
]

const live = Layer.merge(NodeFileSystem.layer, OfflineEmbeddings.layer())

const inFolder = <A, E, R>(use: (folder: string, files: FileSystem.FileSystem) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    return yield* use(yield* files.makeTempDirectoryScoped(), files)
  }).pipe(Effect.scoped, Effect.provide(live))

describe("IndexFile", () => {
  it.live("gives back what was saved, and the same passages", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const index = yield* Retriever.index(documents)
        yield* IndexFile.save(`${folder}/a.index`, index)
        assert.deepStrictEqual(yield* IndexFile.load(`${folder}/a.index`), index)
        const search = (from: Effect.Effect<VectorIndex.VectorIndex>) =>
          Effect.provide(Retriever.retrieve("When does the sea rise?"), Retriever.layer(from))
        const loaded = yield* IndexFile.load(`${folder}/a.index`)
        assert.deepStrictEqual(yield* search(Effect.succeed(loaded)), yield* search(Effect.succeed(index)))
      })
    ))

  it.live("is one file, replaced as a whole, with nothing left beside it", () =>
    inFolder((folder, files) =>
      Effect.gen(function*() {
        const path = `${folder}/a.index`
        yield* IndexFile.save(path, yield* Retriever.index(documents))
        yield* IndexFile.save(path, yield* Retriever.index(documents.slice(1)))
        assert.deepStrictEqual((yield* IndexFile.load(path)).documents, documents.slice(1))
        assert.deepStrictEqual(yield* files.readDirectory(folder), ["a.index"])
      })
    ))

  it.live("fails by name where there is no file, none that can be read, and nowhere to write", () =>
    inFolder((folder, files) =>
      Effect.gen(function*() {
        const path = `${folder}/a.index`
        assert.strictEqual((yield* Effect.flip(IndexFile.load(path)))._tag, "PlatformError")
        const index = yield* Retriever.index(documents)
        yield* files.writeFile(path, VectorIndex.toBytes(index).subarray(0, 100))
        assert.strictEqual((yield* Effect.flip(IndexFile.load(path)))._tag, "IndexUnreadable")
        assert.strictEqual((yield* Effect.flip(IndexFile.save(`${folder}/no/a.index`, index)))._tag, "PlatformError")
        // A folder cannot be replaced by a file: the half that was written is taken away again.
        yield* files.makeDirectory(`${folder}/folder/inside`, { recursive: true })
        yield* Effect.flip(IndexFile.save(`${folder}/folder`, index))
        assert.sameMembers(Array.from(yield* files.readDirectory(folder)), ["a.index", "folder"])
      })
    ))
})
