/** The loops of gram-descent.ts, compiled where that is possible, with the memory that they work on. */

import { compiled } from './compiled.js'
import { type Descent, descend, type GramState, type GramTerms, type Rows, subtractRows } from './gram-descent.js'
import { GRAM_WASM } from './gram-wasm.js'

export interface GramKernel {
  readonly isCompiled: boolean
  /**
   * Zeros at first. Every array that goes to a function below is a part of it, begins at a multiple of `BLOCK` and has
   * the room up to the next one for itself.
   */
  readonly memory: Float64Array
  readonly descend: (terms: GramTerms, state: GramState, most: number, tolerance: number) => Descent
  readonly subtractRows: (rows: Rows, coefficients: Float64Array, target: Float64Array) => void
}

/** Numbers that the compiled loops take at a time. */
export const BLOCK = 8

/** The next multiple of `BLOCK`. */
export const wholeBlocks = (length: number): number => Math.ceil(length / BLOCK) * BLOCK

/** A kernel with a memory of its own, of so many numbers; the plain one where WebAssembly SIMD is missing. */
export function openGramKernel(length: number): GramKernel {
  return compiledKernel(length) ?? plainKernel(length)
}

export interface KernelPool {
  /** Columns that problems had room for in the end: what comes next begins with as much. */
  columns: number
  /** From here on all memory is free again: what was opened before is over. */
  begin(): void
  readonly open: (length: number) => GramKernel
  /** Memory without a kernel, with whatever it held before. */
  readonly plain: (length: number) => Float64Array
}

/** Kernels of problems that are solved one after the other: new memory costs more than much of what is done with it. */
export function kernelPool(): KernelPool {
  const kernels: GramKernel[] = []
  const arrays: Pick<GramKernel, 'memory'>[] = []
  const taken = new Set<Pick<GramKernel, 'memory'>>()
  function take<T extends Pick<GramKernel, 'memory'>>(all: T[], length: number, open: (length: number) => T): T {
    const fits = all.filter((k) => !taken.has(k) && k.memory.length >= length)
    const found = fits.sort((a, b) => a.memory.length - b.memory.length)[0]
    const taking = found ?? open(length)
    if (found === undefined) all.push(taking)
    taken.add(taking)
    return taking
  }
  return {
    columns: 0,
    begin: () => taken.clear(),
    open(length) {
      const kernel = take(kernels, length, openGramKernel)
      return { ...kernel, memory: kernel.memory.subarray(0, length).fill(0) }
    },
    plain: (length) => take(arrays, length, (n) => ({ memory: new Float64Array(n) })).memory.subarray(0, length),
  }
}

export function plainKernel(length: number): GramKernel {
  return { isCompiled: false, memory: new Float64Array(length), descend, subtractRows }
}

interface Exports {
  descend(
    n: number,
    stride: number,
    gram: number,
    l1: number,
    l2: number,
    lower: number,
    upper: number,
    beta: number,
    residual: number,
    history: number,
    most: number,
    tolerance: number,
    largestAt: number,
  ): number
  subtractRows(count: number, length: number, stride: number, rows: number, coefficients: number, target: number): void
}

const instance = compiled<Exports>(GRAM_WASM)

/** Null where it cannot be: no SIMD, a page that forbids WebAssembly, or more memory than it can have. */
export function compiledKernel(length: number): GramKernel | null {
  const words = wholeBlocks(length) + BLOCK
  const made = instance(8 * words)
  if (made === null) return null
  const { calls, memory } = made
  // The last block is for what a call returns beside its result.
  const largest = new Float64Array(memory.buffer, 8 * (words - BLOCK), 1)
  return {
    isCompiled: true,
    memory: new Float64Array(memory.buffer, 0, length),
    descend: ({ n, stride, gram, l1, l2, lower, upper }, { beta, residual, history }, most, tolerance) => {
      const passes = calls.descend(
        n,
        stride,
        gram.byteOffset,
        l1.byteOffset,
        l2.byteOffset,
        lower.byteOffset,
        upper.byteOffset,
        beta.byteOffset,
        residual.byteOffset,
        history.byteOffset,
        most,
        tolerance,
        largest.byteOffset,
      )
      return { passes, largest: largest[0]! }
    },
    subtractRows: ({ count, length, data, stride }, coefficients, target) =>
      calls.subtractRows(count, length, stride, data.byteOffset, coefficients.byteOffset, target.byteOffset),
  }
}
