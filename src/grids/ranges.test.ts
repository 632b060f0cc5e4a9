import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../util/random.js'
import { affineGrid, dequantizeValue, type GridOptions, quantizeValue } from './affine.js'
import { type Histogram, histogramCollector, rangeOnly } from './histogram.js'
import { RANGE_METHODS, type Range, type RangeMethod, rangeOf } from './ranges.js'

const histogram = (values: ArrayLike<number>): Histogram => {
  const collector = histogramCollector()
  collector.add(Float32Array.from(values))
  return collector.snapshot()
}

const u8 = { dtype: 'uint8' } as const
const s8 = { dtype: 'int8', symmetric: true } as const
const value = fc.float({ min: -1000, max: 1000, noNaN: true })
const values = fc.oneof(
  fc.array(value, { minLength: 1, maxLength: 300 }),
  fc.array(value.map(Math.abs), { minLength: 1, maxLength: 300 }),
  fc.array(
    value.map((v) => -Math.abs(v)),
    { minLength: 1, maxLength: 300 },
  ),
)
const options = fc.constantFrom<GridOptions>(u8, s8, { dtype: 'int8' }, { dtype: 'uint4' })

/** Squared error of the grid over the histogram, each value at the middle of its bin. */
function errorOf(h: Histogram, [lo, hi]: Range, o: GridOptions): number {
  const grid = affineGrid(lo, hi, o)
  let sum = 0
  for (const [bins, sign] of [
    [h.positive, 1],
    [h.negative, -1],
  ] as const)
    bins.forEach((n, i) => {
      const x = sign * (i + 0.5) * h.width
      sum += n * (x - dequantizeValue(quantizeValue(x, grid), grid)) ** 2
    })
  return sum
}

/** Squared error of the grid over the values themselves. */
function squareError(list: readonly number[], [lo, hi]: Range, o: GridOptions = u8): number {
  const grid = affineGrid(lo, hi, o)
  return list.reduce((sum, v) => sum + (v - dequantizeValue(quantizeValue(v, grid), grid)) ** 2, 0)
}

const normal = (count: number, seed: number, deviation = 1): number[] => {
  const generator = random(seed)
  return Array.from({ length: count }, () => generator.normal(0, deviation))
}

describe('every range', () => {
  test('lies inside what was seen, with the lower end first', () => {
    fc.assert(
      fc.property(values, fc.constantFrom(...RANGE_METHODS), options, (list, method, o) => {
        const h = histogram(list)
        const [lo, hi] = rangeOf(h, method, o)
        expect(lo).toBeLessThanOrEqual(hi)
        // A range that is cut may shrink towards zero, which every grid covers.
        expect(lo).toBeGreaterThanOrEqual(Math.min(0, h.min))
        expect(hi).toBeLessThanOrEqual(Math.max(0, h.max))
        if (h.max > 0) expect(hi).toBeGreaterThanOrEqual(0)
        if (h.min < 0) expect(lo).toBeLessThanOrEqual(0)
      }),
    )
  })

  test('of values that are never negative starts where they start: a grid then has its zero at the end', () => {
    fc.assert(
      fc.property(
        fc.array(value.map(Math.abs), { minLength: 1 }),
        fc.constantFrom(...RANGE_METHODS),
        (list, method) => {
          const [lo, hi] = rangeOf(histogram(list), method, u8)
          expect(lo).toBeGreaterThanOrEqual(0)
          expect(affineGrid(lo, hi, u8).zeroPoint).toBe(0)
          expect(affineGrid(lo, hi, { dtype: 'int8' }).zeroPoint).toBe(-128)
        },
      ),
    )
  })

  test('of nothing is zero', () => {
    for (const method of RANGE_METHODS) {
      expect(rangeOf(histogram([]), method, u8)).toEqual([0, 0])
      expect(rangeOf(histogram([Number.NaN]), method, u8)).toEqual([0, 0])
    }
  })

  test('of zeros alone is zero', () => {
    for (const method of RANGE_METHODS) {
      const [lo, hi] = rangeOf(histogram(new Float32Array(9)), method, u8)
      expect([lo + 0, hi + 0]).toEqual([0, 0])
    }
  })
})

test('where only the ends are known, every method takes them', () => {
  for (const method of RANGE_METHODS) expect(rangeOf(rangeOnly(-2, 5, 3), method, u8)).toEqual([-2, 5])
})

