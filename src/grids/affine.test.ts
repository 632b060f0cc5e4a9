import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bytesOf, value } from '../../test/small-models.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { builder } from '../ir/builder.js'
import { f32, numbers, tensor } from '../ir/tensor.js'
import {
  affineGrid,
  dequantizeValue,
  type Grid,
  gridRange,
  type IntType,
  limitsOf,
  quantizeValue,
  roundEven,
} from './affine.js'

const LIMITS: Readonly<Record<IntType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int4: [-8, 7],
  uint4: [0, 15],
}
const TYPES = Object.keys(LIMITS) as readonly IntType[]

/** Magnitudes from tiny to huge, evenly over their exponents; float32 as all that is quantized. */
const magnitude = fc
  .tuple(fc.double({ min: -30, max: 30, noNaN: true }), fc.boolean())
  .map(([e, negative]) => Math.fround((negative ? -1 : 1) * 10 ** e))
const ends = fc.tuple(magnitude, magnitude).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
const dtype = fc.constantFrom(...TYPES)
const grid = fc
  .tuple(ends, dtype, fc.boolean())
  .map(([[lo, hi], type, symmetric]) => ({ lo, hi, grid: affineGrid(lo, hi, { dtype: type, symmetric }) }))
const share = fc.double({ min: 0, max: 1, noNaN: true })

const roundTrip = (x: number, g: Grid): number => dequantizeValue(quantizeValue(x, g), g)
/** Half a step; the scale, a float32, may be off by half a unit in its last place on each of the steps. */
const half = (g: Grid): number => g.scale * (0.5 + (g.qmax - g.qmin) * 2 ** -24)

describe('the affine grid', () => {
  test('is at most half a step from every value that it was made for', () => {
    fc.assert(
      fc.property(grid, share, ({ lo, hi, grid: g }, at) => {
        const x = Math.min(0, lo) + at * (Math.max(0, hi) - Math.min(0, lo))
        expect(Math.abs(x - roundTrip(x, g))).toBeLessThanOrEqual(half(g) * (1 + 1e-12))
      }),
    )
  })

  test('saturates at its ends, however far outside', () => {
    fc.assert(
      fc.property(grid, fc.double({ min: 0, max: 1e6, noNaN: true }), ({ grid: g }, beyond) => {
        const [low, high] = gridRange(g)
        expect(roundTrip(high + beyond * g.scale, g)).toBe(high)
        expect(roundTrip(low - beyond * g.scale, g)).toBe(low)
        expect(roundTrip(Number.POSITIVE_INFINITY, g)).toBe(high)
        expect(roundTrip(Number.NEGATIVE_INFINITY, g)).toBe(low)
      }),
    )
  })

  test('has whole numbers of its type, and a scale that float32 holds', () => {
    fc.assert(
      fc.property(grid, share, ({ grid: g }, at) => {
        const [qmin, qmax] = LIMITS[g.dtype]
        expect(g.qmin).toBeGreaterThanOrEqual(qmin)
        expect(g.qmax).toBeLessThanOrEqual(qmax)
        expect(Number.isInteger(g.zeroPoint)).toBe(true)
        expect(g.zeroPoint).toBeGreaterThanOrEqual(g.qmin)
        expect(g.zeroPoint).toBeLessThanOrEqual(g.qmax)
        expect(g.scale).toBeGreaterThan(0)
        expect(Math.fround(g.scale)).toBe(g.scale)
        const [low, high] = gridRange(g)
        const q = quantizeValue(low + at * (high - low), g)
        expect(Number.isInteger(q) && q >= g.qmin && q <= g.qmax).toBe(true)
      }),
    )
  })

  test('holds zero exactly', () => {
    fc.assert(
      fc.property(grid, ({ grid: g }) => {
        expect(quantizeValue(0, g)).toBe(g.zeroPoint + 0)
        expect(roundTrip(0, g)).toBe(0)
        expect(roundTrip(-0, g)).toBe(0)
      }),
    )
  })

  test('is monotonic, and every one of its points maps to itself', () => {
    fc.assert(
      fc.property(grid, share, share, ({ grid: g }, a, b) => {
        const [low, high] = gridRange(g)
        const [x, y] = [low + Math.min(a, b) * (high - low), low + Math.max(a, b) * (high - low)]
        expect(quantizeValue(x, g)).toBeLessThanOrEqual(quantizeValue(y, g))
      }),
    )
    for (const dtype of TYPES) {
      const g = affineGrid(-0.7, 1.9, { dtype })
      for (let q = g.qmin; q <= g.qmax; q++) expect(quantizeValue(Math.fround(dequantizeValue(q, g)), g)).toBe(q)
    }
  })

  test('that is symmetric is its own mirror image and covers the longer side', () => {
    fc.assert(
      fc.property(ends, dtype, share, ([lo, hi], type, at) => {
        const g = affineGrid(lo, hi, { dtype: type, symmetric: true })
        const [low, high] = gridRange(g)
        expect(low).toBe(-high)
        expect(g.zeroPoint - g.qmin).toBe(g.qmax - g.zeroPoint)
        if (type.startsWith('int')) expect(g.zeroPoint).toBe(0)
        expect(high).toBeGreaterThanOrEqual(Math.max(-lo, hi, 0) * (1 - 1e-6))
        const x = at * high
        expect(roundTrip(-x, g)).toBe(-roundTrip(x, g) + 0)
      }),
    )
  })

  test('starts at the lowest integer where values are never negative, and ends at the highest where never positive', () => {
    expect(affineGrid(0, 3, { dtype: 'uint8' }).zeroPoint).toBe(0)
    expect(affineGrid(0.5, 3, { dtype: 'uint8' }).zeroPoint).toBe(0)
    expect(affineGrid(0, 3, { dtype: 'int8' }).zeroPoint).toBe(-128)
    expect(affineGrid(-3, 0, { dtype: 'uint8' }).zeroPoint).toBe(255)
    expect(affineGrid(-3, -1, { dtype: 'int8' }).zeroPoint).toBe(127)
  })

  test('keeps to narrower limits', () => {
    fc.assert(
      fc.property(ends, fc.boolean(), fc.integer({ min: 1, max: 127 }), share, ([lo, hi], symmetric, limit, at) => {
        const g = affineGrid(lo, hi, { dtype: 'int8', symmetric, limits: { qmin: -limit, qmax: limit } })
        const q = quantizeValue(lo + at * (hi - lo), g)
        expect(Math.abs(q)).toBeLessThanOrEqual(limit)
      }),
    )
  })

  test('of an empty range, or one that float32 has no normal scale for, maps all to zero', () => {
    for (const [lo, hi] of [
      [0, 0],
      [-0, 0],
      [0, 1e-45],
      [-1e-37, 0],
    ] as const) {
      for (const dtype of TYPES) {
        const g = affineGrid(lo, hi, { dtype })
        if (hi - lo === 0) expect(g.scale).toBe(1)
        expect(g.scale).toBeGreaterThanOrEqual(2 ** -126)
        expect(Math.abs(roundTrip(hi, g) - hi)).toBeLessThanOrEqual(half(g))
        expect(roundTrip(0, g)).toBe(0)
      }
    }
  })
})

