/**
 * What a record says of an op: everything intrinsic to it, in one place. Facts about an engine (which ops
 * have integer kernels, which are slow) are not here but in `engine/`.
 */

import type { Builder } from '../ir/builder.js'
import type { Attr, Dim, DType, Graph, Node, Tensor, Value } from '../ir/types.js'

/** A value as shape inference sees it: its type and, for small tensors of numbers, its (possibly symbolic) content. */
export interface Fact {
  readonly value: Value
  /**
   * Row-major elements of a small tensor of static shape that computes shapes; a number, a symbol or unknown each.
   * Mostly scalars and 1-D integer tensors; conditions are 0 and 1, and floats occur on the way (scales).
   */
  readonly content?: readonly Dim[]
}

/** One use of an op, as its record's functions see it. */
export interface Call {
  readonly node: Node
  /** Version of the op's domain in this model. */
  readonly opset: number
  /** A fact per input; null where the input is absent or nothing is known. */
  readonly inputs: readonly (Fact | null)[]
  /** The input's tensor if it is a constant. */
  constant(input: number): Tensor | null
  /** Facts about the outputs of a subgraph, given facts for its inputs (If, Loop, Scan). */
  subgraph(graph: Graph, inputs: readonly (Fact | null)[]): readonly (Fact | null)[]
}

/** One node as its gradient rule sees it. The rule adds nodes of opset 21 to `b`; `ops/gradients/tools.ts` helps. */
export interface GradCall extends Call {
  readonly b: Builder
  /** A fact per output. */
  readonly outputs: readonly (Fact | null)[]
  /** The name of each output's gradient, which has the output's shape; null where nothing flows back. Never all null. */
  readonly dy: readonly (string | null)[]
  /** Whether this input's gradient is asked for; a rule may save itself the work for others. */
  wants(input: number): boolean
}

/** The name of each input's gradient, which has the input's shape; null (or absent at the end) where there is none. */
export type GradRule = (call: GradCall) => readonly (string | null)[]

export interface Cost {
  /** Multiply-accumulate operations. Ops that only move or map elements have 0. */
  readonly macs: number
}

/** How an input or output is declared. */
export interface Parameter {
  readonly name: string
  readonly kind?: 'single' | 'optional' | 'variadic'
}

export interface Schema {
  readonly inputs: readonly Parameter[]
  readonly outputs: readonly Parameter[]
  /** Attribute names with their types, over all opsets. */
  readonly attrs: Readonly<
    Record<string, 'int' | 'ints' | 'float' | 'floats' | 'string' | 'strings' | 'tensor' | 'graph' | 'sparse' | 'type'>
  >
}

/**
 * What a quantizer needs to know.
 * - `weighted`: a product with a weight (Conv, MatMul, Gemm, ConvTranspose, LSTM, GRU, Gather …): which inputs are
 *   data, weights and bias, and along which axis of the weight its output channels lie.
 * - `move`: outputs hold elements of the inputs, rearranged or selected (Reshape, MaxPool, Concat …), so that one
 *   grid can serve both sides. `inputs` names the ones that carry data.
 * - `map`: any other arithmetic on its data inputs (Add, Sigmoid, AveragePool …). `moves` tells nodes of the op that
 *   only rearrange all the same (Resize with mode nearest); `quantRule` resolves it.
 *
 * An index of a variadic parameter stands for all of its inputs; `dataInputs` expands it.
 */
export type QuantRule =
  | {
      readonly kind: 'weighted'
      readonly data: readonly number[]
      readonly weights: readonly number[]
      readonly bias?: number
      /** Axis of output channels in the weight, or null where one scale must serve all. */
      channelAxis(call: Pick<Call, 'node' | 'inputs'>, weight: number): number | null
    }
  | { readonly kind: 'move'; readonly inputs: readonly number[] }
  | { readonly kind: 'map'; readonly inputs: readonly number[]; readonly moves?: (node: Node) => boolean }

/** An axis of one of a node's inputs or outputs; `axis` counts from 0. */
export interface AxisRef {
  readonly of: 'input' | 'output'
  readonly at: number
  readonly axis: number
}

/**
 * What an op says of the indices along its axes: which of them can only go together. An axis of static size whose
 * indices are named by no link keeps all of them.
 * - `tie`: index k of `a` lives and dies with index `index(k)` of `b` (the same one by default; null: with none).
 *   `a` and `b` may be one axis.
 * - `sum`: as `tie`, and the op's outputs sum products of the two over k, so that zeros in one of them undo the other.
 * - `blocks`: `flat` runs through all combinations of the `parts` in row-major order. One of the parts can shrink.
 * - `hold`: all indices stay, or index `only`, for a reason that the user is told.
 * - `size`: index `index` of `element` is the size of `axis`: while something needs the one, the other keeps its indices.
 */
