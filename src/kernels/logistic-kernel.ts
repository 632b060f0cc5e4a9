/** The loops of logistic-loops.ts, compiled where that is possible, with the memory that it works on. */

import { compiled } from './compiled.js'
import { conjugate, respond } from './logistic-loops.js'
import { LOGISTIC_WASM } from './logistic-wasm.js'

/** Rows at once, at most. */
export const LOGISTIC_ROWS = 512

export interface LogisticKernel {
  readonly isCompiled: boolean
  /** [LOGISTIC_ROWS] */
  readonly y: Float64Array
  readonly eta: Float64Array
  readonly shares: Float64Array
  /** Or points of the dual. */
  readonly slopes: Float64Array
  /** Slopes of the first rows, an even number; returns Σ ω f. */
  readonly respond: (count: number) => number
  /** Moves what `slopes` holds of the first rows, an even number, into the domain of f*; returns Σ ω f*. */
  readonly conjugate: (count: number) => number
}

/** With a memory of its own; the plain one without WebAssembly SIMD. */
export function openLogisticKernel(): LogisticKernel {
  return compiledLogisticKernel() ?? plainLogisticKernel()
}

export function plainLogisticKernel(): LogisticKernel {
  const room = roomIn(new ArrayBuffer(BYTES))
  const { y, eta, shares, slopes } = room
  return {
    isCompiled: false,
    ...room,
    respond: (count) => respond(count, y, eta, shares, slopes),
    conjugate: (count) => conjugate(count, y, slopes, shares),
  }
}

interface Exports {
  respond(count: number, y: number, eta: number, shares: number, slopes: number): number
  conjugate(count: number, y: number, v: number, shares: number): number
}

const instance = compiled<Exports>(LOGISTIC_WASM)

/** Null where WebAssembly cannot be. */
export function compiledLogisticKernel(): LogisticKernel | null {
  const made = instance(BYTES)
  if (made === null) return null
  const { memory, calls } = made
  const room = roomIn(memory.buffer)
  const [y, eta, shares, slopes] = [room.y, room.eta, room.shares, room.slopes].map((part) => part.byteOffset)
  return {
    isCompiled: true,
    ...room,
    respond: (count) => calls.respond(count, y!, eta!, shares!, slopes!),
    conjugate: (count) => calls.conjugate(count, y!, slopes!, shares!),
  }
}

const BYTES = 4 * 8 * LOGISTIC_ROWS

function roomIn(buffer: ArrayBufferLike) {
  const part = (at: number): Float64Array => new Float64Array(buffer, 8 * at * LOGISTIC_ROWS, LOGISTIC_ROWS)
  return { y: part(0), eta: part(1), shares: part(2), slopes: part(3) }
}
