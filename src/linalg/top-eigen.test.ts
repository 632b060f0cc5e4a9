/** What proves the largest eigenvalues: residuals, orthogonality, and all eigenvalues of the same matrix. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromOrthonormal, type Matrix, matrixOf, normals, product, turned } from '../../test/matrices.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import type { Spectrum } from './implicit-ql.js'
import { symmetricEigen } from './symmetric-eigen.js'
import { topEigen } from './top-eigen.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const symmetric = (n: number, element: (i: number, j: number) => number): Matrix =>
  matrixOf(n, n, (i, j) => element(Math.max(i, j), Math.min(i, j)))

/** HDH with a reflection H: these eigenvalues, in directions that no axis shows. */
function withValues(values: readonly number[]): Matrix {
  const n = values.length
  const { normal } = random(n)
  const v = Float64Array.from({ length: n }, () => normal())
  const square = v.reduce((s, x) => s + x * x, 0)
  const h = symmetric(n, (i, j) => Number(i === j) - (2 * v[i]! * v[j]!) / square)
  const full = product(
    product(
      h,
      matrixOf(n, n, (i, j) => (i === j ? values[i]! : 0)),
    ),
    h,
  )
  return symmetric(n, (i, j) => full.data[i * n + j]!)
}

const wilkinson = (i: number, j: number): number => (i === j ? Math.abs(10 - i) : Number(i - j === 1))

const spread = (n: number, value: (i: number) => number): Matrix =>
  withValues(Array.from({ length: n }, (_, i) => value(i)))

const MATRICES: readonly (readonly [string, Matrix, number])[] = [
  ['1 x 1', symmetric(1, () => -3), 1],
  ['zero', symmetric(120, () => 0), 4],
  ['identity', symmetric(120, (i, j) => Number(i === j)), 4],
  ['ones', symmetric(120, () => 1), 3],
  ['all of them', spread(20, (i) => 1 / (i + 1)), 20],
  ['a decay', spread(150, (i) => 1 / (i + 1) ** 2), 8],
  ['graded to 1e-16', spread(150, (i) => 10 ** ((-16 * i) / 149)), 10],
  ['negative ones, larger than the wanted', spread(150, (i) => (i < 100 ? -10 - i : i / 150)), 5],
  ['all negative', spread(150, (i) => -1 - i), 5],
  ['rank 3', spread(150, (i) => (i < 3 ? 3 - i : 0)), 8],
  ['a plateau that begins within the wanted', spread(150, (i) => (i < 4 ? 5 : 1)), 8],
  ['second differences: close neighbours', symmetric(200, (i, j) => (i === j ? 2 : i - j === 1 ? -1 : 0)), 10],
  [
    "Wilkinson's W21+, ten times",
    symmetric(210, (i, j) => (Math.floor(i / 21) === Math.floor(j / 21) ? wilkinson(i % 21, j % 21) : 0)),
    12,
  ],
]

function certify({ rows: n, data }: Matrix, count: number, { values, vectors }: Spectrum, all: Spectrum): void {
  const size = Math.max(...all.values.map(Math.abs)) || 1
  expect(values).toHaveLength(count)
  expect(fromOrthonormal(turned({ rows: count, columns: n, data: vectors }))).toBeLessThan(4e-14)
  const images = product({ rows: count, columns: n, data: vectors }, { rows: n, columns: n, data })
  for (let k = 0; k < count; k++) {
    expect(Math.abs(values[k]! - all.values[n - 1 - k]!) / size).toBeLessThan(2e-14)
    const away = images.data.subarray(k * n, (k + 1) * n).map((v, j) => v - values[k]! * vectors[k * n + j]!)
    expect(Math.hypot(...away) / size).toBeLessThan(2e-13)
  }
}

test.each(MATRICES)('%s', async (_, a, count) => {
  const all = await symmetricEigen(a.data, a.rows)
  certify(a, count, await topEigen(a.data, a.rows, count), all)
  certify(a, count, await topEigen(a.data, a.rows, count, { seed: 7 }), all)
})

test('large enough for the engine; the same bits for the same seed', async () => {
  const x = normals(500, 300)
  const gram = product(turned(x), x)
  const found = await topEigen(gram.data, 300, 12, { engine })
  certify(gram, 12, found, await symmetricEigen(gram.data, 300))
  expect(await topEigen(gram.data, 300, 12, { engine })).toEqual(found)
})

test('vectors of the largest values alone are those of all', async () => {
  const { data } = spread(90, (i) => i)
  const [all, some] = [await symmetricEigen(data, 90), await symmetricEigen(data, 90, { largest: 7 })]
  expect(some.values).toEqual(all.values)
  expect(some.vectors).toEqual(all.vectors.slice(83 * 90))
})

test('bad input', async () => {
  const unit = Float64Array.of(1)
  await expect(topEigen(unit, 1, 2)).rejects.toMatchObject({ code: 'EIGEN_COUNT' })
  await expect(topEigen(unit, 1, 0)).rejects.toMatchObject({ code: 'EIGEN_COUNT' })
  await expect(topEigen(unit, 2, 1)).rejects.toMatchObject({ code: 'EIGEN_SHAPE' })
  await expect(topEigen(unit, 1, 1, { seed: 0.5 })).rejects.toMatchObject({ code: 'RANDOM_SEED' })
  const odd = Float64Array.from({ length: 10_000 }, (_, i) => (i === 101 ? Number.NaN : 1))
  await expect(topEigen(odd, 100, 2)).rejects.toMatchObject({ code: 'EIGEN_FINITE' })
  const controller = new AbortController()
  controller.abort()
  const { data } = spread(100, (i) => i)
  await expect(topEigen(data, 100, 2, { signal: controller.signal })).rejects.toThrow()
})
