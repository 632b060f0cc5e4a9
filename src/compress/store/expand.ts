/** What the ways of storing a weight share: the nodes that expand it, and what those cost in the file. */

import { int } from '../../ir/attrs.js'
import type { Tensor } from '../../ir/types.js'
import type { Rewriter } from '../quantize/rewrite.js'

/** Adds the nodes that expand a constant; the name of the float32 value, or null where nothing is gained. */
export type Expand = (r: Rewriter, name: string, t: Tensor) => string | null

export const toFloat = { to: int(1) }

/** What names of added values begin with: that of the constant, where it is not long. */
export const hintOf = (name: string): string => (name.length <= 24 ? name : 'w')

/** About the bytes that so many ops and constants take in the file besides the constants' elements. */
export const overhead = (name: string, ops: number, constants: number): number =>
  ops * (30 + 3 * (hintOf(name).length + 4)) + constants * (30 + hintOf(name).length + 4)
