/** The solver by itself: its answers are optimal, its certificates bound what they claim, and either kernel serves. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { plainKernel } from '../../kernels/gram-kernel.js'
import { random } from '../../util/random.js'
import {
  correlationsAt,
  dualityGap,
  type Fit,
  meanSquare,
  type Penalized,
  type Quadratic,
  violation,
} from '../quadratic.js'
import { isDirect, solveDirect } from './direct.js'
import { solveGram } from './gram.js'
import { workspaceOf } from './gram-source.js'
import { best, type Line } from './line-search.js'

interface Drawn {
  readonly problem: Quadratic
  readonly penalized: Penalized
}

interface Shape {
  readonly rows: number
  readonly p: number
  readonly seed: number
  readonly l1Ratio: number
  readonly bounds: 'none' | 'some'
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  rows: fc.integer({ min: 1, max: 60 }),
  p: fc.integer({ min: 1, max: 90 }),
  seed: fc.nat(),
  l1Ratio: fc.constantFrom(0.3, 1),
  bounds: fc.constantFrom('none', 'some'),
})

/** A quadratic of drawn rows; some columns come twice, some are 0. */
function drawn({ rows, p, seed, l1Ratio, bounds }: Shape): Drawn {
  const { normal, uniform, integer } = random(seed)
  const columns: Float64Array[] = []
  for (let j = 0; j < p; j++) {
    const kind = j === 0 ? 9 : integer(12)
    const last = columns[j - 1]
    columns.push(
      Float64Array.from({ length: rows }, (_, i) =>
        kind === 0 ? last![i]! : kind === 1 ? 0 : normal() + 0.7 * (last?.[i] ?? 0),
      ),
    )
  }
  const y = Float64Array.from({ length: rows }, (_, i) => normal() + 2 * columns[0]![i]! - columns[p >> 1]![i]!)
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0) / rows
  const gram = new Float64Array(p * p)
  for (let j = 0; j < p; j++) for (let k = 0; k < p; k++) gram[j * p + k] = dot(columns[j]!, columns[k]!)
  const q = Float64Array.from(columns, (c) => dot(c, y))
  const lambda = q.reduce((most, v) => Math.max(most, Math.abs(v)), 0) * 10 ** uniform(-2, -0.1)
  const list = (f: () => number): Float64Array => Float64Array.from({ length: p }, f)
  const bound = (end: number): Float64Array =>
    list(() => (bounds === 'none' || integer(2) === 0 ? end : Math.sign(end) * integer(2) * 0.3))
  return {
    problem: { gram, q, yy: dot(y, y) },
    penalized: {
      l1: list(() => lambda * l1Ratio * uniform(0.5, 1.5)),
      l2: list(() => lambda * (1 - l1Ratio)),
      lower: bound(Number.NEGATIVE_INFINITY),
      upper: bound(Number.POSITIVE_INFINITY),
    },
  }
}

const zeroFit = ({ q }: Quadratic): Fit => ({ beta: new Float64Array(q.length), residual: q.slice(), passes: 0 })

const at = (problem: Quadratic, beta: Float64Array): Fit => ({
  beta,
  residual: correlationsAt(problem, beta),
  passes: 0,
})

function objective(problem: Quadratic, { l1, l2 }: Penalized, fit: Fit): number {
  return fit.beta.reduce(
    (sum, b, j) => sum + l1[j]! * Math.abs(b) + 0.5 * l2[j]! * b * b,
    0.5 * meanSquare(problem, fit),
  )
}

test('gaps are below the tolerance, and the residual is that of the coefficients', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const { problem, penalized } = drawn(shape)
      const fit = solveGram(problem, penalized, zeroFit(problem), { tolerance: 1e-9, maxPasses: 10_000 })
      const exact = at(problem, fit.beta)
      expect(dualityGap(problem, penalized, exact)).toBeLessThanOrEqual(1e-9 * 0.5 * problem.yy + 1e-13 * problem.yy)
      // A step along one coordinate would gain s² / 2 curvature, and gains no more than the gap.
      if (shape.bounds === 'none') {
        const curvature = problem.q.reduce(
          (most, _, j) => Math.max(most, problem.gram[j * shape.p + j]! + penalized.l2[j]!),
          0,
        )
        expect(violation(penalized, exact) ** 2).toBeLessThanOrEqual(2 * curvature * (1e-9 * 0.5 + 1e-13) * problem.yy)
      }
      for (const [j, b] of fit.beta.entries()) {
        expect(b >= penalized.lower[j]! && b <= penalized.upper[j]!).toBe(true)
        expect(Math.abs(fit.residual[j]! - exact.residual[j]!)).toBeLessThan(1e-10 * (1 + Math.abs(problem.q[j]!)))
      }
    }),
    { numRuns: 60 },
  )
})

