/**
 * Measuring in one process, interleaved: every contender gets a turn in every round, so that a slow moment
 * of the machine hits all of them. Medians are reported; ratios are what to read.
 *
 * No collection is forced between rounds: it throws optimized code away, and short rounds would then measure
 * the compiler (seen: 11 us a call instead of 8).
 */
export interface Contender {
  readonly name: string
  /** Does the work `times` times. */
  readonly run: (times: number) => Promise<void> | void
}

/**
 * Microseconds one piece of work takes, by contender: the median of `rounds`. The processor's clock counts what
 * this process worked, on all its threads, and not what it waited.
 */
export const micros = async (
  contenders: ReadonlyArray<Contender>,
  options: { readonly times: number; readonly rounds: number; readonly clock?: "wall" | "processor" }
): Promise<Map<string, number>> => {
  const now = options.clock === "processor" ? processor : () => performance.now() * 1000
  const samples = new Map<string, Array<number>>(contenders.map(({ name }) => [name, []]))
  for (const { run } of contenders) await run(options.times)
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, run } of contenders) {
      const start = now()
      await run(options.times)
      samples.get(name)?.push((now() - start) / options.times)
    }
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]))
}

const processor = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}

export const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
