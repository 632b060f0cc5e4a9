/** What proves a decomposition: residuals, orthogonality, trace. */

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import type { Spectrum } from './implicit-ql.js'
import { symmetricEigen } from './symmetric-eigen.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

type Matrix = Float64Array

const matrix = (n: number, element: (i: number, j: number) => number): Matrix =>
  Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n]
    return element(Math.max(i, j), Math.min(i, j))
  })

function drawnMatrix(n: number, draw: () => number): Matrix {
  const lower = Float64Array.from({ length: n * n }, draw)
  return matrix(n, (i, j) => lower[i * n + j]!)
}

/** The largest of ‖Av − λv‖ / ‖A‖, ‖VᵀV − I‖, |trace − Σλ| / ‖A‖; and whether values ascend. */
function certificate(a: Matrix, n: number, { values, vectors }: Spectrum): number {
  // Against squares that overflow or vanish.
  const size = a.reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1
  const unit = a.map((v) => v / size)
  const norm = Math.sqrt(unit.reduce((s, v) => s + v * v, 0)) || 1
  let worst = 0
  const see = (v: number): void => {
    if (!(v <= worst)) worst = v
  }
  let trace = 0
  for (let k = 0; k < n; k++) {
    const v = vectors.subarray(k * n, (k + 1) * n)
    const lambda = values[k]! / size
    trace += unit[k * n + k]! - lambda
    let residual = 0
    for (let i = 0; i < n; i++) {
      let sum = -lambda * v[i]!
      for (let j = 0; j < n; j++) sum += unit[i * n + j]! * v[j]!
      residual += sum * sum
    }
    see(Math.sqrt(residual) / norm)
    for (let l = 0; l <= k; l++) {
      let dot = k === l ? -1 : 0
      for (let j = 0; j < n; j++) dot += v[j]! * vectors[l * n + j]!
      see(Math.abs(dot))
    }
    if (k > 0 && values[k]! < values[k - 1]!) see(1)
  }
  see(Math.abs(trace) / norm)
  return worst
}

/** To the bit. */
const isSame = (a: Spectrum, b: Spectrum): boolean =>
  Buffer.from(a.values.buffer).equals(Buffer.from(b.values.buffer)) &&
  Buffer.from(a.vectors.buffer).equals(Buffer.from(b.vectors.buffer))

const drawn = fc.record({
  n: fc.integer({ min: 1, max: 60 }),
  seed: fc.nat(),
  kind: fc.constantFrom('dense', 'low rank', 'clusters', 'graded', 'sparse', 'blocks', 'tiny', 'huge'),
})

function make({ n, seed, kind }: { n: number; seed: number; kind: string }): Matrix {
  const { normal, integer } = random(seed)
  const dense = drawnMatrix(n, () => normal())
  if (kind === 'sparse') return drawnMatrix(n, () => (integer(6) === 0 ? normal() : 0))
  if (kind === 'tiny') return dense.map((v) => v * 1e-300)
  if (kind === 'huge') return dense.map((v) => v * 1e300)
  if (kind === 'graded') return matrix(n, (i, j) => dense[i * n + j]! * 10 ** -((i + j) / 3))
  if (kind === 'blocks') return matrix(n, (i, j) => (i >> 2 === j >> 2 ? [4, 1, 0.5, 2][(i + j) & 3]! : 0))
  // A rank, and values that repeat up to rounding.
  const rank = kind === 'low rank' ? 1 + integer(Math.max(1, n >> 1)) : n
  const values = Float64Array.from({ length: rank }, () => (kind === 'clusters' ? integer(3) + 1e-15 * normal() : 1))
  const sum = new Float64Array(n * n)
  for (const value of values) {
    const v = Float64Array.from({ length: n }, () => normal())
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) sum[i * n + j]! += value * v[i]! * v[j]!
  }
  return sum
}

test('drawn matrices', async () => {
  await fc.assert(
    fc.asyncProperty(drawn, async (problem) => {
      const a = make(problem)
      expect(certificate(a, problem.n, await symmetricEigen(a, problem.n))).toBeLessThan(4e-15 * Math.sqrt(problem.n))
    }),
    { numRuns: 150 },
  )
})

