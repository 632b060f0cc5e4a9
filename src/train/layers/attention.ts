/** What transformers are made of (Vaswani et al. 2017), over samples of [T, width]. */

import { int, ints } from '../../ir/attrs.js'
import { i64, scalar } from '../../ir/tensor.js'
import { gelu } from './activation.js'
import { dense } from './dense.js'
import { dropout as drop } from './dropout.js'
import { checkSize, drawn, type Layer, wrongShape } from './layer.js'
import { layerNorm } from './norm.js'
import { inRow, residual } from './sequential.js'

/** Looks up a row of `width` numbers for each index: [T] becomes [T, width]. */
export const embedding =
  (count: number, width: number): Layer =>
  (b, { name: x, shape }, name, generator) => {
    checkSize('embedding', 'count', count)
    checkSize('embedding', 'width', width)
    const table = b.constant(drawn(b, [count, width], 0.02, generator), `${name}.table`)
    return { name: b.op('Gather', [table, x], { name, attrs: { axis: int(0) } }), shape: [...shape, width] }
  }

/** Adds a learned row to each place of [T, width]. */
export const positions =
  (): Layer =>
  (b, { name: x, shape }, name, generator) => {
    if (shape.length !== 2) throw wrongShape('positions', '[T, width]', shape)
    const table = b.constant(drawn(b, shape, 0.02, generator), `${name}.table`)
    return { name: b.op('Add', [x, table], { name }), shape }
  }

export interface AttentionOptions {
  readonly heads: number
  /** No place looks at later ones. Default true. */
  readonly isCausal?: boolean
}

/** Scaled dot-product attention of [T, width] on itself, in several heads (ibid., section 3.2). */
export const selfAttention =
  ({ heads, isCausal = true }: AttentionOptions): Layer =>
  (b, { name: x, shape }, name, generator) => {
    checkSize('selfAttention', 'heads', heads)
    const [length, width] = shape
    if (shape.length !== 2 || width! % heads !== 0)
      throw wrongShape('selfAttention', `[T, width] with a width that ${heads} divides`, shape)
    const size = width! / heads
    const deviation = 1 / Math.sqrt(width!)
    const weight = (hint: string, columns: number): string =>
      b.constant(drawn(b, [width!, columns], deviation, generator), `${name}.${hint}`)
    const all = b.op('MatMul', [x, weight('qkv', 3 * width!)], { name: `${name}.qkv` })
    const parted = b.op('Reshape', [all, b.constant(i64([5], [-1, length!, 3, heads, size]), `${name}.heads`)])
    // [3, N, heads, T, size]
    const turned = b.op('Transpose', [parted], { attrs: { perm: ints([2, 0, 3, 1, 4]) } })
    const [query, key, value] = [0, 1, 2].map((i) =>
      b.op('Gather', [turned, b.constant(scalar(i, 'int64'), 'part')], { attrs: { axis: int(0) } }),
    ) as [string, string, string]
    const scaled = b.op('Mul', [query, b.number(1 / Math.sqrt(size), `${name}.scale`)])
    const scores = b.op('MatMul', [scaled, b.op('Transpose', [key], { attrs: { perm: ints([0, 1, 3, 2]) } })])
    const seen = isCausal
      ? b.op('Add', [scores, b.constant(b.tensor([length!, length!], causalMask(length!)), `${name}.mask`)])
      : scores
    const shares = b.op('Softmax', [seen], { attrs: { axis: int(-1) } })
    const mixed = b.op('Transpose', [b.op('MatMul', [shares, value])], { attrs: { perm: ints([0, 2, 1, 3]) } })
    const joined = b.op('Reshape', [mixed, b.constant(i64([3], [-1, length!, width!]), `${name}.joined`)])
    return { name: b.op('MatMul', [joined, weight('out', width!)], { name: `${name}.out` }), shape }
  }

/** 0 where a place may look, else far below any score. */
const causalMask = (length: number): Float64Array =>
  Float64Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? -1e9 : 0))

export interface TransformerOptions extends AttentionOptions {
  /** Width of the layer between, in widths. Default 4. */
  readonly expansion?: number
  readonly dropout?: number
}

/** A block of attention and two dense layers, each behind a normalization and added to what came in (Xiong et al. 2020). */
export const transformerBlock =
  ({ expansion = 4, dropout = 0, ...attention }: TransformerOptions): Layer =>
  (b, at, name, generator) => {
    const width = at.shape.at(-1)!
    const dropping = dropout === 0 ? [] : [drop(dropout)]
    const block = inRow(
      residual(layerNorm(), selfAttention(attention), ...dropping),
      residual(layerNorm(), dense(expansion * width), gelu(), dense(width), ...dropping),
    )
    return block(b, at, name, generator)
  }
