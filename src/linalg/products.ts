/** Products of matrices in float64: large ones on the engine where there is one, all others by the compiled loops. */

import type { Engine, Session } from '../engine/engine.js'
import { builder, modelOf } from '../ir/builder.js'
import { numbers, tensor } from '../ir/tensor.js'
import { type DenseKernel, openDenseKernel } from '../kernels/dense-kernel.js'
import { addProduct } from '../kernels/dense-loops.js'
import { wholeBlocks } from '../kernels/gram-kernel.js'
import { encodeModel } from '../onnx/codec.js'

/** [m, k] times [k, n]. */
export interface ProductShape {
  readonly m: number
  readonly k: number
  readonly n: number
}

export interface Products {
  /** Row-major, without gaps. */
  multiply(a: Float64Array, b: Float64Array, shape: ProductShape): Promise<Float64Array>
  close(): Promise<void>
}

/** Multiplications from which on the engine is worth its way. */
const MANY = 8e6

/** Up to here a compiled loop is not worth its memory; the plain one gives the same bits. */
const FEW = 3e4

export function openProducts(engine: Engine | undefined): Products {
  const loops = kernelProducts()
  let session: Promise<Session> | undefined
  return {
    async multiply(a, b, shape) {
      const { m, k, n } = shape
      if (engine === undefined || m * k * n < MANY) return loops(a, b, shape)
      session ??= engine.load(encodeModel(productModel()).bytes)
      const { c } = await (await session).run({ a: tensor('float64', [m, k], a), b: tensor('float64', [k, n], b) })
      return numbers(c!) as Float64Array
    },
    async close() {
      await (await session)?.close()
    },
  }
}

/** One product alone. */
export async function multiplied(
  a: Float64Array,
  b: Float64Array,
  shape: ProductShape,
  engine: Engine | undefined,
): Promise<Float64Array> {
  const products = openProducts(engine)
  try {
    return await products.multiply(a, b, shape)
  } finally {
    await products.close()
  }
}

function productModel() {
  const b = builder(['c'], 'float64')
  b.input('a', { kind: 'tensor', dtype: 'float64', shape: ['M', 'K'] })
  b.input('b', { kind: 'tensor', dtype: 'float64', shape: ['K', 'N'] })
  b.ops('MatMul', ['a', 'b'], { outputs: ['c'] })
  b.output('c', { kind: 'tensor', dtype: 'float64', shape: ['M', 'N'] })
  return modelOf(b.graph('product'))
}

/** Its memory grows with what is asked. */
function kernelProducts(): (a: Float64Array, b: Float64Array, shape: ProductShape) => Float64Array {
  let kernel: DenseKernel | undefined
  return (a, b, { m, k, n }) => {
    const result = new Float64Array(m * n)
    if (m * k * n <= FEW) {
      addProduct(m, k, n, { data: a, stride: k }, { data: b, stride: n }, { data: result, stride: n })
      return result
    }
    const [inner, outer] = [wholeBlocks(k), wholeBlocks(n)]
    const [left, right, all] = [m * inner, m * inner + k * outer, m * inner + (k + m) * outer]
    if (kernel === undefined || kernel.memory.length < all) kernel = openDenseKernel(all)
    const { memory } = kernel
    copyRows(a, k, memory, inner, m)
    copyRows(b, n, memory.subarray(left), outer, k)
    const c = memory.subarray(right, all)
    c.fill(0)
    kernel.addProduct(
      m,
      k,
      n,
      { data: memory, stride: inner },
      { data: memory.subarray(left), stride: outer },
      { data: c, stride: outer },
    )
    copyRows(c, outer, result, n, m)
    return result
  }
}

/** As much of each row as both have room for. */
export function copyRows(from: Float64Array, width: number, to: Float64Array, stride: number, rows: number): void {
  if (width === stride) to.set(from.subarray(0, rows * width))
  else {
    const part = Math.min(width, stride)
    for (let i = 0; i < rows; i++) to.set(from.subarray(i * width, i * width + part), i * stride)
  }
}

export function transposed(a: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(a.length)
  // Tiles, so that what is read and what is written stays in the cache.
  for (let i0 = 0; i0 < rows; i0 += 32) {
    for (let j0 = 0; j0 < columns; j0 += 32) {
      const [i1, j1] = [Math.min(rows, i0 + 32), Math.min(columns, j0 + 32)]
      for (let i = i0; i < i1; i++) for (let j = j0; j < j1; j++) out[j * rows + i] = a[i * columns + j]!
    }
  }
  return out
}