/** HAH with the reflection H at a drawn vector: the same values. */
function turned(a: Matrix, n: number, seed: number): Matrix {
  const { normal } = random(seed)
  const v = Float64Array.from({ length: n }, () => normal())
  const square = v.reduce((s, x) => s + x * x, 0)
  const h = matrix(n, (i, j) => Number(i === j) - (2 * v[i]! * v[j]!) / square)
  const times = (x: Matrix, y: Matrix): Matrix => {
    const out = new Float64Array(n * n)
    for (let i = 0; i < n; i++)
      for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) out[i * n + j]! += x[i * n + k]! * y[k * n + j]!
    return out
  }
  const product = times(times(h, a), h)
  return matrix(n, (i, j) => product[i * n + j]!)
}

const wilkinson = (i: number, j: number): number => (i === j ? Math.abs(10 - i) : Number(i - j === 1))

test.each([
  ['1 x 1', matrix(1, () => -3), [-3]],
  ['zero', matrix(70, () => 0), Array(70).fill(0)],
  ['identity', matrix(70, (i, j) => Number(i === j)), Array(70).fill(1)],
  ['ones', matrix(70, () => 1), [...Array(69).fill(0), 70]],
  [
    'second differences',
    matrix(100, (i, j) => (i === j ? 2 : i - j === 1 ? -1 : 0)),
    Array.from({ length: 100 }, (_, k) => 4 * Math.sin(((k + 1) * Math.PI) / 202) ** 2),
  ],
  [
    'clusters of three values, turned',
    turned(
      matrix(90, (i, j) => (i === j ? i % 3 : 0)),
      90,
      5,
    ),
    Array.from({ length: 90 }, (_, k) => Math.floor(k / 30)),
  ],
] as const)('%s', async (_, a, expected) => {
  const n = expected.length
  const found = await symmetricEigen(a, n)
  expect(certificate(a, n, found)).toBeLessThan(3e-14)
  for (let k = 0; k < n; k++)
    expect(Math.abs(found.values[k]! - expected[k]!)).toBeLessThan(4e-14 * Math.max(1, ...expected))
})

test("Wilkinson's W21+, alone and glued together: pairs of values that differ in the fifteenth digit", async () => {
  const { values } = await symmetricEigen(matrix(21, wilkinson), 21)
  // Wilkinson, The Algebraic Eigenvalue Problem, 1965, p. 309.
  expect(values[20]).toBeCloseTo(10.746194182903393, 13)
  expect(values[19]).toBeCloseTo(10.746194182903322, 13)
  expect(values[0]).toBeCloseTo(-1.12544152211998, 13)
  for (const glue of [0, 1e-14, 1e-8, 1]) {
    const n = 84
    const glued = matrix(n, (i, j) =>
      Math.floor(i / 21) === Math.floor(j / 21) ? wilkinson(i % 21, j % 21) : i - j === 1 ? glue : 0,
    )
    expect(certificate(glued, n, await symmetricEigen(glued, n))).toBeLessThan(3e-14)
  }
})

test('large enough for the engine: the same decomposition, and the same bits again', async () => {
  const n = 260
  const { normal } = random(3)
  const a = drawnMatrix(n, () => normal())
  const [alone, first, second] = [
    await symmetricEigen(a, n),
    await symmetricEigen(a, n, { engine }),
    await symmetricEigen(a, n, { engine }),
  ]
  for (const found of [alone, first]) expect(certificate(a, n, found)).toBeLessThan(3e-14)
  for (let k = 0; k < n; k++) expect(Math.abs(alone.values[k]! - first.values[k]!)).toBeLessThan(1e-12)
  expect(isSame(second, first)).toBe(true)
  expect(isSame(await symmetricEigen(a, n), alone)).toBe(true)
})

test('only the lower triangle is read', async () => {
  const n = 40
  const { normal } = random(4)
  const a = drawnMatrix(n, () => normal())
  const lower = a.map((v, at) => (at % n > Math.floor(at / n) ? Number.NaN : v))
  expect(isSame(await symmetricEigen(lower, n), await symmetricEigen(a, n))).toBe(true)
})

test('what has no eigenvalues is refused', async () => {
  await expect(symmetricEigen(new Float64Array(5), 2)).rejects.toMatchObject({ code: 'EIGEN_SHAPE' })
  await expect(symmetricEigen(Float64Array.of(1, 0, Number.NaN, 1), 2)).rejects.toMatchObject({ code: 'EIGEN_FINITE' })
})
