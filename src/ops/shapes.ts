/**
 * Arithmetic on shapes that may be partly unknown, and the reading of axes, sizes and other integer lists that are
 * attributes in old opsets and inputs in new ones. A dimension is a number, a symbol (a size ≥ 0 that has a name)
 * or null (unknown); no function here guesses.
 */

import { describeNode, intsAttr } from '../ir/attrs.js'
import { DTYPES, isFloat, isKnownDType } from '../ir/dtypes.js'
import { elementCount, numbers } from '../ir/tensor.js'
import type { Dim, DType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type Call, type Fact, shapeOf } from './def.js'

/** Longer tensors are data, not shapes: their content is not followed. */
export const MAX_CONTENT = 1024

/** The error of a node that breaks its operator's specification. */
export function malformed(where: string, what: string, value?: unknown): PareError {
  return new PareError('OP_MALFORMED', what, {
    where,
    value,
    remedy: "The model breaks the operator's specification; export it again.",
  })
}

/** How a call's node is named in messages. */
export const whereOf = (call: Pick<Call, 'node'>): string => describeNode(call.node)

/** `rank` unknown dimensions. */
export const unknownDims = (rank: number): Dim[] => Array.from({ length: rank }, () => null)

/** True where two dimensions are surely equal. */
export const sameDim = (a: Dim | undefined, b: Dim | undefined): boolean => a !== null && a !== undefined && a === b

/** True where every dimension is a number. */
export const isStatic = (shape: readonly Dim[] | null): shape is readonly number[] =>
  shape?.every((d) => typeof d === 'number') ?? false

/** True where two dimensions surely differ: two different numbers. */
const differ = (a: Dim, b: Dim): boolean => typeof a === 'number' && typeof b === 'number' && a !== b

/** What is known of a dimension that two sources describe; `where` names the node if they contradict each other. */
export function unify(a: Dim, b: Dim, where: string): Dim {
  if (differ(a, b)) throw malformed(where, 'two dimensions that must be equal differ', [a, b])
  if (typeof a === 'number') return a
  if (typeof b === 'number') return b
  return a ?? b
}

/** One dimension of a broadcast: numpy's rule. A number other than 1 wins against a symbol or an unknown. */
function broadcastDim(a: Dim, b: Dim, where = 'broadcast'): Dim {
  if (a === b) return a
  if (a === 1) return b
  if (b === 1) return a
  if (typeof a === 'number' && typeof b === 'number') {
    throw malformed(where, 'the shapes of the inputs cannot be broadcast together', [a, b])
  }
  if (typeof a === 'number') return a
  if (typeof b === 'number') return b
  return null
}

/** numpy's multidirectional broadcast; null where a rank is unknown. Throws where two known dimensions clash. */
export function broadcast(shapes: readonly (readonly Dim[] | null)[], where = 'broadcast'): Dim[] | null {
  let out: Dim[] = []
  for (const shape of shapes) {
    if (shape === null) return null
    const rank = Math.max(out.length, shape.length)
    const at = (s: readonly Dim[], i: number): Dim => {
      const k = i - (rank - s.length)
      return k < 0 ? 1 : s[k]!
    }
    const left = out
    out = Array.from({ length: rank }, (_, i) => broadcastDim(at(left, i), at(shape, i), where))
  }
  return out
}

/** An axis in [0, rank); negative ones count from the end. Throws where it lies outside. */
export function normalizeAxis(axis: number, rank: number, where: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw malformed(where, `an axis of a tensor of rank ${rank} lies in [-${rank}, ${rank})`, axis)
  }
  return axis < 0 ? axis + rank : axis
}

/** Several axes; throws where one occurs twice. */
export function normalizeAxes(axes: readonly number[], rank: number, where: string): number[] {
  const out = axes.map((a) => normalizeAxis(a, rank, where))
  if (new Set(out).size !== out.length) throw malformed(where, 'an axis is named twice', axes)
  return out
}

/** a · b: a symbol only times 1; 0 times anything is 0. */
export function mulDim(a: Dim, b: Dim): Dim {
  if (a === 0 || b === 0) return 0
  if (a === 1) return b
  if (b === 1) return a
  return typeof a === 'number' && typeof b === 'number' ? a * b : null
}

/** a + b: a symbol only plus 0. */
export function addDim(a: Dim, b: Dim): Dim {
  if (a === 0) return b
  if (b === 0) return a
  return typeof a === 'number' && typeof b === 'number' ? a + b : null
}

/** The product of dimensions: a number, a symbol where everything else is 1, or null. */
export const product = (dims: readonly Dim[]): Dim => dims.reduce(mulDim, 1)

