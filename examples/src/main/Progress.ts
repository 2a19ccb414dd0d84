/**
 * A progress bar on standard error, and only where somebody watches: on a terminal.
 */
import cliProgress from "cli-progress"

export interface Progress {
  readonly advance: (failed: number) => void
  readonly stop: () => void
}

export const make = (total: number, stream: NodeJS.WriteStream): Progress => {
  if (!stream.isTTY) return { advance: () => {}, stop: () => {} }
  const bar = new cliProgress.SingleBar({
    format: "{bar} {value}/{total} documents, {failed} failed, {eta_formatted} left",
    stream,
    hideCursor: true,
    clearOnComplete: true,
    // The job ends its bar itself, also after Ctrl-C.
    gracefulExit: false
  }, cliProgress.Presets.shades_classic)
  bar.start(total, 0, { failed: 0 })
  return {
    advance: (failed) => bar.increment({ failed }),
    stop: () => bar.stop()
  }
}
