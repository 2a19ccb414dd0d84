/**
 * How an LM is given another behaviour: a function from LM to LM.
 *
 * Decorators are written over the service, where they are a few lines and testable on their own, and
 * lifted twice: `decorate` makes a layer function for `.pipe`, `using` applies one to a part of a program.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import type * as Scope from "effect/Scope"
import { LM, type Service } from "./Tag.ts"

/**
 * Building one may need services or fail; its state (a semaphore, a window) lives as long as the layer.
 *
 * @category models
 */
export interface Decorator<out E = never, out R = never> {
  (lm: Service): Effect.Effect<Service, E, R>
}

/**
 * A function over layers that contain an LM; their other services pass through.
 *
 * @category models
 */
export interface LayerFunction<out E2 = never, out R2 = never> {
  <A, E, R>(self: Layer.Layer<A | LM, E, R>): Layer.Layer<A | LM, E | E2, R | R2>
}

/**
 * Lifts a decorator to layers.
 *
 * @category combinators
 */
export const decorate =
  <E2, R2>(decorator: Decorator<E2, R2>): LayerFunction<E2, Exclude<R2, Scope.Scope>> =>
  <A, E, R>(self: Layer.Layer<A | LM, E, R>) =>
    Layer.effect(LM, Effect.flatMap(LM, decorator)).pipe(Layer.provideMerge(self))

/**
 * Applies a decorator to a part of a program, over the LM that is in scope there.
 *
 * @category combinators
 */
export const using =
  <E2, R2>(decorator: Decorator<E2, R2>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R | R2 | LM> =>
    Effect.flatMap(LM, (lm) => Effect.flatMap(decorator(lm), (decorated) => Effect.provideService(self, LM, decorated)))

/**
 * The LM of a layer, built in the scope and memo of the running program: for decorators that hold other models.
 *
 * @category constructors
 */
export const build = <E, R>(layer: Layer.Layer<LM, E, R>): Effect.Effect<Service, E, R | Scope.Scope> =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, LM))

/**
 * Layers with an LM in each, by name.
 *
 * @category models
 */
export interface Layers {
  readonly [name: string]: Layer.Layer<LM, unknown, unknown>
}

/**
 * The LMs of several layers, by name.
 *
 * @category constructors
 */
export const buildAll = <const L extends Layers>(layers: L) =>
  // What a record of layers fails with and needs is the union over its members; `Effect.all` sees their common bound.
  Effect.all(Record.map(layers, build), { concurrency: 1 }) as Effect.Effect<
    { readonly [K in keyof L]: Service },
    Layer.Error<L[keyof L]>,
    Layer.Services<L[keyof L]> | Scope.Scope
  >
