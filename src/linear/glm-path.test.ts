import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { awkwardDesign } from '../../test/awkward-design.js'
import { certify } from '../../test/glm-certificate.js'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import type { Family } from './datafits/index.js'
import type { DenseMatrix } from './design.js'
import { type GlmOptions, glmPath } from './glm-path.js'

interface Problem {
  readonly x: DenseMatrix
  readonly y: Float64Array
  readonly options: GlmOptions
}

const FAMILIES: readonly Family[] = ['gaussian', 'binomial', 'multinomial', 'poisson', 'huber']

/** Small, with what is awkward: more columns than rows, twins, constants, weights of 0, offsets, bounds. */
const recipes = fc.record({
  seed: fc.nat(1e6),
  family: fc.constantFrom(...FAMILIES),
  n: fc.integer({ min: 8, max: 24 }),
  p: fc.integer({ min: 1, max: 30 }),
  l1Ratio: fc.constantFrom(1, 0.7, 0.2, 0),
  hasIntercept: fc.boolean(),
  isStandardized: fc.boolean(),
  isRowMajor: fc.boolean(),
  has: fc.record({ weights: fc.boolean(), offset: fc.boolean(), factors: fc.boolean(), bounds: fc.boolean() }),
})

type Recipe = typeof recipes extends fc.Arbitrary<infer R> ? R : never

function problemOf({ seed, family, n, p, l1Ratio, hasIntercept, isStandardized, isRowMajor, has }: Recipe): Problem {
  const { normal, uniform, integer } = random(seed).fork(1)
  const x = awkwardDesign(seed, n, p, isRowMajor ? 'row-major' : 'column-major')
  const K = family === 'multinomial' ? 3 : 1
  const signal = Array.from({ length: n }, (_, i) => x.data[isRowMajor ? i * p : i]! + normal(0, 0.5))
  const y = Float64Array.from(signal, (s, i) => {
    if (family === 'binomial') return i < 2 ? i : Number(s > 0)
    if (family === 'multinomial') return i < 3 ? i : s > 0.5 ? 2 : s > -0.5 ? 1 : 0
    if (family === 'poisson') return i === 0 ? 1 : Math.floor(Math.exp(Math.min(3, s)))
    return s + (i === 3 ? 20 : 0)
  })
  const draw = (size: number, f: (i: number) => number) => Float64Array.from({ length: size }, (_, i) => f(i))
  const options: GlmOptions = {
    family,
    l1Ratio,
    hasIntercept,
    isStandardized,
    nLambdas: 6,
    lambdaMinRatio: 0.02,
    // The first rows hold one of each class.
    ...(has.weights && { weights: draw(n, (i) => (i > 3 && integer(4) === 0 ? 0 : uniform(0.5, 2))) }),
    ...(has.offset && { offset: draw(n * K, () => normal(0, 0.5)) }),
    ...(has.factors && { penaltyFactors: draw(p, (j) => (j > 0 && integer(8) === 0 ? Infinity : uniform(0.5, 2))) }),
    ...(has.bounds && { lowerBounds: draw(p, () => -uniform(0, 0.3)), upperBounds: draw(p, () => uniform(0, 0.3)) }),
  }
  return { x, y, options }
}

test('each model of a path has a duality gap below the tolerance, recomputed from X', async () => {
  await fc.assert(
    fc.asyncProperty(recipes, async (recipe) => {
      const { x, y, options } = problemOf(recipe)
      const path = await glmPath(x, y, options)
      expect(path.warnings).toEqual([])
      for (const [i, model] of path.models.entries()) {
        const { gap, violation } = certify(x, y, model, options)
        expect(gap).toBeLessThan(1.1e-7)
        expect(gap).toBeGreaterThan(-1e-9)
        expect(violation).toBeCloseTo(path.violation[i]!, 7)
        expect(path.dualGap[i]).toBeLessThanOrEqual(1e-7)
      }
    }),
    { numRuns: 60, seed: 1 },
  )
})

const { normal, uniform } = random(11)
const gauss = (rows: number, columns: number): DenseMatrix => {
  return { rows, columns, data: Float64Array.from({ length: rows * columns }, () => normal()) }
}

