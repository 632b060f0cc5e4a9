import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import type { FloatType } from '../ir/builder.js'
import { random } from '../util/random.js'
import { type GramAccumulator, openGram } from './gram.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const TILE = 96

/** Rows as tiles of columns, the last one filled up by zeros; of each block of columns alone. */
function tiled(
  rows: Float64Array,
  columns: number,
  blocks: GramAccumulator['blocks'],
  precision: FloatType,
): readonly (Float32Array | Float64Array)[] {
  const count = rows.length / columns
  return blocks.map(({ from, to }) => {
    const out = new Float64Array(Math.ceil(count / TILE) * TILE * (to - from))
    for (let i = 0; i < count; i++) {
      const place = i % TILE
      for (let j = from; j < to; j++)
        out[(i - place) * (to - from) + (j - from) * TILE + place] = rows[i * columns + j]!
    }
    return precision === 'float32' ? Float32Array.from(out) : out
  })
}

test.each([
  { rows: 1, columns: 1, precision: 'float64' },
  { rows: 50, columns: 130, precision: 'float64' },
  { rows: 4096, columns: 3, precision: 'float64' },
  { rows: 9000, columns: 5, precision: 'float32' },
  { rows: 40, columns: 300, precision: 'float32' },
] as const)('the product of %j, in one part and in several', async ({ rows, columns, precision }) => {
  const { normal } = random(2)
  const x = Float64Array.from({ length: rows * columns }, () => normal())
  const gram = await openGram({ engine, columns, precision, tile: TILE })
  const half = Math.ceil(rows / 2) * columns
  await gram.add(tiled(x.subarray(0, half), columns, gram.blocks, precision))
  if (half < x.length) await gram.add(tiled(x.subarray(half), columns, gram.blocks, precision))
  const sum = gram.take()
  await gram.close()
  for (let at = 0; at < 20; at++) {
    const [j, k] = [(7 * at) % columns, (13 * at + 5) % columns]
    let exact = 0
    for (let i = 0; i < rows; i++) exact += x[i * columns + j]! * x[i * columns + k]!
    const error = Math.abs(sum[j * columns + k]! - exact) / rows
    expect(error).toBeLessThan(precision === 'float64' ? 1e-13 : 1e-6)
    expect(sum[j * columns + k]).toBe(sum[k * columns + j])
  }
})
