/** Repulsion by a tree, in two or three dimensions: cells that are far for their size are one point (Barnes and Hut 1986). */

import { PareError } from '../../util/errors.js'
import type { Crew } from './crew.js'
import type { Arena } from './memory.js'
import type { Repulsion } from './repulsion.js'

/** Bytes of a cell. */
const CELL = 64

/** Cells for each point, and for the first ones: a tree of pairs that are close has more than one for each. */
const CELLS = 6
const FIRST = 1024

/** Cells that wait to be looked at: of each level all but one. */
const WAITING = 4096

const roomOf = (count: number): number => CELLS * count + FIRST

export const treeBytes = (count: number, parts: number): number => CELL * roomOf(count) + 4 * parts * WAITING + 4096

/** `theta`: width over distance below which a cell is one point; 0 takes all points by themselves. */
export function treeRepulsion(arena: Arena, crew: Crew, count: number, theta: number): Repulsion {
  const room = roomOf(count)
  const cells = arena.take(CELL * room)
  const stacks = Array.from({ length: crew.parts }, () => arena.take(4 * WAITING))
  let at = 0
  return {
    place(points, { low, high }) {
      at = points.at
      const middle = [0, 1, 2].map((d) => (d < points.dims ? 0.5 * (low[d]! + high[d]!) : 0)) as [
        number,
        number,
        number,
      ]
      const half = Math.max(1e-30, ...low.slice(0, points.dims).map((v, d) => 0.5 * (high[d]! - v))) * (1 + 1e-5)
      const used = crew.calls.build(points.at, points.count, points.dims, ...middle, half, cells, room)
      if (used === 0)
        throw new PareError('TSNE_TREE', 'the map is too uneven for a tree of its points', {
          value: `${points.count} points`,
          remedy: 'Take another method, or a seed that begins elsewhere.',
        })
    },
    callsOf: (target, from, to, part) => [
      [
        'repel',
        target.at,
        from,
        to,
        target.dims,
        at,
        cells,
        theta,
        stacks[part]!,
        target.out,
        target.values,
        Number(target.isCharge),
      ],
    ],
  }
}