test('min-max takes all that was seen', () => {
  expect(rangeOf(histogram([-3, 0.25, 7]), 'min-max', u8)).toEqual([-3, 7])
  expect(rangeOf(histogram([2, 3]), 'min-max', u8)).toEqual([2, 3])
})

describe('percentile', () => {
  test('keeps the share asked for', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0.5, max: 1, noNaN: true }), (list, keep) => {
        const h = histogram(list)
        const [lo, hi] = rangeOf(h, 'percentile', { ...u8, keep })
        const inside = list.filter((v) => v >= lo && v <= hi).length
        expect(inside).toBeGreaterThanOrEqual(Math.floor(keep * list.length))
      }),
    )
  })

  test('and, of a smooth distribution, not much more', () => {
    const both = normal(20_000, 3)
    for (const [list, keep] of [
      [both, 0.99],
      [both, 0.9],
      [both.map(Math.abs), 0.95],
      [both.map((v) => -Math.abs(v)), 0.95],
    ] as const) {
      const [lo, hi] = rangeOf(histogram(list), 'percentile', { ...u8, keep })
      const inside = list.filter((v) => v >= lo && v <= hi).length / list.length
      expect(inside - keep).toBeLessThan(0.005)
    }
  })

  test('cuts all that it may', () => {
    expect(rangeOf(histogram([1, 100]), 'percentile', { ...u8, keep: 0.5 })[1]).toBeLessThan(2)
    expect(rangeOf(histogram([-100, -1, 1, 100]), 'percentile', { ...u8, keep: 0.5 })[0]).toBeGreaterThan(-2)
  })

  test('keeps 99.99 % where not told', () => {
    const list = [...new Array(20_010).fill(1), 500, 1000]
    const [, hi] = rangeOf(histogram(list), 'percentile', u8)
    expect(hi).toBeGreaterThanOrEqual(1)
    expect(hi).toBeLessThan(1.6)
  })
})

describe('mse', () => {
  test('has no larger error over the histogram than min-max', () => {
    fc.assert(
      fc.property(values, options, (list, o) => {
        const h = histogram(list)
        const least = errorOf(h, rangeOf(h, 'mse', o), o)
        expect(least).toBeLessThanOrEqual(errorOf(h, rangeOf(h, 'min-max', o), o))
      }),
    )
  })

  test('finds the best of all shares of the range, to a few percent', () => {
    for (const list of [
      normal(5000, 1),
      [...normal(5000, 2), 40, -60],
      normal(5000, 4).map((v) => Math.max(0, v ** 3)),
    ]) {
      const h = histogram(list)
      const o = { dtype: 'uint4' } as const
      const best = Math.min(
        ...Array.from({ length: 950 }, (_, i) => errorOf(h, [h.min * (1 - i / 1000), h.max * (1 - i / 1000)], o)),
      )
      expect(errorOf(h, rangeOf(h, 'mse', o), o)).toBeLessThanOrEqual(1.05 * best)
    }
  })

  test('counts the values below zero too', () => {
    const list = [...normal(4000, 5, 0.1).map(Math.abs), ...normal(4000, 6, 0.1).map((v) => -Math.abs(v)), -3]
    const [lo] = rangeOf(histogram(list), 'mse', { dtype: 'uint4' })
    expect(lo).toBeGreaterThan(-2)
    const heavy = [...list, ...new Array(4000).fill(-3)]
    expect(rangeOf(histogram(heavy), 'mse', { dtype: 'uint4' })[0]).toBeLessThan(-2)
  })
})

describe('outliers', () => {
  const bulk = normal(100_000, 7)
  const spread = Math.max(...bulk.map(Math.abs))
  const cutting: readonly RangeMethod[] = ['percentile', 'mse', 'entropy']

  test.each(cutting)('a few far away are cut by %s', (method) => {
    // At 4 bits also the squared error prefers the bulk; at 8 bits a step is small enough to keep more.
    const o = { dtype: method === 'mse' ? ('uint4' as const) : ('uint8' as const) }
    const [lo, hi] = rangeOf(histogram([...bulk, 40 * spread, -40 * spread]), method, o)
    expect(hi).toBeLessThan(10 * spread)
    expect(lo).toBeGreaterThan(-10 * spread)
    expect(hi).toBeGreaterThan(0.4 * spread)
    expect(lo).toBeLessThan(-0.4 * spread)
  })

  test.each(cutting)('on one side are cut by %s after Relu too', (method) => {
    const o = { dtype: method === 'mse' ? ('uint4' as const) : ('uint8' as const) }
    const [lo, hi] = rangeOf(histogram([...bulk.map((v) => Math.max(0, v)), 40 * spread]), method, o)
    expect(lo).toBe(0)
    expect(hi).toBeLessThan(10 * spread)
    expect(hi).toBeGreaterThan(0.4 * spread)
  })

  test.each(cutting)('that are a tenth of all values are kept by %s', (method) => {
    const far = new Array(bulk.length / 10).fill(0).map((_, i) => (5 + (i % 50) / 50) * spread)
    const [, hi] = rangeOf(histogram([...bulk, ...far]), method, u8)
    expect(hi).toBeGreaterThan(4 * spread)
  })

  test('are not cut by min-max', () => {
    expect(rangeOf(histogram([...bulk, 40 * spread]), 'min-max', u8)[1]).toBeCloseTo(40 * spread, 3)
  })
})

