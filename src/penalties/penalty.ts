/** What a penalty is: a cost on weights that pulls them to zero, for networks and linear models alike. */

import type { Builder } from '../ir/builder.js'

/** A weight as a value of a graph. */
export interface GraphWeight {
  readonly name: string
  readonly shape: readonly number[]
  /** The axis of its output channels: a group is what shares an index there. */
  readonly channelAxis: number
}

export interface Penalty {
  readonly name: string
  /** Proximal steps (learning rates) must be below this, or their answer is not unique. Default: any will do. */
  readonly maxStep?: number
  /** What these weights cost; with `groupSize` they are groups of so many, one after the other. */
  value(weights: Float64Array, groupSize?: number): number
  /**
   * argmin over z of ‖z − w‖² / 2 + step · penalty(z), in place. Separable penalties take any number of weights; the
   * others one group.
   */
  prox(weights: Float64Array, step: number): void
  /** The value as a scalar in a training graph. */
  emit(b: Builder, weight: GraphWeight): string
  /** The proximal step in a training graph, so that exact zeros appear; `step` is a scalar value. */
  emitProx(b: Builder, weight: GraphWeight, step: string): string
}

/** Σ over all elements, a scalar. */
export const sum = (b: Builder, x: string): string =>
  b.op('ReduceSum', [x], { attrs: { keepdims: { type: 'int', value: 0n } } })

/** w moved towards zero by t, and to zero where it is nearer: sign(w) max(|w| − t, 0). */
export const softThreshold = (w: number, t: number): number => Math.sign(w) * Math.max(Math.abs(w) - t, 0)

/** The same in a graph: max(w − t, 0) − max(−w − t, 0), exact zeros within the threshold. */
export function emitSoftThreshold(b: Builder, w: string, t: string): string {
  const over = b.op('Relu', [b.op('Sub', [w, t])])
  const under = b.op('Relu', [b.op('Sub', [b.op('Neg', [w]), t])])
  return b.op('Sub', [over, under])
}
