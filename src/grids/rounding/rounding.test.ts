import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../util/random.js'
import { roundAdaptive } from './adaround.js'
import { roundGptq } from './gptq.js'
import { roundingErrors, roundNearest, type WeightGrid } from './grid.js'

/** H = Σ x xᵀ / n of `samples` columns in which neighbours are alike. */
function moments(depth: number, seed: number, samples = 3 * depth): Float64Array {
  const r = random(seed)
  const h = new Float64Array(depth * depth)
  const x = new Float64Array(depth)
  for (let k = 0; k < samples; k++) {
    for (let i = 0; i < depth; i++) x[i] = r.normal() + (i > 0 ? 0.8 * x[i - 1]! : 0)
    for (let i = 0; i < depth; i++) for (let j = 0; j < depth; j++) h[i * depth + j]! += (x[i]! * x[j]!) / samples
  }
  return h
}

function layer(rows: number, depth: number, seed: number, bits = 4) {
  const r = random(seed)
  const weights = Float32Array.from({ length: rows * depth }, () => r.normal())
  const high = 2 ** (bits - 1) - 1
  const steps = new Float32Array(rows * depth)
  for (let i = 0; i < rows; i++) {
    const own = weights.subarray(i * depth, (i + 1) * depth)
    steps.fill(own.reduce((peak, w) => Math.max(peak, Math.abs(w)), 0) / high, i * depth, (i + 1) * depth)
  }
  const grid: WeightGrid = {
    rows,
    depth,
    steps,
    low: new Int8Array(rows).fill(-high - 1),
    high: new Int8Array(rows).fill(high),
  }
  return { weights, grid }
}

/** δᵀHδ, summed over the rows. */
function lossOf(integers: Int8Array, weights: Float32Array, grid: WeightGrid, h: Float64Array): number {
  const { depth } = grid
  const delta = roundingErrors(integers, weights, grid)
  let sum = 0
  for (let from = 0; from < delta.length; from += depth)
    for (let i = 0; i < depth; i++)
      for (let j = 0; j < depth; j++) sum += delta[from + i]! * h[i * depth + j]! * delta[from + j]!
  return sum
}

const forms = fc.record({
  rows: fc.integer({ min: 1, max: 4 }),
  depth: fc.integer({ min: 1, max: 24 }),
  seed: fc.integer({ min: 0, max: 1000 }),
  bits: fc.constantFrom(2, 3, 4, 8),
})

test('nearest integers leave no weight inside the range further than half a step', () => {
  fc.assert(
    fc.property(forms, ({ rows, depth, seed, bits }) => {
      const { weights, grid } = layer(rows, depth, seed, bits)
      roundingErrors(roundNearest(weights, grid), weights, grid).forEach((error, i) => {
        expect(Math.abs(error)).toBeLessThanOrEqual((grid.steps[i]! / 2) * (1 + 1e-6))
      })
    }),
  )
})

test.each([
  ['GPTQ', roundGptq],
  ['AdaRound', roundAdaptive],
])('%s keeps to the integers of the grid, and a weight without a step stays 0', (_, round) => {
  fc.assert(
    fc.property(forms, ({ rows, depth, seed, bits }) => {
      const { weights, grid } = layer(rows, depth, seed, bits)
      grid.steps[0] = 0
      const integers = round(weights, grid, moments(depth, seed))
      expect(integers[0]).toBe(0)
      integers.forEach((q, i) => {
        const row = Math.floor(i / depth)
        expect(q).toBeGreaterThanOrEqual(grid.low[row]!)
        expect(q).toBeLessThanOrEqual(grid.high[row]!)
      })
    }),
  )
})

test.each([
  ['GPTQ', roundGptq],
  ['AdaRound', roundAdaptive],
])('%s with a zero point moves the integers along', (_, round) => {
  const { weights, grid } = layer(3, 12, 1)
  const h = moments(12, 1)
  const moved = {
    ...grid,
    zeros: new Float32Array(36).fill(3),
    low: grid.low.map((q) => q + 3),
    high: grid.high.map((q) => q + 3),
  }
  expect(round(weights, moved, h).map((q) => q - 3)).toEqual(round(weights, grid, h))
})

test.each([
  ['GPTQ', roundGptq],
  ['AdaRound', roundAdaptive],
])('%s of inputs that have nothing to do with each other is nearest rounding', (_, round) => {
  const { weights, grid } = layer(3, 8, 1)
  const h = Float64Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 + i : 0))
  expect(round(weights, grid, h)).toEqual(roundNearest(weights, grid))
})

