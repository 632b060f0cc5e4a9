/** What gradient rules are written with: constants of the right type, and the way back through a broadcast. */

import { describeNode, int, tensorAttr } from '../../ir/attrs.js'
import type { NodeOptions } from '../../ir/builder.js'
import { codeOfDType, isFloat } from '../../ir/dtypes.js'
import { floatTensor, i64 } from '../../ir/tensor.js'
import type { Dim, DType } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import { dtypeOf, type GradCall, shapeOf } from '../def.js'
import { isStatic } from '../shapes.js'

/** The float type of the node's gradient: that of its first output through which something flows back. */
export function gradType(g: GradCall): DType {
  const i = g.dy.findIndex((name) => name !== null)
  const dtype = dtypeOf(g.outputs[i])
  if (dtype !== 'undefined') return dtype
  return g.inputs.map((input) => dtypeOf(input)).find((d) => isFloat(d)) ?? 'float32'
}

/** A scalar constant of the gradient's type. */
export const number = (g: GradCall, value: number): string =>
  g.b.constant(floatTensor(gradType(g), [], [value]), 'number')

/** A list of int64, as shapes, axes, starts and ends are given. */
export const list = (g: GradCall, values: readonly number[]): string =>
  g.b.constant(i64([values.length], values), 'list')

export const op = (g: GradCall, name: string, inputs: readonly string[], attrs: NodeOptions['attrs'] = {}): string =>
  g.b.op(name, inputs, { attrs })

export const add = (g: GradCall, a: string, b: string): string => op(g, 'Add', [a, b])
export const sub = (g: GradCall, a: string, b: string): string => op(g, 'Sub', [a, b])
export const mul = (g: GradCall, a: string, b: string): string => op(g, 'Mul', [a, b])
export const div = (g: GradCall, a: string, b: string): string => op(g, 'Div', [a, b])
export const neg = (g: GradCall, a: string): string => op(g, 'Neg', [a])

/** A value in the gradient's type; a condition becomes 0 and 1. */
export const floatCast = (g: GradCall, x: string): string => op(g, 'Cast', [x], { to: int(codeOfDType(gradType(g))) })

/** The shape of an input; an error that names the node where not even its rank is known. */
export function shapeOfInput(g: GradCall, input: number): readonly Dim[] {
  return known(g, shapeOf(g.inputs[input]) ?? g.constant(input)?.shape ?? null, `input ${input}`)
}

export const shapeOfOutput = (g: GradCall, output = 0): readonly Dim[] =>
  known(g, shapeOf(g.outputs[output]), `output ${output}`)

function known(g: GradCall, shape: readonly Dim[] | null, what: string): readonly Dim[] {
  if (shape !== null) return shape
  throw new PareError(
    'GRADIENT_SHAPE',
    `the gradient needs the rank of ${what}, which does not follow from the graph`,
    {
      where: describeNode(g.node),
      remedy: 'Fix the shapes of the inputs.',
    },
  )
}

/** The same for rules that need every size: the product of matrices behind a convolution, say. */
export function staticShape(g: GradCall, shape: readonly Dim[], what: string): readonly number[] {
  if (isStatic(shape)) return shape
  throw new PareError('GRADIENT_SHAPE', `the gradient needs every size of ${what}`, {
    where: describeNode(g.node),
    value: shape.map((d) => d ?? '?'),
    remedy: 'Fix the shapes of the inputs, the batch size among them.',
  })
}

/** The sizes of an input as a 1-D int64 value: a constant where they are known, else read at run time. */
export function sizesOf(g: GradCall, input: number): string {
  const shape = shapeOfInput(g, input)
  return isStatic(shape) ? list(g, shape) : op(g, 'Shape', [g.node.inputs[input]!])
}

/** Sums over `axes`, which stay as axes of length 1 with `keep`. */
export const sumOver = (g: GradCall, x: string, axes: readonly number[], keep: boolean): string =>
  axes.length === 0 ? x : op(g, 'ReduceSum', [x, list(g, axes)], { keepdims: int(keep ? 1 : 0) })

/**
 * The gradient of an input that was broadcast, from one of the broadcast shape `from`: the sum over the axes along which
 * it was repeated. Where a size is not known, an axis of another symbol is taken for one that was not repeated.
 */
export function unbroadcast(g: GradCall, dx: string, input: number, from: readonly Dim[]): string {
  const to = shapeOfInput(g, input)
  const lead = from.length - to.length
  const repeated = to.flatMap((d, i) => (d === 1 && from[lead + i] !== 1 ? [lead + i] : []))
  const summed = sumOver(g, dx, repeated, true)
  return sumOver(
    g,
    summed,
    Array.from({ length: lead }, (_, i) => i),
    false,
  )
}

/** Every axis of [N, C, …] but that of the channels. */
export const exceptChannel = (rank: number): readonly number[] => [
  0,
  ...Array.from({ length: rank - 2 }, (_, i) => i + 2),
]

/** A rule for an op of one input and one output: dX from x, y, dY. */
export const unaryRule =
  (rule: (g: GradCall, values: { readonly x: string; readonly y: string; readonly dy: string }) => string) =>
  (g: GradCall): readonly (string | null)[] => [rule(g, { x: g.node.inputs[0]!, y: g.node.outputs[0]!, dy: g.dy[0]! })]

/** Zeros of an input's shape. */
export const zeros = (g: GradCall, input: number): string =>
  op(g, 'ConstantOfShape', [sizesOf(g, input)], { value: tensorAttr(floatTensor(gradType(g), [1], [0])) })

/** The error of a node whose gradient is not known in the form that it has. */
export const refused = (g: GradCall, what: string): PareError =>
  new PareError('GRADIENT_NONE', `this form of the operator has no gradient: ${what}`, {
    where: describeNode(g.node),
    value: g.node.op,
    remedy: 'Freeze the parameters before this node, or replace the node by others that have a gradient (docs/ops.md).',
  })
