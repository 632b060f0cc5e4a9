import { describe, expect, test } from 'vitest'
import { random } from '../util/random.js'
import type { DenseMatrix } from './design.js'
import { path } from './path.js'
import { type StabilityOptions, stabilitySelection } from './stability.js'

/** Columns that lean on their neighbours; y of the first `support.length`, or of nothing. */
function drawn(rows: number, columns: number, support: readonly number[], seed: number) {
  const { normal } = random(seed)
  const data = new Float64Array(rows * columns)
  const y = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    let last = normal()
    for (let j = 0; j < columns; j++) {
      last = 0.5 * last + Math.sqrt(0.75) * normal()
      data[i * columns + j] = last
    }
    y[i] = support.reduce((sum, j, k) => sum + (k % 2 ? -1 : 1) * data[i * columns + j]!, normal())
  }
  return { x: { rows, columns, data } as DenseMatrix, y }
}

describe('probabilities are the shares of paths on the rows of the halves themselves', () => {
  const { x, y } = drawn(31, 5, [1, 3], 5)
  const weights = Float64Array.from(y, (_, i) => [0, 1, 2, 1][i % 4]!)

  test.each<[string, StabilityOptions]>([
    ['all columns', { most: 5 }],
    ['the first two', { most: 2 }],
    ['weights, an elastic net, strengths given', { most: 3, weights, l1Ratio: 0.5, lambdas: [0.01, 0.5, 0.1, 1] }],
    ['a column without a penalty', { most: 2, penaltyFactors: [0, 1, 1, 2, 1] }],
  ])('%s', async (_, given) => {
    const options = { ...given, draws: 4, seed: 9, tolerance: 1e-12, nLambdas: 15 }
    const found = await stabilitySelection(x, y, options)
    const { lambdas } = found
    const used = Uint32Array.from(y.keys()).filter((i) => given.weights?.[i] !== 0)
    const isFree = (j: number): boolean => given.penaltyFactors?.[j] === 0
    const counts = Array.from(lambdas, () => new Float64Array(5))
    const { shuffle } = random(9)
    for (let draw = 0; draw < 4; draw++) {
      const order = shuffle(used.slice())
      const size = Math.floor(order.length / 2)
      for (const rows of [order.subarray(0, size), order.subarray(size, 2 * size)]) {
        const half = {
          rows: size,
          columns: 5,
          data: Float64Array.from({ length: size * 5 }, (_, at) => x.data[rows[Math.floor(at / 5)]! * 5 + (at % 5)]!),
        }
        const { models } = await path(
          half,
          Float64Array.from(rows, (i) => y[i]!),
          { ...options, lambdas, ...(given.weights && { weights: Float64Array.from(rows, (i) => weights[i]!) }) },
        )
        const seen = new Set<number>()
        let isOver = false
        for (const [k, { coefficients }] of models.entries()) {
          const now = [...coefficients.keys()].filter((j) => coefficients[j] !== 0 && !isFree(j))
          isOver ||= new Set([...seen, ...now]).size > given.most!
          if (!isOver) for (const j of now) seen.add(j)
          for (const j of seen) counts[k]![j]!++
        }
      }
    }
    for (const [k, list] of counts.entries())
      for (const [j, count] of list.entries()) expect(found.probabilities[k]![j]).toBe(isFree(j) ? 1 : count / 8)
    for (const list of found.probabilities)
      expect(list.reduce((sum, v, j) => sum + (isFree(j) ? 0 : v), 0)).toBeLessThanOrEqual(given.most!)
    if (!given.lambdas) expect(lambdas[0]! / (await path(x, y, given)).lambdas[0]!).toBeCloseTo(2, 9)
  })
})

