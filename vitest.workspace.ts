import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

// One project a package. The source condition lets tests, examples and doc examples run on
// TypeScript sources, so no build stands between an edit and a test.
const conditions = ["@effect-dspy/source"]

const project = (name: string, root: string) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { name, root, include: ["test/**/*.test.ts"], testTimeout: 60_000 }
})

const examples = project("examples", "examples")

export default defineConfig({
  test: {
    // One core less than there are is vitest's own choice, and on two cores half of them.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      project("core", "packages/core"),
      project("providers", "packages/providers"),
      project("pipelines", "packages/pipelines"),
      // Its tests start processes, which take their time where the machine is busy.
      { ...examples, test: { ...examples.test, testTimeout: 120_000 } },
      // Doc examples share nothing that one could spoil for another; a worker for each would take a minute.
      { ...project("docs", "."), test: { name: "docs", root: ".", include: [".doctest/**/*.test.ts"], isolate: false } }
    ]
  }
})