describe('AdaRound', () => {
  test('is no worse than nearest rounding, and no flip of one weight or two betters it', () => {
    fc.assert(
      fc.property(forms, ({ rows, depth, seed, bits }) => {
        const { weights, grid } = layer(rows, depth, seed, bits)
        const h = moments(depth, seed)
        const integers = roundAdaptive(weights, grid, h)
        const loss = lossOf(integers, weights, grid, h)
        expect(loss).toBeLessThanOrEqual(lossOf(roundNearest(weights, grid), weights, grid, h) * (1 + 1e-9))
        const down = Int32Array.from(weights, (w, i) => Math.floor(w / grid.steps[i]!))
        for (let i = 0; i < integers.length; i++) {
          const other = integers.slice()
          other[i] = integers[i] === down[i] ? down[i]! + 1 : down[i]!
          const isIn = other[i]! >= grid.low[0]! && other[i]! <= grid.high[0]!
          if (isIn) expect(lossOf(other, weights, grid, h)).toBeGreaterThanOrEqual(loss * (1 - 1e-6))
          if (isIn && i % 5 === 0) expect(bestPartner(other, i, down)).toBeGreaterThanOrEqual(loss * (1 - 1e-6))
        }

        /** The least loss when one more weight of the row flips. */
        function bestPartner(flipped: Int8Array, i: number, floor: Int32Array): number {
          const from = Math.floor(i / depth) * depth
          const losses = Array.from({ length: depth }, (_, j) => {
            const both = flipped.slice()
            const at = from + j
            both[at] = flipped[at] === floor[at] ? floor[at]! + 1 : floor[at]!
            const isOn = at !== i && both[at]! >= grid.low[0]! && both[at]! <= grid.high[0]!
            return isOn ? lossOf(both, weights, grid, h) : Number.POSITIVE_INFINITY
          })
          return Math.min(...losses)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('goes the best of all ways up and down for the few inputs of a depthwise kernel', () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const depth = 6
      const { weights, grid } = layer(1, depth, seed, 3)
      const h = moments(depth, seed)
      let least = Number.POSITIVE_INFINITY
      for (let mask = 0; mask < 2 ** depth; mask++) {
        const q = Int8Array.from(weights, (w, i) => Math.floor(w / grid.steps[i]!) + ((mask >> i) & 1))
        if (q.every((v) => v >= -4 && v <= 3)) least = Math.min(least, lossOf(q, weights, grid, h))
      }
      expect(lossOf(roundAdaptive(weights, grid, h), weights, grid, h)).toBeLessThanOrEqual(least * (1 + 1e-6))
    }
  })
})

describe('GPTQ', () => {
  test('leaves the outputs nearer than nearest rounding does, on what it saw', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const { weights, grid } = layer(16, 48, seed)
      const h = moments(48, seed)
      const plain = lossOf(roundNearest(weights, grid), weights, grid, h)
      for (const byActivation of [true, false])
        expect(lossOf(roundGptq(weights, grid, h, { byActivation }), weights, grid, h)).toBeLessThan(0.8 * plain)
    }
  })

  test('solves for the weights that are left after each rounding', () => {
    // Input by input: the rest is what least squares makes of it, found here by elimination.
    const [rows, depth] = [3, 7]
    const { weights, grid } = layer(rows, depth, 2)
    const h = moments(depth, 2)
    let trace = 0
    for (let i = 0; i < depth; i++) trace += h[i * depth + i]!
    for (let i = 0; i < depth; i++) h[i * depth + i]! += (0.01 * trace) / depth
    const expected = new Int8Array(rows * depth)
    for (let r = 0; r < rows; r++) {
      const original = [...weights.subarray(r * depth, (r + 1) * depth)]
      const delta: number[] = []
      for (let j = 0; j < depth; j++) {
        // The best free δ_k for k ≥ j, given those before: H_FF δ_F = −H_FP δ_P.
        const free = Array.from({ length: depth - j }, (_, k) => j + k)
        const matrix = free.map((i) => [
          ...free.map((k) => h[i * depth + k]!),
          -delta.reduce((s, d, k) => s + h[i * depth + k]! * d, 0),
        ])
        const value = original[j]! + solve(matrix)[0]!
        const step = grid.steps[r * depth]!
        const q = Math.max(-8, Math.min(7, Math.round(value / step)))
        expected[r * depth + j] = q
        delta.push(q * step - original[j]!)
      }
    }
    const undamped = moments(depth, 2)
    expect(roundGptq(weights, grid, undamped, { byActivation: false })).toEqual(expected)
  })
})

/** x of [A | b] by elimination. */
function solve(m: number[][]): number[] {
  const n = m.length
  for (let p = 0; p < n; p++) {
    const pivot = m[p]![p]!
    for (let j = p; j <= n; j++) m[p]![j]! /= pivot
    for (let i = 0; i < n; i++) {
      const share = m[i]![p]!
      if (i !== p) for (let j = p; j <= n; j++) m[i]![j]! -= share * m[p]![j]!
    }
  }
  return m.map((row) => row[n]!)
}