test('the gap is never less than what the objective is above its least value', () => {
  fc.assert(
    fc.property(shapes, fc.double({ min: 0.001, max: 2, noNaN: true }), (shape, noise) => {
      const { problem, penalized } = drawn(shape)
      const { normal } = random(shape.seed + 1)
      const solved = solveGram(problem, penalized, zeroFit(problem), { tolerance: 1e-12, maxPasses: 10_000 })
      const beta = solved.beta.map((b, j) =>
        Math.min(Math.max(b + noise * normal(), penalized.lower[j]!), penalized.upper[j]!),
      )
      const near = at(problem, beta)
      const above = objective(problem, penalized, near) - objective(problem, penalized, at(problem, solved.beta))
      expect(dualityGap(problem, penalized, near)).toBeGreaterThanOrEqual(above * (1 - 1e-9) - 1e-10 * problem.yy)
    }),
    { numRuns: 60 },
  )
})

test('the plain kernel gives the same bits', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const { problem, penalized } = drawn(shape)
      const options = { tolerance: 1e-8, maxPasses: 10_000 }
      const compiled = solveGram(problem, penalized, zeroFit(problem), options, workspaceOf(problem))
      const plain = solveGram(problem, penalized, zeroFit(problem), options, workspaceOf(problem, plainKernel))
      expect(compiled.passes).toBe(plain.passes)
      expect(Buffer.from(compiled.beta.buffer).equals(Buffer.from(plain.beta.buffer))).toBe(true)
    }),
    { numRuns: 40 },
  )
})

test('a workspace that saw other penalties, and outgrew its room, changes nothing beyond the tolerance', () => {
  const shape: Shape = { rows: 300, p: 200, seed: 4, l1Ratio: 1, bounds: 'none' }
  const { problem, penalized } = drawn(shape)
  const options = { tolerance: 1e-14, maxPasses: 10_000 }
  const workspace = workspaceOf(problem)
  let last = zeroFit(problem)
  for (const factor of [8, 4, 2, 1, 0.5, 0.1, 0.01]) {
    const now = { ...penalized, l1: penalized.l1.map((v) => factor * v) }
    last = solveGram(problem, now, last, options, workspace)
    const fresh = solveGram(problem, now, zeroFit(problem), options)
    for (const [j, b] of fresh.beta.entries()) expect(Math.abs(last.beta[j]! - b)).toBeLessThan(1e-6)
  }
  expect(workspace.working.length).toBeGreaterThan(128)
  expect(new Set(workspace.working).size).toBe(workspace.working.length)
})

test('too few passes are said by the gap', () => {
  const { problem, penalized } = drawn({ rows: 80, p: 60, seed: 2, l1Ratio: 1, bounds: 'none' })
  const small = { ...penalized, l1: penalized.l1.map((v) => 0.01 * v) }
  const fit = solveGram(problem, small, zeroFit(problem), { tolerance: 1e-12, maxPasses: 2 })
  expect(fit.passes).toBe(2)
  expect(dualityGap(problem, small, fit)).toBeGreaterThan(1e-12 * 0.5 * problem.yy)
})

test('columns that nearly depend on each other do not take descent forever', () => {
  const { normal } = random(5)
  const [n, p] = [200, 30]
  const common = Array.from({ length: n }, () => normal())
  const columns = Array.from({ length: p }, () => common.map((v) => v + 1e-3 * normal()))
  const y = common.map((v, i) => v + 100 * (columns[3]![i]! - columns[4]![i]!) + 0.1 * normal())
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0) / n
  const gram = Float64Array.from(columns.flatMap((a) => columns.map((b) => dot(a, b))))
  const problem = { gram, q: Float64Array.from(columns, (c) => dot(c, y)), yy: dot(y, y) }
  const list = (v: number): Float64Array => new Float64Array(p).fill(v)
  const penalized = {
    l1: list(1e-6),
    l2: list(0),
    lower: list(Number.NEGATIVE_INFINITY),
    upper: list(Number.POSITIVE_INFINITY),
  }
  const fit = solveGram(problem, penalized, zeroFit(problem), { tolerance: 1e-10, maxPasses: 10_000 })
  expect(dualityGap(problem, penalized, fit)).toBeLessThanOrEqual(1e-10 * 0.5 * problem.yy)
  expect(fit.passes).toBeLessThan(500)
})

