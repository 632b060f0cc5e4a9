/**
 * Soft rounding: weights are trained as levels, numbers in steps of their grid, and the staircase from levels to whole ones
 * is steep from the start and grows sharper, so that each weight decides for the lower or the upper level by what the
 * whole model does. The staircase is that of Gong et al. 2019 (Differentiable Soft Quantization, eq. 3), within one step
 *
 *   φ(x) = ½ + tanh(k (x − ½)) / (2 tanh(k / 2)),  x = u − ⌊u⌋,
 *
 * and k grows by the same factor at each step of the optimizer.
 */

import { joined } from '../../autodiff/gradient.js'
import { roundEven } from '../../grids/affine.js'
import { type Builder, builder, type FloatType } from '../../ir/builder.js'
import { renameReads } from '../../ir/edits.js'
import { allNames } from '../../ir/graphs.js'
import { floatTensor, numbers, tensor } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import type { FakeQuantized } from '../fake-quantize.js'

/** The grid of one weight; its constant holds levels while it is trained. */
export interface Levels {
  /** Real = level · step, element by element. */
  readonly steps: Float32Array
  readonly low: number
  readonly high: number
  /** 1 for elements that stay: those that the grid is found by when the weight is stored. */
  readonly pinned: Uint8Array
}

export interface SoftGrid {
  readonly weights: ReadonlyMap<string, Levels>
  /** Levels that a weight may travel over all steps, along half a cosine: sets the learning rate where none is given. */
  readonly travel: number
}

/**
 * k at the first and at the last step: a fifth of a level is steep, then a twentieth. Begun as a line, where nothing is off yet,
 * the optimizer would follow noise.
 */
const SHARPNESS = [12, 40] as const

/** The model that reads soft weights. `steps` of the optimizer, over which the staircase grows sharp. */
export function withSoftRounding(model: Model, { weights }: SoftGrid, float: FloatType, steps: number): FakeQuantized {
  const { graph } = model
  const b = builder(allNames(graph), float)
  const detached = new Set<string>()
  const [first, last] = SHARPNESS
  const k = b.constant(b.tensor([1], [first]), 'sharpness')
  const grown = b.op('Mul', [k, b.number((last / first) ** (1 / Math.max(1, steps)))])
  const next = b.op('Min', [grown, b.number(last)])
  const soft = new Map(
    [...weights].map(([name, levels]) => [name, softened(b, name, graph.constants.get(name)!, levels, k, detached)]),
  )
  const added = b.graph()
  const nodes = graph.nodes.map((node) => renameReads(node, soft))
  const whole = joined({ ...graph, nodes: [] }, added)
  return {
    model: { ...model, graph: { ...whole, nodes: [...added.nodes, ...nodes] } },
    detached,
    ranges: new Map([[k, next]]),
  }
}

function softened(
  b: Builder,
  name: string,
  { shape }: Tensor,
  { steps, low, high, pinned }: Levels,
  k: string,
  detached: Set<string>,
): string {
  const half = b.number(0.5)
  const inside = b.op('Clip', [name, b.number(low), b.number(high)])
  const floor = b.op('Floor', [inside])
  detached.add(floor)
  const steep = b.op('Tanh', [b.op('Mul', [b.op('Sub', [b.op('Sub', [inside, floor]), half]), k])])
  const end = b.op('Mul', [b.op('Tanh', [b.op('Mul', [k, half])]), b.number(2)])
  const soft = b.op('Add', [b.op('Add', [floor, half]), b.op('Div', [steep, end])])
  const mask = b.constant(tensor('bool', shape, pinned), 'pinned')
  const still = b.op('Identity', [name])
  detached.add(still)
  const held = b.op('Where', [mask, still, soft])
  return b.op('Mul', [held, b.constant(b.tensor(shape, steps), 'steps')])
}

/** Real weights, each at the level nearest to where it is. */
export function weightsOnLevels(
  { weights: grids }: Pick<SoftGrid, 'weights'>,
  weights: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  return new Map(
    [...weights].map(([name, t]) => {
      const grid = grids.get(name)
      return [name, grid === undefined ? t : floatTensor(t.dtype, t.shape, rounded(numbers(t), grid))]
    }),
  )
}

const rounded = (levels: ArrayLike<number>, { steps, low, high }: Levels): Float64Array =>
  Float64Array.from(steps, (step, i) => step * roundEven(Math.min(high, Math.max(low, levels[i]!))))