/** a / b where b divides a, for a number b; a symbol only by 1. Throws where a known size is not a multiple of b. */
export function divDim(a: Dim, b: number, where: string): Dim {
  if (b === 1) return a
  if (typeof a !== 'number') return null
  if (a % b !== 0) throw malformed(where, `a dimension must be a multiple of ${b}`, a)
  return a / b
}

/** Whether a value of this type may compute shapes: whole numbers, floats on the way to them, conditions as 0 and 1. */
const carriesContent = (dtype: DType): boolean =>
  dtype === 'bool' || isFloat(dtype) || (isKnownDType(dtype) && /^u?int/.test(dtype))

/** The elements of a small constant in row-major order, as content; null where it is large or not of numbers. */
export function contentOfTensor(t: Tensor): readonly number[] | null {
  return elementCount(t.shape) > MAX_CONTENT || !carriesContent(t.dtype) ? null : [...numbers(t)]
}

/** Content worth keeping: of a small value whose shape is known and agrees, with something known. */
export function keepContent(shape: readonly Dim[] | null, content: readonly Dim[] | null): readonly Dim[] | null {
  if (content === null || !isStatic(shape) || content.length > MAX_CONTENT) return null
  if (elementCount(shape) !== content.length || content.every((c) => c === null)) return null
  return content
}

/** True where a number is an element that the type can hold exactly. */
export function fits(value: number, dtype: DType): boolean {
  if (dtype === 'float32') return Object.is(Math.fround(value), value)
  if (dtype === 'float64') return true
  if (dtype === 'bool') return value === 0 || value === 1
  if (!isKnownDType(dtype) || !Number.isSafeInteger(value)) return false
  const { bits } = DTYPES[dtype]
  if (dtype.startsWith('uint')) return value >= 0 && value < 2 ** bits
  return dtype.startsWith('int') && value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1)
}

/** Elements of a small input of any known shape, row-major; null where unknown. Unknown elements are null. */
export function elementsOf(call: Pick<Call, 'inputs' | 'constant'>, input: number): readonly Dim[] | null {
  const fact = call.inputs[input]
  if (fact?.content) return fact.content
  const t = call.constant(input)
  return t === null ? null : contentOfTensor(t)
}

/** Elements of a small scalar or 1-D input; null where unknown. Unknown elements are null. */
export function contentOf(call: Pick<Call, 'inputs' | 'constant'>, input: number): readonly Dim[] | null {
  const rank = shapeOf(call.inputs[input])?.length ?? call.constant(input)?.shape.length
  return rank === undefined || rank > 1 ? null : elementsOf(call, input)
}

/** True where the node gives this input. */
export const hasInput = (call: Pick<Call, 'node'>, input: number): boolean => (call.node.inputs[input] ?? '') !== ''

/**
 * A list of integers that is an attribute in old opsets and an input in new ones, e.g. `axes`, `starts`, `pads`.
 * `undefined` where the node gives neither; `null` where not even its length is known; else its elements.
 */
export function dimList(call: Call, attr: string, input: number): readonly Dim[] | null | undefined {
  const list = intsAttr(call.node, attr)
  if (list !== undefined) return list
  if (!hasInput(call, input)) return undefined
  const content = contentOf(call, input)
  if (content !== null) return content
  const shape = shapeOf(call.inputs[input])
  if (shape === null) return null
  const length = shape.length === 0 ? 1 : shape[0]!
  return typeof length === 'number' && shape.length <= 1 && length <= MAX_CONTENT ? unknownDims(length) : null
}

/** `dimList` where every element must be a number to be of use: `null` where one is not. */
export function intList(call: Call, attr: string, input: number): readonly number[] | null | undefined {
  const list = dimList(call, attr, input)
  if (list === undefined || list === null) return list
  return isStatic(list) ? list : null
}

/** Axes in [0, rank) from an attribute or an input; `undefined` where absent, `null` where unknown. */
export function axesOf(call: Call, rank: number, input: number, attr = 'axes'): number[] | null | undefined {
  const list = intList(call, attr, input)
  return list === undefined || list === null ? list : normalizeAxes(list, rank, whereOf(call))
}

/** The one integer that a scalar or one-element input holds; null where unknown. */
export function scalarOf(call: Pick<Call, 'inputs' | 'constant'>, input: number): Dim {
  const content = contentOf(call, input)
  return content?.length === 1 ? content[0]! : null
}

/** The rank of a fact about a tensor; null where unknown. */
export const rankOf = (fact: Fact | null | undefined): number | null => shapeOf(fact)?.length ?? null
