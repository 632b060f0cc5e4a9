/** A model's weights: what training changes. */

import { countNonFinite } from '../engine/finite.js'
import { isFloat } from '../ir/dtypes.js'
import { consumers, producers } from '../ir/graphs.js'
import { elementCount, numbers } from '../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'

/** The inputs at which ops take weights. What stands elsewhere are bounds, rates, exponents, scales of data. */
const SLOTS: Readonly<Record<string, readonly number[]>> = {
  Add: [0, 1],
  BatchNormalization: [1, 2],
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Einsum: [0, 1, 2, 3],
  Gather: [0],
  Gemm: [0, 1, 2],
  GroupNormalization: [1, 2],
  GRU: [1, 2, 3],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  LSTM: [1, 2, 3, 7],
  MatMul: [0, 1],
  Mul: [0, 1],
  PRelu: [1],
  RNN: [1, 2, 3],
  Sum: [0, 1, 2, 3],
}

/** The slots of biases and peepholes, also where exports give them two axes; and ops of which one line shifts or scales channels. */
const BIASES: Readonly<Record<string, readonly number[]>> = { Gemm: [2], GRU: [3], LSTM: [3, 7], RNN: [3] }
const BROADCAST: ReadonlySet<string> = new Set(['Add', 'Mul', 'PRelu', 'Sum'])

/** Ops that hand the values of their first input on in another form; Concat does those of all. */
const MOVES: ReadonlySet<string> = new Set([
  'Cast',
  'Concat',
  'Expand',
  'Flatten',
  'Identity',
  'Reshape',
  'Slice',
  'Split',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
])

const PRODUCTS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Einsum', 'Gemm', 'MatMul'])

/** Values of this size hide something where an attention mask adds them. */
const MASKING = 1e4

/** Constants of the main graph, by their names. */
export const valuesOf = ({ graph }: Model, names: readonly string[]): ReadonlyMap<string, Tensor> =>
  new Map(names.map((name) => [name, graph.constants.get(name)!]))

/**
 * Names of a model's weights: float constants of its main graph at a place where an op takes a weight, directly or
 * reshaped; no single numbers but the bias of a product, and no masks. `freeze`: patterns of names, or of nodes that
 * read them (`*` stands for anything), that are left out. Throws `TRAIN_FREEZE` for a pattern that fits nothing.
 */
export function parametersOf(model: Model, freeze: readonly string[] = []): readonly string[] {
  const { graph } = model
  const isWeight = weightTest(graph)
  const frozen = new Set(
    freeze.flatMap((pattern) => {
      const found = matching(model, [pattern])
      if (found.length === 0) throw fitsNothing(pattern)
      return found
    }),
  )
  return [...graph.constants].flatMap(([name, t]) =>
    isFloat(t.dtype) && t.shape.length > 0 && !frozen.has(name) && isWeight(name, t) ? [name] : [],
  )
}

/**
 * Those of a model's parameters whose zeros may be pruned ones: matrices and kernels of at least two axes, codebooks and
 * tables. Biases and what scales channels often begin at zero, and are told by where they are read, whatever their axes.
 */
export function withoutBiases({ graph }: Model, parameters: readonly string[]): readonly string[] {
  const isWeight = weightTest(graph, isBias)
  return parameters.filter((name) => {
    const t = graph.constants.get(name)!
    return t.shape.length >= 2 && isWeight(name, t)
  })
}

const isBias = (node: Node, at: number, t: Tensor): boolean =>
  BIASES[node.op]?.includes(at) === true || (BROADCAST.has(node.op) && isLine(t))

/** Whether it lies along one axis. */
const isLine = ({ shape }: Tensor): boolean => elementCount(shape) === Math.max(...shape)

/** `isLeft`: uses that do not count. */
function weightTest(
  graph: Graph,
  isLeft: (node: Node, at: number, t: Tensor) => boolean = () => false,
): (name: string, t: Tensor) => boolean {
  const readers = consumers(graph)
  const makers = producers(graph)
  /** Made by a product, directly or in another form. */
  const isProduct = (name: string): boolean => {
    const maker = makers.get(name)
    if (maker === undefined) return false
    return PRODUCTS.has(maker.op) || (MOVES.has(maker.op) && isProduct(maker.inputs[0] ?? ''))
  }
  const isUse = (node: Node, name: string, t: Tensor): boolean => {
    const at = node.inputs.indexOf(name)
    if (node.domain !== '') return false
    if (MOVES.has(node.op)) return (at === 0 || node.op === 'Concat') && node.outputs.some((out) => isUsed(out, t))
    if (SLOTS[node.op]?.includes(at) !== true || isLeft(node, at, t)) return false
    if (node.op !== 'Add' && node.op !== 'Mul') return true
    // A bias lies along one axis; what has more is a position or a mask.
    if (node.op === 'Add' && isLine(t) && isProduct(node.inputs[1 - at] ?? '')) return areFinite(t)
    return elementCount(t.shape) > 1 && !isMask(t)
  }
  const isUsed = (name: string, t: Tensor): boolean => (readers.get(name) ?? []).some((node) => isUse(node, name, t))
  return isUsed
}

const areFinite = (t: Tensor): boolean => countNonFinite(t) === 0

/** Infinities, or zeros where it shows and huge values where it hides. */
const isMask = (t: Tensor): boolean => {
  const values = numbers(t)
  return !areFinite(t) || (values.includes(0) && values.some((v) => Math.abs(v) >= MASKING))
}

/** Constants that a pattern names, or that a node reads, as they are or in another form; `*` stands for anything. */
export function matching({ graph }: Model, patterns: readonly string[]): readonly string[] {
  const readers = consumers(graph)
  const tests = patterns.map(patternOf)
  return [...graph.constants.keys()].filter((name) => {
    const names = [name, ...readersOf(readers, name).map((n) => n.name)]
    return tests.some((test) => names.some((n) => test.test(n)))
  })
}

/** Constants that such nodes read, as they are or in another form. */
export function readBy({ graph }: Model, isOne: (node: Node) => boolean): readonly string[] {
  const readers = consumers(graph)
  return [...graph.constants.keys()].filter((name) => readersOf(readers, name).some(isOne))
}

/** Nodes that read a value, and those that read it through nodes which only give it another form. */
const readersOf = (readers: ReadonlyMap<string, readonly Node[]>, name: string): readonly Node[] =>
  (readers.get(name) ?? []).flatMap((node) =>
    MOVES.has(node.op) ? [node, ...node.outputs.flatMap((out) => readersOf(readers, out))] : [node],
  )

const patternOf = (text: string): RegExp =>
  new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)

/** The model with other values for some of its constants. */
export function withParameters(model: Model, values: ReadonlyMap<string, Tensor>): Model {
  const constants = new Map([...model.graph.constants].map(([name, t]) => [name, values.get(name) ?? t] as const))
  return { ...model, graph: { ...model.graph, constants } }
}

const fitsNothing = (pattern: string): PareError =>
  new PareError('TRAIN_FREEZE', 'no weight and no node that reads one has such a name', {
    where: 'freeze',
    value: pattern,
    remedy: 'Name them as `pare inspect` does; * stands for anything.',
  })
