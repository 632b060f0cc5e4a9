/** Weighted Gram matrices of many rows and columns on the engine, the others by plain loops. */

import type { Engine } from '../engine/engine.js'
import { openGram } from '../linalg/gram.js'
import { inFlight } from '../util/in-flight.js'
import { type Coordinates, type TiledRows, weightedGram } from './rows.js'

/** Multiplications from which on the engine is worth its way. */
const MANY = 5e8

/** Tiles that go to the engine as one, so that it gives fewer products of its own to be added up. */
const TOGETHER = 6

/** Rows of zeros: columns a power of two apart would meet in the same lines of the cache. */
const PADDING = 16

/**
 * As `weightedGram`; on the engine in float32, which a second derivative that serves to find the next point may well be.
 * There for one predictor with W ≥ 0: then W = √W √W.
 */
export async function gatherGram(
  rows: TiledRows,
  coordinates: Coordinates,
  curvature: Float64Array,
  engine: Engine | undefined,
): Promise<Float64Array> {
  const { tiles, shares, factors, x } = rows
  const m = coordinates.columns.length
  if (engine === undefined || curvature.length !== tiles.rows || tiles.rows * m * m < MANY)
    return weightedGram(rows, coordinates, curvature)
  const { height } = tiles
  const tall = TOGETHER * height + PADDING
  const gram = await openGram({ engine, columns: m, precision: 'float32', tile: tall })
  try {
    const places = coordinates.columns.map((j) => (j < 0 ? x.columns : j))
    const own = Float64Array.from(coordinates.columns, (j) => (j < 0 ? 1 : factors[j]!))
    const tasks = inFlight(1)
    for (const { kernel, tiles: all, left, coefficients, forward, strip } of tiles.blocks) {
      const out = new Float32Array(strip.buffer, strip.byteOffset, m * height)
      const list = left.subarray(0, m)
      list.set(places)
      coefficients.set(own)
      for (let first = 0; first < all.length; first += TOGETHER) {
        const parts = gram.room(1)
        for (let t = 0; t < TOGETHER; t++) {
          const some = all[first + t]
          if (some === undefined) out.fill(0)
          else {
            const { tile, from, to } = some
            for (let i = from; i < to; i++) forward[i - from] = Math.sqrt(shares[i]! * curvature[i]! * tiles.rows)
            forward.fill(0, to - from)
            kernel.scaleColumns(tile, list, coefficients, forward, out)
          }
          for (const [a, { from, to }] of gram.blocks.entries())
            for (let j = from; j < to; j++)
              parts[a]!.set(out.subarray(j * height, (j + 1) * height), (j - from) * tall + t * height)
        }
        await tasks.push(gram.add(parts))
      }
    }
    await tasks.end()
    return gram.take().map((v) => v / tiles.rows)
  } finally {
    await gram.close()
  }
}
