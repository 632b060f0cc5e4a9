import { describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/node/open.js'
import { random } from '../../util/random.js'
import { principal } from './decompose.js'
import { rankByCriterion, rankByTail } from './rank.js'
import { vbmfRank } from './vbmf.js'

/** Squared singular values of a random [rows, columns] of a rank, with noise of deviation 1. */
async function spectrumOf(rows: number, columns: number, rank: number, strength: number): Promise<Float64Array> {
  const { normal } = random(rows + columns + rank)
  const gauss = (n: number) => Float64Array.from({ length: n }, () => normal())
  const [a, b, noise] = [gauss(rows * rank), gauss(columns * rank), gauss(rows * columns)]
  const w = noise.map((v, at) => {
    let sum = v
    for (let k = 0; k < rank; k++)
      sum += strength * a[Math.floor(at / columns) * rank + k]! * b[(at % columns) * rank + k]!
    return sum
  })
  const engine = await openEngine({ threads: 1 })
  try {
    return (await principal(w, rows, null, engine)).squares
  } finally {
    await engine.close()
  }
}

describe('a planted rank is found under noise', () => {
  test.each([
    [20, 200, 3],
    [60, 80, 7],
    [90, 30, 5],
  ])('[%i, %i] of rank %i', async (rows, columns, rank) => {
    const spectrum = { squares: await spectrumOf(rows, columns, rank, 2), long: Math.max(rows, columns) }
    expect(rankByCriterion(spectrum, 'vbmf')).toBe(rank)
    expect(rankByCriterion(spectrum, 'bic')).toBe(rank)
    const scaled = { ...spectrum, squares: spectrum.squares.map((v) => v * 1e-12) }
    expect(rankByCriterion(scaled, 'vbmf')).toBe(rank)
    expect(rankByCriterion(scaled, 'bic')).toBe(rank)
  })

  test('noise alone has none, and one is kept all the same', async () => {
    const squares = await spectrumOf(40, 60, 0, 0)
    expect(vbmfRank(squares, 60)).toBe(0)
    expect(rankByCriterion({ squares, long: 60 }, 'vbmf')).toBe(1)
  })

  test('a matrix of zeros has none', () => {
    expect(vbmfRank(new Float64Array(4), 9)).toBe(0)
  })
})

test('energy: the fewest terms that leave out no more than the share', () => {
  const spectrum = { squares: Float64Array.of(6, 3, 1, 0), long: 4 }
  expect([0, 0.09, 0.1, 0.39, 0.4, 1].map((tail) => rankByTail(spectrum, tail))).toEqual([3, 3, 2, 2, 1, 1])
})
