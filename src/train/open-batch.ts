/** Models whose batch size is fixed at 1, opened for larger batches where nothing in them depends on it. */

import { addPair, differenceOf, NO_SUMS } from '../engine/compare.js'
import type { Engine, Feeds } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { intAttr } from '../ir/attrs.js'
import { namer } from '../ir/names.js'
import { elementCount, elements, floatTensor, i64, numbers } from '../ir/tensor.js'
import type { Graph, Model, Node, Tensor, Value } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { shapeOf } from '../ops/def.js'
import { factFinder } from '../passes/facts.js'
import { freshNames } from '../passes/names.js'
import { random } from '../util/random.js'
import { type Dataset, gather } from './dataset.js'
import { withParameters } from './parameters.js'

/** Samples that are run together and one by one, spread over the data. */
const TRIED = 4
/** Relative L2 error that rounding explains. */
const ROUNDING = 1e-4

export interface Trial {
  readonly data: Dataset
  readonly engine: Engine
  /** What the losses are of: compared beside the outputs. */
  readonly values: readonly string[]
  /** What the layers multiply by: the trial takes random ones, as a layer of zeros would hide what lies before it. */
  readonly weights: ReadonlyMap<string, Tensor>
  readonly signal?: AbortSignal
}

/**
 * The model with an open first axis of all inputs and outputs; null where that is not 1, or where samples in a batch do
 * not get the same answers as one by one, as with an axis of time in front, or where all answers are alike, which proves
 * nothing. Throws `ABORTED` once the signal fired.
 */
export async function withOpenBatch(
  model: Model,
  { data, engine, values, weights, signal }: Trial,
): Promise<Model | null> {
  const open = opened(model)
  const names = open?.graph.inputs.filter((name) => !open.graph.constants.has(name)) ?? []
  if (open === null || data.count < TRIED || names.some((name) => !data.inputs.has(name))) return null
  const feeds = (rows: readonly number[]): Feeds =>
    Object.fromEntries(names.map((name) => [name, gather(data.inputs.get(name)!, rows)]))
  const rows = Array.from({ length: TRIED }, (_, i) => Math.floor((i * (data.count - 1)) / (TRIED - 1)))
  const outputs = [...new Set([...model.graph.outputs, ...values])]
  const tried = (m: Model): Model => {
    const { graph } = withRandomWeights(m, weights)
    return { ...m, graph: { ...graph, outputs } }
  }
  try {
    const alone = await answers(
      engine,
      tried(model),
      rows.map((row) => feeds([row])),
      signal,
    )
    const together = await answers(engine, tried(open), [feeds(rows)], signal)
    const isProof = alone.some((own) => outputs.some((name) => !isAlike(alone[0]![name]!, own[name]!)))
    return isProof && outputs.every((name) => isSame(name, together[0]!, alone)) ? open : null
  } catch {
    throwIfAborted(signal)
    // What does not load or run in batches stays as it is.
    return null
  }
}

function withRandomWeights(model: Model, weights: ReadonlyMap<string, Tensor>): Model {
  const { normal } = random(11)
  const drawn = (t: Tensor): Tensor => {
    const size = meanSize(numbers(t))
    return floatTensor(
      t.dtype,
      t.shape,
      Float64Array.from({ length: elementCount(t.shape) }, () => size * normal()),
    )
  }
  return withParameters(model, new Map([...weights].map(([name, t]) => [name, drawn(t)])))
}

/** Where there is any, the root mean square: through many layers of smaller ones nothing of the input would come. */
function meanSize(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2
  return sum === 0 ? 0.1 : Math.sqrt(sum / values.length)
}

function opened(model: Model): Model | null {
  const { graph } = model
  const batch = freshSymbol(graph)
  const ends = [...graph.inputs.filter((name) => !graph.constants.has(name)), ...graph.outputs]
  const values = new Map<string, Value>()
  const factOf = factFinder(model)
  for (const name of ends) {
    const value = graph.values.get(name)
    // Where nothing tells of it but a name, what follows from the inputs may.
    const shape = shapeOf(factOf(name)) ?? null
    if (value?.kind !== 'tensor' || shape?.[0] !== 1) return null
    values.set(name, { ...value, shape: [batch, ...shape.slice(1)] })
  }
  // Shapes between hold the old size.
  return { ...model, graph: withOpenShapes(model, values) }
}

/** Shapes that are written into the graph with 1 in front take over the first axis of what they reshape, where that is 1. */
function withOpenShapes(model: Model, values: ReadonlyMap<string, Value>): Graph {
  const { graph } = model
  const factOf = factFinder(model)
  const constants = new Map(graph.constants)
  const fresh = freshNames(model)
  const nodes = graph.nodes.map((node): Node => {
    const shape = graph.constants.get(node.inputs[1] ?? '')
    if (node.op !== 'Reshape' || node.domain !== '' || shape?.dtype !== 'int64' || intAttr(node, 'allowzero') === 1)
      return node
    const [first, ...rest] = numbers(shape)
    if (first !== 1 || shapeOf(factOf(node.inputs[0]!))?.[0] !== 1) return node
    const name = fresh('shape')
    constants.set(name, i64(shape.shape, [0, ...rest]))
    return { ...node, inputs: [node.inputs[0]!, name] }
  })
  return { ...graph, nodes, constants, values }
}

/** A name of a dimension that the model does not use. */
function freshSymbol({ values }: Graph): string {
  const used = new Set([...values.values()].flatMap((v) => (v.kind === 'tensor' ? (v.shape ?? []) : [])))
  return namer(new Set([...used].filter((d) => typeof d === 'string')))('N')
}

async function answers(
  engine: Engine,
  model: Model,
  feeds: readonly Feeds[],
  signal?: AbortSignal,
): Promise<readonly Feeds[]> {
  const session = await engine.load(encodeModel(model).bytes)
  try {
    const all: Feeds[] = []
    for (const feed of feeds) all.push(await session.run(feed, { ...(signal && { signal }) }))
    return all
  } finally {
    await session.close()
  }
}

function isSame(name: string, together: Feeds, alone: readonly Feeds[]): boolean {
  const whole = together[name]!
  if (whole.shape[0] !== alone.length) return false
  const column = { dtype: whole.dtype, shape: whole.shape.slice(1), data: elements(whole) }
  return alone.every((outputs, row) => {
    const own = outputs[name]!
    const part = gather(column, [row])
    if (part.shape.join() !== own.shape.join()) return false
    return isAlike(own, part)
  })
}

const isAlike = (a: Tensor, b: Tensor): boolean => differenceOf(addPair(NO_SUMS, a, b)).relativeL2 <= ROUNDING
