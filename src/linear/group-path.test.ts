import fc from 'fast-check'
import { expect, test } from 'vitest'
import { awkwardDesign, awkwardProblem, drawnProblem } from '../../test/awkward-design.js'
import { random } from '../util/random.js'
import { groupPath } from './group-path.js'
import { path } from './path.js'

test('each model has a duality gap below the tolerance and no violation, recomputed from X', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        ...drawnProblem,
        size: fc.integer({ min: 1, max: 6 }),
        l1Ratio: fc.constantFrom(1, 0.5),
        isFirstFree: fc.boolean(),
      }),
      async ({ size, l1Ratio, isFirstFree, ...drawn }) => {
        const { n, p } = drawn
        const { x, y, weighted, centred, mean, yy, at } = awkwardProblem(drawn)
        // Groups of columns that do not lie side by side.
        const groups = Array.from({ length: p }, (_, j) => `g${j % Math.ceil(p / size)}`)
        const ids = [...new Set(groups)]
        const members = ids.map((id) => groups.flatMap((g, j) => (g === id ? [j] : [])))
        const factors = members.map((list, g) =>
          g === 0 && isFirstFree && list.length < n / 2 ? 0 : Math.sqrt(list.length),
        )
        const found = await groupPath(x, y, {
          columnGroups: groups,
          l1Ratio,
          groupFactors: factors,
          nLambdas: 8,
          lambdaMinRatio: 0.05,
          ...weighted,
        })
        for (const [m, { lambda, coefficients }] of found.models.entries()) {
          const { beta, r, square, pull } = at(coefficients)
          const b = lambda * (1 - l1Ratio)
          let [penalty, s] = [0, 1]
          for (const [g, list] of members.entries()) {
            const t = lambda * l1Ratio * factors[g]!
            const norm = Math.hypot(...list.map((j) => beta[j]!))
            const miss =
              norm === 0
                ? Math.max(0, Math.hypot(...list.map((j) => pull[j]!)) - t)
                : Math.hypot(...list.map((j) => pull[j]! - b * beta[j]! - (t * beta[j]!) / norm))
            expect(miss).toBeLessThanOrEqual(found.violation[m]! + 1e-8)
            penalty += t * norm + (b / 2) * norm * norm
            if (b === 0) s = Math.min(s, t / Math.hypot(...list.map((j) => pull[j]!)))
          }
          if (factors[0] === 0 && b === 0) expect(found.violation[m]! ** 2).toBeLessThanOrEqual(1e-7 * yy)
          else {
            const spare = members.reduce((sum, list, g) => {
              const over = Math.hypot(...list.map((j) => pull[j]!)) - lambda * l1Ratio * factors[g]!
              return b > 0 ? sum + Math.max(0, over) ** 2 / (2 * b) : sum
            }, 0)
            const dual = s * mean((i) => r[i]! * centred[i]!) - 0.5 * s * s * square - spare
            expect((0.5 * square + penalty - dual) / (0.5 * yy)).toBeLessThan(1.1e-7)
          }
        }
      },
    ),
    { numRuns: 60, seed: 3 },
  )
})

test('groups of one are the lasso', async () => {
  const x = awkwardDesign(4, 30, 8)
  const { normal } = random(4)
  const y = Float64Array.from({ length: 30 }, (_, i) => x.data[i * 8]! + normal())
  const options = { nLambdas: 10, lambdaMinRatio: 0.01, tolerance: 1e-12 }
  const grouped = await groupPath(x, y, { columnGroups: [0, 1, 2, 3, 4, 5, 6, 7], ...options })
  const plain = await path(x, y, { lambdas: grouped.lambdas, tolerance: 1e-12 })
  expect(grouped.lambdas[0]).toBeCloseTo((await path(x, y)).lambdas[0]!, 12)
  for (const [i, r] of plain.devianceRatio.entries()) expect(grouped.devianceRatio[i]).toBeCloseTo(r, 9)
})

test('groups come and go as one', async () => {
  const { normal } = random(1)
  const data = Float64Array.from({ length: 60 * 12 }, () => normal())
  const x = { rows: 60, columns: 12, data }
  const y = Float64Array.from({ length: 60 }, (_, i) => data[i * 12]! + data[i * 12 + 5]! + normal())
  const groups = Array.from({ length: 12 }, (_, j) => j % 4)
  const found = await groupPath(x, y, { columnGroups: groups, lambdaMinRatio: 0.01 })
  for (const { coefficients } of found.models)
    for (let g = 0; g < 4; g++) expect(new Set([g, g + 4, g + 8].map((j) => coefficients[j] !== 0)).size).toBe(1)
  expect([...new Set(found.df)]).toEqual([0, 3, 6, 9, 12])
})

test('what is no list of groups is an error', async () => {
  const x = awkwardDesign(1, 6, 3)
  await expect(groupPath(x, new Float64Array(6), { columnGroups: [1, 2] })).rejects.toThrow(
    'columnGroups must be 3 values',
  )
  await expect(groupPath(x, new Float64Array(6), { columnGroups: [1, 2, 2], groupFactors: [1] })).rejects.toThrow(
    'groupFactors',
  )
})
