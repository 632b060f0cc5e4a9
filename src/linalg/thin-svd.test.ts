import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromOrthonormal, type Matrix, matrixOf, normals, product, TALL, turned } from '../../test/matrices.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { type Svd, thinSvd } from './thin-svd.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function certify({ rows, columns, data }: Matrix, { u, s, vt }: Svd): void {
  const k = Math.min(rows, columns)
  const [left, right] = [
    { rows, columns: k, data: u },
    { rows: k, columns, data: vt },
  ]
  expect(s).toHaveLength(k)
  expect(fromOrthonormal(left)).toBeLessThan(1e-14)
  expect(fromOrthonormal(turned(right))).toBeLessThan(1e-14)
  for (let i = 0; i < k; i++) expect(s[i]).toBeGreaterThanOrEqual(i + 1 < k ? s[i + 1]! : 0)
  const unit = s[0]! || 1
  const small = product({ ...left, data: u.map((v, at) => v * (s[at % k]! / unit)) }, right)
  const worst = data.reduce((most, v, at) => Math.max(most, Math.abs(v / unit - small.data[at]!)), 0)
  expect(worst).toBeLessThan(1e-14)
}

test.each(TALL)('%s, and across', async (_, a) => {
  certify(a, await thinSvd(a.data, a.rows, a.columns))
  const across = turned(a)
  certify(across, await thinSvd(across.data, across.rows, across.columns))
})

test('a diagonal of 16 digits comes back digit by digit', async () => {
  const a = matrixOf(17, 17, (i, j) => (i === j ? 10 ** -i : 0))
  const { s } = await thinSvd(a.data, 17, 17)
  for (let i = 0; i < 17; i++) expect(Math.abs(s[i]! / 10 ** -i - 1)).toBeLessThan(1e-14)
})

test('large enough for the engine', async () => {
  const a = normals(2000, 70)
  const found = await thinSvd(a.data, 2000, 70, { engine })
  certify(a, found)
  const { s } = await thinSvd(a.data, 2000, 70)
  for (let i = 0; i < 70; i++) expect(Math.abs(found.s[i]! - s[i]!)).toBeLessThan(1e-12)
})
