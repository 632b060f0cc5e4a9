/** What the ways of storing a weight share: the nodes that expand it, and what those cost in the file. */

import { int } from '../../ir/attrs.js'
import { i64, tensor } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import type { Rewriter } from '../quantize/rewrite.js'

/** Adds the nodes that expand a constant; the name of the float32 value, or null where nothing is gained. */
export type Expand = (r: Rewriter, name: string, t: Tensor) => string | null

/** The same of all constants of a graph, by their names; those of which nothing is gained are missing. */
export type ExpandAll = (
  r: Rewriter,
  constants: readonly (readonly [name: string, t: Tensor])[],
) => ReadonlyMap<string, string>

export const oneByOne =
  (expand: Expand): ExpandAll =>
  (r, constants) =>
    new Map(
      constants.flatMap(([name, t]) => {
        const expanded = expand(r, name, t)
        return expanded === null ? [] : [[name, expanded] as const]
      }),
    )

/** A step on the way to the value that a constant had: what it takes in the file, and its nodes. */
export interface Part {
  /** Elements of its constants, in bytes. */
  readonly bytes: number
  readonly ops: number
  readonly constants: number
  /** Adds the nodes; the name of what they make. */
  emit(r: Rewriter, hint: string): string
}

export const toFloat = { to: int(1) }
export const toInt32 = { to: int(6) }

/** What names of added values begin with: that of the constant, where it is not long. */
export const hintOf = (name: string): string => (name.length <= 24 ? name : 'w')

/** About the bytes that so many ops and constants take in the file besides the constants' elements. */
export const overhead = (name: string, ops: number, constants: number): number =>
  ops * (30 + 3 * (hintOf(name).length + 4)) + constants * (30 + hintOf(name).length + 4)

/** About the bytes that parts take in the file, all together. */
export const fileBytes = (name: string, parts: readonly Omit<Part, 'emit'>[]): number =>
  parts.reduce((n, part) => n + part.bytes + overhead(name, part.ops, part.constants), 0)

/** A constant that is used as it is. */
export const plain = (t: Tensor, suffix = 'v'): Part => ({
  bytes: t.byteLength,
  ops: 0,
  constants: 1,
  emit: (r, hint) => r.constant(t, `${hint}_${suffix}`),
})

/** A list of numbers that shapes and places are given as. */
export const list = (r: Rewriter, ...values: readonly number[]): string =>
  r.constant(i64([values.length], values), 'shape')

export const bytesOf = (r: Rewriter, values: readonly number[]): string =>
  r.constant(tensor('uint8', [values.length], Uint8Array.from(values)), 'digits')
