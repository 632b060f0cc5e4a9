/** The loops of t-SNE, compiled, on one memory that several threads may work on. */

import { compiledOn } from './compiled.js'
import { CONVOLVE_COLUMNS_WASM } from './convolve-columns-wasm.js'
import { CONVOLVE_ROWS_WASM } from './convolve-rows-wasm.js'
import { DESCENT_WASM } from './descent-wasm.js'
import { SPREAD_WASM } from './spread-wasm.js'
import { TREE_WASM } from './tree-wasm.js'

/** By name, with addresses and numbers; what they are stands in assembly/. */
export type EmbeddingCalls = Readonly<Record<EmbeddingCall, (...given: readonly number[]) => number>>

export const EMBEDDING_CALLS = [
  ...['columnsForward', 'columnsInverse', 'rowsConvolved', 'transform'],
  ...['spread', 'gather', 'attract2', 'attract3', 'spreadOut', 'step', 'shift', 'build', 'repel'],
] as const satisfies readonly string[]

export type EmbeddingCall = (typeof EMBEDDING_CALLS)[number]

const PARTS = [CONVOLVE_COLUMNS_WASM, CONVOLVE_ROWS_WASM, SPREAD_WASM, DESCENT_WASM, TREE_WASM].map((bytes) =>
  compiledOn<Partial<EmbeddingCalls>>(bytes),
)

/** Null where WebAssembly SIMD is missing, or memory that threads may share. */
export function embeddingCalls(memory: WebAssembly.Memory): EmbeddingCalls | null {
  const parts = PARTS.map((open) => open(memory))
  return parts.includes(null) ? null : (Object.assign({}, ...parts) as EmbeddingCalls)
}
