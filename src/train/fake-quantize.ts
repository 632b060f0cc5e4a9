/**
 * Quantization-aware training (Jacob et al. 2018): in the forward pass weights and activations are rounded to the grid
 * that they will be stored on, in the backward pass gradients go straight through the rounding (Bengio et al. 2013).
 * A rounded value is x + (q(x) − x), whose second part is held to be constant.
 */

import { joined } from '../autodiff/gradient.js'
import { LEAST_INTEGER } from '../grids/least.js'
import type { SignGrid } from '../grids/signs.js'
import { intAttr } from '../ir/attrs.js'
import { type Builder, builder, type FloatType } from '../ir/builder.js'
import { allNames, producers } from '../ir/graphs.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { onBlocks, onChannels } from './grids/integers.js'
import type { TrainedGrid } from './grids/names.js'
import { batchRange, knownRange, movedRange, NOTHING_SEEN, onRange } from './grids/ranges.js'
import { onSigns, weightsOnSigns } from './grids/signs.js'
import { isStoredGrid, onStored, type StoredGrid, storedWeights, weightsOnStored } from './grids/stored.js'
import { signedWeights, type Weighted, weightedBy } from './grids/weighted.js'

export type { TrainedGrid }

/** Grids of the weights of layers, each by what the layer is. */
type LayerGrid = Exclude<TrainedGrid, StoredGrid>

/** Grids that hold the weights that are handed back. */
export type HeldGrid = SignGrid | StoredGrid

const isSignGrid = (grid: TrainedGrid | undefined): grid is SignGrid => grid === 'binary' || grid === 'ternary'

export const isHeldGrid = (grid: TrainedGrid | undefined): grid is HeldGrid => isSignGrid(grid) || isStoredGrid(grid)

/** The weights with those that the grid holds on it. */
export const weightsOnGrid = (
  graph: Graph,
  grid: HeldGrid,
  weights: ReadonlyMap<string, Tensor>,
  trainable: readonly string[],
): ReadonlyMap<string, Tensor> =>
  isStoredGrid(grid) ? weightsOnStored(graph, grid, weights, trainable) : weightsOnSigns(graph, grid, weights)

/** Whether the grid has a weight to round. */
export const canRound = ({ graph }: Model, grid: TrainedGrid, trainable: readonly string[]): boolean =>
  isStoredGrid(grid) ? storedWeights(graph, trainable).length > 0 : roundedLayers(graph, grid, trainable).size > 0

export interface FakeQuantized {
  readonly model: Model
  /** Values that no gradient goes back through. */
  readonly detached: ReadonlySet<string>
  /** Constants that hold the range of an activation, each with the value that holds its next state in training. */
  readonly ranges: ReadonlyMap<string, string>
}

export interface FakeQuantizeOptions {
  readonly trainable: readonly string[]
  readonly grid: TrainedGrid
  readonly float: FloatType
  /**
   * True (the default): ranges move by each batch before it is rounded, and gradients go straight through. False: as the
   * model will run, by the ranges that are known. The constants that hold them have the same names.
   */
  readonly isTraining?: boolean
}

/**
 * The model with the weights that are trained on their grid, and for `int8` what meets them. What Dropout hands to a
 * layer is rounded before it is dropped. Throws `TRAIN_GRID` where there is nothing to round.
 */
