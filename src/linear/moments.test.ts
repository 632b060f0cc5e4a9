import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import { crossValidate } from './cross-validate.js'
import { gatherMoments, gatherParts } from './gather-moments.js'
import { addMoments, type Moments, momentsOf, withoutMoments } from './moments.js'
import { path } from './path.js'

function table(seed: number, rows: number, columns: number) {
  const { normal, uniform } = random(seed)
  const data = Float64Array.from({ length: rows * columns }, () => normal(100, 3))
  return {
    x: { rows, columns, data },
    y: Float64Array.from({ length: rows }, () => normal()),
    weights: Float64Array.from({ length: rows }, () => (uniform() < 0.2 ? 0 : uniform(0.5, 2))),
  }
}

function expectClose(a: Moments, b: Moments): void {
  expect(a.count).toBe(b.count)
  expect(a.weight).toBeCloseTo(b.weight, 9)
  for (const [j, v] of a.means.entries()) expect(v).toBeCloseTo(b.means[j]!, 8)
  for (const [i, v] of a.scatter.entries()) expect(v).toBeCloseTo(b.scatter[i]!, 6)
}

const shape = fc.record({
  seed: fc.nat(1000),
  rows: fc.integer({ min: 4, max: 30 }),
  columns: fc.integer({ min: 1, max: 4 }),
})

test('moments are weighted means and scatter about them', () => {
  fc.assert(
    fc.property(shape, ({ seed, rows, columns }) => {
      const { x, y, weights } = table(seed, rows, columns)
      fc.pre(weights.some((w) => w > 0))
      const found = momentsOf(x, y, { weights })
      const z = (i: number, j: number): number => (j === columns ? y[i]! : x.data[i * columns + j]!)
      const total = weights.reduce((a, b) => a + b, 0)
      const mean = (j: number): number => weights.reduce((sum, w, i) => sum + w * z(i, j), 0) / total
      for (let j = 0; j <= columns; j++) {
        expect(found.means[j]).toBeCloseTo(mean(j), 9)
        for (let k = 0; k <= columns; k++) {
          const scatter = weights.reduce((sum, w, i) => sum + w * (z(i, j) - mean(j)) * (z(i, k) - mean(k)), 0)
          expect(found.scatter[j * (columns + 1) + k]).toBeCloseTo(scatter, 7)
        }
      }
    }),
    { numRuns: 50 },
  )
})

test('those of parts add up to those of all, and are taken off again', () => {
  fc.assert(
    fc.property(shape, fc.integer({ min: 1, max: 3 }), ({ seed, rows, columns }, cut) => {
      const { x, y } = table(seed, rows, columns)
      const all = momentsOf(x, y)
      const order = Array.from({ length: rows }, (_, i) => i)
      const [a, b] = [momentsOf(x, y, { rows: order.slice(0, cut) }), momentsOf(x, y, { rows: order.slice(cut) })]
      expectClose(addMoments(a, b), all)
      expectClose(withoutMoments(all, a), b)
    }),
    { numRuns: 50 },
  )
})

test('the order of X and its type make no difference', () => {
  const { x, y } = table(3, 12, 3)
  const turned = Float64Array.from({ length: 36 }, (_, i) => x.data[(i % 12) * 3 + Math.floor(i / 12)]!)
  expect(momentsOf({ rows: 12, columns: 3, data: turned, order: 'column-major' }, y)).toEqual(momentsOf(x, y))
  const short = Float32Array.from(x.data)
  expect(momentsOf({ ...x, data: short }, y)).toEqual(momentsOf({ ...x, data: Float64Array.from(short) }, y))
})

test.each([
  ['float32', 3e-7],
  ['float64', 1e-13],
] as const)('the engine gathers what plain loops do, in %s, of huge and tiny columns too', async (precision, error) => {
  const engine = await openEngine({ threads: 1 })
  const { normal, uniform } = random(1)
  const [rows, columns] = [20_000, 80]
  const data = Float64Array.from({ length: rows * columns }, (_, i) => 10 ** ((i % columns) - 40) * normal(3, 1))
  const x = { rows, columns, data }
  const y = Float64Array.from({ length: rows }, () => normal())
  const weights = Float64Array.from({ length: rows }, () => uniform(0, 2))
  const order = Uint32Array.from({ length: 17_000 }, (_, i) => rows - 1 - i)
  // A column that is quite another one where it is looked at first.
  for (let i = 0; i < 1024; i++) data[order[Math.floor((i * order.length) / 1024)]! * columns + 40] = -1e5
  const [a, b] = [
    await gatherMoments(x, y, { engine, weights, rows: order, precision }),
    momentsOf(x, y, { weights, rows: order }),
  ]
  await engine.close()
  expect(a.count).toBe(b.count)
  const m = columns + 1
  for (let j = 0; j < m; j++) {
    expect(a.means[j]! / b.means[j]!).toBeCloseTo(1, 10)
    for (let k = 0; k < m; k++) {
      const unit = Math.sqrt(b.scatter[j * m + j]! * b.scatter[k * m + k]!)
      expect(Math.abs(a.scatter[j * m + k]! - b.scatter[j * m + k]!) / unit).toBeLessThan(error)
    }
  }
})

