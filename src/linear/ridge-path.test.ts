/** Leaving out against fits without the row, fits against their gradient in float64, both against scikit-learn's numbers. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { awkwardDesign, standardizedData } from '../../test/awkward-design.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import type { DenseMatrix } from './design.js'
import { path } from './path.js'
import { type RidgeOptions, ridgePath } from './ridge-path.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function diabetes() {
  const lines = readFileSync(join(import.meta.dirname, '../../test/data/diabetes.csv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').map(Number))
  const x: DenseMatrix = {
    rows: lines.length,
    columns: 10,
    data: Float64Array.from(lines.flatMap((l) => l.slice(0, 10))),
  }
  return { x, y: lines.map((l) => l[10]!) }
}

/** By elimination with pivots. */
function solved(a: number[][], right: number[]): number[] {
  const n = right.length
  const rows = a.map((row, i) => [...row, right[i]!])
  for (let k = 0; k < n; k++) {
    let at = k
    for (let i = k; i < n; i++) if (Math.abs(rows[i]![k]!) > Math.abs(rows[at]![k]!)) at = i
    ;[rows[k], rows[at]] = [rows[at]!, rows[k]!]
    for (let i = k + 1; i < n; i++) {
      const factor = rows[i]![k]! / rows[k]![k]!
      for (let j = k; j <= n; j++) rows[i]![j]! -= factor * rows[k]![j]!
    }
  }
  const x = Array<number>(n).fill(0)
  for (let k = n - 1; k >= 0; k--) {
    let sum = rows[k]![n]!
    for (let j = k + 1; j < n; j++) sum -= rows[k]![j]! * x[j]!
    x[k] = sum / rows[k]![k]!
  }
  return x
}

interface Plain {
  readonly z: readonly number[][]
  readonly y: readonly number[]
  readonly shares: readonly number[]
  /** Penalty of each column; Infinity leaves it out. */
  readonly penalties: readonly number[]
  readonly hasIntercept: boolean
}

/** The error of row `out` by a fit without it. */
function errorWithout({ z, y, shares, penalties, hasIntercept }: Plain, out: number): number {
  const used = [...penalties.keys()].filter((j) => penalties[j] !== Number.POSITIVE_INFINITY)
  const row = (i: number): number[] => [...(hasIntercept ? [1] : []), ...used.map((j) => z[i]![j]!)]
  const size = used.length + Number(hasIntercept)
  const left = Array.from({ length: size }, () => Array<number>(size).fill(0))
  const right = Array<number>(size).fill(0)
  for (let i = 0; i < y.length; i++) {
    if (i === out || shares[i] === 0) continue
    const r = row(i)
    for (let a = 0; a < size; a++) {
      right[a]! += shares[i]! * r[a]! * y[i]!
      for (let b = 0; b < size; b++) left[a]![b]! += shares[i]! * r[a]! * r[b]!
    }
  }
  for (const [a, j] of used.entries()) left[a + Number(hasIntercept)]![a + Number(hasIntercept)]! += penalties[j]!
  const beta = solved(left, right)
  return row(out).reduce((sum, v, a) => sum - v * beta[a]!, y[out]!)
}

const problems = fc.record({
  seed: fc.nat(),
  rows: fc.integer({ min: 3, max: 14 }),
  columns: fc.integer({ min: 1, max: 18 }),
  order: fc.constantFrom('row-major', 'column-major'),
  isWeighted: fc.boolean(),
  hasIntercept: fc.boolean(),
  isStandardized: fc.boolean(),
  factors: fc.constantFrom('none', 'some'),
})

