/** Makers of op records: what most records have in common, so that each is a few lines. */

import { isFloat } from '../ir/dtypes.js'
import type { Dim, DType } from '../ir/types.js'
import { broadcastAxes, eachAxis } from './axes/tools.js'
import { type Call, dtypeOf, type Fact, type OpDef, type Parameter, type Schema, shapeOf } from './def.js'
import { broadcast, contentOf, elementsOf, fits, keepContent, whereOf } from './shapes.js'

/** Parameters by name: `X` is required, `X?` optional, `X*` variadic. */
const params = (...names: readonly string[]): readonly Parameter[] =>
  names.map((name) =>
    name.endsWith('?')
      ? { name: name.slice(0, -1), kind: 'optional' }
      : name.endsWith('*')
        ? { name: name.slice(0, -1), kind: 'variadic' }
        : { name },
  )

/** The cost of ops that move or map elements: no products. */
export const noMacs = (): { readonly macs: number } => ({ macs: 0 })

interface Spec {
  /** '' (the standard domain) where absent. */
  readonly domain?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attrs?: Schema['attrs']
  readonly infer: OpDef['infer']
  readonly cost?: OpDef['cost']
  readonly quant?: OpDef['quant']
  readonly grad?: OpDef['grad']
  readonly axes?: OpDef['axes']
  readonly random?: boolean
  readonly separable?: boolean
}

/** A record; parameters are written as for `params`, the cost is 0 products and by default there is no rule for quantization, gradient or axes. */
export const def = (op: string, since: number, spec: Spec): OpDef => ({
  op,
  domain: spec.domain ?? '',
  since,
  schema: { inputs: params(...spec.inputs), outputs: params(...spec.outputs), attrs: spec.attrs ?? {} },
  infer: spec.infer,
  cost: spec.cost ?? noMacs,
  quant: spec.quant ?? 'none',
  grad: spec.grad ?? 'none',
  axes: spec.axes ?? 'none',
  ...(spec.random && { random: true }),
  ...(spec.separable && { separable: true }),
})

/** Quantization rules. */
export const map = (...inputs: readonly number[]): OpDef['quant'] => ({ kind: 'map', inputs })
export const move = (...inputs: readonly number[]): OpDef['quant'] => ({ kind: 'move', inputs })

/** A fact about a tensor; null where neither its type nor its rank is known. Content is kept where it is of use. */
export function fact(dtype: DType, shape: readonly Dim[] | null, content: readonly Dim[] | null = null): Fact | null {
  if (dtype === 'undefined' && shape === null) return null
  const kept = keepContent(shape, content)
  return { value: { kind: 'tensor', dtype, shape }, ...(kept && { content: kept }) }
}

/** The first element type that is known among these inputs. */
export function commonDType(call: Call, inputs: readonly number[]): DType {
  for (const i of inputs) {
    const dtype = dtypeOf(call.inputs[i])
    if (dtype !== 'undefined') return dtype
  }
  return 'undefined'
}

/** Type and shape of an input, as an output's; `dtype` replaces the type. */
export const like = (call: Call, input = 0, dtype = dtypeOf(call.inputs[input])): Fact | null =>
  fact(dtype, shapeOf(call.inputs[input]))

interface UnaryOptions {
  readonly attrs?: Schema['attrs']
  /** Type of the output where it is not the input's. */
  readonly dtype?: DType
  readonly quant?: OpDef['quant']
  readonly grad?: OpDef['grad']
  readonly axes?: OpDef['axes']
  /** The op on one known element of content (symbols become unknown). */
  readonly fold?: (x: number) => number
}

/** An element-wise op of one input: X → Y, shape and, unless told otherwise, type kept. */
export const unary = (op: string, since: number, options: UnaryOptions = {}): OpDef =>
  def(op, since, {
    inputs: ['X'],
    outputs: ['Y'],
    ...(options.attrs && { attrs: options.attrs }),
    quant: options.quant ?? map(0),
    axes: options.axes ?? eachAxis,
    ...(options.grad && { grad: options.grad }),
    infer: (call) => {
      const dtype = options.dtype ?? dtypeOf(call.inputs[0])
      return [fact(dtype, shapeOf(call.inputs[0]), mapContent(elementsOf(call, 0), dtype, options.fold))]
    },
  })

function mapContent(content: readonly Dim[] | null, dtype: DType, fold?: (x: number) => number): readonly Dim[] | null {
  if (fold === undefined || content === null) return null
  return content.map((c) => (typeof c === 'number' ? exact(fold(c), dtype) : null))
}

/** A computed element, rounded as float32 rounds; null where the type cannot hold it. */
export function exact(value: number, dtype: DType): Dim {
  const v = dtype === 'float32' ? Math.fround(value) : isFloat(dtype) ? value : value + 0
  return fits(v, dtype) ? v : null
}

/** Element-wise content of inputs that broadcast against each other; null where one of them is unknown. */
export function zipContent(
  call: Call,
  inputs: readonly number[],
  fold: (...elements: Dim[]) => Dim,
): readonly Dim[] | null {
  const lists = inputs.map((i) => contentOf(call, i))
  if (!lists.every((l) => l !== null)) return null
  const length = lists.reduce((n, l) => (l.length === 1 ? n : l.length), 1)
  if (!lists.every((l) => l.length === 1 || l.length === length)) return null
  return Array.from({ length }, (_, k) => fold(...lists.map((l) => l[l.length === 1 ? 0 : k]!)))
}

interface ElementwiseOptions {
  readonly attrs?: Schema['attrs']
  /** Type of the output where it is not the inputs'. */
  readonly dtype?: DType
  readonly quant?: OpDef['quant']
  readonly grad?: OpDef['grad']
  /** The op on one element of content of each input; `dtype` is the inputs' type. */
  readonly fold?: (a: Dim, b: Dim, dtype: DType, call: Call) => Dim
}

/** An element-wise op of two inputs that broadcast: A, B → C. */
export const binary = (op: string, since: number, options: ElementwiseOptions = {}): OpDef =>
  def(op, since, {
    inputs: ['A', 'B'],
    outputs: ['C'],
    ...(options.attrs && { attrs: options.attrs }),
    quant: options.quant ?? map(0, 1),
    axes: broadcastAxes(),
    ...(options.grad && { grad: options.grad }),
    infer: (call) => {
      const dtype = commonDType(call, [0, 1])
      const shape = broadcast([shapeOf(call.inputs[0]), shapeOf(call.inputs[1])], whereOf(call))
      const { fold } = options
      const content = fold ? zipContent(call, [0, 1], (a, b) => fold(a!, b!, dtype, call)) : null
      return [fact(options.dtype ?? dtype, shape, content)]
    },
  })
