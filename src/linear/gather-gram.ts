/** Weighted Gram matrices of many rows and columns on the engine, the others by plain loops. */

import type { Engine } from '../engine/engine.js'
import { openGram } from '../linalg/gram.js'
import type { Tile } from '../kernels/tile-products.js'
import { type Coordinates, type Rows, weightedGram } from './rows.js'
import type { Block } from './tiles.js'

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
  const gram = await openGram({ engine, columns: m, precision: 'float32', order: 'column-major' })
  try {
    const places = coordinates.columns.map((j) => (j < 0 ? x.columns : j))
    const own = Float64Array.from(coordinates.columns, (j) => (j < 0 ? 1 : factors[j]!))
    let last: Promise<void> = Promise.resolve()
    for (const block of tiles.blocks) {
      for (let first = 0; first < block.tiles.length; first += TOGETHER) {
        const some = block.tiles.slice(first, first + TOGETHER)
        const part = new Float32Array(m * some.length * tiles.height)
        for (const [t, { tile, from, to }] of some.entries()) {
          for (let i = from; i < to; i++) block.forward[i - from] = Math.sqrt(shares[i]! * curvature[i]! * tiles.rows)
          block.forward.fill(0, to - from)
          scaled(block, tile, { places, own, part, at: t * tiles.height, stride: some.length * tiles.height })
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

interface Target {
  /** Columns of the tile, and what multiplies them. */
  readonly places: Int32Array
  readonly own: Float64Array
  /** [columns, stride], to whose columns this adds rows from `at` on. */
  readonly part: Float32Array
  readonly at: number
  readonly stride: number
}

/** By way of the kernel's memory, some columns at a time. */
function scaled({ kernel, strip, left, coefficients, forward }: Block, tile: Tile, target: Target): void {
  const { places, own, part, at, stride } = target
  const { height } = tile
  const room = new Float32Array(strip.buffer, strip.byteOffset, 2 * strip.length)
  const most = Math.max(1, Math.floor(room.length / height))
  for (let a = 0; a < places.length; a += most) {
    const count = Math.min(most, places.length - a)
    left.set(places.subarray(a, a + count))
    coefficients.set(own.subarray(a, a + count))
    kernel.scaleColumns(tile, left.subarray(0, count), coefficients, forward, { out: room, stride: height })
    for (let k = 0; k < count; k++)
      part.set(room.subarray(k * height, (k + 1) * height), (a + k) * stride + at)
  }
}