test('each row left out: as fits without it', async () => {
  await fc.assert(
    fc.asyncProperty(problems, async ({ seed, rows, columns, order, isWeighted, factors, ...how }) => {
      const x = awkwardDesign(seed, rows, columns, order)
      const { normal, integer, uniform } = random(seed + 1)
      const y = Float64Array.from({ length: rows }, () => 3 + normal())
      const weights = isWeighted ? y.map((_, i) => (i > 2 && integer(4) === 0 ? 0 : uniform(0.5, 2))) : undefined
      const given = Array.from({ length: columns }, () => [1, 2, 0.3, Number.POSITIVE_INFINITY][integer(4)]!)
      const lambdas = [10, 0.3, 0.01]
      const found = await ridgePath(x, y, {
        ...how,
        lambdas,
        ...(weights && { weights }),
        ...(factors === 'some' && { penaltyFactors: given }),
      })
      const { shares, columns: made } = standardizedData(x, y, weights)
      const cell = (i: number, j: number): number => x.data[order === 'column-major' ? j * rows + i : i * columns + j]!
      const finite = given.filter(Number.isFinite)
      const mean = finite.length === 0 ? 1 : finite.reduce((s, v) => s + v, 0) / finite.length
      const vs = factors === 'some' ? given.map((v) => v / mean) : given.map(() => 1)
      const z = Array.from({ length: rows }, (_, i) =>
        made.map(({ scale, z: own }, j) => {
          if (how.hasIntercept && own.every((v) => v === 0)) return 0
          return cell(i, j) / (how.isStandardized ? scale : 1)
        }),
      )
      // Of the empty model; columns may be far from zero.
      const [center, average] = [how.hasIntercept ? y.reduce((s, v, i) => s + shares[i]! * v, 0) : 0, made.map(() => 0)]
      if (how.hasIntercept)
        for (const [i, row] of z.entries()) for (const [j, v] of row.entries()) average[j]! += shares[i]! * v
      const gradient = made.map((_, j) =>
        z.reduce((s, row, i) => s + shares[i]! * (row[j]! - average[j]!) * (y[i]! - center), 0),
      )
      const most = Math.max(...gradient.map(Math.abs), 1e-3)
      for (const [l, lambda] of lambdas.entries()) {
        const plain = {
          z,
          y: [...y],
          shares: [...shares],
          penalties: vs.map((v) => v * lambda),
          hasIntercept: how.hasIntercept,
        }
        let sum = 0
        for (let i = 0; i < rows; i++) if (shares[i]! > 0) sum += shares[i]! * errorWithout(plain, i) ** 2
        expect(Math.abs(found.leaveOneOut.error[l]! / sum - 1)).toBeLessThan(1e-6)
        expect(found.violation[l]).toBeLessThanOrEqual(1e-10 * most)
      }
    }),
    { numRuns: 60 },
  )
})

test('RidgeCV of the diabetes data', async () => {
  const { x, y } = diabetes()
  const alphas = [10, 1, 0.1, 0.01]
  const found = await ridgePath(x, y, { lambdas: alphas.map((a) => a / 442), isStandardized: false })
  const errors = [4851.097651530102, 3327.6551045592255, 3004.616621060267, 3000.392447397965]
  for (const [l, e] of errors.entries()) expect(found.leaveOneOut.error[l]! / e).toBeCloseTo(1, 11)
  expect(found.leaveOneOut.least).toBe(3)
  const wanted = [
    -7.197534480533051, -234.54976418973092, 520.5886009823498, 320.5171305539558, -380.60713529893474,
    150.48467052092292, -78.58927534226359, 130.3125214813457, 592.3479586474941, 71.13484404963378,
  ]
  for (const [j, v] of wanted.entries()) expect(found.models[3]!.coefficients[j]! / v).toBeCloseTo(1, 10)
  expect(found.models[3]!.intercept).toBeCloseTo(152.133484162896, 9)
  expect(found.iterations[0]).toBe(1)
  expect(Math.max(...found.dualGap)).toBeLessThan(1e-20)
})

test('RidgeCV of the diabetes data, with weights of 1, 2 and 3', async () => {
  const { x, y } = diabetes()
  const weights = y.map((_, i) => 1 + (i % 3))
  const total = weights.reduce((s, w) => s + w, 0)
  const lambdas = [10, 1, 0.1, 0.01].map((a) => a / total)
  const { leaveOneOut } = await ridgePath(x, y, { lambdas, weights, isStandardized: false })
  // There the mean of w e² over the rows.
  const errors = [8489.604947426693, 6288.436443621247, 6074.693387703092, 6064.34712239065]
  for (const [l, e] of errors.entries()) expect((leaveOneOut.error[l]! * total) / 442 / e).toBeCloseTo(1, 11)
})

