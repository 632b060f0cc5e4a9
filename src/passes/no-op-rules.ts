/** The rules of `remove-no-ops`: for one node, the value it only hands on, a simpler node in its place, or null. */

import { intAttr, intsAttr, ints as intsOf } from '../ir/attrs.js'
import { codeOfDType, isKnownDType } from '../ir/dtypes.js'
import { elementCount, numbers } from '../ir/tensor.js'
import type { Dim, Node, Tensor } from '../ir/types.js'
import { dtypeOf, shapeOf } from '../ops/def.js'
import type { FactOf } from './facts.js'

export interface RuleContext {
  readonly opset: number
  constant(name: string): Tensor | null
  readonly factOf: FactOf
  /** The node that makes a value in this graph. */
  maker(name: string): Node | null
  isRead(name: string): boolean
}

/** A string: the node's first output equals this value, and no other output is read. */
export type Simplification = string | Node | null

type Rule = (node: Node, context: RuleContext) => Simplification

export function simplify(node: Node, context: RuleContext): Simplification {
  if (node.domain !== '' || !Object.hasOwn(RULES, node.op) || !node.inputs[0] || !node.outputs[0]) return null
  if (Object.values(node.attrs).some((a) => a.ref !== undefined)) return null
  if (node.outputs.slice(1).some((out) => out !== '' && context.isRead(out))) return null
  return RULES[node.op]!(node, context)
}

const only: Rule = (node) => (node.inputs.length === 1 ? node.inputs[0]! : null)

/** Ops that view their first input's elements, in order, under another shape. */
const VIEWS = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity'])

const RULES: Readonly<Record<string, Rule>> = {
  Identity: only,
  Sum: only,
  Max: only,
  Min: only,
  Mean: only,
  Concat: only,
  Split: (node) => (node.outputs.length === 1 ? node.inputs[0]! : null),
  Dropout: (node, { constant }) => {
    const training = node.inputs[2]
    if (!training) return node.inputs[0]!
    const value = constant(training)
    return value !== null && numbers(value)[0] === 0 ? node.inputs[0]! : null
  },
  Cast: (node, { factOf }) => {
    const dtype = dtypeOf(factOf(node.inputs[0]!))
    return isKnownDType(dtype) && codeOfDType(dtype) === intAttr(node, 'to') ? node.inputs[0]! : null
  },
  Transpose: transpose,
  Reshape: (node, context) => identicalReshape(node, context) ?? sameView(node, context) ?? skipViews(node, context),
  Flatten: sameView,
  Squeeze: (node, context) => inverse(node, 'Unsqueeze', context) ?? sameView(node, context),
  Unsqueeze: (node, context) => inverse(node, 'Squeeze', context) ?? sameView(node, context),
  Pad: (node, { constant }) => {
    const pads = intsAttr(node, 'pads') ?? integers(constant(node.inputs[1] ?? ''))
    return pads?.every((p) => p === 0) ? node.inputs[0]! : null
  },
  Slice: sliceAll,
  Expand: (node, context) => {
    const shape = integers(context.constant(node.inputs[1] ?? ''))
    const rank = shapeOf(context.factOf(node.inputs[0]!))?.length
    const ones = shape?.every((d) => d === 1) && shape.length <= (rank ?? 0)
    return ones || keepsShape(node, context) ? node.inputs[0]! : null
  },
  Tile: (node, { constant }) =>
    integers(constant(node.inputs[1] ?? ''))?.every((r) => r === 1) ? node.inputs[0]! : null,
  Add: (node, context) => neutral(node, 0, 0, context) ?? neutral(node, 1, 0, context),
  Mul: (node, context) => neutral(node, 0, 1, context) ?? neutral(node, 1, 1, context),
  Sub: (node, context) => neutral(node, 1, 0, context),
  Div: (node, context) => neutral(node, 1, 1, context),
}

const integers = (tensor: Tensor | null): number[] | null => (tensor === null ? null : Array.from(numbers(tensor)))

/** Shapes that are equal for every input: all dimensions known or the same symbol. */
const equalShapes = (a: readonly Dim[] | null, b: readonly Dim[] | null): boolean =>
  a !== null && b !== null && a.length === b.length && a.every((d, i) => d !== null && d === b[i])

const keepsShape = (node: Node, { factOf }: RuleContext): boolean =>
  equalShapes(shapeOf(factOf(node.inputs[0]!)), shapeOf(factOf(node.outputs[0]!)))

function permOf(node: Node, rank: number | undefined): readonly number[] | null {
  const perm = intsAttr(node, 'perm')
  if (perm !== undefined) return perm
  return rank === undefined ? null : Array.from({ length: rank }, (_, i) => rank - 1 - i)
}