test('a weight of 0 is a row left out, whole weights are rows repeated', async () => {
  const x = gauss(30, 4)
  const y = Float64Array.from({ length: 30 }, (_, i) => Number(x.data[i * 4]! + normal() > 0))
  const weights = Float64Array.from({ length: 30 }, (_, i) => i % 3)
  const rows = Array.from({ length: 30 }, (_, i) => new Array<number>(i % 3).fill(i)).flat()
  const data = Float64Array.from(rows.flatMap((i) => [...x.data.subarray(i * 4, i * 4 + 4)]))
  const repeated = { rows: rows.length, columns: 4, data }
  const options = { family: 'binomial', nLambdas: 8, lambdaMinRatio: 0.01, tolerance: 1e-10 } as const
  const a = await glmPath(x, y, { ...options, weights })
  const b = await glmPath(
    repeated,
    Float64Array.from(rows, (i) => y[i]!),
    options,
  )
  for (const [i, { coefficients }] of a.models.entries())
    for (const [j, v] of coefficients[0]!.entries()) expect(b.models[i]!.coefficients[0]![j]).toBeCloseTo(v, 5)
})

test('softmax of two classes is the logistic model, with the sum of both coefficients held', async () => {
  const x = gauss(60, 3)
  const y = Float64Array.from({ length: 60 }, (_, i) => Number(x.data[i * 3]! + normal() > 0))
  // |a| + |b| with a − b = c costs |c|: the same λ.
  const lambdas = [0.05, 0.02]
  const two = await glmPath(x, y, { family: 'multinomial', lambdas, tolerance: 1e-10 })
  const one = await glmPath(x, y, { family: 'binomial', lambdas, tolerance: 1e-10 })
  for (const [i, { coefficients }] of one.models.entries())
    for (const [j, v] of coefficients[0]!.entries()) {
      const [a, b] = two.models[i]!.coefficients
      expect(b![j]! - a![j]!).toBeCloseTo(v, 4)
    }
})

test.each([
  [0, { lambdas: [3, 1] }],
  [0.01, { lambdas: [1] }],
  [
    0,
    { lambdas: [3, 1], hasIntercept: false, penaltyFactors: Array.from({ length: 300 }, (_, j) => (j ? 1 : Infinity)) },
  ],
] as const)('more coefficients than move together, to the same certificate: %d %j', async (l1Ratio, given) => {
  const x = gauss(40, 300)
  const y = Float64Array.from({ length: 40 }, (_, i) => i % 3)
  const offset = Float64Array.from({ length: 120 }, () => normal(0, 0.3))
  const options: GlmOptions = { family: 'multinomial', l1Ratio, isStandardized: false, offset, ...given }
  const path = await glmPath(x, y, options)
  expect(path.df[0]).toBeGreaterThan(600)
  expect(path.warnings).toEqual([])
  for (const model of path.models) expect(certify(x, y, model, options).gap).toBeLessThan(1.1e-7)
})

