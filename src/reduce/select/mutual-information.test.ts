/** Estimates against their definitions, exact cases, and scikit-learn 1.9.1. */

import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../../test/data.js'
import { fileSource } from '../../data/files.js'
import { readColumns } from '../../data/read-columns.js'
import { openEngine } from '../../engine/node/open.js'
import { digammas } from '../../kernels/neighbour-kernel.js'
import { random } from '../../util/random.js'
import { mutualInformation } from './mutual-information.js'

/** Numbers that any language makes alike: the generator of Park and Miller 1988. */
function drawn(seed: number): Float64Array {
  let state = seed
  return Float64Array.from({ length: 200 }, () => {
    state = (state * 16807) % 2147483647
    return state / 2147483647
  })
}

const [a, b, c] = [drawn(1), drawn(20), drawn(300)]
const columns = [a, b, c, a.map((v) => v ** 4), a.map((v, i) => v * v + 0.3 * b[i]!)]
const made = {
  rows: 200,
  columns: 5,
  data: Float64Array.from(columns.flatMap((of) => [...of])),
  order: 'column-major' as const,
}
const y = a.map((v, i) => v * v + 0.5 * b[i]!)
const classes = a.map((v, i) => Math.floor(3 * (0.7 * v + 0.3 * b[i]!)))
const half = b.map((v) => Math.floor(2 * v))
/** With a class of one row. */
const rare = classes.with(17, 9)

const close = (found: Float64Array, wanted: readonly number[]): void => {
  expect(found).toHaveLength(wanted.length)
  for (const [j, v] of wanted.entries()) expect(found[j]).toBeCloseTo(v, 9)
}

describe('as scikit-learn, where no two values are equal', () => {
  test.each([
    [1, [1.4321061816947747, 0.7631687441193109, 0.04396032665206118, 1.3045824607413556, 2.331598916423352]],
    [3, [0.8645305690490925, 0.4353278011693029, 0.03594311257670002, 0.893520169887764, 1.980957170189734]],
    [7, [0.8900398122423581, 0.3447040304834239, 0.05229197951095976, 0.7570864195946814, 1.79028570207343]],
  ])('mutual_info_regression, k = %i', async (nNeighbors, wanted) => {
    close((await mutualInformation(made, y, { nNeighbors })).scores, wanted)
  })

  test.each([
    [1, [0.8985537976239761, 0.08321717908738036, 0.014315451381605726, 0.8992184087075208, 0.8772854721878276]],
    [3, [0.7758420931647239, 0.048281563198895316, 0, 0.7709702971476606, 0.8512546880666692]],
    [7, [0.6963952528710693, 0.050433329594293586, 0, 0.6781759397733267, 0.8507463140553182]],
  ])('mutual_info_classif, k = %i, with a class of one row', async (nNeighbors, wanted) => {
    close((await mutualInformation(made, rare, { nNeighbors, isClasses: true })).scores, wanted)
  })

  test('discrete columns: of a target of classes, and of numbers', async () => {
    const x = { rows: 200, columns: 2, data: Float64Array.of(...classes, ...rare), order: 'column-major' as const }
    const given = { discrete: true }
    close(
      (await mutualInformation(x, half, { ...given, isClasses: true })).scores,
      [0.030956987375854728, 0.03331704461076271],
    )
    const pair = { ...x, data: Float64Array.of(...classes, ...half) }
    const found = await mutualInformation(pair, y, given)
    expect(found.scores[0]).toBeCloseTo(0.813392695882418, 9)
    expect(found.scores[1]).toBeCloseTo(0.19087302390439542, 9)
  })
})

describe('as scikit-learn within the spread over seeds, where values are equal', () => {
  const read = async (name: string) =>
    (await readColumns(await fileSource(join(repositoryRoot, 'test/data', name)))).columns

  test.each([
    ['iris.csv', [0.49288856, 0.25382301, 0.9889556, 0.98721123], [0.01903, 0.03156, 0.00611, 0.00775]],
    [
      'diabetes.csv',
      [
        0.00228865, 0.03228499, 0.17373983, 0.05948518, 0.06740936, 0.01288281, 0.06536552, 0.1015348, 0.14769575,
        0.10931989,
      ],
      [0.003337, 0.009193, 0.0027, 0.005916, 0.003473, 0.001616, 0.006257, 0.007573, 0.00255, 0.008774],
    ],
  ])('%s', async (name, means, deviations) => {
    const all = await read(name)
    const seeds = [0, 1, 2, 3, 4, 5, 6, 7]
    const runs = await Promise.all(seeds.map((seed) => mutualInformation(all.slice(0, -1), all.at(-1)!, { seed })))
    expect(runs[0]!.names).toEqual(all.slice(0, -1).map((column) => column.name))
    for (const [j, mean] of means.entries()) {
      const own = runs.reduce((sum, { scores }) => sum + scores[j]!, 0) / seeds.length
      // Four standard errors of a mean of eight.
      expect(Math.abs(own - mean)).toBeLessThan((4 * deviations[j]!) / Math.sqrt(8) + 1e-4)
    }
    expect(runs[0]!.scores).toEqual((await mutualInformation(all.slice(0, -1), all.at(-1)!)).scores)
    expect(runs[0]!.scores).not.toEqual(runs[1]!.scores)
  })
})