test('the columns that made y are found among many, and no others, also where there are more than rows', async () => {
  for (const [rows, columns] of [
    [150, 40],
    [80, 120],
  ] as const) {
    const support = [0, 7, 20, 33]
    const { x, y } = drawn(rows, columns, support, 2)
    const { selected, probabilities, bound } = await stabilitySelection(x, y, { draws: 15 })
    expect([...selected].sort((a, b) => a - b)).toEqual(support)
    const last = probabilities.at(-1)!
    for (const [k, j] of selected.entries()) expect(last[j]).toBeLessThanOrEqual(k === 0 ? 1 : last[selected[k - 1]!]!)
    expect(bound).toBeLessThanOrEqual(1)
  }
})

test('where nothing made y, no more are selected than the bound says', async () => {
  const options = { draws: 10, threshold: 0.6, most: 3 }
  let [count, bound] = [0, 0]
  for (let seed = 0; seed < 12; seed++) {
    const { x, y } = drawn(40, 15, [], seed)
    const found = await stabilitySelection(x, y, { ...options, seed })
    count += found.selected.length / 12
    bound = found.bound
  }
  expect(bound).toBeCloseTo(9 / (0.2 * 15), 12)
  expect(count).toBeLessThan(bound)
})

test('one seed, one answer', async () => {
  const { x, y } = drawn(30, 6, [2], 1)
  const of = (seed: number) => stabilitySelection(x, y, { draws: 5, seed })
  expect(await of(1)).toEqual(await of(1))
  expect((await of(1)).probabilities).not.toEqual((await of(2)).probabilities)
})

test('bounds are those of the papers', async () => {
  const { x, y } = drawn(20, 100, [], 3)
  const of = (options: StabilityOptions) => stabilitySelection(x, y, { draws: 2, lambdas: [10], ...options })
  expect(await of({ threshold: 0.9, most: 10 })).toMatchObject({
    bound: expect.closeTo(100 / (0.8 * 100), 12),
    unimodalBound: expect.closeTo((4 * (0.1 + 0.25)) / 1.5, 12),
  })
  expect(await of({ threshold: 0.7, most: 10, draws: 50 })).toMatchObject({
    bound: expect.closeTo(1 / 0.4, 12),
    unimodalBound: expect.closeTo(1 / (2 * (0.4 - 0.01)), 12),
  })
  expect((await of({ threshold: 0.505, most: 90 })).unimodalBound).toBeNull()
  // q of the default: √((2τ − 1) p) for a bound of 1, rounded down.
  expect(await of({ threshold: 0.9 })).toMatchObject({ most: 8, bound: expect.closeTo(64 / 80, 12) })
})

test.each<[StabilityOptions, string]>([
  [{ draws: 0 }, 'draws must be'],
  [{ threshold: 0.5 }, 'threshold must be'],
  [{ threshold: 1.1 }, 'threshold must be'],
  [{ most: 7 }, 'most must be a whole number from 1 to the 6 columns'],
  [{ l1Ratio: 0 }, 'l1Ratio must be above 0'],
  [{ penaltyFactors: [0, 0, 0, 0, 0, 0] }, 'penaltyFactors must be'],
  [{ weights: [1, 1, 1, ...Array(27).fill(0)] }, 'the rows cannot be halved (got "3 rows")'],
])('%j is an error', async (options, message) => {
  const { x, y } = drawn(30, 6, [2], 1)
  await expect(stabilitySelection(x, y, options)).rejects.toThrow(message)
})

test('between draws a cancellation is heard', async () => {
  const { x, y } = drawn(31, 5, [1, 3], 5)
  const stop = new AbortController()
  let draws = 0
  const onProgress = (): void => {
    draws++
    setImmediate(() => stop.abort(new Error('enough')))
  }
  await expect(stabilitySelection(x, y, { signal: stop.signal, onProgress })).rejects.toThrow('enough')
  expect(draws).toBe(1)
})

test('a column without spread is in no path, with a penalty or without', async () => {
  const { x, y } = drawn(31, 5, [1, 3], 5)
  const data = x.data.map((v, at) => (at % x.columns === 2 ? 7 : v))
  const found = await stabilitySelection({ ...x, data }, y, { draws: 2, penaltyFactors: [1, 0, 0, 1, 1] })
  expect(found.probabilities[0]!.slice(1, 3)).toEqual(Float64Array.of(1, 0))
})
