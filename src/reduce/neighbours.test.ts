import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import { nearestNeighbours } from './neighbours.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 2 })
})
afterAll(() => engine.close())

const { normal } = random(3)
const matrix = (rows: number, columns: number, mean = 0) => ({
  rows,
  columns,
  data: Float64Array.from({ length: rows * columns }, () => normal(mean)),
  order: 'row-major' as const,
})

const square = (a: Float64Array, i: number, b: Float64Array, j: number, columns: number): number => {
  let sum = 0
  for (let d = 0; d < columns; d++) sum += (a[i * columns + d]! - b[j * columns + d]!) ** 2
  return sum
}

describe.each([0, 1e4])('columns about %d', (mean) => {
  test('are those of all pairs, in order, by the engine as by loops', async () => {
    const x = matrix(1200, 6, mean)
    const found = await nearestNeighbours(x, 12, { engine })
    expect(found).toEqual(await nearestNeighbours(x, 12))
    for (let i = 0; i < x.rows; i += 37) {
      const all = Array.from({ length: x.rows }, (_, j) => j).filter((j) => j !== i)
      all.sort((a, b) => square(x.data, i, x.data, a, 6) - square(x.data, i, x.data, b, 6))
      expect([...found.indices.subarray(12 * i, 12 * (i + 1))]).toEqual(all.slice(0, 12))
      expect(found.squares[12 * i + 11]).toBe(square(x.data, i, x.data, all[11]!, 6))
    }
  })
})

test('of other rows: among those that are given', async () => {
  const [x, of] = [matrix(1500, 4), matrix(700, 4)]
  const found = await nearestNeighbours(x, 5, { engine, of })
  expect(found).toEqual(await nearestNeighbours(x, 5, { of }))
  expect(found.count).toBe(700)
  const own = await nearestNeighbours(x, 1, { engine, of: x })
  expect([...own.squares].every((v) => v === 0)).toBe(true)
})

test('columns that lie column by column are the same rows', async () => {
  const x = matrix(50, 3)
  const data = Float64Array.from({ length: 150 }, (_, at) => x.data[(at % 50) * 3 + Math.floor(at / 50)]!)
  expect(await nearestNeighbours({ rows: 50, columns: 3, data, order: 'column-major' }, 4)).toEqual(
    await nearestNeighbours(x, 4),
  )
})

test('equal rows are neighbours at no distance, and none its own', async () => {
  const x = { rows: 3000, columns: 2, data: new Float64Array(6000).fill(7), order: 'row-major' as const }
  const { indices, squares } = await nearestNeighbours(x, 9, { engine })
  expect(squares.every((v) => v === 0)).toBe(true)
  for (let i = 0; i < x.rows; i++) {
    const own = indices.subarray(9 * i, 9 * (i + 1))
    expect(own.includes(i)).toBe(false)
    expect(new Set(own).size).toBe(9)
  }
})

test('lists find nearly all of them, each with its exact distance', async () => {
  const x = matrix(20_000, 8)
  const [exact, lists] = [
    await nearestNeighbours(x, 15, { engine }),
    await nearestNeighbours(x, 15, { engine, search: 'lists', seed: 3 }),
  ]
  let kept = 0
  for (let i = 0; i < x.rows; i++) {
    const own = new Set(exact.indices.subarray(15 * i, 15 * (i + 1)))
    for (let k = 15 * i; k < 15 * (i + 1); k++) {
      kept += Number(own.has(lists.indices[k]!))
      expect(lists.squares[k]).toBeGreaterThanOrEqual(exact.squares[k]!)
    }
  }
  expect(kept / lists.indices.length).toBeGreaterThan(0.95)
  expect(lists.squares[77]).toBe(square(x.data, 5, x.data, lists.indices[77]!, 8))
})

test('a cancellation is heard', async () => {
  const signal = AbortSignal.abort()
  await expect(nearestNeighbours(matrix(2000, 3), 5, { engine, signal })).rejects.toMatchObject({ code: 'ABORTED' })
})