test('the path is that of coordinate descent, from the same strengths', async () => {
  const { x, y } = diabetes()
  const options = { penaltyFactors: [1, 1, 2, 0, 1, 1, 1, 1, 0, 3], nLambdas: 20 }
  const [found, descended] = [
    await ridgePath(x, y, options),
    await path(x, y, { ...options, l1Ratio: 0, tolerance: 1e-16 }),
  ]
  for (const [l, lambda] of descended.lambdas.entries()) {
    expect(found.lambdas[l]! / lambda).toBeCloseTo(1, 9)
    for (let j = 0; j < 10; j++)
      expect(found.models[l]!.coefficients[j]!).toBeCloseTo(descended.models[l]!.coefficients[j]!, 5)
    expect(found.devianceRatio[l]!).toBeCloseTo(descended.devianceRatio[l]!, 9)
  }
  expect(found.effectiveDf.every((df, l) => df > 2 && df < 10 && df > (found.effectiveDf[l - 1] ?? 0))).toBe(true)
})

/** Columns that depend on each other by `rho`, and some that say something. */
function made(rows: number, columns: number, rho: number, seed: number) {
  const { normal } = random(seed)
  const data = new Float64Array(rows * columns)
  const y = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    let last = normal()
    for (let j = 0; j < columns; j++) {
      data[i * columns + j] = 5 + last
      if (j % 3 === 0) y[i]! += last / (1 + j)
      last = rho * last + Math.sqrt(1 - rho * rho) * normal()
    }
    y[i]! += normal()
  }
  return { x: { rows, columns, data }, y }
}

test.each([
  ['float32 does', 0.5, 0.01],
  ['float32 does not: the columns are nearly dependent', 0.999, 1e-6],
] as const)('on the engine as by loops, where %s', async (_, rho, smallest) => {
  // Four readings of the rows, so that memory comes back and is used again.
  const { x, y } = made(5000, 220, rho, 4)
  const options = { lambdas: [1, 0.1, smallest] }
  const [large, small] = [await ridgePath(x, y, { ...options, engine }), await ridgePath(x, y, options)]
  for (let l = 0; l < 3; l++) {
    expect(large.leaveOneOut.error[l]! / small.leaveOneOut.error[l]!).toBeCloseTo(1, 7)
    expect(large.violation[l]).toBeLessThan(1e-9)
    for (const [j, b] of small.models[l]!.coefficients.entries())
      expect(Math.abs(large.models[l]!.coefficients[j]! - b)).toBeLessThan(smallest < 0.01 ? 1e-6 : 1e-9)
  }
})

test('more columns than rows on the engine, as by loops', async () => {
  const { x, y } = made(60, 1500, 0.5, 5)
  const options: RidgeOptions = { nLambdas: 10 }
  const [large, small] = [await ridgePath(x, y, { ...options, engine }), await ridgePath(x, y, options)]
  for (let l = 0; l < 10; l++) expect(large.leaveOneOut.error[l]! / small.leaveOneOut.error[l]!).toBeCloseTo(1, 9)
  expect(Math.max(...large.violation)).toBeLessThan(1e-9)
})

test('without a penalty rows that determine their own prediction have no error by others', async () => {
  const { x, y } = made(8, 12, 0.5, 6)
  const { leaveOneOut, devianceRatio } = await ridgePath(x, y, { lambdas: [1, 0] })
  expect(devianceRatio[1]).toBeCloseTo(1, 9)
  expect(leaveOneOut.error[1]).toBe(Number.POSITIVE_INFINITY)
  expect(leaveOneOut.least).toBe(0)
})

test('a target without spread is the intercept', async () => {
  const { x } = made(20, 3, 0.5, 7)
  const found = await ridgePath(x, new Float64Array(20).fill(0.1), { nLambdas: 3 })
  for (const { coefficients, intercept } of found.models) {
    expect([...coefficients]).toEqual([0, 0, 0])
    expect(intercept).toBeCloseTo(0.1, 14)
  }
  expect(found.leaveOneOut.error).toEqual([0, 0, 0])
  expect(found.devianceRatio).toEqual([0, 0, 0])
})

