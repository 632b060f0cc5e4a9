/** The loops of affinity-loops.ts, compiled where that is possible, with the memory that they work on. */

import { AFFINITIES_WASM } from './affinities-wasm.js'
import { weighRow } from './affinity-loops.js'
import { compiled } from './compiled.js'

export interface AffinityKernel {
  readonly isCompiled: boolean
  /** Square distances, then weights: [rows, width]. */
  readonly distances: Float64Array
  /** By how much each row misses the entropy: [rows]. */
  readonly missed: Float64Array
  weigh(entropy: number): void
}

interface Exports {
  weigh(distances: number, from: number, to: number, width: number, entropy: number, missed: number): void
}

const instance = compiled<Exports>(AFFINITIES_WASM)

/** `width`: even. The plain one where WebAssembly SIMD is missing. */
export const openAffinityKernel = (rows: number, width: number): AffinityKernel =>
  compiledAffinityKernel(rows, width) ?? plainAffinityKernel(rows, width)

export function compiledAffinityKernel(rows: number, width: number): AffinityKernel | null {
  const made = instance(8 * rows * (width + 1) + 16)
  if (made === null) return null
  const { calls, memory } = made
  const distances = new Float64Array(memory.buffer, 0, rows * width)
  const missed = new Float64Array(memory.buffer, distances.byteLength, rows)
  return {
    isCompiled: true,
    distances,
    missed,
    weigh: (entropy) => calls.weigh(distances.byteOffset, 0, rows, width, entropy, missed.byteOffset),
  }
}

export function plainAffinityKernel(rows: number, width: number): AffinityKernel {
  const distances = new Float64Array(rows * width)
  const missed = new Float64Array(rows)
  return {
    isCompiled: false,
    distances,
    missed,
    weigh(entropy) {
      for (let i = 0; i < rows; i++) missed[i] = weighRow(distances.subarray(i * width, (i + 1) * width), entropy)
    },
  }
}
