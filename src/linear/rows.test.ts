import { expect, test } from 'vitest'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import type { DenseMatrix } from './design.js'
import { gatherGram } from './gather-gram.js'
import { addGradients, type Coordinates, sweep, tiledRows, weightedGram } from './rows.js'

const { normal, uniform, integer } = random(8)

/** Several tiles, the last one not full; a weight of 0 now and then. */
function problemOf(order: DenseMatrix['order'], hasIntercept: boolean) {
  const [n, p] = [1200, 7]
  const data = Float64Array.from({ length: n * p }, () => 5 + normal())
  const weights = Float64Array.from({ length: n }, () => (integer(9) === 0 ? 0 : uniform(0.5, 2)))
  const x: DenseMatrix = { rows: n, columns: p, data, ...(order && { order }) }
  const rows = tiledRows(x, { hasIntercept, isStandardized: true, weights })
  const raw = (i: number, j: number): number => (order === 'column-major' ? data[j * n + i]! : data[i * p + j]!)
  const z = (i: number, j: number): number => (raw(rows.index[i]!, j) - rows.shifts[j]!) * rows.factors[j]!
  return { rows, z, n: rows.index.length, p }
}

test.each([
  ['row-major', true],
  ['row-major', false],
  ['column-major', true],
] as const)('products of %s data, with an intercept: %s', (order, hasIntercept) => {
  const { rows, z, n, p } = problemOf(order, hasIntercept)
  const K = 2
  const all = Array.from({ length: n }, (_, i) => i)
  const sum = (f: (i: number) => number): number => all.reduce((s, i) => s + rows.shares[i]! * f(i), 0)
  for (let j = 0; j < p; j++) {
    const mean = sum((i) => z(i, j))
    if (hasIntercept) expect(mean).toBeCloseTo(0, 12)
    expect(sum((i) => (z(i, j) - mean) ** 2)).toBeCloseTo(1, 12)
  }
  const beta = Float64Array.from({ length: K * p }, (_, at) => (at % 3 === 0 ? 0 : normal()))
  const point = { beta, intercepts: Float64Array.of(0.3, -1) }
  const offset = Float64Array.from({ length: n * K }, () => normal())
  const columns = Int32Array.of(1, 2, 5)
  const gradient = new Float64Array(K * p).fill(9)
  const respond = (eta: Float64Array, slopes: Float64Array, from: number, to: number): void => {
    for (let at = from * K; at < to * K; at++) slopes[at] = Math.sin(eta[at]!)
  }
  const { eta, slopes } = sweep(rows, point, { offset, respond, columns, gradient })
  const whole = new Float64Array(K * p)
  addGradients(rows, slopes, null, whole)
  for (let i = 0; i < n; i += 7) {
    for (let k = 0; k < K; k++) {
      let expected = point.intercepts[k]! + offset[i * K + k]!
      for (let j = 0; j < p; j++) expected += beta[k * p + j]! * z(i, j)
      expect(eta[i * K + k]).toBeCloseTo(expected, 11)
      expect(slopes[i * K + k]).toBe(Math.sin(eta[i * K + k]!))
    }
  }
  for (let k = 0; k < K; k++) {
    for (let j = 0; j < p; j++) {
      const expected = sum((i) => slopes[i * K + k]! * z(i, j))
      expect(whole[k * p + j]).toBeCloseTo(expected, 12)
      if (columns.includes(j)) expect(gradient[k * p + j]).toBeCloseTo(expected, 12)
      // What was not asked for stays as it was.
      else expect(gradient[k * p + j]).toBe(9)
    }
  }
})

test('weighted Gram matrices of coordinates of several predictors, the intercepts among them', () => {
  const { rows, z, n } = problemOf('row-major', true)
  const K = 3
  const coordinates: Coordinates = {
    outputs: Int32Array.of(0, 2, 0, 0, 0, 2, 0, 2, 0),
    columns: Int32Array.of(-1, -1, 4, 0, 1, 3, 2, 0, 6),
  }
  // Symmetric for each row.
  const W = new Float64Array(n * K * K)
  for (let i = 0; i < n; i++)
    for (let k = 0; k < K; k++)
      for (let l = 0; l <= k; l++) W[(i * K + k) * K + l] = W[(i * K + l) * K + k] = (k === l ? 2 : 0) + uniform()
  const gram = weightedGram(rows, coordinates, W)
  const m = coordinates.columns.length
  const cell = (i: number, a: number): number => (coordinates.columns[a]! < 0 ? 1 : z(i, coordinates.columns[a]!))
  for (let a = 0; a < m; a++) {
    for (let b = 0; b < m; b++) {
      let expected = 0
      for (let i = 0; i < n; i++) {
        const w = W[(i * K + coordinates.outputs[a]!) * K + coordinates.outputs[b]!]!
        expected += rows.shares[i]! * w * cell(i, a) * cell(i, b)
      }
      expect(gram[a * m + b]).toBeCloseTo(expected, 11)
    }
  }
})

test('the engine gives the same Gram matrix to the digits of float32', async () => {
  const [n, p] = [9000, 240]
  const x: DenseMatrix = { rows: n, columns: p, data: Float64Array.from({ length: n * p }, () => normal(3, 2)) }
  const rows = tiledRows(x, { hasIntercept: true, isStandardized: true })
  const engine = await openEngine({ threads: 1 })
  try {
    const W = Float64Array.from({ length: n }, () => uniform(0, 0.25))
    const columns = Int32Array.from({ length: p }, (_, a) => a - 1)
    const coordinates: Coordinates = { outputs: new Int32Array(p), columns }
    const exact = weightedGram(rows, coordinates, W)
    const gram = await gatherGram(rows, coordinates, W, engine)
    expect(gram).not.toEqual(exact)
    for (let at = 0; at < gram.length; at += 11) expect(Math.abs(gram[at]! - exact[at]!)).toBeLessThan(1e-7)
  } finally {
    await engine.close()
  }
})

test('rows of a list come in its order and as often as it has them, also where it is as long as the table', () => {
  const x = { rows: 6, columns: 1, data: Float64Array.of(1, 2, 3, 40, 50, 60) }
  const options = { hasIntercept: true, isStandardized: false }
  const list = [4, 0, 0, 1, 1, 2]
  const { tiles, shifts } = tiledRows(x, { ...options, rows: list })
  expect(shifts[0]).toBeCloseTo((50 + 1 + 1 + 2 + 2 + 3) / 6, 12)
  const { data } = tiles.blocks[0]!.tiles[0]!.tile
  for (const [k, i] of list.entries()) expect(data[k]! + shifts[0]!).toBeCloseTo(x.data[i]!, 12)
})
