import { expect, test } from 'vitest'
import { fromOrthonormal, type Matrix, matrixOf, normals, product, scaled, turned } from '../../test/matrices.js'
import { type LinearOperator, randomizedSvd } from './randomized-svd.js'
import { thinSvd } from './thin-svd.js'

const operatorOf = (a: Matrix): LinearOperator => ({
  rows: a.rows,
  columns: a.columns,
  multiply: async (b, k) => product(a, { rows: a.columns, columns: k, data: b }).data,
  multiplyTransposed: async (b, k) => product(turned(a), { rows: a.rows, columns: k, data: b }).data,
})

test.each([
  ['decay', scaled(normals(120, 80), (_, j) => 1.2 ** -j), 6],
  ['wide', scaled(normals(50, 300), (i) => 1.3 ** -i), 5],
  ['rank 3 of which 5 are asked', product(normals(90, 3), normals(3, 70)), 5],
  ['all', normals(12, 9), 9],
  ['zero', matrixOf(20, 15, () => 0), 3],
] as const)('%s: as the full decomposition', async (_, a, count) => {
  const { u, s, vt } = await randomizedSvd(operatorOf(a), count)
  const full = await thinSvd(a.data, a.rows, a.columns)
  for (let k = 0; k < count; k++) expect(Math.abs(s[k]! - full.s[k]!)).toBeLessThan(1e-9 * (full.s[0]! || 1))
  const [left, right] = [
    { rows: a.rows, columns: count, data: u },
    { rows: count, columns: a.columns, data: vt },
  ]
  expect(fromOrthonormal(left)).toBeLessThan(1e-14)
  expect(fromOrthonormal(turned(right))).toBeLessThan(1e-14)
  // AV = U diag(s)
  const image = product(a, turned(right)).data
  for (const [at, v] of u.entries()) expect(Math.abs(image[at]! - v * s[at % count]!)).toBeLessThan(1e-7 * (s[0]! || 1))
})

test('a seed decides; progress ends where it says; bad input', async () => {
  const a = operatorOf(normals(60, 40))
  expect(await randomizedSvd(a, 4, { seed: 3 })).toEqual(await randomizedSvd(a, 4, { seed: 3 }))
  expect(await randomizedSvd(a, 4, { seed: 3 })).not.toEqual(await randomizedSvd(a, 4, { seed: 4 }))
  const seen: number[] = []
  await randomizedSvd(a, 4, { powerIterations: 2, onProgress: ({ done, total }) => seen.push(done, total!) })
  expect(seen).toEqual([0, 3, 1, 3, 2, 3])
  for (const count of [0, 41, 1.5, Number.NaN])
    await expect(randomizedSvd(a, count)).rejects.toMatchObject({ code: 'SVD_COUNT' })
  await expect(randomizedSvd(a, 2, { seed: 0.1 })).rejects.toMatchObject({ code: 'RANDOM_SEED' })
  const signal = AbortSignal.abort()
  await expect(randomizedSvd(a, 2, { signal })).rejects.toThrow()
})
