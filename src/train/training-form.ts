/**
 * The form of a model that is trained: at opset 21, batch size fixed, and normalizations over the batch. The model that
 * was given stays what it is, and gets the trained weights in the end.
 */

import { int } from '../ir/attrs.js'
import { builder, type FloatType } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import type { Graph, Model, Node } from '../ir/types.js'
import { type InputShapes, withShapes } from '../passes/with-shapes.js'
import { PareError } from '../util/errors.js'
import { withDropout, withoutDropout } from './dropout.js'
import { type FakeQuantized, type TrainedGrid, withFakeQuantization } from './fake-quantize.js'
import { type SoftGrid, withSoftRounding } from './grids/soft.js'
import { withMixup } from './mixup.js'
import { withUnrolled } from './unroll.js'

/** A model as a training step takes it. */
export interface TrainingForm {
  readonly model: Model
  readonly batchSize: number
  /** Whether batches of other sizes would do as well. */
  readonly isBatchOpen: boolean
  /** Inputs that say where dropout's masks begin, each within its range, and how samples are mixed; null without. */
  readonly places: string | null
  readonly ranges: readonly number[]
  readonly mix: string | null
  /** Values that no gradient goes back through. */
  readonly detached: ReadonlySet<string>
  /** Constants that hold the running range of an activation, each with the value that holds its next state. */
  readonly running: ReadonlyMap<string, string>
}

export interface FormOptions {
  readonly batchSize: number
  readonly shapes?: InputShapes
  readonly trainable: readonly string[]
  readonly float: FloatType
  /** Batch statistics and dropout. Default true. */
  readonly isTraining?: boolean
  readonly isMixed?: boolean
  /** Round to the grid that the weights will be stored on. */
  readonly grid?: TrainedGrid | SoftGrid
  /** Of all epochs together. Default 0. */
  readonly steps?: number
  readonly seed?: number
}

/** Throws `TRAIN_BATCH`, `TRAIN_DROPOUT`, `TRAIN_MIXUP`, `TRAIN_SHAPE`. */
export function trainingForm(model: Model, o: FormOptions): TrainingForm {
  const { isTraining = true, seed = 0, float } = o
  // Before all else, so that ranges are of the same values, under the same names, as where the model is judged.
  const rounding = withRounding(model, o)
  const fixed = withUnrolled(withBatchSize(rounding.model, o.batchSize, o.shapes), float)
  const mixing = o.isMixed ? withMixup(fixed, float) : { model: fixed, mix: null }
  const dropping = isTraining
    ? withDropout(withBatchStatistics(mixing.model, o.trainable), seed, float)
    : { model: withoutDropout(mixing.model), places: null, ranges: [] }
  const isBatchOpen = batchSymbol(model.graph) !== null
  const { detached, ranges: running } = rounding
  return { ...mixing, ...dropping, detached, running, batchSize: batchOf(fixed), isBatchOpen }
}

function withRounding(model: Model, o: FormOptions): FakeQuantized {
  const { grid, trainable, float, steps = 0 } = o
  if (grid === undefined) return { model, ...NO_ROUNDING }
  if (typeof grid === 'object') return withSoftRounding(model, grid, float, steps)
  return withFakeQuantization(model, { trainable, grid, float })
}

const NO_ROUNDING = { detached: new Set<string>(), ranges: new Map<string, string>() } as const

/** Samples that a model whose shapes are fixed takes at once. */
export function batchOf({ graph }: Model): number {
  const value = graph.values.get(graph.inputs[0] ?? '')
  const size = value?.kind === 'tensor' ? value.shape?.[0] : undefined
  return typeof size === 'number' && size > 0 ? size : 1
}

/**
 * Running statistics move, and batches are normalized by their own: for models that are trained from the start. A
 * normalization of which nothing is trained stays as it is.
 */
function withBatchStatistics(model: Model, trainable: readonly string[]): Model {
  const b = builder(allNames(model.graph))
  const trained = new Set(trainable)
  const nodes = model.graph.nodes.map((node): Node => {
    if (node.op !== 'BatchNormalization' || node.domain !== '') return node
    if (!node.inputs.slice(1, 3).some((name) => trained.has(name))) return node
    const outputs = [node.outputs[0]!, b.fresh('running_mean'), b.fresh('running_variance')]
    return { ...node, outputs, attrs: { ...node.attrs, training_mode: int(1) } }
  })
  return { ...model, graph: { ...model.graph, nodes } }
}

/** The open first dimension that all inputs share; null where they are fixed. Throws `TRAIN_BATCH` where they differ. */
export function batchSymbol({ inputs, values, constants }: Graph): string | null {
  // Older exporters list weights as inputs.
  const own = inputs.filter((name) => !constants.has(name))
  const first = own.map((name) => {
    const value = values.get(name)
    return value?.kind === 'tensor' ? (value.shape?.[0] ?? null) : null
  })
  const symbols = new Set(first)
  const [only] = symbols
  if (symbols.size === 1 && typeof only === 'string') return only
  if (first.every((d) => typeof d === 'number')) return null
  throw new PareError('TRAIN_BATCH', 'the inputs do not share one open batch dimension', {
    value: first.map((d) => d ?? '?'),
    remedy: 'Name the first dimension of every input alike, or fix the shapes with `shapes`.',
  })
}

/** The model for batches of one size. */
export function withBatchSize(model: Model, size: number, shapes: InputShapes = {}): Model {
  const fixed = Object.keys(shapes).length === 0 ? model : withShapes(model, shapes)
  const symbol = batchSymbol(fixed.graph)
  return symbol === null ? fixed : withShapes(fixed, { [symbol]: size })
}