test('wrong options are refused, and a stop is heard', async () => {
  const { x, y } = diabetes()
  await expect(ridgePath(x, y, { lambdas: [-1] })).rejects.toMatchObject({ code: 'PATH_OPTION' })
  await expect(ridgePath(x, y.slice(1))).rejects.toMatchObject({ code: 'DESIGN_SHAPE' })
  await expect(ridgePath(x, y, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
})

test('a constant column stays out, however many rows its mean is rounded over', async () => {
  const rows = 50_000
  const { normal } = random(3)
  const data = Float64Array.from({ length: 2 * rows }, (_, at) => (at % 2 === 0 ? 1 / 3 : normal()))
  const y = Float64Array.from({ length: rows }, (_, i) => data[2 * i + 1]! + normal())
  const { models } = await ridgePath({ rows, columns: 2, data }, y, { nLambdas: 3 })
  const alone = { rows, columns: 1, data: data.filter((_, at) => at % 2 === 1) }
  const wanted = await ridgePath(alone, y, { lambdas: models.map((m) => m.lambda) })
  for (const [l, { coefficients }] of models.entries()) {
    expect(coefficients[0]).toBe(0)
    expect(coefficients[1]).toBeCloseTo(wanted.models[l]!.coefficients[0]!, 12)
  }
})

test.each([1e8, 1, 1e-8])('columns without a penalty count beside others in units of %d', async (unit) => {
  const { normal } = random(4)
  const data = Float64Array.from({ length: 40 * 3 }, () => unit * normal())
  const y = Float64Array.from({ length: 40 }, (_, i) => data[3 * i]! / unit + normal())
  const x = { rows: 40, columns: 3, data }
  const options = { penaltyFactors: [0, 1, 1], isStandardized: false, nLambdas: 3 }
  const found = await ridgePath(x, y, options)
  const wanted = await path(x, y, { ...options, l1Ratio: 0, lambdas: found.lambdas })
  for (const [l, { coefficients }] of found.models.entries())
    for (const [j, v] of coefficients.entries())
      expect(v * unit).toBeCloseTo(wanted.models[l]!.coefficients[j]! * unit, 10)
})

test('a curvature that rounding hides is no proof', async () => {
  const { normal } = random(5)
  const data = Float64Array.from({ length: 40 * 2 }, (_, at) => (at % 2 === 0 ? 1e8 : 1) * normal())
  const y = Float64Array.from({ length: 40 }, (_, i) => data[2 * i + 1]! + normal())
  const x = { rows: 40, columns: 2, data }
  const options = { isStandardized: false, lambdas: [1e-3] }
  const [found, best] = [await ridgePath(x, y, options), await path(x, y, { ...options, l1Ratio: 0 })]
  expect(found.dualGap[0]! + 1e-9).toBeGreaterThanOrEqual(best.devianceRatio[0]! - found.devianceRatio[0]!)
})

test('columns of the smallest and the largest numbers, in either order', async () => {
  const [rows, columns] = [100, 2]
  const z = Float64Array.from({ length: rows * columns }, (_, at) => Math.sin(3 * at + (at % 2)))
  const sizes = [1e-100, 3e149]
  const y = Float64Array.from({ length: rows }, (_, i) => z[2 * i]! - 2 * z[2 * i + 1]!)
  const byRow = z.map((v, at) => v * sizes[at % 2]!)
  const byColumn = Float64Array.from({ length: z.length }, (_, at) => byRow[(at % rows) * 2 + Math.floor(at / rows)]!)
  for (const x of [
    { rows, columns, data: byRow },
    { rows, columns, data: byColumn, order: 'column-major' },
  ] as const) {
    const { models } = await ridgePath(x, y, { lambdas: [1e-12] })
    for (const [j, b] of models[0]!.coefficients.entries()) expect(b * sizes[j]!).toBeCloseTo([1, -2][j]!, 6)
  }
})
