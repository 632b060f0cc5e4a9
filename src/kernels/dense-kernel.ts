/** The loops of dense-loops.ts, compiled where that is possible, with the memory that they work on. */

import { compiled } from './compiled.js'
import { addProduct, type Block, type Reduction, type Scratch, tridiagonalize } from './dense-loops.js'
import { DENSE_WASM } from './dense-wasm.js'
import { wholeBlocks } from './gram-kernel.js'

export interface DenseKernel {
  readonly isCompiled: boolean
  /**
   * Zeros at first. Every array that goes to a function below is a part of it; strides are whole blocks, and what lies
   * behind the columns of a row up to there is the row's own.
   */
  readonly memory: Float64Array
  readonly tridiagonalize: (reduction: Reduction, scratch: Scratch) => void
  /** C += AB of [m, k] and [k, n]. */
  readonly addProduct: (m: number, k: number, n: number, a: Block, b: Block, c: Block) => void
}

/** A kernel with a memory of its own, of so many numbers; the plain one where WebAssembly SIMD is missing. */
export function openDenseKernel(length: number): DenseKernel {
  return compiledDense(length) ?? plainDense(length)
}

export function plainDense(length: number): DenseKernel {
  return { isCompiled: false, memory: new Float64Array(length), tridiagonalize, addProduct }
}

type Address = number

interface Exports {
  tridiagonalize(
    n: number,
    stride: number,
    a: Address,
    diagonal: Address,
    off: Address,
    tau: Address,
    u: Address,
    v: Address,
    w: Address,
    p: Address,
  ): void
  addProduct(
    m: number,
    k: number,
    n: number,
    a: Address,
    aStride: number,
    b: Address,
    bStride: number,
    c: Address,
    cStride: number,
    scratch: Address,
  ): void
}

const instance = compiled<Exports>(DENSE_WASM)

/** Numbers of the right factor that are packed at a time. */
const PACKED = 2048

/** Null where it cannot be. */
export function compiledDense(length: number): DenseKernel | null {
  const words = wholeBlocks(length)
  const made = instance(8 * (words + PACKED))
  if (made === null) return null
  const { calls, memory } = made
  return {
    isCompiled: true,
    memory: new Float64Array(memory.buffer, 0, length),
    tridiagonalize: ({ n, a, diagonal, off, tau }, [u, v, w, p]) =>
      calls.tridiagonalize(
        n,
        a.stride,
        a.data.byteOffset,
        diagonal.byteOffset,
        off.byteOffset,
        tau.byteOffset,
        u.byteOffset,
        v.byteOffset,
        w.byteOffset,
        p.byteOffset,
      ),
    addProduct: (m, k, n, a, b, c) =>
      calls.addProduct(
        m,
        k,
        n,
        a.data.byteOffset,
        a.stride,
        b.data.byteOffset,
        b.stride,
        c.data.byteOffset,
        c.stride,
        8 * words,
      ),
  }
}
