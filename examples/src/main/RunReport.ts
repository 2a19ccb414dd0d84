/**
 * The main job's `--report FILE`: where the time of each document went, as a page, as JSON or as Markdown.
 *
 * What makes reports is only loaded where one is wanted.
 */
import type { Report } from "@effect-dspy/pipelines/Report"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as path from "node:path"
import { UsageError } from "./UsageError.ts"

/** Watches documents, and writes down what it saw. */
export interface RunReport {
  readonly watch: (file: string) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly write: Effect.Effect<void, UsageError, FileSystem.FileSystem>
}

const kinds = [".html", ".json", ".md"] as const

/** A page or a text of more documents than this is read by nobody; JSON has all of them. */
const shown = 100

/** Watches nothing and writes nothing. */
export const none: RunReport = { watch: () => (self) => self, write: Effect.void }

/** Makes ready for a report in `file`; its name says in what form. */
export const make = Effect.fnUntraced(function*(file: string, base: string) {
  const kind = kinds.find((kind) => file.toLowerCase().endsWith(kind))
  if (kind === undefined) {
    return yield* new UsageError({ problem: `--report ${file}: the name must end in ${kinds.join(", ")}` })
  }
  const target = path.resolve(base, file)
  const fs = yield* FileSystem.FileSystem
  const unwritable = () => new UsageError({ problem: `--report ${file}: the file can't be written` })
  // Found out before anything is paid for.
  yield* Effect.mapError(fs.writeFileString(target, ""), unwritable)
  const pipelines = yield* Effect.promise(() => import("@effect-dspy/pipelines"))
  const { Pipeline, Recorder, ReportHtml, ReportText } = pipelines
  const reports: Array<Report> = []
  const texts = {
    ".json": () => `${JSON.stringify(reports)}\n`,
    ".html": () => ReportHtml.page(heading(), slowest()),
    ".md": () =>
      [
        `# ${heading()}`,
        ...slowest().map((report) =>
          `## ${report.pipeline.replaceAll(/[`<>\n\r]/g, " ")}\n\n\`\`\`\n${
            ReportText.text(report).replaceAll("```", "'''")
          }\n\`\`\`\n\n\`\`\`mermaid\n${ReportText.mermaid(report)}\n\`\`\``
        )
      ].join("\n\n") + "\n"
  }
  const slowest = () => reports.toSorted((a, b) => b.ms - a.ms).slice(0, shown)
  const heading = () =>
    reports.length > shown ? `The ${shown} slowest of ${reports.length} documents` : "Where the time went"
  return {
    watch: (name) => Recorder.observe((run) => reports.push({ ...Pipeline.report(run), pipeline: name })),
    write: Effect.suspend(() => Effect.mapError(fs.writeFileString(target, texts[kind]()), unwritable))
  } satisfies RunReport
})
