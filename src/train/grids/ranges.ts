/**
 * The range of an activation, as a moving mean over training (Jacob et al. 2018, section 3.1). A state holds three
 * moving means that all start at zero: of the batch's minimum, of its maximum, and of 1. The range is the first two
 * divided by the third, which takes the zeros out again (Kingma and Ba 2015, section 3): after the first batch it is that
 * batch's own, and a third of 0 says that none was seen. Means of such states, as workers make them, are such states.
 */

import { int } from '../../ir/attrs.js'
import type { Builder } from '../../ir/builder.js'
import { i64, scalar } from '../../ir/tensor.js'

/** How much of a range stays at each step; PyTorch's MovingAverageMinMaxObserver takes 0.01 of the batch too. */
const KEPT = 0.99

/** What a state holds before the first step. */
export const NOTHING_SEEN: readonly number[] = [0, 0, 0]

/** Means (minimum, maximum, 1) of a batch; 0 is within every range. */
export function batchRange(b: Builder, x: string): string {
  const end = (op: 'Max' | 'Min'): string =>
    b.op('Reshape', [b.op(op, [b.op(`Reduce${op}`, [x], { attrs: { keepdims: int(0) } }), b.number(0)]), one(b)])
  return b.op('Concat', [end('Min'), end('Max'), b.constant(b.tensor([1], [1]), 'one')], { attrs: { axis: int(0) } })
}

/** The state after a batch. */
export const movedRange = (b: Builder, state: string, batch: string): string =>
  b.op('Add', [b.op('Mul', [state, b.number(KEPT)]), b.op('Mul', [batch, b.number(1 - KEPT)])])

/** The state, or the batch's own range where the state has seen none. */
export const knownRange = (b: Builder, state: string, batch: string): string =>
  b.op('Where', [b.op('Greater', [part(b, state, 2), b.number(0)]), state, batch])

export interface OnRange {
  /** What lies outside the range is at its ends. */
  readonly clipped: string
  readonly rounded: string
}

/** s = (max − min) / 255 and z = round(−min / s), so that 0 is on the grid: s · (clip(round(x / s) + z, 0, 255) − z). */
export function onRange(b: Builder, x: string, state: string): OnRange {
  const seen = part(b, state, 2)
  const low = b.op('Div', [part(b, state, 0), seen])
  const high = b.op('Div', [part(b, state, 1), seen])
  const step = b.op('Div', [b.op('Sub', [high, low]), b.number(255)])
  const safe = b.op('Where', [b.op('Equal', [step, b.number(0)]), b.number(1), step])
  const zero = b.op('Round', [b.op('Div', [b.op('Neg', [low]), safe])])
  const least = b.op('Mul', [b.op('Neg', [zero]), safe])
  const most = b.op('Mul', [b.op('Sub', [b.number(255), zero]), safe])
  const clipped = b.op('Clip', [x, least, most])
  return { clipped, rounded: b.op('Mul', [b.op('Round', [b.op('Div', [clipped, safe])]), safe]) }
}

const part = (b: Builder, state: string, index: number): string =>
  b.op('Gather', [state, b.constant(scalar(index, 'int64'), 'index')])

const one = (b: Builder): string => b.constant(i64([1], [1]), 'shape')
