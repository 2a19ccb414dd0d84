/**
 * What a reader of a streamed predictor call hears: its fields, as they are written.
 *
 * `Predict.stream` gives these events. A `Field` has passed its decoder and is final, whatever happens later;
 * a `Restart` voids the deltas and elements of all other fields.
 */

/**
 * More of a text field. Joined, the deltas since the last `Restart` are a prefix of the field's value.
 *
 * @category models
 */
export interface Delta<O> {
  readonly _tag: "Delta"
  readonly field: keyof O & string
  readonly text: string
}

/**
 * One element of a list field, complete and in its JSON form. The list as a whole is decoded when it is a `Field`.
 *
 * @category models
 */
export interface Element<O> {
  readonly _tag: "Element"
  readonly field: keyof O & string
  readonly index: number
  readonly value: unknown
}

/**
 * A complete field.
 *
 * @category models
 */
export type Field<O> = {
  readonly [K in keyof O & string]: { readonly _tag: "Field"; readonly field: K; readonly value: O[K] }
}[keyof O & string]

/**
 * Another reply begins, because the one before broke off or could not be used. `attempt` counts from 1, so the
 * first restart is 2.
 *
 * @category models
 */
export interface Restart {
  readonly _tag: "Restart"
  readonly attempt: number
  readonly reason: string
}

/**
 * The whole output, once, at the end.
 *
 * @category models
 */
export interface Done<O> {
  readonly _tag: "Done"
  readonly output: O
}

/**
 * One event of a streamed predictor call with output `O`.
 *
 * @category models
 */
export type FieldEvent<O> = Delta<O> | Element<O> | Field<O> | Restart | Done<O>
