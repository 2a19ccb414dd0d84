/**
 * The fields of one pipeline run: write-once cells that steps wait for.
 *
 * The first value of a field stays; later ones are ignored, so a field that was handed out early cannot change under
 * the steps that already use it. A field may also turn out not to come, and then nobody waits for it. A step that finds
 * all its fields settled goes on without suspending.
 */
import * as Effect from "effect/Effect"

/** Values by field. */
export type Values = { readonly [field: string]: unknown }

/**
 * The fields of a run and those who wait for them.
 *
 * @category models
 */
export interface Cells {
  /** Writes a field, once; tells whether this was the first value. */
  readonly put: (field: string, value: unknown) => boolean
  /** Says that a field which has no value yet won't get one. */
  readonly leaveOut: (field: string) => void
  /** Waits until every one of `fields` has a value or is left out. */
  readonly all: (fields: ReadonlyArray<string>) => Effect.Effect<void>
  /** The values there are of `fields`, in this order. */
  readonly pick: (fields: ReadonlyArray<string>) => Values
}

/**
 * Cells that hold `initial` from the start.
 *
 * @category constructors
 */
export const make = (initial: Values): Cells => {
  const values = new Map(Object.entries(initial))
  const leftOut = new Set<string>()
  const waiting = new Map<string, Array<() => void>>()
  const wake = (field: string) => {
    const woken = waiting.get(field)
    waiting.delete(field)
    woken?.forEach((resume) => resume())
  }
  return {
    put: (field, value) => {
      if (values.has(field)) return false
      values.set(field, value)
      wake(field)
      return true
    },
    leaveOut: (field) => {
      if (values.has(field)) return
      leftOut.add(field)
      wake(field)
    },
    all: (fields) =>
      Effect.suspend(() => {
        const open = fields.filter((field) => !values.has(field) && !leftOut.has(field))
        if (open.length === 0) return Effect.void
        return Effect.callback<void>((resume) => {
          let left = open.length
          for (const field of open) {
            const wakes = waiting.get(field) ?? []
            waiting.set(field, wakes)
            wakes.push(() => {
              if (--left === 0) resume(Effect.void)
            })
          }
        })
      }),
    pick: (fields) => {
      const picked: { [field: string]: unknown } = {}
      for (const field of fields) if (values.has(field)) picked[field] = values.get(field)
      return picked
    }
  }
}
