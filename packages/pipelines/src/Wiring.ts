/**
 * What the compiler knows of a pipeline: which fields its steps take and give, and whether they fit.
 *
 * Pure types. `Check` is `unknown` for a record of steps that can be wired; otherwise it is an object
 * whose key says what is wrong and whose value names the fields, which is what the error message shows.
 */
import type * as Step from "@effect-dspy/core/Step"
import type * as Effect from "effect/Effect"

/** A record of steps by the name they have in the pipeline. */
export type Steps = { readonly [name: string]: Step.Any }

type In<S> = S extends (input: infer I) => unknown ? I : never
type Out<S> = S extends (input: never) => Effect.Effect<infer O, infer _E, infer _R> ? O : never

/** Every error a step of the pipeline can fail with. */
export type Errors<S> = S extends (input: never) => Effect.Effect<infer _O, infer E, infer _R> ? E : never

/** Every service a step of the pipeline needs. */
export type Services<S> = S extends (input: never) => Effect.Effect<infer _O, infer _E, infer R> ? R : never

type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never

/** Property by property, so that hovers show fields instead of operators. */
export type Simplify<T> = { readonly [K in keyof T]: T[K] } & {}

/** All fields the steps give, in one record. */
export type AllOut<S extends Steps> = [keyof S] extends [never] ? unknown
  : UnionToIntersection<{ [K in keyof S]: Out<S[K]> }[keyof S]>

/** Steps whose input is satisfied by what is available. */
type Ready<S extends Steps, Available> = { [K in keyof S]: Available extends In<S[K]> ? K : never }[keyof S]

/** Rounds of ready steps, until none is left or none is ready; what remains can't be wired. */
type Resolve<S extends Steps, Available> = [keyof S] extends [never] ? never
  : [Ready<S, Available>] extends [never] ? S
  : Resolve<
    Omit<S, Ready<S, Available>>,
    Available & UnionToIntersection<{ [K in Ready<S, Available>]: Out<S[K]> }[Ready<S, Available>]>
  >

/** Required fields of `Wanted` that nobody gives with a fitting type. */
type Missing<Wanted, Given> = {
  [K in keyof Wanted]-?: K extends keyof Given ? Given[K] extends Wanted[K] ? never : K
    : undefined extends Wanted[K] ? never
    : K
}[keyof Wanted]

/** Fields that are given twice: by two steps, or by a step and the pipeline's own input. */
type Doubled<S extends Steps, I> = {
  [K in keyof S]: keyof Out<S[K]> & (keyof I | { [L in Exclude<keyof S, K>]: keyof Out<S[L]> }[Exclude<keyof S, K>])
}[keyof S]

type Unwired<S extends Steps, Given> = {
  readonly [K in keyof S]: {
    readonly "these input fields are never produced, mistyped, or part of a cycle": [Missing<In<S[K]>, Given>] extends
      [never] ? "cycle"
      : Missing<In<S[K]>, Given>
  }
}

/**
 * The wiring check. A record that is not known key by key (`string extends keyof S`) passes: while the
 * compiler infers a call written inline in `steps`, that is what it looks at.
 */
export type Check<S extends Steps, I> = string extends keyof S ? unknown
  : [Doubled<S, I>] extends [never] ? Resolve<S, I> extends infer Left ? [Left] extends [never] ? unknown
      : Left extends Steps ? Unwired<Left, I & AllOut<S>>
      : unknown
    : never
  : { readonly "produced by more than one step": Doubled<S, I> }
