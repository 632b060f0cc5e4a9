/**
 * Slopes of the loss of each sample by gates on units: with a factor z on all weights that read a unit, ∂L/∂z at z = 1 is
 * Σ w ∂L/∂w over these weights, and z = 0 is the unit cut out.
 */

import { int } from '../../../ir/attrs.js'
import { isFloat } from '../../../ir/dtypes.js'
import { i64, numbers } from '../../../ir/tensor.js'
import type { Model } from '../../../ir/types.js'
import { withoutDropout } from '../../../train/dropout.js'
import { prepared } from '../../../train/prepare.js'
import { PareError } from '../../../util/errors.js'
import type { Group, Slice } from '../groups.js'
import type { ScoreContext } from './score.js'
import { areSlopes, type Emit, walkSlopes } from './walk-slopes.js'

/** Means over samples, by group, in the order of its units. */
export interface Slopes {
  /** mean |∂L/∂z| */
  readonly sizes: ReadonlyMap<Group, Float64Array>
  /** mean (∂L/∂z)² */
  readonly squares: ReadonlyMap<Group, Float64Array>
}

/**
 * Of units, by `walkSlopes`. Throws as that, and `PRUNE_SCORE` where the weights that read units are no floats of the main
 * graph.
 */
export async function slopesOf(groups: readonly Group[], context: ScoreContext): Promise<Slopes> {
  const plain = withoutDropout(await prepared(context.model))
  const readers = readersOf(groups, plain)
  if (readers.length === 0) return { sizes: noneOf(groups), squares: noneOf(groups) }
  const sums = groups.map(({ units }) => ({
    sizes: new Float64Array(units.length),
    squares: new Float64Array(units.length),
  }))
  const trainable = [...new Set(readers.map(({ constant }) => constant))]
  const count = await walkSlopes(
    { plain, trainable, task: 'slopes by units' },
    context,
    slopesByAxis(readers),
    (slopes) => {
      if (!areSlopes(slopes.values())) return false
      for (const [g, { units }] of groups.entries()) {
        for (const [u, { slices }] of units.entries()) {
          const s = slices.reduce((sum, slice) => sum + sumOf(slopes.get(keyOf(slice)), slice), 0)
          sums[g]!.sizes[u]! += Math.abs(s)
          sums[g]!.squares[u]! += s ** 2
        }
      }
      return true
    },
  )
  const mean = (what: 'sizes' | 'squares') => new Map(groups.map((g, i) => [g, sums[i]![what].map((v) => v / count)]))
  return { sizes: mean('sizes'), squares: mean('squares') }
}

const noneOf = (groups: readonly Group[]) => new Map(groups.map((g) => [g, new Float64Array(g.units.length)]))

const keyOf = ({ constant, axis }: Slice): string => `${axis}:${constant}`

const sumOf = (values: ArrayLike<number> | undefined, { indices }: Slice): number =>
  values === undefined ? 0 : indices.reduce((sum, k) => sum + values[k]!, 0)

/** A weight, and an axis along which it reads units. */
interface Reader {
  readonly constant: string
  readonly axis: number
  readonly size: number
}

function readersOf(groups: readonly Group[], { graph }: Model): readonly Reader[] {
  const found = new Map<string, Reader>()
  for (const group of groups) {
    const own = group.units[0]!.slices.filter(({ role }) => role === 'contraction')
    for (const slice of own) {
      const t = graph.constants.get(slice.constant)
      if (t !== undefined && isFloat(t.dtype))
        found.set(keyOf(slice), { constant: slice.constant, axis: slice.axis, size: t.shape[slice.axis]! })
    }
    // What nothing reads is worth nothing.
    if (own.length === 0 || own.some((slice) => found.has(keyOf(slice)))) continue
    throw new PareError('PRUNE_SCORE', 'no float weights read these units, by which a loss could be differentiated', {
      where: group.name,
      remedy: 'Choose a score that takes no gradients, or exclude the layer.',
    })
  }
  return [...found.values()]
}

/** Of each weight, by the axis along which it reads units: Σ w ∂L/∂w over the others. */
const slopesByAxis =
  (readers: readonly Reader[]): Emit<ReadonlyMap<string, ArrayLike<number>>> =>
  (b, gradients, { graph }) => {
    const known = readers.filter(({ constant }) => gradients.has(constant))
    const parts = known.map(({ constant, axis }) => {
      const { shape } = graph.constants.get(constant)!
      const others = shape.flatMap((_, i) => (i === axis ? [] : [i]))
      const product = b.op('Mul', [constant, gradients.get(constant)!])
      return others.length === 0
        ? product
        : b.op('ReduceSum', [product, b.constant(i64([others.length], others), 'axes')], {
            attrs: { keepdims: int(0) },
          })
    })
    const output = b.op('Concat', parts, { attrs: { axis: int(0) }, outputs: [b.fresh('slopes')] })
    return {
      outputs: [output],
      read(results) {
        const values = numbers(results[output]!)
        let from = 0
        return new Map(
          known.map((reader) => {
            from += reader.size
            return [
              `${reader.axis}:${reader.constant}`,
              Array.from({ length: reader.size }, (_, k) => values[from - reader.size + k]!),
            ]
          }),
        )
      },
    }
  }
