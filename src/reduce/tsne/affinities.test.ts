import { expect, test } from 'vitest'
import { random } from '../../util/random.js'
import { nearestNeighbours } from '../neighbours.js'
import { conditionals, joint } from './affinities.js'

const { normal } = random(5)
const rows = 300
const data = Float64Array.from({ length: 5 * rows }, () => normal())
const x = { rows, columns: 5, data, order: 'row-major' as const }

test.each([5, 12.5, 30])('a perplexity of %d is reached', async (perplexity) => {
  const near = await nearestNeighbours(x, Math.ceil(3 * perplexity))
  const { values, residual } = conditionals(near, perplexity)
  expect(residual).toBeLessThan(1e-5)
  let worst = 0
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * near.k, (i + 1) * near.k)
    const entropy = -row.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0)
    worst = Math.max(worst, Math.abs(Math.exp(entropy) - perplexity))
  }
  expect(worst).toBeLessThan(1e-5)
})

test('affinities are symmetric, have a sum of 1, and are (p(j|i) + p(i|j)) / 2n', async () => {
  const near = await nearestNeighbours(x, 31)
  const { values: conditional } = conditionals(near, 10)
  const { starts, indices, values, entropy } = joint(near, conditional)
  const dense = new Float64Array(rows * rows)
  for (let e = 0; e < conditional.length; e++) {
    const [i, j] = [Math.floor(e / 31), near.indices[e]!]
    dense[i * rows + j]! += conditional[e]! / (2 * rows)
    dense[j * rows + i]! += conditional[e]! / (2 * rows)
  }
  let [sum, log] = [0, 0]
  for (let i = 0; i < rows; i++) {
    expect(starts[i]! % 4).toBe(0)
    for (let e = starts[i]!; e < starts[i + 1]!; e++) {
      const p = values[e]!
      sum += p
      if (p === 0) continue
      log += p * Math.log(p)
      expect(p / dense[i * rows + indices[e]!]!).toBeCloseTo(1, 6)
      dense[i * rows + indices[e]!] = 0
    }
  }
  expect(dense.every((v) => v < 1e-12)).toBe(true)
  expect(sum).toBeCloseTo(1, 6)
  expect(entropy).toBeCloseTo(log, 9)
})

test('where as many as are asked for lie at one distance, they share the weight, and no residual is held against them', async () => {
  const same = { rows: 60, columns: 1, data: new Float64Array(60), order: 'row-major' as const }
  const near = await nearestNeighbours(same, 15)
  const { values, residual } = conditionals(near, 5)
  expect(residual).toBe(0)
  for (const p of values) expect(p).toBeCloseTo(1 / 15, 12)
})
