import fc from 'fast-check'
import { expect, test } from 'vitest'
import { awkwardDesign } from '../../test/awkward-design.js'
import { certify } from '../../test/glm-certificate.js'
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

test('each model of a path has a duality gap below the tolerance, recomputed from X', () => {
  fc.assert(
    fc.property(recipes, (recipe) => {
      const { x, y, options } = problemOf(recipe)
      const path = glmPath(x, y, options)
      expect(path.warnings).toEqual([])
      for (const [i, model] of path.models.entries()) {
        const { gap, violation } = certify(x, y, model, options)
        expect(gap).toBeLessThan(1.1e-7)
        expect(gap).toBeGreaterThan(-1e-9)
        expect(violation).toBeCloseTo(path.violation[i]!, 7)
        expect(path.dualGap[i]).toBeLessThanOrEqual(1e-7)
      }
    }),
    { numRuns: 150, seed: 1 },
  )
})
