/** Products that tell which rows are near: what goes into them, and their graphs. */

import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { codeOfDType } from '../ir/dtypes.js'
import { tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'

/** Rows about their means, in units of the largest number: [count, columns]. */
export interface ScaledRows {
  readonly data: Float32Array
  readonly count: number
  readonly columns: number
}

/** (2x, −1) of some rows; with (y, |y|²) that gives 2 x·y − |y|², which is |x|² less the square distance. */
export function queriesOf({ data, columns }: ScaledRows, which: ArrayLike<number>): Float32Array {
  const out = new Float32Array(which.length * (columns + 1))
  for (let k = 0, at = 0; k < which.length; k++) {
    for (let d = 0; d < columns; d++) out[at++] = 2 * data[which[k]! * columns + d]!
    out[at++] = -1
  }
  return out
}

/** [columns + 1, targets] */
export function targetsOf({ data, columns }: ScaledRows, which: ArrayLike<number>): Float32Array {
  const many = which.length
  const out = new Float32Array((columns + 1) * many)
  for (let k = 0; k < many; k++) {
    let square = 0
    for (let d = 0; d < columns; d++) {
      const v = data[which[k]! * columns + d]!
      out[d * many + k] = v
      square += v * v
    }
    out[columns * many + k] = square
  }
  return out
}

const asInt32 = { to: int(codeOfDType('int32')) }

/** `rows` [H, columns + 1] times `targets` [columns + 1, T], which are in the graph or fed. */
function scoring(columns: number, targets: ScaledRows | null) {
  const b = builder(['rows', 'targets', 'nearest'], 'float32')
  b.input('rows', { kind: 'tensor', dtype: 'float32', shape: ['H', columns + 1] })
  if (targets === null) b.input('targets', { kind: 'tensor', dtype: 'float32', shape: [columns + 1, 'T'] })
  const right =
    targets === null
      ? 'targets'
      : b.constant(
          tensor('float32', [columns + 1, targets.count], targetsOf(targets, [...Array(targets.count).keys()])),
        )
  return { b, scores: b.op('MatMul', ['rows', right]) }
}

/** The `candidates` nearest targets of each row, the nearest first: `nearest` [H, candidates]. */
export function nearestModel(columns: number, candidates: number, targets: ScaledRows | null = null): Model {
  const { b, scores } = scoring(columns, targets)
  const most = b.constant(tensor('int64', [1], BigInt64Array.of(BigInt(candidates))))
  const [, which] = b.ops('TopK', [scores, most], { outputs: 2 })
  b.ops('Cast', [which!], { outputs: ['nearest'], attrs: asInt32 })
  b.output('nearest', { kind: 'tensor', dtype: 'int32', shape: ['H', candidates] })
  return modelOf(b.graph('nearest'), { '': 21 })
}

/** The nearest target of each row: `nearest` [H]. */
export function assignModel(columns: number): Model {
  const { b, scores } = scoring(columns, null)
  const which = b.op('ArgMax', [scores], { attrs: { axis: int(1), keepdims: int(0) } })
  b.ops('Cast', [which], { outputs: ['nearest'], attrs: asInt32 })
  b.output('nearest', { kind: 'tensor', dtype: 'int32', shape: ['H'] })
  return modelOf(b.graph('assign'), { '': 21 })
}
