import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../util/random.js'
import { onSigns, type SignGrid, signsOf } from './signs.js'

const GRIDS: readonly SignGrid[] = ['binary', 'ternary']

/** A 3 × 5 × 2 tensor, by its values; along each axis. */
const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -8, max: 8 }), {
  minLength: 30,
  maxLength: 30,
})
const axis = fc.constantFrom(null, 0, 1, 2)
const SHAPE = [3, 5, 2]

describe.each(GRIDS)('%s', (grid) => {
  test('what is on the grid stays, bit for bit', () => {
    fc.assert(
      fc.property(values, axis, (all, along) => {
        const once = Float32Array.from(onSigns(Float32Array.from(all), SHAPE, along, grid))
        expect(Float32Array.from(onSigns(once, SHAPE, along, grid))).toEqual(once)
      }),
    )
  })

  test('signs and scales give the values back, bit for bit', () => {
    fc.assert(
      fc.property(values, axis, (all, along) => {
        const rounded = Float32Array.from(onSigns(Float32Array.from(all), SHAPE, along, grid))
        const found = signsOf(rounded, SHAPE, grid)!
        const run = found.axis === null ? 30 : SHAPE.slice(found.axis + 1).reduce((a, d) => a * d, 1)
        const back = rounded.map((_, i) => found.signs[i]! * found.scales[Math.floor(i / run) % found.scales.length]!)
        expect(back.every((v, i) => v === rounded[i])).toBe(true)
        if (along === null) expect(found.axis).toBeNull()
      }),
    )
  })

  test('ordinary values are not on it', () => {
    const { normal } = random(1)
    expect(
      signsOf(
        Float32Array.from({ length: 30 }, () => normal()),
        SHAPE,
        grid,
      ),
    ).toBeNull()
  })
})

test('binary is nearest: any other scale, and any other sign, is further off', () => {
  const { normal } = random(2)
  const w = Float64Array.from({ length: 12 }, () => normal())
  const q = onSigns(w, [12], null, 'binary')
  const error = (to: Float64Array): number => to.reduce((sum, v, i) => sum + (v - w[i]!) ** 2, 0)
  for (const factor of [0.99, 1.01]) expect(error(q.map((v) => factor * v))).toBeGreaterThan(error(q))
  for (let k = 0; k < 12; k++) expect(error(q.map((v, i) => (i === k ? -v : v)))).toBeGreaterThan(error(q))
})

test('ternary: zeros up to 0.7 of the mean size, then the mean of the rest', () => {
  // Mean 1, threshold 0.7.
  const q = onSigns(Float64Array.of(0.1, -0.69, 0.71, -2.5, 0, 2), [6], null, 'ternary')
  const scale = (0.71 + 2.5 + 2) / 3
  expect([...q].map((v) => Math.round(1e9 * v))).toEqual(
    [0, 0, scale, -scale, 0, scale].map((v) => Math.round(1e9 * v)),
  )
})

test('a channel of zeros is one of zeros', () => {
  for (const grid of GRIDS) {
    const w = Float32Array.of(0, 0, 1, -1)
    expect(onSigns(w, [2, 2], 0, grid)).toEqual(Float64Array.of(0, 0, 1, -1))
    expect(signsOf(w, [2, 2], grid)!.scales.length).toBe(grid === 'binary' ? 2 : 1)
  }
})
