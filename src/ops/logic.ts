/** Comparisons, logic and selection by a condition. On content a condition is 0 or 1, and a symbol is a size ≥ 0. */

import type { Dim, DType } from '../ir/types.js'
import { broadcastAxes } from './axes/tools.js'
import { type OpDef, shapeOf } from './def.js'
import { whereGrad } from './gradients/arithmetic.js'
import { binary, commonDType, def, fact, move, unary, zipContent } from './make.js'
import { broadcast, fits, sameDim, whereOf } from './shapes.js'

/** What the order of two elements is: negative, 0 or positive; null where unknown. */
function compare(a: Dim, b: Dim, dtype: DType): number | null {
  if (typeof a === 'number' && typeof b === 'number') {
    // Integers beyond 2^53 are rounded: two that look equal may differ.
    return Number.isNaN(a - b) || (a === b && !fits(a, dtype)) ? null : a - b
  }
  if (sameDim(a, b)) return 0
  if (typeof a === 'string' && typeof b === 'number' && b < 0) return 1
  if (typeof b === 'string' && typeof a === 'number' && a < 0) return -1
  return null
}

const comparison = (op: string, since: number, holds: (order: number) => boolean): OpDef =>
  binary(op, since, {
    dtype: 'bool',
    quant: 'none',
    grad: 'flat',
    fold: (a, b, dtype) => {
      const order = compare(a, b, dtype)
      return order === null ? null : Number(holds(order))
    },
  })

const connective = (op: string, fold: (a: Dim, b: Dim) => Dim): OpDef =>
  binary(op, 1, { dtype: 'bool', quant: 'none', grad: 'flat', fold })

const choose = (condition: Dim, x: Dim, y: Dim): Dim =>
  condition === 1 ? x : condition === 0 ? y : sameDim(x, y) ? x : null

export const logic: readonly OpDef[] = [
  comparison('Equal', 1, (order) => order === 0),
  comparison('Greater', 1, (order) => order > 0),
  comparison('GreaterOrEqual', 12, (order) => order >= 0),
  comparison('Less', 1, (order) => order < 0),
  comparison('LessOrEqual', 12, (order) => order <= 0),
  connective('And', (a, b) => (a === 0 || b === 0 ? 0 : a === 1 && b === 1 ? 1 : null)),
  connective('Or', (a, b) => (a === 1 || b === 1 ? 1 : a === 0 && b === 0 ? 0 : null)),
  connective('Xor', (a, b) => (a === null || b === null ? null : Number(a !== b))),
  unary('Not', 1, { dtype: 'bool', quant: 'none', grad: 'flat', fold: (x) => 1 - x }),
  def('Where', 9, {
    inputs: ['condition', 'X', 'Y'],
    outputs: ['output'],
    quant: move(1, 2),
    grad: whereGrad,
    axes: broadcastAxes(),
    infer: (call) => {
      const shape = broadcast(
        [0, 1, 2].map((i) => shapeOf(call.inputs[i])),
        whereOf(call),
      )
      return [
        fact(
          commonDType(call, [1, 2]),
          shape,
          zipContent(call, [0, 1, 2], (c, x, y) => choose(c!, x!, y!)),
        ),
      ]
    },
  }),
  unary('IsNaN', 9, { dtype: 'bool', quant: 'none', grad: 'flat' }),
  unary('IsInf', 10, {
    attrs: { detect_negative: 'int', detect_positive: 'int' },
    dtype: 'bool',
    quant: 'none',
    grad: 'flat',
  }),
]