/** By all pairs of rows, from the formulas. */
function naive(x: Float64Array, t: Float64Array, k: number, isClasses: boolean): number {
  const scaled = (v: Float64Array): Float64Array => {
    const mean = v.reduce((s, u) => s + u, 0) / v.length
    const deviation = Math.sqrt(v.reduce((s, u) => s + (u - mean) ** 2, 0) / v.length)
    return v.map((u) => u / deviation)
  }
  const keys = [...x.keys()]
  const rows = isClasses ? keys.filter((i) => keys.some((j) => j !== i && t[j] === t[i])) : keys
  const n = rows.length
  if (n === 0) return 0
  const psi = digammas(n)
  const [u, v] = [scaled(x), isClasses ? t : scaled(t)]
  const far = (of: Float64Array, i: number, j: number): number => Math.abs(of[i]! - of[j]!)
  const kth = (distances: number[], at: number): number => distances.sort((p, q) => p - q)[at - 1]!
  const nearer = (of: Float64Array, i: number, r: number): number => rows.filter((j) => far(of, i, j) < r).length
  let sum = 0
  for (const i of rows) {
    const others = rows.filter((j) => j !== i && (!isClasses || t[j] === t[i]))
    const own = Math.min(k, others.length)
    const r = kth(
      others.map((j) => (isClasses ? far(u, i, j) : Math.max(far(u, i, j), far(v, i, j)))),
      own,
    )
    const inY = isClasses ? others.length + 1 : nearer(v, i, r)
    sum += psi[own]! - psi[nearer(u, i, r)]! - psi[inY]!
  }
  return Math.max(0, psi[n]! + sum / n)
}

test('the formulas, by all pairs of rows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ rows: fc.integer({ min: 4, max: 60 }), k: fc.integer({ min: 1, max: 6 }), seed: fc.nat() }),
      async ({ rows, k, seed }) => {
        const { normal, integer } = random(seed)
        const x = Float64Array.from({ length: rows }, () => normal() * 10 ** integer(4))
        const t = x.map((v) => Math.sign(v) * Math.abs(v) ** 0.3 + normal())
        const kinds = t.map((v) => Number(v > 0) + Number(v > 1.5))
        const matrix = { rows, columns: 1, data: x }
        const nNeighbors = Math.min(k, rows - 1)
        const numbers = await mutualInformation(matrix, t, { nNeighbors: k })
        expect(numbers.scores[0]).toBeCloseTo(naive(x, t, nNeighbors, false), 10)
        const found = await mutualInformation(matrix, kinds, { nNeighbors: k, isClasses: true })
        const isOne = kinds.every((v) => v === kinds[0])
        expect(found.scores[0]).toBeCloseTo(isOne ? 0 : naive(x, kinds, k, true), 10)
      },
    ),
    { numRuns: 100 },
  )
})

describe('exact cases', () => {
  test('a normal pair: −½ log(1 − ρ²), of numbers; and independent ones: 0', async () => {
    const rows = 4000
    const { normal } = random(3)
    const x = Float64Array.from({ length: rows }, () => normal())
    for (const rho of [0, 0.3, 0.6, 0.9]) {
      const t = x.map((v) => rho * v + Math.sqrt(1 - rho * rho) * normal())
      const { scores } = await mutualInformation({ rows, columns: 1, data: x }, t)
      expect(Math.abs(scores[0]! + 0.5 * Math.log(1 - rho * rho))).toBeLessThan(0.04)
    }
  })

  test('the sign of a normal number: log 2', async () => {
    const { normal } = random(4)
    const data = Float64Array.from({ length: 3000 }, () => normal())
    const sign = Array.from(data, (v) => (v > 0 ? 'plus' : 'minus'))
    const { scores } = await mutualInformation({ rows: 3000, columns: 1, data }, sign)
    expect(scores[0]).toBeCloseTo(Math.log(2), 2)
  })

  test('classes that are the target: its entropy; and the plug-in estimate with what is known of its bias', async () => {
    const { integer } = random(6)
    const rows = 300
    const [own, other] = [4, 3].map((levels) => Float64Array.from({ length: rows }, () => integer(levels)))
    const x = { rows, columns: 2, data: Float64Array.of(...own!, ...other!), order: 'column-major' as const }
    const given = { discrete: true, isClasses: true }
    const plain = await mutualInformation(x, own!, given)
    const shares = [0, 1, 2, 3].map((v) => own!.filter((u) => u === v).length / rows)
    expect(plain.scores[0]).toBeCloseTo(-shares.reduce((sum, p) => sum + p * Math.log(p), 0), 12)
    // Of independent ones 2n times the estimate is about χ² with (4 − 1)(3 − 1) degrees of freedom.
    expect(2 * rows * plain.scores[1]!).toBeLessThan(22.5)
    const corrected = await mutualInformation(x, own!, { ...given, correction: 'miller-madow' })
    expect(corrected.scores[1]).toBeCloseTo(Math.max(0, plain.scores[1]! - (12 - 4 - 3 + 1) / (2 * rows)), 12)
    expect(corrected.scores[0]).toBeCloseTo(plain.scores[0]! - (4 - 4 - 4 + 1) / (2 * rows), 12)
  })
})

