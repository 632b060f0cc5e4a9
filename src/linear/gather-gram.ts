/** Weighted Gram matrices of many rows and columns on the engine, the others by plain loops. */

import type { Engine } from '../engine/engine.js'
import { openGram } from '../linalg/gram.js'
import { type Coordinates, type Rows, weightedGram } from './rows.js'

/** Multiplications from which on the engine is worth its way. */
const MANY = 5e8

/** Tiles that go to the engine at once. */
const TOGETHER = 32

/**
 * As `weightedGram`; on the engine in float32, which a second derivative that serves to find the next point may well be.
 * There for one predictor with W ≥ 0: then W = √W √W.
 */
export async function gatherGram(
  rows: Rows,
  coordinates: Coordinates,
  curvature: Float64Array,
  engine: Engine | undefined,
): Promise<Float64Array> {
  const { tiles, shares, factors, x } = rows
  const m = coordinates.columns.length
  if (engine === undefined || curvature.length !== tiles.rows || tiles.rows * m * m < MANY)
    return weightedGram(rows, coordinates, curvature)
  const roots = curvature.map((w, i) => Math.sqrt(shares[i]! * w * tiles.rows))
  const own = Float64Array.from(coordinates.columns, (j) => (j < 0 ? 1 : factors[j]!))
  const gram = await openGram({ engine, columns: m, precision: 'float32', order: 'column-major' })
  try {
    let last: Promise<void> = Promise.resolve()
    for (const { tiles: all } of tiles.blocks) {
      for (let first = 0; first < all.length; first += TOGETHER) {
        const some = all.slice(first, first + TOGETHER)
        const count = some.at(-1)!.to - some[0]!.from
        const part = new Float32Array(m * count)
        for (const { tile, from, to } of some) {
          for (let a = 0; a < m; a++) {
            const j = coordinates.columns[a]!
            const at = (j < 0 ? x.columns : j) * tile.height
            addScaled(tile.data, at, roots, from, to, own[a]!, part, a * count + from - some[0]!.from)
          }
        }
        await last
        last = gram.add(part)
      }
    }
    await last
    return gram.sum().map((v) => v / tiles.rows)
  } finally {
    await gram.close()
  }
}

function addScaled(
  data: Float64Array,
  at: number,
  roots: Float64Array,
  from: number,
  to: number,
  factor: number,
  out: Float32Array,
  place: number,
): void {
  for (let i = from; i < to; i++) out[place + i - from] = factor * roots[i]! * data[at + i - from]!
}
