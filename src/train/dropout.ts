/**
 * Dropout in training (Srivastava et al. 2014): each Dropout becomes a product with a mask of zeros and 1/(1 − rate),
 * cut at a random place from a pool that is drawn once. So the graph has no random state: the places, an input, say it
 * all, and one seed gives the same run on every device.
 */

import { preceded } from '../autodiff/gradient.js'
import { builder, type FloatType } from '../ir/builder.js'
import { bypass } from '../ir/edits.js'
import { allNames, consumers } from '../ir/graphs.js'
import { elementCount, f32, i64, numbers } from '../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import { isStatic } from '../ops/shapes.js'
import { factFinder } from '../passes/facts.js'
import { PareError } from '../util/errors.js'
import { type Random, random } from '../util/random.js'

export interface WithDropout {
  readonly model: Model
  /** The input that holds where each mask begins, int64; null without dropout. */
  readonly places: string | null
  /** How many places each mask may begin at. */
  readonly ranges: readonly number[]
}

/** A pool is at least so long, and at least four times its longest mask. */
const POOL = 2 ** 18

/** The model, whose input shapes are fixed, with its Dropout nodes at work. */
export function withDropout(model: Model, seed = 0, float: FloatType = 'float32'): WithDropout {
  const { graph } = model
  const nodes = dropoutsOf(graph)
  const rates = nodes.map((node) => rateOf(node, graph.constants))
  if (rates.every((rate) => rate === 0)) return { model: withoutDropout(model), places: null, ranges: [] }

  const facts = factFinder(model)
  const sizes = nodes.map((node) => {
    const shape = shapeOf(facts(node.inputs[0]!))
    if (isStatic(shape)) return shape
    throw new PareError('TRAIN_SHAPE', 'dropout needs the size of what it drops from', {
      where: node.name,
      value: shape?.map((d) => d ?? '?') ?? 'unknown',
      remedy: 'Fix the shapes of the inputs.',
    })
  })
  const b = builder(allNames(graph), float)
  const places = b.fresh('dropout_places')
  const length = Math.max(POOL, ...sizes.map((shape) => 4 * elementCount(shape)))
  const pools = new Map(
    [...new Set(rates)].map(
      (rate, i) =>
        [rate, b.constant(b.tensor([length], maskPool(length, rate, random(seed).fork(i))), 'dropout_pool')] as const,
    ),
  )
  const masked = new Map(
    nodes.map((node, i): [string, Node] => {
      const count = elementCount(sizes[i]!)
      const from = b.op('Slice', [places, list(i), list(i + 1)])
      const to = b.op('Add', [from, list(count)])
      const mask = b.op('Reshape', [b.op('Slice', [pools.get(rates[i]!)!, from, to]), list(...sizes[i]!)])
      return [
        node.outputs[0]!,
        { ...node, op: 'Mul', inputs: [node.inputs[0]!, mask], outputs: [node.outputs[0]!], attrs: {} },
      ]
    }),
  )
  function list(...values: readonly number[]): string {
    return b.constant(i64([values.length], values), 'dropout')
  }
  const all = graph.nodes.map((node) => masked.get(node.outputs[0]!) ?? node)
  const input = [places, { kind: 'tensor', dtype: 'int64', shape: [nodes.length] }] as const
  return {
    model: { ...model, graph: preceded(graph, b.graph(), all, input) },
    places,
    ranges: sizes.map((shape) => length - elementCount(shape) + 1),
  }
}

/** The model as it runs: Dropout hands on its input. */
export function withoutDropout(model: Model): Model {
  const same = new Map(dropoutsOf(model.graph).map((node) => [node.outputs[0]!, node.inputs[0]!]))
  return same.size === 0 ? model : { ...model, graph: bypass(model.graph, same) }
}

/** Throws `TRAIN_DROPOUT` for one whose mask is read: what reads it would have nothing to read in the end. */
function dropoutsOf(graph: Graph): readonly Node[] {
  const found = graph.nodes.filter(({ op, domain }) => op === 'Dropout' && domain === '')
  if (found.length === 0) return found
  const readers = consumers(graph)
  const read = found.find(({ outputs: [, mask] }) => mask && (readers.has(mask) || graph.outputs.includes(mask)))
  if (read === undefined) return found
  throw new PareError('TRAIN_DROPOUT', 'the mask of this Dropout is read', {
    where: read.name,
    value: read.outputs[1],
    remedy: 'Export the model for inference.',
  })
}

function rateOf({ name, inputs }: Node, constants: ReadonlyMap<string, Tensor>): number {
  const given = inputs[1] ? constants.get(inputs[1]) : f32([], [0.5])
  const rate = given && numbers(given)[0]!
  if (rate !== undefined && rate >= 0 && rate < 1) return rate
  throw new PareError('TRAIN_DROPOUT', 'a dropout rate is a constant of at least 0 and below 1', {
    where: name,
    value: rate ?? 'computed',
    remedy: 'Give e.g. 0.5.',
  })
}

function maskPool(length: number, rate: number, { bits }: Random): Float64Array {
  const kept = 1 / (1 - rate)
  const limit = rate * 2 ** 32
  return Float64Array.from({ length }, () => (bits() < limit ? 0 : kept))
}
