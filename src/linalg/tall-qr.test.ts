import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  distance,
  fromOrthonormal,
  type Matrix,
  matrixOf,
  normals,
  product,
  scaled,
  TALL,
  turned,
} from '../../test/matrices.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { cholesky, inverseTransposed } from './cholesky.js'
import { householderQr, type Qr } from './householder-qr.js'
import { tallQr } from './tall-qr.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function certify({ rows, columns, data }: Matrix, { q, r }: Qr): void {
  const [left, right] = [
    { rows, columns, data: q },
    { rows: columns, columns, data: r },
  ]
  expect(fromOrthonormal(left)).toBeLessThan(2e-14)
  const unit = data.reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1
  const small = { ...right, data: r.map((v) => v / unit) }
  expect(distance({ rows, columns, data: data.map((v) => v / unit) }, product(left, small))).toBeLessThan(2e-14)
  for (let i = 0; i < columns; i++) for (let j = 0; j < i; j++) expect(r[i * columns + j]).toBe(0)
}

test.each(TALL)('%s: QR is the matrix, and Q orthonormal', async (_, a) => {
  certify(a, householderQr(a.data, a.rows, a.columns))
  certify(a, await tallQr(a.data, a.rows, a.columns))
})

test('drawn matrices of any condition', async () => {
  const drawn = fc.record({
    rows: fc.integer({ min: 1, max: 40 }),
    columns: fc.integer({ min: 1, max: 40 }),
    seed: fc.nat(),
  })
  await fc.assert(
    fc.asyncProperty(drawn, fc.integer({ min: 0, max: 16 }), async ({ rows, columns, seed }, digits) => {
      const width = Math.min(rows, columns)
      const mixed = scaled(normals(width, width, seed), (i) => 10 ** -((digits * i) / width))
      const a = product(normals(rows, width, seed + 1), mixed)
      certify(a, await tallQr(a.data, rows, width))
    }),
    { numRuns: 60 },
  )
})

test('large enough for the engine', async () => {
  const a = normals(2000, 70)
  certify(a, await tallQr(a.data, 2000, 70, { engine }))
})

test("Cholesky's factor and its inverse; none where there is none", () => {
  const x = normals(50, 20)
  const gram = product(turned(x), x)
  const data = cholesky(gram.data, 20)!
  const l = { rows: 20, columns: 20, data }
  expect(distance(gram, product(l, turned(l)))).toBeLessThan(1e-15)
  const identity = matrixOf(20, 20, (i, j) => Number(i === j))
  expect(distance(identity, product(turned(l), { ...l, data: inverseTransposed(data, 20) }))).toBeLessThan(1e-14)
  expect(cholesky(Float64Array.of(1, 2, 2, 1), 2)).toBeNull()
  expect(cholesky(Float64Array.of(0), 1)).toBeNull()
  expect(cholesky(new Float64Array(0), 0)).toHaveLength(0)
})

test('what is not tall is refused', async () => {
  await expect(tallQr(new Float64Array(6), 2, 3)).rejects.toMatchObject({ code: 'QR_SHAPE' })
  await expect(tallQr(new Float64Array(5), 3, 2)).rejects.toMatchObject({ code: 'QR_SHAPE' })
})