function transpose(node: Node, { factOf, maker }: RuleContext): Simplification {
  const [x] = node.inputs
  const before = maker(x!)
  const first = before?.op === 'Transpose' && before.domain === '' ? before : null
  const rank =
    intsAttr(node, 'perm')?.length ??
    shapeOf(factOf(x!))?.length ??
    (first === null ? undefined : intsAttr(first, 'perm')?.length)
  if (first !== null && rank === undefined && first.attrs.perm === undefined) return first.inputs[0]!
  const perm = permOf(node, rank)
  if (perm === null) return null
  if (perm.every((axis, i) => axis === i)) return x!
  if (first === null) return null
  // Axis i of the result is axis perm[i] of the value between, which is axis firstPerm[perm[i]] of the source.
  const firstPerm = permOf(first, rank)!
  const composed = perm.map((axis) => firstPerm[axis]!)
  if (composed.every((axis, i) => axis === i)) return first.inputs[0]!
  return { ...node, inputs: [first.inputs[0]!], attrs: { ...node.attrs, perm: intsOf(composed) } }
}

/** A constant target that can only give the shape that is there already. */
function identicalReshape(node: Node, { constant, factOf }: RuleContext): Simplification {
  const target = integers(constant(node.inputs[1] ?? ''))
  const shape = shapeOf(factOf(node.inputs[0]!))
  if (target === null || shape === null || target.length !== shape.length) return null
  const copies = intAttr(node, 'allowzero', 0) === 0
  const free = target.filter((d, i) => !(d === shape[i] || (copies && d === 0)))
  return free.length === 0 || (free.length === 1 && free[0] === -1) ? node.inputs[0]! : null
}

/** The nearest earlier value, through views, that has this node's output shape. */
function sameView(node: Node, { factOf, maker }: RuleContext): Simplification {
  const shape = shapeOf(factOf(node.outputs[0]!))
  if (shape === null) return null
  for (let at: Node | null = node; at !== null && at.domain === '' && VIEWS.has(at.op); ) {
    const source: string = at.inputs[0]!
    if (equalShapes(shapeOf(factOf(source)), shape)) return source
    at = maker(source)
  }
  return null
}

/** A Reshape to a target without zeros does not care how its input was shaped. */
function skipViews(node: Node, { constant, maker }: RuleContext): Simplification {
  const before = maker(node.inputs[0]!)
  if (before === null || before.domain !== '' || !VIEWS.has(before.op)) return null
  const target = integers(constant(node.inputs[1] ?? ''))
  if (target === null || target.includes(0)) return null
  return { ...node, inputs: [before.inputs[0]!, ...node.inputs.slice(1)] }
}

/** Squeeze after Unsqueeze (or the other way round) of the same axes; both count axes of the longer shape. */
function inverse(node: Node, op: string, context: RuleContext): Simplification {
  const before = context.maker(node.inputs[0]!)
  if (before?.op !== op || before.domain !== '') return null
  const [a, b] = [axesOf(node, context), axesOf(before, context)]
  if (a === null || b === null) return null
  return a.toSorted((p, q) => p - q).join() === b.toSorted((p, q) => p - q).join() ? before.inputs[0]! : null
}

const axesOf = (node: Node, { constant }: RuleContext): readonly number[] | null =>
  intsAttr(node, 'axes') ?? integers(constant(node.inputs[1] ?? ''))

function sliceAll(node: Node, context: RuleContext): Simplification {
  const { constant, opset } = context
  const given = (name: string, input: number) =>
    opset < 10 ? (intsAttr(node, name) ?? null) : integers(constant(node.inputs[input] ?? ''))
  const steps = opset < 10 || !node.inputs[4] ? [] : integers(constant(node.inputs[4]))
  if (steps === null || steps.some((s) => s < 1)) return null
  if (keepsShape(node, context)) return node.inputs[0]!
  const [starts, ends] = [given('starts', 1), given('ends', 2)]
  const whole = starts?.every((s) => s === 0) && ends?.every((e) => e >= 2 ** 31 - 1) && steps.every((s) => s === 1)
  return whole ? node.inputs[0]! : null
}

const LARGEST_SCAN = 1 << 16

/** Arithmetic with a constant that changes neither elements nor shape. */
function neutral(node: Node, at: number, element: number, context: RuleContext): Simplification {
  const x = node.inputs[1 - at]
  const tensor = context.constant(node.inputs[at] ?? '')
  if (!x || tensor === null || context.constant(x) !== null) return null
  const count = elementCount(tensor.shape)
  if (count === 0 || count > LARGEST_SCAN || !isPlainNumber(tensor)) return null
  if (!numbers(tensor).every((v) => v === element)) return null
  const shape = shapeOf(context.factOf(x))
  const widens = tensor.shape.length > (shape?.length ?? 0)
  const keeps = (count === 1 && !widens) || equalShapes(shape, shapeOf(context.factOf(node.outputs[0]!)))
  return keeps ? x : null
}

/**
 * Not of 16 bits: the CPU engine computes those in float32 and rounds after each, and where nothing is left between
 * two Casts it does not round at all.
 */
const isPlainNumber = ({ dtype }: Tensor): boolean =>
  isKnownDType(dtype) && /^(float(32|64)|u?int(8|16|32|64))$/.test(dtype)