export function withFakeQuantization(model: Model, options: FakeQuantizeOptions): FakeQuantized {
  const { graph } = model
  const { grid, float, isTraining = true } = options
  const stored = new Set(isStoredGrid(grid) ? storedWeights(graph, options.trainable) : [])
  const layers = isStoredGrid(grid) ? NO_LAYERS : roundedLayers(graph, grid, options.trainable)
  if (layers.size + stored.size === 0) throw nothingToRound(grid)
  const { activations, dropouts } = grid === 'int8' ? dataOf(graph, layers) : NO_DATA

  const b = builder(allNames(graph), float)
  const states = new Map([...activations].map((x) => [x, b.constant(b.tensor([3], NOTHING_SEEN), `${x}.range`)]))
  const added = b.graph()
  const detached = new Set<string>()
  const ranges = new Map<string, string>()
  const known = new Map<string, string>()

  const through = (x: string, rounded: string): string => {
    if (!isTraining) return rounded
    const error = b.op('Sub', [rounded, x])
    detached.add(error)
    return b.op('Add', [x, error])
  }
  const roundedWeight = (w: Weighted, to: LayerGrid): string =>
    once(`${howOf(w, to)} ${w.weight}`, () => through(w.weight, weightOnGrid(b, w, to)))
  const roundedConstant = (w: string, to: StoredGrid): string =>
    once(`stored ${w}`, () => through(w, onStored(b, w, graph.constants.get(w)!, to)))
  const roundedActivation = (x: string, state: string): string =>
    once(`range ${x}`, () => {
      const batch = batchRange(b, x)
      detached.add(batch)
      const range = isTraining ? movedRange(b, state, batch) : knownRange(b, state, batch)
      if (isTraining) ranges.set(state, range)
      // Outside the range rounding is flat: gradients go through inside alone.
      const { clipped, rounded } = onRange(b, x, range)
      return through(clipped, rounded)
    })
  function once(key: string, make: () => string): string {
    const value = known.get(key) ?? make()
    known.set(key, value)
    return value
  }

  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const layer = layers.get(node)
    const at = added.nodes.length
    const inputs = node.inputs.map((input, i) => {
      if (isStoredGrid(grid)) return stored.has(input) ? roundedConstant(input, grid) : input
      if (layer?.index === i) return roundedWeight(layer, grid)
      const isData = layer ? layer.data.includes(i) : i === 0 && dropouts.has(node)
      const state = isData ? states.get(input) : undefined
      return state === undefined ? input : roundedActivation(input, state)
    })
    return [...added.nodes.slice(at), { ...node, inputs }]
  })
  const whole = joined({ ...graph, nodes: [] }, added)
  return { model: { ...model, graph: { ...whole, nodes } }, detached, ranges }
}

/** The nodes whose weight is rounded. */
function roundedLayers(graph: Graph, grid: LayerGrid, trainable: readonly string[]): ReadonlyMap<Node, Weighted> {
  const weights = new Set(isSignGrid(grid) ? signedWeights(graph, trainable).keys() : trainable)
  const found = graph.nodes.flatMap((node) => weightedBy(node, graph, weights) ?? [])
  return new Map(found.map((w) => [w.node, w]))
}

const NO_LAYERS: ReadonlyMap<Node, Weighted> = new Map()

interface Data {
  readonly activations: ReadonlySet<string>
  /** Nodes that stand between an activation and a layer. */
  readonly dropouts: ReadonlySet<Node>
}

const NO_DATA: Data = { activations: new Set(), dropouts: new Set() }

/** What meets the weights. */
function dataOf(graph: Graph, layers: ReadonlyMap<Node, Weighted>): Data {
  const makers = producers(graph)
  const activations = new Set<string>()
  const dropouts = new Set<Node>()
  const see = (name: string): void => {
    const maker = makers.get(name)
    if (maker?.op === 'Dropout' && maker.domain === '') {
      dropouts.add(maker)
      see(maker.inputs[0]!)
    } else if (!graph.constants.has(name)) activations.add(name)
  }
  for (const { node, data } of layers.values()) for (const i of data) see(node.inputs[i]!)
  return { activations, dropouts }
}

const isTransposed = (node: Node): boolean => node.op === 'Gemm' && intAttr(node, 'transB', 0) !== 0

const isInBlocks = ({ node, index, shape }: Weighted, grid: LayerGrid): boolean =>
  grid === 'int4' && (node.op === 'MatMul' || node.op === 'Gemm') && shape.length === 2 && index === 1

/** Tells the forms of one weight apart. */
const howOf = (w: Weighted, grid: LayerGrid): string =>
  isInBlocks(w, grid) ? `blocks ${isTransposed(w.node)}` : `channels ${w.axis}`

function weightOnGrid(b: Builder, w: Weighted, grid: LayerGrid): string {
  if (isSignGrid(grid)) return onSigns(b, w.weight, w.shape, w.axis, grid)
  return isInBlocks(w, grid)
    ? onBlocks(b, w.weight, w.shape, isTransposed(w.node))
    : onChannels(b, w.weight, w.shape, w.axis)
}

const nothingToRound = (grid: TrainedGrid): PareError =>
  new PareError('TRAIN_GRID', 'no weight that is trained can be rounded', {
    value: grid,
    remedy: isStoredGrid(grid)
      ? `Rounded are weights of at least ${LEAST_INTEGER} elements: use another grid.`
      : isSignGrid(grid)
        ? 'Rounded are weights of Conv, MatMul and Gemm but those of the first and the last: give the model more layers, or clean it first.'
        : 'Rounded are weights of Conv, MatMul and Gemm that stand right before them: clean the model first, or leave this out.',
  })
