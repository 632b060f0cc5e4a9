/** Vectors of the tridiagonal matrix to those of the matrix that it came from, by blocks of reflections. */

import type { Engine } from '../engine/engine.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { i64, numbers, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { openDenseKernel } from '../kernels/dense-kernel.js'
import type { Reduction } from '../kernels/dense-loops.js'
import { wholeBlocks } from '../kernels/gram-kernel.js'
import { encodeModel } from '../onnx/codec.js'
import { copyRows, type Products, transposed } from './products.js'

/** Reflections that are applied together. */
const TOGETHER = 128

/** Rows from which on the engine is worth its way. */
const MANY = 250

/**
 * V H₁ H₂ ⋯ Hₙ₋₁, V's rows being vectors: [m, n]. Of a block, H ⋯ H = I − UᵀTU with T upper triangular (Schreiber and Van
 * Loan 1989).
 */
export async function applyReflectors(
  vectors: Float64Array,
  reduction: Pick<Reduction, 'n' | 'a' | 'tau'>,
  products: Products,
  engine: Engine | undefined,
): Promise<Float64Array> {
  const { n } = reduction
  const blocks: Block[] = []
  for (let from = 1; from < n; from += TOGETHER)
    blocks.push(await blockOf(reduction, from, Math.min(n, from + TOGETHER), products))
  return engine === undefined || n < MANY
    ? appliedByLoops(vectors, n, blocks)
    : appliedOnEngine(vectors, n, blocks, engine)
}

interface Block {
  readonly count: number
  /** Columns that the reflections change: row i ends before column i. */
  readonly width: number
  /** Uᵀ: [width, count] */
  readonly columns: Float64Array
  /** −TU: [count, width] */
  readonly right: Float64Array
}

async function blockOf(
  { a, tau }: Pick<Reduction, 'a' | 'tau'>,
  from: number,
  to: number,
  products: Products,
): Promise<Block> {
  const [count, width] = [to - from, to - 1]
  const u = new Float64Array(count * width)
  copyRows(a.data.subarray(from * a.stride), a.stride, u, width, count)
  const columns = transposed(u, count, width)
  const inner = await products.multiply(u, columns, { m: count, k: width, n: count })
  const t = triangularFactor(inner, tau.subarray(from, to))
  for (let at = 0; at < t.length; at++) t[at] = -t[at]!
  return { count, width, columns, right: await products.multiply(t, u, { m: count, k: count, n: width }) }
}

/** From UUᵀ and τ: T[:j, j] = −τⱼ T[:j, :j] (UUᵀ)[:j, j]. */
function triangularFactor(inner: Float64Array, tau: Float64Array): Float64Array {
  const b = tau.length
  const t = new Float64Array(b * b)
  for (let j = 0; j < b; j++) {
    for (let i = 0; i < j; i++) {
      let sum = 0
      for (let l = i; l < j; l++) sum += t[i * b + l]! * inner[l * b + j]!
      t[i * b + j] = -tau[j]! * sum
    }
    t[j * b + j] = tau[j]!
  }
  return t
}

function appliedByLoops(vectors: Float64Array, n: number, blocks: readonly Block[]): Float64Array {
  const m = vectors.length / n
  const stride = wholeBlocks(n)
  const panel = n * TOGETHER
  const kernel = openDenseKernel(m * stride + 2 * panel + TOGETHER * stride)
  const all = kernel.memory.subarray(0, m * stride)
  const weights = kernel.memory.subarray(m * stride, m * stride + panel)
  const columns = kernel.memory.subarray(m * stride + panel, m * stride + 2 * panel)
  const right = kernel.memory.subarray(m * stride + 2 * panel)
  const v = { data: all, stride }
  copyRows(vectors, n, all, stride, m)
  for (const block of blocks) {
    const { count, width } = block
    const w = { data: weights, stride: wholeBlocks(count) }
    const u = { data: columns, stride: wholeBlocks(count) }
    const r = { data: right, stride: wholeBlocks(width) }
    weights.fill(0)
    copyRows(block.columns, count, columns, u.stride, width)
    copyRows(block.right, width, right, r.stride, count)
    // What stands behind a row of −TU is added to columns that no reflection of the block changes.
    for (let i = 0; i < count; i++) right.fill(0, i * r.stride + width, (i + 1) * r.stride)
    kernel.addProduct(m, width, count, v, u, w)
    kernel.addProduct(m, count, width, w, r, v)
  }
  const result = new Float64Array(m * n)
  copyRows(all, stride, result, n, m)
  return result
}

async function appliedOnEngine(
  vectors: Float64Array,
  n: number,
  blocks: readonly Block[],
  engine: Engine,
): Promise<Float64Array> {
  const m = vectors.length / n
  const session = await engine.load(encodeModel(reflectorModel(m, n, blocks)).bytes)
  try {
    const feeds = blocks.flatMap(({ count, width, columns, right }, k) => [
      [`columns${k}`, tensor('float64', [width, count], columns)] as const,
      [`right${k}`, tensor('float64', [count, width], right)] as const,
    ])
    const { result } = await session.run({
      vectors: tensor('float64', [m, n], vectors),
      ...Object.fromEntries(feeds),
    })
    return numbers(result!) as Float64Array
  } finally {
    await session.close()
  }
}

/** The columns that the blocks so far have changed, which grow by those of the next one. */
function reflectorModel(m: number, n: number, blocks: readonly Block[]): Model {
  const b = builder(['vectors', 'result', ...blocks.flatMap((_, k) => [`columns${k}`, `right${k}`])], 'float64')
  const input = (name: string, shape: readonly number[]): string =>
    b.input(name, { kind: 'tensor', dtype: 'float64', shape })
  const all = input('vectors', [m, n])
  const part = (from: number, to: number): string => {
    const list = (v: number): string => b.constant(i64([1], [v]), 'list')
    return b.op('Slice', [all, list(from), list(to), list(1)])
  }
  const join = (left: string, right: string, outputs: number | readonly string[] = 1): string =>
    b.ops('Concat', [left, right], { attrs: { axis: int(1) }, outputs })[0]!
  let changed = part(0, blocks[0]!.width)
  for (const [k, { count, width }] of blocks.entries()) {
    const before = blocks[k - 1]?.width
    if (before !== undefined) changed = join(changed, part(before, width))
    const weights = b.op('MatMul', [changed, input(`columns${k}`, [width, count])])
    changed = b.op('Add', [changed, b.op('MatMul', [weights, input(`right${k}`, [count, width])])])
  }
  // The last row's reflection ends before the last column.
  join(changed, part(n - 1, n), ['result'])
  b.output('result', { kind: 'tensor', dtype: 'float64', shape: [m, n] })
  return modelOf(b.graph('reflectors'))
}
