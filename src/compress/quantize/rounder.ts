/**
 * Rounding of weights as a parameter: grid and range are a quantizer's own, which integers are taken is chosen here. What a
 * method chooses by half of the samples stands where it is better than nearest rounding on the other half.
 */

import type { Blocks } from '../../grids/blocks.js'
import { channelsAlong, forEachChannel } from '../../grids/channels.js'
import { roundAdaptive } from '../../grids/rounding/adaround.js'
import { roundGptq } from '../../grids/rounding/gptq.js'
import { roundingErrors, type WeightGrid } from '../../grids/rounding/grid.js'
import { elements, floats, tensor } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { openJudge, ROUNDING, type SeenWeight, seenWeights } from '../layers/judged.js'
import { type Layer, layersByWeight, weightMatrix } from '../layers/layer.js'
import { findAllLayers } from '../layers/recurrent.js'
import type { TransformEnv } from '../transform.js'
import { transposed } from './transpose.js'
import type { QuantizedWeight } from './weights.js'

export const ROUNDINGS = ['nearest', 'gptq', 'adaround'] as const
export type Rounding = (typeof ROUNDINGS)[number]

export const roundingParam = {
  kind: 'choice',
  choices: ROUNDINGS,
  default: 'nearest',
  doc: 'how weights go to their grid: each to the nearest value, or all of a layer for what they do on samples',
} as const

/** How a quantizer holds a weight: as the file, output by output [rows, depth], or input by input [depth, rows]. */
export type Order = 'stored' | 'rows' | 'columns'

export interface Rounder {
  /** The weight with integers chosen anew. `limits`: the largest integer, one for all or one for each output. */
  channels(weight: Tensor, q: QuantizedWeight, limits: ArrayLike<number>, order: Order): QuantizedWeight
  /** Blocks of `block` along the rows of a weight, `depth` long, with integers chosen anew. */
  blocks(weight: Tensor, blocks: Blocks, form: BlockForm, order: Order): Blocks
  /** Tells how often the choice stood. */
  report(id: string): void
}

export interface BlockForm {
  readonly depth: number
  readonly block: number
  readonly bits: number
}

/** Integers as the quantizer has them, and the step of each. */
interface Rounded {
  readonly integers: Int8Array
  readonly steps: Float32Array
  readonly zeros?: Float32Array
  readonly low: ArrayLike<number>
  readonly high: ArrayLike<number>
}

const NAMES: Readonly<Record<Rounding, string>> = { nearest: 'nearest', gptq: 'GPTQ', adaround: 'AdaRound' }

/** Leaves each weight at the nearest value. */
export const NEAREST: Rounder = { channels: (_, q) => q, blocks: (_, blocks) => blocks, report() {} }

/**
 * Looks at what enters the layers that are `wanted`, unless rounding is to the nearest. Weights that no layer of the main
 * graph reads, or that are read otherwise too, are left as they are. Throws `CALIBRATION_MISSING` without samples.
 */
