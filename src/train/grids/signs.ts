/** Weights of two or three values: as nodes for the forward pass, and as they are handed back. */

import { type SignGrid, onSigns as signs, THRESHOLD } from '../../grids/signs.js'
import { int } from '../../ir/attrs.js'
import type { Builder } from '../../ir/builder.js'
import { floatTensor, numbers } from '../../ir/tensor.js'
import type { Graph, Tensor } from '../../ir/types.js'
import { list } from './integers.js'
import { signedWeights } from './weighted.js'

/**
 * The formulas of `onSigns` in `grids/signs.ts`. Gradients go straight through to all weights, as those of TWN do. XNOR-Net
 * lets them through where |w| ≤ 1 and through α too, which on MNIST changed less than the seed does (two MLPs with binary
 * weights, three seeds); so did a bound at the mean |w| or at twice that (these and a CNN).
 */
export function onSigns(b: Builder, w: string, shape: readonly number[], axis: number | null, grid: SignGrid): string {
  const others = list(
    b,
    shape.flatMap((_, i) => (i === axis ? [] : [i])),
  )
  const sizes = b.op('Abs', [w])
  const reduced = (op: string, x: string): string => b.op(op, [x, others], { attrs: { keepdims: int(1) } })
  const mean = reduced('ReduceMean', sizes)
  const zero = b.number(0)
  const signed = (scale: string): string => b.op('Where', [b.op('Less', [w, zero]), b.op('Neg', [scale]), scale])
  if (grid === 'binary') return signed(mean)
  const isLarge = b.op('Greater', [sizes, b.op('Mul', [mean, b.number(THRESHOLD)])])
  const ones = b.op('Where', [isLarge, b.number(1), zero])
  const count = b.op('Max', [reduced('ReduceSum', ones), b.number(1)])
  const scale = b.op('Div', [reduced('ReduceSum', b.op('Mul', [sizes, ones])), count])
  return b.op('Where', [isLarge, signed(scale), zero])
}

/** The weights with those that a grid of signs holds on that grid. */
export function weightsOnSigns(
  graph: Graph,
  grid: SignGrid,
  weights: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  const held = signedWeights(graph, [...weights.keys()])
  return new Map(
    [...weights].map(([name, t]) => {
      const axis = held.get(name)
      return [name, axis === undefined ? t : floatTensor(t.dtype, t.shape, signs(numbers(t), t.shape, axis, grid))]
    }),
  )
}
