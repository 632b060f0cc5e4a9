import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { cholesky, inverseTransposed } from '../../linalg/cholesky.js'
import { multiplied, transposed } from '../../linalg/products.js'
import { thinSvd } from '../../linalg/thin-svd.js'
import { random } from '../../util/random.js'
import { composed, type Decomposition, depthOf, type Weight } from './decompose.js'
import { svdParts } from './svd-parts.js'
import { tuckerParts } from './tucker-parts.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const gauss = (count: number, seed: number): Float64Array => {
  const { normal } = random(seed)
  return Float64Array.from({ length: count }, () => normal())
}

const weight = (rows: number, channels: number, kernel: readonly number[] | null, seed: number): Weight => {
  const shape = { rows, channels, kernel }
  return { ...shape, matrix: gauss(rows * depthOf({ ...shape, matrix: new Float64Array(0) }), seed) }
}

/** Σ x xᵀ / n of n columns whose sizes differ. */
function metricOf(depth: number, columns: number, seed: number): Float64Array {
  const x = gauss(depth * columns, seed).map((v, at) => v / (1 + (Math.floor(at / columns) % 5)))
  const h = new Float64Array(depth * depth)
  for (let i = 0; i < depth; i++)
    for (let j = 0; j < depth; j++)
      for (let k = 0; k < columns; k++) h[i * depth + j]! += (x[i * columns + k]! * x[j * columns + k]!) / columns
  return h
}

/** tr(Δ H Δᵀ), by the sums that it says. */
function lossIn(delta: Float64Array, rows: number, h: Float64Array | null): number {
  const depth = delta.length / rows
  let sum = 0
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < depth; i++)
      for (let j = 0; j < depth; j++)
        sum += delta[r * depth + i]! * (h === null ? Number(i === j) : h[i * depth + j]!) * delta[r * depth + j]!
  return sum
}

async function dropped(of: Decomposition, w: Weight, tail: number): Promise<Float64Array> {
  const made = await composed(await of.parts(of.byTail(tail)), w, engine)
  return w.matrix.map((v, i) => v - made[i]!)
}

const SHAPES = [
  ['wide', 6, 5, [3, 1]],
  ['tall', 15, 3, [2]],
  ['a product', 7, 9, null],
] as const

describe('singular value decomposition', () => {
  test.each(SHAPES)(
    'of a weight that is %s loses the tail of the spectrum of W L, and is the best',
    async (_, rows, channels, kernel) => {
      const w = weight(rows, channels, kernel, 1)
      const depth = depthOf(w)
      const h = metricOf(depth, 3 * depth, 2)
      const l = cholesky(h, depth)!
      const wl = await multiplied(w.matrix, l, { m: rows, k: depth, n: depth }, engine)
      const { u, s, vt } = await thinSvd(wl, rows, depth, { engine })
      const energies = s.map((v) => v * v)
      const all = energies.reduce((sum, v) => sum + v, 0)
      const of = await svdParts(w, h, engine)
      for (const tail of [0.5, 0.2, 0.05, 0]) {
        const cut = of.byTail(tail)
        const [rank] = cut.ranks as [number]
        const delta = await dropped(of, w, tail)
        const lost = energies.subarray(rank).reduce((sum, v) => sum + v, 0)
        expect(lossIn(delta, rows, h)).toBeCloseTo(lost, 9)
        expect(lost).toBeLessThanOrEqual(tail * all + 1e-12 * all)
        expect(cut.parameters).toBe(rank * (rows + depth))
        // U S Vᵀ L⁻¹ of the first terms.
        const best = new Float64Array(rows * depth)
        const k = s.length
        for (let r = 0; r < rows; r++)
          for (let j = 0; j < depth; j++)
            for (let t = 0; t < rank; t++) best[r * depth + j]! += u[r * k + t]! * s[t]! * vt[t * depth + j]!
        const back = await multiplied(
          best,
          transposed(inverseTransposed(l, depth), depth, depth),
          { m: rows, k: depth, n: depth },
          engine,
        )
        delta.forEach((v, i) => {
          expect(w.matrix[i]! - v).toBeCloseTo(back[i]!, 8)
        })
      }
    },
  )

  test('takes a metric that has no inverse', async () => {
    const w = weight(8, 12, null, 3)
    const h = metricOf(12, 4, 4)
    const of = await svdParts(w, h, engine)
    expect(of.byTail(0).ranks).toEqual([4])
    expect(lossIn(await dropped(of, w, 0), 8, h)).toBeCloseTo(0, 10)
  })
})

describe('Tucker decomposition', () => {
  test('loses no more than its share, whatever the shape, and nothing where all is kept', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom([3], [2, 2], [1, 3]),
        fc.double({ min: 0, max: 0.8, noNaN: true }),
        async (rows, channels, kernel, tail) => {
          const w = weight(rows, channels, kernel, rows * channels)
          const all = lossIn(w.matrix, rows, null)
          const of = await tuckerParts(w, null, engine)
          expect(lossIn(await dropped(of, w, tail), rows, null)).toBeLessThanOrEqual((tail + 1e-9) * all)
          expect(lossIn(await dropped(of, w, 0), rows, null)).toBeLessThanOrEqual(1e-18 * all)
        },
      ),
      { numRuns: 20, seed: 1 },
    )
  })

  test('in a metric keeps all where all is kept, and fits its core to the metric', async () => {
    const w = weight(6, 5, [3], 7)
    const h = metricOf(15, 60, 8)
    const all = lossIn(w.matrix, 6, h)
    const [plain, fitted] = [await tuckerParts(w, null, engine), await tuckerParts(w, h, engine)]
    expect(lossIn(await dropped(fitted, w, 0), 6, h)).toBeLessThan(1e-9 * all)
    const cut = { ranks: [3, 4], parameters: 0 }
    const lossOf = async (of: Decomposition): Promise<number> => {
      const made = await composed(await of.parts(cut), w, engine)
      return lossIn(
        w.matrix.map((v, i) => v - made[i]!),
        6,
        h,
      )
    }
    expect(await lossOf(fitted)).toBeLessThan(await lossOf(plain))
  })

  test('counts the parameters of its parts', async () => {
    const w = weight(6, 5, [3, 3], 9)
    const of = await tuckerParts(w, null, engine)
    for (const tail of [0, 0.3, 0.6, 1]) {
      const cut = of.byTail(tail)
      const parts = await of.parts(cut)
      expect(parts.reduce((sum, { matrix }) => sum + matrix.length, 0)).toBe(cut.parameters)
    }
  })
})