describe('roundEven', () => {
  test('rounds ties to even and all else to nearest', () => {
    const pairs = [
      [0.5, 0],
      [1.5, 2],
      [2.5, 2],
      [-0.5, 0],
      [-1.5, -2],
      [-2.5, -2],
      [0.49999999999999994, 0],
      [-3.7, -4],
      [3.2, 3],
    ] as const
    for (const [x, r] of pairs) expect(roundEven(x) + 0).toBe(r)
    fc.assert(
      fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (x) => {
        const r = roundEven(x)
        expect(Math.abs(r - x)).toBeLessThanOrEqual(0.5)
        if (Math.abs(r - x) === 0.5) expect(Math.abs(r % 2)).toBe(0)
      }),
    )
  })
})

describe('the engine quantizes as these functions do', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await openEngine({ threads: 1 })
  })
  afterAll(() => engine.close())

  async function engineQuantizes(x: Float32Array, g: Grid): Promise<readonly number[]> {
    const b = builder()
    b.input('x', value('float32', [x.length]))
    const zero = g.dtype === 'uint8' ? Uint8Array.of(g.zeroPoint) : Int8Array.of(g.zeroPoint)
    const z = b.constant(tensor(g.dtype, [], zero))
    b.ops('QuantizeLinear', ['x', b.constant(f32([], [g.scale])), z], { outputs: ['y'] })
    b.output('y', value(g.dtype, [x.length]))
    const session = await engine.load(bytesOf(b.graph()))
    try {
      return [...numbers((await session.run({ x: f32([x.length], x) })).y!)]
    } finally {
      await session.close()
    }
  }

  test('at every tie of a scale of 1', async () => {
    const x = Float32Array.from({ length: 1101 }, (_, i) => (i - 550) / 4)
    for (const dtype of ['uint8', 'int8'] as const) {
      const g: Grid = { dtype, ...limitsOf(dtype), scale: 1, zeroPoint: dtype === 'uint8' ? 128 : 0 }
      expect(await engineQuantizes(x, g)).toEqual(Array.from(x, (v) => quantizeValue(v, g)))
    }
  })

  test('at values that float32 division rounds to a tie, and at random ones', async () => {
    for (const [lo, hi, dtype] of [
      [-1.7, 2.9, 'uint8'],
      [0, 6, 'uint8'],
      [-0.013, 0.011, 'int8'],
      [-3e5, 1e5, 'int8'],
    ] as const) {
      const g = affineGrid(lo, hi, { dtype })
      const ties = Array.from({ length: 511 }, (_, i) => (i / 2 + g.qmin - g.zeroPoint) * g.scale)
      const others = Array.from({ length: 2000 }, (_, i) => lo * 1.2 + ((i * 0.6180339887) % 1) * 1.2 * (hi - lo))
      const x = Float32Array.from([...ties, ...others])
      expect(await engineQuantizes(x, g)).toEqual(Array.from(x, (v) => quantizeValue(v, g)))
    }
  })
})
