/**
 * Models that take or make arrays whose batch does not lie in front, such as states of [layers, batch, features], or that
 * have none, such as a scalar: in a form that has one in front everywhere, whose samples are brought to where the model
 * wants them.
 */

import { ints } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { renameDefinitions } from '../ir/edits.js'
import { allNames } from '../ir/graphs.js'
import { i64 } from '../ir/tensor.js'
import type { Dim, Graph, Model, Value } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import { factFinder } from '../passes/facts.js'
import { PareError } from '../util/errors.js'
import type { Dataset } from './dataset.js'

/**
 * Whether an array of one sample, of some shape, is all that the model takes or makes under a name, rather than a row of
 * it: its batch is known to lie elsewhere, or there is none. A batch of fixed size is in front, and samples are its rows.
 */
export function wholesOf(model: Model): (name: string, shape: readonly number[]) => boolean {
  const factOf = factFinder(model)
  const symbol = openBatch(model.graph)
  return (name, [length]) => {
    const shape = shapeOf(factOf(name))
    if (shape === null) return false
    const [first] = shape
    if (first === undefined || (symbol !== null && shape.indexOf(symbol) > 0)) return true
    return typeof first === 'number' && first !== 1 && length === first
  }
}

/** The open dimension that is first in some input and there in all that leave any open; null where there is not one. */
export function openBatch({ inputs, values, constants }: Graph): string | null {
  const shapes = inputs.flatMap((name): readonly (readonly Dim[])[] => {
    const value = values.get(name)
    return value?.kind === 'tensor' && value.shape !== null && !constants.has(name) ? [value.shape] : []
  })
  const open = shapes.filter((shape) => shape.some((d) => typeof d === 'string'))
  const symbols = new Set(shapes.map(([first]) => first).filter((d) => typeof d === 'string'))
  const [symbol = null, ...others] = [...symbols].filter((d) => open.every((shape) => shape.includes(d)))
  return others.length === 0 ? symbol : null
}

/**
 * The model with a batch axis in front of all that the data holds whole; the model itself where it holds nothing so.
 * Where the batch is open it lies along the axis of its name, else along the first of length 1, if any: a guess, that
 * matters to batches of more than one sample alone. Throws `TRAIN_BATCH` where other inputs have an open batch.
 */
export function withBatchAxis(model: Model, { inputs, targets }: Dataset): Model {
  const columns = [...inputs, ...targets].filter(([, { isWhole }]) => isWhole)
  if (columns.length === 0) return model
  const { graph } = model
  const symbol = openBatch(graph)
  const factOf = factFinder(model)
  const b = builder(allNames(graph))
  const inner = new Map(columns.map(([name]) => [name, b.fresh(`${name}_whole`)]))
  const places = columns.map(([name, { shape }]): Place => {
    const axis = symbol === null ? shape.indexOf(1) : (shapeOf(factOf(name))?.indexOf(symbol) ?? -1)
    if (axis < 0 && symbol !== null) throw noBatch(name, shape, symbol)
    return { name, inner: inner.get(name)!, shape, axis }
  })
  const isInput = ({ name }: Place): boolean => graph.inputs.includes(name)
  for (const place of places.filter(isInput)) enter(b, place)
  const entering = b.graph().nodes.length
  for (const place of places.filter((p) => !isInput(p))) leave(b, place)
  const added = b.graph()
  const renamed = renameDefinitions(graph, inner)
  const values = new Map<string, Value>(renamed.values)
  for (const name of inner.values()) values.delete(name)
  for (const [name, { dtype, shape }] of columns)
    values.set(name, { kind: 'tensor', dtype, shape: [symbol ?? 1, ...shape] })
  const nodes = [...added.nodes.slice(0, entering), ...renamed.nodes, ...added.nodes.slice(entering)]
  const constants = new Map([...renamed.constants, ...added.constants])
  const { inputs: given, outputs } = graph
  return { ...model, graph: { ...renamed, inputs: given, outputs, nodes, constants, values } }
}

interface Place {
  readonly name: string
  /** What the model calls it, inside. */
  readonly inner: string
  /** Of one sample. */
  readonly shape: readonly number[]
  /** Where a batch lies in it; below 0 where there is only room for one sample. */
  readonly axis: number
}

/** [N, …shape] with N in the place of the axis of length 1; Reshape's 0 copies N. */
function enter(b: Builder, { name, inner, shape, axis }: Place): void {
  const outputs = [inner]
  if (axis < 0) {
    b.op('Reshape', [name, dims(b, shape)], { outputs })
    return
  }
  const flat = b.op('Reshape', [name, dims(b, [0, ...shape.filter((_, i) => i !== axis)])])
  const perm = Array.from(shape, (_, i) => (i < axis ? i + 1 : i === axis ? 0 : i))
  b.op('Transpose', [flat], { outputs, attrs: { perm: ints(perm) } })
}

/** The other way round. */
function leave(b: Builder, { name, inner, shape, axis }: Place): void {
  const outputs = [name]
  if (axis < 0) {
    b.op('Reshape', [inner, dims(b, [1, ...shape])], { outputs })
    return
  }
  const perm = Array.from(shape, (_, i) => (i === 0 ? axis : i <= axis ? i - 1 : i))
  const front = b.op('Transpose', [inner], { attrs: { perm: ints(perm) } })
  b.op('Reshape', [front, dims(b, [0, ...shape])], { outputs })
}

const dims = (b: Builder, shape: readonly number[]): string => b.constant(i64([shape.length], shape), 'shape')

const noBatch = (where: string, shape: readonly number[], symbol: string): PareError =>
  new PareError('TRAIN_BATCH', 'it has no axis of the batch that other inputs have', {
    where,
    value: `[${shape.join(', ')}]`,
    remedy: `Name its batch axis ${symbol} in the model, or fix all shapes to those of one sample, with \`shapes\`.`,
  })