export type AxisLink =
  | {
      readonly kind: 'tie' | 'sum'
      readonly a: AxisRef
      readonly b: AxisRef
      readonly index?: (k: number) => number | null
    }
  | { readonly kind: 'blocks'; readonly flat: AxisRef; readonly parts: readonly AxisRef[] }
  | { readonly kind: 'hold'; readonly axis: AxisRef; readonly why: string; readonly only?: number }
  | { readonly kind: 'size'; readonly axis: AxisRef; readonly element: AxisRef; readonly index: number }

/** One node as its axes rule sees it. */
export interface AxesCall extends Call {
  /** A fact per output. */
  readonly outputs: readonly (Fact | null)[]
}

/** What changes in a node when axes shrink: attributes and inputs, which become constants (null: gone). */
export interface NodePatch {
  readonly attrs?: Readonly<Record<string, Attr | null>>
  readonly inputs?: ReadonlyMap<number, Tensor | null>
}

export interface AxesRule {
  links(call: AxesCall): readonly AxisLink[]
  /**
   * `kept`: the indices of an axis that stay, in order; null where all do. The call is that before the cut. Asked of
   * every node of a graph that is cut.
   */
  cut?(call: AxesCall, kept: (ref: AxisRef) => readonly number[] | null): NodePatch
}

export interface OpDef {
  readonly op: string
  /** '' is the standard domain. */
  readonly domain: string
  /** First opset that has the op. */
  readonly since: number
  readonly schema: Schema
  /** Types and shapes of the outputs, from the ONNX operator specification. Unknown is null, never a guess. */
  infer(call: Call): readonly (Fact | null)[]
  /** Null where a dimension that counts is not known; 'none' where no convention counts this op. */
  readonly cost: ((call: Call, outputs: readonly (Fact | null)[]) => Cost | null) | 'none'
  readonly quant: QuantRule | 'none'
  /**
   * 'flat': the derivative is zero wherever there is one (comparisons, rounding, shapes), and nothing flows back.
   * 'none': not known here, or the op has none.
   */
  readonly grad: GradRule | 'flat' | 'none'
  /** Which indices along axes go together; 'none': nothing is known, and every axis keeps its size. */
  readonly axes: AxesRule | 'none'
  /** True where two runs on one input may differ (RandomNormal, Dropout in training): never folded, never merged. */
  readonly random?: boolean
  /**
   * True where an optional output that nobody reads may be left out alone. Never where outputs go together: attention
   * with a past keeps its state in `present`, and BatchNormalization trains where it has more outputs.
   */
  readonly separable?: boolean
  /** Of ops with subgraphs: how often each runs in one run of the node (null: unknown), or 'one': one of them, once. */
  readonly runs?: (call: Call) => number | 'one' | null
}

/** A fact about a tensor. */
export const tensorFact = (dtype: DType, shape: readonly Dim[] | null, content?: readonly Dim[]): Fact => ({
  value: { kind: 'tensor', dtype, shape },
  ...(content && { content }),
})

/** The shape of a fact about a tensor; null where unknown. */
export const shapeOf = (fact: Fact | null | undefined): readonly Dim[] | null =>
  fact?.value.kind === 'tensor' ? fact.value.shape : null

export const dtypeOf = (fact: Fact | null | undefined): DType =>
  fact?.value.kind === 'tensor' ? fact.value.dtype : 'undefined'

/** The rule for one node: a `map` that only rearranges elements on this node counts as a `move`. */
export function quantRule(def: OpDef, node: Node): QuantRule | 'none' {
  const { quant } = def
  return quant !== 'none' && quant.kind === 'map' && quant.moves?.(node)
    ? { kind: 'move', inputs: quant.inputs }
    : quant
}

/** The inputs of a node that a `move` or `map` rule names, variadic ones expanded and absent ones left out. */
export function dataInputs(def: OpDef, node: Node, rule: QuantRule): readonly number[] {
  const listed = rule.kind === 'weighted' ? rule.data : rule.inputs
  const { inputs } = def.schema
  return node.inputs.flatMap((name, i) => {
    const declared = Math.min(i, inputs.length - 1)
    const variadic = inputs[declared]?.kind === 'variadic'
    return name !== '' && listed.includes(variadic ? declared : i) ? [i] : []
  })
}