describe('entropy', () => {
  test('keeps the whole of a uniform distribution', () => {
    const list = Array.from({ length: 100_000 }, (_, i) => -1 + (2 * i) / 100_000)
    const [lo, hi] = rangeOf(histogram(list), 'entropy', u8)
    expect(hi).toBeGreaterThan(0.9)
    expect(lo).toBeLessThan(-0.9)
  })

  describe('of few values is no worse than chance', () => {
    const generator = random(3)
    const draws: Readonly<Record<string, () => number>> = {
      normal: () => generator.normal(),
      'after Relu': () => Math.max(0, generator.normal()),
      'of two exponentials': () => Math.log(1 - generator.uniform()) * (generator.uniform() < 0.5 ? -1 : 1),
      'with long tails': () => generator.normal() ** 5,
    }
    const cases = Object.keys(draws).flatMap((name) => [30, 300, 2400, 20_000].map((n) => [name, n] as const))
    test.each(cases)('%s, %i', (name, n) => {
      const list = Array.from({ length: n }, draws[name]!)
      const [h, error] = [histogram(list), (range: Range) => Math.sqrt(squareError(list, range))]
      expect(error(rangeOf(h, 'entropy', u8))).toBeLessThanOrEqual(2.2 * error(rangeOf(h, 'min-max', u8)))
    })
  })

  test('cuts no bytes: one step of the grid holds one of them', () => {
    const bytes = Array.from({ length: 2560 }, (_, i) => i % 256)
    expect(rangeOf(histogram(bytes), 'entropy', u8)).toEqual([0, 255])
    expect(rangeOf(histogram(bytes.map((v) => -v)), 'entropy', u8).map((v) => v + 0)).toEqual([-255, 0])
  })

  test('is not drawn to zero by the many zeros that Relu leaves, for every grid holds zero exactly', () => {
    const list = normal(400_000, 12).map((v) => Math.max(0, v))
    const [, hi] = rangeOf(histogram(list), 'entropy', u8)
    expect(hi).toBeGreaterThan(3.5)
  })

  test('costs most values no more than twice the error of the whole range, however long the tails', () => {
    const list = normal(100_000, 13).map((v) => Math.max(0, v ** 3))
    const h = histogram(list)
    const [lo, hi] = rangeOf(h, 'percentile', { ...u8, keep: 0.9998 })
    const most = list.filter((v) => v >= lo && v <= hi)
    const whole = squareError(most, rangeOf(h, 'min-max', u8))
    expect(squareError(most, rangeOf(h, 'entropy', u8))).toBeLessThanOrEqual(4.2 * whole)
  })

  test('does not depend on the unit', () => {
    const list = normal(20_000, 9)
    const [lo, hi] = rangeOf(histogram(list), 'entropy', u8)
    const scaled = rangeOf(histogram(list.map((v) => v * 1024)), 'entropy', u8)
    expect(scaled[0] / 1024).toBeCloseTo(lo, 5)
    expect(scaled[1] / 1024).toBeCloseTo(hi, 5)
  })

  test('of the mirror image is the mirror image', () => {
    const list = [...normal(20_000, 10), ...normal(500, 11, 4).map(Math.abs)]
    const [lo, hi] = rangeOf(histogram(list), 'entropy', s8)
    const mirrored = rangeOf(histogram(list.map((v) => -v)), 'entropy', s8)
    expect(mirrored[0]).toBeCloseTo(-hi, 1)
    expect(mirrored[1]).toBeCloseTo(-lo, 1)
  })
})
