/**
 * Measuring in one process, interleaved: every contender gets a turn in every round, so that a slow moment
 * of the machine hits all of them. Medians are reported; ratios are what to read.
 */
import * as process from "node:process"

export interface Contender {
  readonly name: string
  /** Does the work `times` times. */
  readonly run: (times: number) => Promise<void> | void
}

/** Microseconds of CPU for one piece of work, by contender: the median of `rounds`. */
export const cpuMicros = async (
  contenders: ReadonlyArray<Contender>,
  options: { readonly times: number; readonly rounds: number }
): Promise<Map<string, number>> => {
  const samples = new Map<string, Array<number>>(contenders.map(({ name }) => [name, []]))
  for (const { run } of contenders) await run(options.times)
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, run } of contenders) {
      globalThis.gc?.()
      const start = process.cpuUsage()
      await run(options.times)
      const { system, user } = process.cpuUsage(start)
      samples.get(name)?.push((user + system) / options.times)
    }
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]))
}

export const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
