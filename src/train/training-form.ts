/**
 * The form of a model that is trained: at opset 21, batch size fixed, and normalizations over the batch. The model that
 * was given stays what it is, and gets the trained weights in the end.
 */

import { int } from '../ir/attrs.js'
import { builder, type FloatType } from '../ir/builder.js'
import { isFloat } from '../ir/dtypes.js'
import { allNames, consumers } from '../ir/graphs.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'
import { type InputShapes, withShapes } from '../passes/with-shapes.js'
import { PareError } from '../util/errors.js'
import { withDropout, withoutDropout } from './dropout.js'
import { type TrainedGrid, withFakeQuantization } from './fake-quantize.js'
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
  readonly grid?: TrainedGrid
  readonly seed?: number
}

/** Throws `TRAIN_BATCH`, `TRAIN_DROPOUT`, `TRAIN_MIXUP`, `TRAIN_SHAPE`. */
export function trainingForm(model: Model, o: FormOptions): TrainingForm {
  const { isTraining = true, seed = 0, float } = o
  const fixed = withUnrolled(withBatchSize(model, o.batchSize, o.shapes), float)
  const mixing = o.isMixed ? withMixup(fixed, float) : { model: fixed, mix: null }
  const dropping = isTraining
    ? withDropout(withBatchStatistics(mixing.model, o.trainable), seed, float)
    : { model: withoutDropout(mixing.model), places: null, ranges: [] }
  const rounding = o.grid
    ? withFakeQuantization(dropping.model, o.trainable, o.grid, float)
    : { model: dropping.model, detached: new Set<string>() }
  const isBatchOpen = batchSymbol(model.graph) !== null
  return { ...mixing, ...dropping, ...rounding, batchSize: batchOf(fixed), isBatchOpen }
}

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
export function withBatchStatistics(model: Model, trainable: readonly string[]): Model {
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
export function batchSymbol({ inputs, values }: Graph): string | null {
  const first = inputs.map((name) => {
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

/** Inputs of ops that are no parameters though they are float constants: bounds, rates, scales. */
const NOT_TRAINED: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Clip: [1, 2],
  Dropout: [1],
  GRU: [4, 5],
  LSTM: [4, 5, 6],
  Pad: [2],
  RNN: [4, 5],
  Resize: [1, 2],
}

/**
 * Names of a model's weights: float constants of its main graph that nodes read, but for bounds and rates and for
 * scalars. `freeze`: patterns of names (`*` stands for anything) that are left out.
 */
export function parametersOf(model: Model, freeze: readonly string[] = []): readonly string[] {
  const { constants } = model.graph
  const readers = consumers(model.graph)
  const frozen = new Set(matching(model, freeze))
  return [...constants].flatMap(([name, { dtype, shape }]) => {
    const nodes = readers.get(name) ?? []
    const isRead = nodes.some((n) => n.inputs.some((input, i) => input === name && !NOT_TRAINED[n.op]?.includes(i)))
    return isFloat(dtype) && shape.length > 0 && isRead && !frozen.has(name) ? [name] : []
  })
}

/** Constants that a pattern names, or that a node reads which it names; `*` stands for anything. */
export function matching({ graph }: Model, patterns: readonly string[]): readonly string[] {
  const readers = consumers(graph)
  const tests = patterns.map(patternOf)
  return [...graph.constants.keys()].filter((name) => {
    const names = [name, ...(readers.get(name) ?? []).map((n) => n.name)]
    return tests.some((test) => names.some((n) => test.test(n)))
  })
}

const patternOf = (text: string): RegExp =>
  new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)

/** The model with other values for some of its constants. */
export function withParameters(model: Model, values: ReadonlyMap<string, Tensor>): Model {
  const constants = new Map([...model.graph.constants].map(([name, t]) => [name, values.get(name) ?? t] as const))
  return { ...model, graph: { ...model.graph, constants } }
}