describe('large enough for the engine', () => {
  const [n, p] = [1500, 250]
  const x = gauss(n, p)
  const y = Float64Array.from({ length: n }, (_, i) => {
    const score = x.data[i * p]! + normal(0, 0.5)
    return score > 0.5 ? 2 : score > -0.5 ? 1 : 0
  })
  const options: GlmOptions = { family: 'multinomial', l1Ratio: 0, lambdas: [0.1] }

  test.each([
    ['float32', 1e-5, true],
    ['float32, and what is left without it', 2e-6, false],
    ['float64', 1e-8, true],
  ] as const)('in %s: the same answer, certified by the rows themselves', async (_, tolerance, hasIntercept) => {
    const engine = await openEngine({ threads: 1 })
    try {
      const fast = await glmPath(x, y, { ...options, tolerance, hasIntercept, engine })
      const plain = await glmPath(x, y, { ...options, tolerance: 1e-10, hasIntercept })
      expect(fast.warnings).toEqual([])
      expect(fast.dualGap[0]).toBeLessThanOrEqual(tolerance)
      const { gap } = certify(x, y, fast.models[0]!, { ...options, hasIntercept })
      expect(gap).toBeLessThan(1.1 * tolerance)
      for (const [k, coefficients] of fast.models[0]!.coefficients.entries())
        for (const [j, v] of coefficients.entries())
          expect(Math.abs(v - plain.models[0]!.coefficients[k]![j]!)).toBeLessThan(2 * Math.sqrt(tolerance))
    } finally {
      await engine.close()
    }
  })

  test('what is wrong with classes, or with the engine, is said', async () => {
    const engine = await openEngine({ threads: 1 })
    const weights = y.map((v) => Number(v > 0))
    await expect(glmPath(x, y, { ...options, weights, engine })).rejects.toThrow('a class has no rows')
    await engine.close()
    await expect(glmPath(x, y, { ...options, engine })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})

test('columns without a penalty are in from the start', async () => {
  const x = gauss(50, 5)
  const y = Float64Array.from({ length: 50 }, (_, i) => Number(x.data[i * 5]! + normal(0, 2) > 0))
  const options = { family: 'binomial', penaltyFactors: [0, 1, 1, 1, 1], nLambdas: 5 } as const
  const path = await glmPath(x, y, options)
  expect(path.df[0]).toBe(1)
  expect(path.models[0]!.coefficients[0]![0]).not.toBe(0)
  expect(path.dualGap).toEqual(path.dualGap.map(() => Number.NaN))
  expect(Math.max(...path.violation)).toBeLessThan(1e-3)
})

test('one that parts the classes by itself is said, and all strengths are answered', async () => {
  const x = gauss(50, 3)
  const y = Float64Array.from({ length: 50 }, (_, i) => Number(x.data[i * 3]! > 0))
  const path = await glmPath(x, y, { family: 'binomial', penaltyFactors: [0, 1, 1], nLambdas: 3 })
  expect(path.warnings[0]).toContain('part the classes perfectly')
  expect(path.models).toHaveLength(3)
  // With a penalty there is nothing to say.
  expect((await glmPath(x, y, { family: 'binomial' })).warnings).toEqual([])
})

test('moments give what proximal Newton gives, and only of a quadratic loss', async () => {
  const x = gauss(40, 6)
  const y = Float64Array.from({ length: 40 }, (_, i) => x.data[i * 6]! + normal())
  const offset = Float64Array.from(y, () => uniform())
  const options = { family: 'gaussian', offset, nLambdas: 10, tolerance: 1e-12 } as const
  const [a, b] = [await glmPath(x, y, options), await glmPath(x, y, { ...options, solver: 'gram' })]
  expect(b.nullDeviance).toBeCloseTo(a.nullDeviance, 10)
  for (const [i, { coefficients, intercepts }] of a.models.entries()) {
    expect(b.models[i]!.intercepts[0]).toBeCloseTo(intercepts[0]!, 6)
    for (const [j, v] of coefficients[0]!.entries()) expect(b.models[i]!.coefficients[0]![j]).toBeCloseTo(v, 6)
  }
  const flags = y.map((v) => Number(v > 0))
  await expect(glmPath(x, flags, { family: 'binomial', solver: 'gram' })).rejects.toThrow(
    'the solver gram needs a quadratic loss',
  )
})

test.each([
  ['an offset that is too short', { offset: [1] }, 'offset must be'],
  ['a class whose rows have no weight', { weights: [1, 1, 0, 0] }, 'a class has no rows'],
  ['a mix that is none', { l1Ratio: 2 }, 'l1Ratio'],
] as const)('%s is an error', async (_, options, message) => {
  const x = gauss(4, 2)
  await expect(glmPath(x, ['a', 'a', 'b', 'b'], { family: 'binomial', ...options })).rejects.toThrow(message)
})

test('a cancellation is heard while a path is solved', async () => {
  const { normal } = random(4)
  const [rows, columns] = [400, 60]
  const x = { rows, columns, data: Float64Array.from({ length: rows * columns }, () => normal()) }
  const y = Array.from({ length: rows }, (_, i) => String.fromCharCode(97 + (i % 3)))
  const stop = new AbortController()
  setTimeout(() => stop.abort())
  const path = glmPath(x, y, { family: 'multinomial', nLambdas: 300, signal: stop.signal })
  await expect(path).rejects.toMatchObject({ code: 'ABORTED' })
})