export async function openRounder(
  model: Model,
  method: Rounding,
  env: TransformEnv,
  wanted: (layer: Layer) => boolean,
): Promise<Rounder> {
  if (method === 'nearest') return NEAREST
  const { graph } = model
  const byWeight = layersByWeight(graph, findAllLayers(graph).filter(wanted))
  const { of, missing, chosen: made } = await (env.seen?.() ?? seenWeights(model, byWeight, env, ROUNDING))
  const judge = openJudge()
  // By the tensor itself: inside of subgraphs names may stand for others.
  const known = new Map(
    [...of].flatMap(([weight, seen]) => (byWeight.has(weight) ? [[graph.constants.get(weight)!, seen]] : [])),
  )
  const unseen = new Map([...missing].filter(([weight]) => byWeight.has(weight)))
  const choose = (weight: Tensor, given: Rounded, order: Order): Int8Array => {
    const seen = known.get(weight)
    if (seen === undefined) return given.integers
    env.signal?.throwIfAborted()
    const { layer } = seen
    const [outputs, isTurned] = [
      layer.groups * layer.rows,
      order === 'stored' ? layer.isTransposed : order === 'columns',
    ]
    const turned = <T extends Float32Array | Int8Array>(data: T): T =>
      isTurned ? transposed(data, layer.depth, outputs) : data
    const matrix = weightMatrix(layer, graph)
    const plain = turned(given.integers)
    const { zeros } = given
    const grid = gridOf(outputs, layer.depth, turned(given.steps), given, zeros && turned(zeros))
    const choices = made.get(weight) ?? new Map<string, Int8Array>()
    made.set(weight, choices)
    const key = keyOf(method, grid)
    const chosen = choices.get(key) ?? roundGroups(method, matrix, grid, seen)
    choices.set(key, chosen)
    const best = judge.choose(
      seen,
      { value: chosen, delta: roundingErrors(chosen, matrix, grid) },
      { value: plain, delta: roundingErrors(plain, matrix, grid) },
    )
    return isTurned ? transposed(best, outputs, layer.depth) : best
  }
  return {
    channels(weight, q, limits, order) {
      const integers = elements(q.values) as Int8Array
      const steps = stepsAlong(floats(q.scale), q.values.shape, q.axis)
      const low = Int8Array.from(limits, (limit) => -limit)
      const chosen = choose(weight, { integers, steps, low, high: limits }, order)
      return chosen === integers ? q : { ...q, values: tensor('int8', q.values.shape, chosen) }
    },
    blocks(weight, blocks, { depth, block, bits }, order) {
      const low = -(2 ** (bits - 1))
      const padded = blocks.blocksPerRow * block
      const rows = blocks.values.length / padded
      const place = (r: number, j: number): number => r * padded + j
      const integers = new Int8Array(rows * depth)
      const steps = new Float32Array(rows * depth)
      const zeros = blocks.zeros && new Float32Array(rows * depth)
      for (let r = 0, i = 0; r < rows; r++)
        for (let j = 0; j < depth; j++, i++) {
          integers[i] = blocks.values[place(r, j)]!
          const own = r * blocks.blocksPerRow + Math.floor(j / block)
          steps[i] = blocks.scales[own]!
          if (zeros) zeros[i] = blocks.zeros![own]!
        }
      const chosen = choose(weight, { integers, steps, low: [low], high: [-low - 1], ...(zeros && { zeros }) }, order)
      if (chosen === integers) return blocks
      const values = new Int8Array(blocks.values.length)
      for (let r = 0, i = 0; r < rows; r++) for (let j = 0; j < depth; j++, i++) values[place(r, j)] = chosen[i]!
      return { ...blocks, values }
    },
    report(id) {
      if (judge.isAsked()) env.report?.(`${id}: ${judge.tell(NAMES[method], 'nearest', unseen)}`)
    },
  }
}

/** Of a method and a grid, for one weight. */
function keyOf(method: Rounding, { steps, low, high, zeros }: WeightGrid): string {
  const parts = [steps, low, high, ...(zeros ? [zeros] : [])]
  return [method, ...parts.map(digest)].join(' ')
}

/** FNV-1a over the bytes, and their number. */
function digest(list: Float32Array | Int8Array): string {
  const bytes = new Uint8Array(list.buffer, list.byteOffset, list.byteLength)
  let hash = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return `${bytes.length}:${hash >>> 0}`
}

function gridOf(
  rows: number,
  depth: number,
  steps: Float32Array,
  { low, high }: Rounded,
  zeros: Float32Array | undefined,
): WeightGrid {
  const each = (list: ArrayLike<number>): Int8Array =>
    Int8Array.from({ length: rows }, (_, r) => list[list.length === 1 ? 0 : r]!)
  return { rows, depth, steps, low: each(low), high: each(high), ...(zeros && { zeros }) }
}

/** Groups see inputs of their own: each is a layer for itself. */
function roundGroups(method: Rounding, matrix: Float32Array, grid: WeightGrid, { layer, seen }: SeenWeight): Int8Array {
  const { groups, rows, depth } = layer
  const round = method === 'gptq' ? roundGptq : roundAdaptive
  const out = new Int8Array(matrix.length)
  for (let g = 0; g < groups; g++) {
    const [from, to] = [g * rows * depth, (g + 1) * rows * depth]
    const [low, high] = [grid.low, grid.high].map((limits) => limits.subarray(g * rows, (g + 1) * rows))
    const steps = grid.steps.subarray(from, to)
    const zeros = grid.zeros?.subarray(from, to)
    const own = { rows, depth, steps, low: low!, high: high!, ...(zeros && { zeros }) }
    const h = seen.subarray(g * depth * depth, (g + 1) * depth * depth)
    out.set(round(matrix.subarray(from, to), own, h), from)
  }
  return out
}

/** The scale of each element. */
export function stepsAlong(scale: Float32Array, shape: readonly number[], axis: number | null): Float32Array {
  const { channelOf } = channelsAlong(shape, axis)
  const steps = new Float32Array(shape.reduce((n, d) => n * d, 1))
  let i = 0
  forEachChannel(steps, channelOf, (_, c) => {
    steps[i++] = scale[c]!
  })
  return steps
}