describe('bad and bare input', () => {
  const matrix = (rows: number, ...lists: readonly (readonly number[])[]) => {
    return { rows, columns: lists.length, data: Float64Array.from(lists.flat()), order: 'column-major' as const }
  }

  test('a constant column, a constant target, one row: nothing is said', async () => {
    const found = await mutualInformation(matrix(6, [5, 5, 5, 5, 5, 5], [1, 2, 3.1, 5, 8, 9]), [1, 2, 3, 5, 8, 9.5], {
      names: ['u', 'v'],
      nNeighbors: 1,
    })
    expect(found).toMatchObject({ names: ['u', 'v'], order: [1, 0] })
    expect(found.scores[0]).toBe(0)
    expect([...(await mutualInformation(matrix(4, [1, 2, 3, 4]), ['a', 'a', 'a', 'a'])).scores]).toEqual([0])
    expect([...(await mutualInformation(matrix(1, [1]), [3])).scores]).toEqual([0])
    expect([...(await mutualInformation(matrix(2, [1, 2]), ['a', 'b'])).scores]).toEqual([0])
  })

  test('numbers near the ends of the range are no less told apart', async () => {
    const tiny = matrix(
      200,
      [...a].map((v) => v * 1e-200),
      [...a].map((v) => v * 1e140),
    )
    const { scores } = await mutualInformation(tiny, y)
    for (const score of scores) expect(score).toBeCloseTo(0.8645305690490925, 9)
  })

  test('a missing cell of a category is a class of its own', async () => {
    const codes = Int32Array.from(classes, (v) => v - 1)
    const x = [{ kind: 'category' as const, name: 'kind', codes, levels: ['one', 'two'] }]
    const { names, scores } = await mutualInformation(x, half, { isClasses: true })
    expect(names).toEqual(['kind'])
    expect(scores[0]).toBeCloseTo(0.030956987375854728, 12)
  })

  test.each([
    ['DESIGN_FINITE', matrix(2, [1, Number.NaN]), [1, 2], {}],
    ['DESIGN_FINITE', matrix(2, [1, 2]), [1, Number.POSITIVE_INFINITY], {}],
    ['DESIGN_RANGE', matrix(2, [1, 1e300]), [1, 2], {}],
    ['DESIGN_SHAPE', matrix(2, [1, 2]), [1, 2, 3], {}],
    ['DESIGN_SHAPE', matrix(2, [1, 2]), [1, 2], { names: ['a', 'b'] }],
    ['DESIGN_SHAPE', matrix(2, [1, 2]), [1, 2], { discrete: [] }],
    ['DESIGN_EMPTY', [], [1, 2], {}],
    ['SELECT_TARGET', matrix(2, [1, 2]), ['a', 'b'], { isClasses: false }],
    ['SELECT_OPTION', matrix(2, [1, 2]), [1, 2], { nNeighbors: 0 }],
    ['SELECT_OPTION', matrix(2, [1, 2]), [1, 2], { nNeighbors: 1.5 }],
  ])('%s %#', async (code, x, t, options) => {
    await expect(mutualInformation(x, t, options)).rejects.toMatchObject({ code })
  })

  test('a cancellation is heard', async () => {
    const signal = AbortSignal.abort()
    await expect(mutualInformation(made, y, { signal })).rejects.toThrow()
  })

  test('what was given is left as it was', async () => {
    const rounded = { ...made, data: made.data.map((v) => Math.round(v * 10)) }
    const before = rounded.data.slice()
    const column = { kind: 'number' as const, name: 'y', values: y.slice() }
    await mutualInformation(rounded, column)
    await mutualInformation([column], a)
    expect(rounded.data).toEqual(before)
    expect(column.values).toEqual(y)
  })
})

test('several threads find what one finds, to the last bit', async () => {
  const [rows, count] = [6000, 50]
  const { normal, integer } = random(8)
  const data = Float64Array.from({ length: rows * count }, (_, i) => (i % 3 === 0 ? integer(5) : normal()))
  const t = Float64Array.from({ length: rows }, (_, i) => data[i * count + 1]! + data[i * count + 7]! + normal())
  const x = { rows, columns: count, data }
  const discrete = Array.from({ length: count }, (_, j) => j % 3 === 0)
  const engine = await openEngine({ threads: 3 })
  try {
    let calls = 0
    const onProgress = () => {
      calls++
    }
    const alone = await mutualInformation(x, t, { discrete: false, seed: 2 })
    expect(await mutualInformation(x, t, { seed: 2, engine, onProgress })).toEqual(alone)
    expect(calls).toBeGreaterThan(2)
    const signs = t.map(Math.sign)
    const given = { discrete, isClasses: true, nNeighbors: 5 }
    expect(await mutualInformation(x, signs, { ...given, engine })).toEqual(await mutualInformation(x, signs, given))
  } finally {
    await engine.close()
  }
})