test.each([1, 1e40, 1e-45])(
  'on the engine: rows without weight have no say, and weights of %d no unit',
  async (unit) => {
    const { x, y } = table(6, 20_000, 80)
    const weights = Float64Array.from(y, (_, i) => (i % 7 === 0 ? 0 : unit * (1 + (i % 3))))
    for (let i = 0; i < x.rows; i += 7) {
      x.data[i * x.columns + 1] = 1e140
      y[i] = -1e145
    }
    const engine = await openEngine({ threads: 1 })
    try {
      const found = await gatherMoments(x, y, { weights, engine, precision: 'float32' })
      const wanted = momentsOf(x, y, { weights })
      expect(found.count).toBe(wanted.count)
      expect(found.rounding).toBeLessThan(1e-5)
      const m = x.columns + 1
      for (const [j, v] of found.means.entries()) expect(v).toBeCloseTo(wanted.means[j]!, 8)
      for (const [at, v] of found.scatter.entries()) {
        const size = Math.sqrt(wanted.scatter[Math.floor(at / m) * (m + 1)]! * wanted.scatter[(at % m) * (m + 1)]!)
        expect(Math.abs(v - wanted.scatter[at]!)).toBeLessThan(1e-5 * size)
      }
    } finally {
      await engine.close()
    }
  },
)

test('on the engine: what no sampled row has told of does not overflow', async () => {
  const { x, y } = table(7, 20_000, 80)
  for (const j of [2, 5]) x.data[31 * x.columns + j] = 1e25
  const engine = await openEngine({ threads: 1 })
  try {
    const found = await gatherMoments(x, y, { engine, precision: 'float32' })
    expect(found.scatter.every(Number.isFinite)).toBe(true)
    expect(found.rounding).toBeLessThan(1e-5)
  } finally {
    await engine.close()
  }
})

test.each(['row-major', 'column-major'] as const)(
  'on the engine: parts one after the other, %s, of float32',
  async (order) => {
    const [rows, columns] = [40_000, 70]
    const { normal } = random(11)
    const [byRow, byColumn] = order === 'row-major' ? [columns, 1] : [1, rows]
    const data = new Float32Array(rows * columns)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) data[i * byRow + j * byColumn] = normal(i % 3 === 2 ? 1000 : 1, 1)
    const x = { rows, columns, data, order }
    const y = Float64Array.from({ length: rows }, () => normal())
    const all = Array.from({ length: rows }, (_, i) => i)
    // Of the last part, all lies far from the mean of the others; one part is empty, one a row alone.
    const parts = [
      all.filter((i) => i % 3 === 0),
      [],
      all.filter((i) => i % 3 === 1),
      [4],
      all.filter((i) => i % 3 === 2),
    ]
    const engine = await openEngine({ threads: 1 })
    try {
      const found = await gatherParts(x, y, parts, { engine, precision: 'float32' })
      const m = columns + 1
      for (const [k, part] of parts.entries()) {
        const [a, b] = [found[k]!, momentsOf(x, y, { rows: part })]
        expect([a.count, a.weight]).toEqual([b.count, b.weight])
        if (part.length === 0) continue
        for (let j = 0; j < m; j++) {
          expect(a.means[j]).toBeCloseTo(b.means[j]!, 9)
          for (let l = 0; l < m; l++) {
            const unit = Math.sqrt(b.scatter[j * (m + 1)]! * b.scatter[l * (m + 1)]!)
            expect(Math.abs(a.scatter[j * m + l]! - b.scatter[j * m + l]!)).toBeLessThanOrEqual(1e-6 * unit)
          }
        }
      }
    } finally {
      await engine.close()
    }
  },
)

test('on the engine: a row alone of huge columns has no scatter', async () => {
  const [rows, columns] = [20_001, 70]
  const { normal } = random(12)
  const x = { rows, columns, data: Float64Array.from({ length: rows * columns }, () => 1e60 * normal()) }
  const y = Float64Array.from({ length: rows }, () => normal())
  const engine = await openEngine({ threads: 1 })
  try {
    const parts = [Array.from({ length: rows - 1 }, (_, i) => i), [rows - 1]]
    const [, alone] = await gatherParts(x, y, parts, { engine, precision: 'float32' })
    expect(alone!.scatter.every((v) => v === 0)).toBe(true)
    expect(alone!.means[3]).toBe(x.data[(rows - 1) * columns + 3])
  } finally {
    await engine.close()
  }
})

test.each(['row-major', 'column-major'] as const)(
  'on the engine sums tell of a cell that is no number, %s',
  async (order) => {
    const engine = await openEngine({ threads: 1 })
    const [rows, columns] = [20_000, 80]
    try {
      for (const [value, code] of [
        [Number.NaN, 'DESIGN_FINITE'],
        [Number.NEGATIVE_INFINITY, 'DESIGN_FINITE'],
        [1e200, 'DESIGN_RANGE'],
      ] as const) {
        const { normal } = random(13)
        const data = Float64Array.from({ length: rows * columns }, () => normal())
        data[data.length - 1] = value
        const x = { rows, columns, data, order }
        const y = data.slice(0, rows)
        const wanted = { code, detail: { where: `X, row ${rows}, column ${columns}` } }
        await expect(path(x, y, { engine })).rejects.toMatchObject(wanted)
        await expect(crossValidate(x, y, { engine })).rejects.toMatchObject(wanted)
      }
    } finally {
      await engine.close()
    }
  },
)

test('means of sorted columns far from 0 do not lag behind', () => {
  const rows = 200_000
  const data = Float64Array.from({ length: rows }, (_, i) => 1.7e18 + 2.5e7 * i)
  const { means } = momentsOf({ rows, columns: 1, data }, data)
  const exact = 1.7e18 + (2.5e7 * (rows - 1)) / 2
  expect(Math.abs(means[0]! - exact)).toBeLessThan(1024)
})
