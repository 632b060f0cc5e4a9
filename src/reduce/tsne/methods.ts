/** The ways to sum up repulsion, by name. */

import { gridBytes, gridRepulsion } from './grid.js'
import type { Repulsion, RepulsionMethod } from './repulsion.js'
import { treeBytes, treeRepulsion } from './tree.js'
import type { Workshop } from './workshop.js'

export interface RepulsionShape extends Workshop {
  /** Points that repel. */
  readonly count: number
  readonly theta: number
}

/** All pairs are a tree of which no cell is far enough. */
export function repulsionBy(method: RepulsionMethod, { arena, crew, count, theta }: RepulsionShape): Repulsion {
  if (method === 'grid') return gridRepulsion(arena, crew, count)
  return treeRepulsion(arena, crew, count, method === 'exact' ? 0 : theta)
}

export const repulsionBytes = (method: RepulsionMethod, count: number, parts: number): number =>
  method === 'grid' ? gridBytes(count, parts) : treeBytes(count, parts)