test('a ridge is solved at once, to the last digits, on either kernel', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const { problem, penalized } = drawn({ ...shape, bounds: 'none', l1Ratio: 0.3 })
      const ridge = { ...penalized, l1: new Float64Array(shape.p) }
      expect(isDirect(ridge)).toBe(true)
      const fit = solveGram(problem, ridge, zeroFit(problem), { tolerance: 1e-7, maxPasses: 1 })
      expect(fit.passes).toBe(0)
      const size = problem.q.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
      expect(violation(ridge, at(problem, fit.beta))).toBeLessThanOrEqual(1e-12 * (size + 1))
      const plain = solveDirect(problem, ridge, plainKernel)
      expect(Buffer.from(plain.beta.buffer).equals(Buffer.from(fit.beta.buffer))).toBe(true)
    }),
    { numRuns: 40 },
  )
})

test('a kink or a bound on a column, or very many columns, is left to descent', () => {
  const list = (v: number, n = 3): Float64Array => new Float64Array(n).fill(v)
  const open = (n = 3) => ({ lower: list(Number.NEGATIVE_INFINITY, n), upper: list(Number.POSITIVE_INFINITY, n) })
  expect(isDirect({ l1: list(0), l2: list(1), ...open() })).toBe(true)
  expect(isDirect({ l1: Float64Array.of(0, 1e-9, 0), l2: list(1), ...open() })).toBe(false)
  expect(isDirect({ l1: list(0), l2: list(1), ...open(), lower: list(-1) })).toBe(false)
  expect(isDirect({ l1: list(0, 5000), l2: list(1, 5000), ...open(5000) })).toBe(false)
  // What is held at 0 takes no part.
  expect(isDirect({ l1: list(1), l2: list(1), lower: list(0), upper: list(0) })).toBe(true)
})

test('many columns of a ridge: descent with the gap of strong convexity', () => {
  const { problem, penalized } = drawn({ rows: 40, p: 90, seed: 8, l1Ratio: 0.3, bounds: 'some' })
  const ridge = { ...penalized, l1: new Float64Array(90) }
  const fit = solveGram(problem, ridge, zeroFit(problem), { tolerance: 1e-10, maxPasses: 10_000 })
  expect(dualityGap(problem, ridge, at(problem, fit.beta))).toBeLessThanOrEqual(1e-10 * 0.5 * problem.yy)
})

test('a line search finds the least value along its line', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(), (n, seed) => {
      const { normal, uniform, integer } = random(seed)
      const list = (f: () => number): Float64Array => Float64Array.from({ length: n }, f)
      const root = Array.from({ length: n }, () => list(normal))
      const gram = root.map((a) => root.map((b) => a.reduce((sum, v, i) => sum + v * b[i]!, 0)))
      const direction = list(() => (integer(4) === 0 ? 0 : normal()))
      const state = { beta: list(() => (integer(3) === 0 ? 0 : normal())), residual: list(normal) }
      const lower = state.beta.map((b) => (integer(3) === 0 ? Math.min(b, 0) : Number.NEGATIVE_INFINITY))
      const upper = state.beta.map((b) => (integer(3) === 0 ? b + uniform() : Number.POSITIVE_INFINITY))
      const terms = { l1: list(uniform), l2: list(() => integer(2)), lower, upper }
      const bend = Float64Array.from(gram, (row) => -row.reduce((sum, v, k) => sum + v * direction[k]!, 0))
      const line: Line = { n, terms, state, direction, bend }
      const value = (t: number): number => {
        let sum = 0
        for (let j = 0; j < n; j++) {
          const b = state.beta[j]! + t * direction[j]!
          if (b < lower[j]! - 1e-12 || b > upper[j]! + 1e-12) return Number.POSITIVE_INFINITY
          sum += -t * direction[j]! * (state.residual[j]! + 0.5 * t * bend[j]!)
          sum += terms.l1[j]! * Math.abs(b) + 0.5 * terms.l2[j]! * b * b
        }
        return sum
      }
      const found = value(best(line))
      expect(found).toBeLessThanOrEqual(value(0))
      for (let k = -400; k <= 400; k++) expect(found).toBeLessThanOrEqual(value(k / 50) + 1e-12 * (1 + Math.abs(found)))
    }),
    { numRuns: 60 },
  )
})
