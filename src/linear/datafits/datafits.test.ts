import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkTraits, type Datafit } from './datafit.js'
import { huber } from './huber.js'
import { checkNull, responseOf } from './index.js'
import { logistic } from './logistic.js'
import { multinomial } from './multinomial.js'
import { poisson } from './poisson.js'
import { squared } from './squared.js'

const DATAFITS: readonly (readonly [Datafit, readonly number[]])[] = [
  [squared, [-1.5, 0, 2]],
  [logistic, [0, 1]],
  [poisson, [0, 1, 2.5, 7]],
  [multinomial(4), [0, 1, 3]],
  [huber(0.8), [-1.5, 0, 2]],
]

describe.each(DATAFITS.map(([datafit, ys]) => [datafit.name, datafit, ys] as const))('%s', (_, datafit, ys) => {
  const K = datafit.outputs
  // The row that is asked for lies between others.
  const points = fc.record({
    y: fc.constantFrom(...ys),
    eta: fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: K, maxLength: K }),
  })
  const placed = (eta: readonly number[]): Float64Array =>
    Float64Array.of(...eta.map(() => 9), ...eta, ...eta.map(() => 9))
  const slopeAt = (y: number, eta: readonly number[]): Float64Array => {
    const out = new Float64Array(3 * K)
    const loss = datafit.slope(y, placed(eta), K, out)
    expect(loss).toBeCloseTo(datafit.loss(y, placed(eta), K), 13)
    expect(out.filter((v, i) => v !== 0 && (i < K || i >= 2 * K))).toHaveLength(0)
    return out.slice(K, 2 * K)
  }
  const nudged = (eta: readonly number[], k: number, by: number) => eta.map((v, l) => (l === k ? v + by : v))

  test('the slope is the difference of losses, the curvature that of slopes, within its bound', () => {
    fc.assert(
      fc.property(points, ({ y, eta }) => {
        const slope = slopeAt(y, eta)
        const second = new Float64Array(3 * K * K)
        datafit.curvature(y, placed(eta), K, second)
        for (let k = 0; k < K; k++) {
          const [up, down] = [nudged(eta, k, 1e-5), nudged(eta, k, -1e-5)]
          const difference = (datafit.loss(y, placed(up), K) - datafit.loss(y, placed(down), K)) / 2e-5
          expect(slope[k]).toBeCloseTo(difference, 4)
          const change = slopeAt(y, up).map((v, l) => (v - slopeAt(y, down)[l]!) / 2e-5)
          for (let l = 0; l < K; l++) {
            const own = second[(K + k) * K + l]!
            // The bound of Huber's loss lies above its second derivative.
            if (datafit.second) expect(own).toBeGreaterThanOrEqual(change[l]! - 1e-4)
            else expect(own).toBeCloseTo(change[l]!, 3)
            expect(own).toBeLessThanOrEqual(datafit.curvatureBound * (1 + 1e-12))
          }
        }
      }),
    )
  })

  test('loss and conjugate meet at the slope (Fenchel and Young), and nowhere else do they fall below', () => {
    fc.assert(
      fc.property(
        points,
        fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: K, maxLength: K }),
        (at, other) => {
          const v = slopeAt(at.y, at.eta)
          const kept = v.slice()
          const dot = (eta: readonly number[]): number => eta.reduce((s, e, k) => s + e * kept[k]!, 0)
          const conjugate = datafit.conjugate(at.y, v)
          expect(conjugate + datafit.loss(at.y, placed(at.eta), K)).toBeCloseTo(dot(at.eta), 9)
          expect(conjugate + datafit.loss(at.y, placed(other), K)).toBeGreaterThanOrEqual(dot(other) - 1e-9)
          for (const [k, u] of v.entries()) expect(u).toBeCloseTo(kept[k]!, 12)
        },
      ),
    )
  })

  test('no loss is below the saturated one', () => {
    fc.assert(
      fc.property(points, ({ y, eta }) => {
        expect(datafit.loss(y, placed(eta), K)).toBeGreaterThanOrEqual(datafit.saturated(y) - 1e-12)
      }),
    )
  })

  test('far out there is no overflow', () => {
    if (datafit === poisson) return
    const far = Array.from({ length: K }, (_, k) => (k === 0 ? 2000 : -2000))
    for (const y of ys) {
      expect(Number.isFinite(datafit.loss(y, placed(far), K))).toBe(true)
      expect(slopeAt(y, far).every(Number.isFinite)).toBe(true)
    }
  })

  test('the null intercepts are where the slopes sum to zero', () => {
    if (datafit.name === 'huber') return
    const y = [...ys, ys[0]!, ys.at(-1)!, ...Array.from({ length: K }, (_, k) => (K > 1 ? k : ys[0]!))]
    const shares = y.map((_, i) => (i + 1) / ((y.length * (y.length + 1)) / 2))
    const intercepts = [...datafit.nullIntercepts(y, shares)]
    const sum = new Float64Array(K)
    for (const [i, v] of y.entries()) for (const [k, s] of slopeAt(v, intercepts).entries()) sum[k]! += shares[i]! * s
    for (const s of sum) expect(s).toBeCloseTo(0, 12)
  })
})

describe('what is no response', () => {
  test.each([
    ['three classes of two', { family: 'binomial' }, ['a', 'b', 'c'], 'two classes'],
    ['one class', { family: 'binomial' }, ['a', 'a'], 'one class only'],
    ['one class of several', { family: 'multinomial' }, ['a', 'a'], 'one class only'],
    ['a missing class', { family: 'multinomial' }, ['a', '', 'b'], 'row 2'],
    ['a class that is no number', { family: 'binomial' }, [0, Number.NaN, 1], 'row 2'],
    ['a negative count', { family: 'poisson' }, [1, 2, -1], 'row 3'],
    ['text as a number', { family: 'gaussian' }, [1, 'x'], 'row 2'],
    ['a family that is none', { family: 'gamma' }, [1, 2], 'no such family'],
    ['a threshold that is none', { family: 'huber', delta: 0 }, [1, 2], 'above 0'],
  ] as const)('%s', (_, options, y, message) => {
    expect(() => responseOf(y as readonly (number | string)[], options as Parameters<typeof responseOf>[1])).toThrow(
      message,
    )
  })

  test('numbers 0 and 1 are the classes even where one is missing, which is said when the intercept is sought', () => {
    const response = responseOf([1, 1, 1], { family: 'binomial' })
    expect(response.classes).toEqual([0, 1])
    const intercepts = response.datafit.nullIntercepts(response.y, [0.2, 0.3, 0.5])
    expect(() => checkNull(response, intercepts, 'y')).toThrow('a class has no rows (got 0)')
  })

  test('labels are in order, of numbers by size', () => {
    expect(responseOf([10, 9, 10], { family: 'binomial' })).toMatchObject({ classes: [9, 10] })
    expect(responseOf(['b', 'a', 'c'], { family: 'multinomial' }).y).toEqual(Float64Array.of(1, 0, 2))
  })
})

test('a solver names what a datafit lacks', () => {
  expect(() => checkTraits('gram', ['quadratic'], logistic)).toThrow('the solver gram needs a quadratic loss')
  expect(() => checkTraits('gram', ['quadratic'], squared)).not.toThrow()
})
