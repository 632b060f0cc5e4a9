/** mRMR against its definition, with every pair measured. */

import { describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/node/open.js'
import { random } from '../../util/random.js'
import { type MrmrOptions, mrmr } from './mrmr.js'
import { mutualInformation } from './mutual-information.js'

const rows = 300
const { normal, integer } = random(12)
const drawn = (of: (i: number) => number): Float64Array => Float64Array.from({ length: rows }, (_, i) => of(i))
const a = drawn(() => normal())
const b = drawn(() => normal())
const noise = drawn(() => normal())
const lists: Readonly<Record<string, Float64Array>> = {
  noise,
  a,
  nearA: a.map((v) => v + 0.2 * normal()),
  b,
  inches: a.map((v) => 10 - v / 2.54),
  mixed: a.map((v, i) => v + b[i]! + normal()),
  coin: drawn(() => integer(2)),
}
const names = Object.keys(lists)
const x = {
  rows,
  columns: names.length,
  data: Float64Array.from(Object.values(lists).flatMap((of) => [...of])),
  order: 'column-major' as const,
}
const y = a.map((v, i) => v + 0.7 * b[i]! + 0.5 * normal())
const discrete = names.map((name) => name === 'coin')
const at = (name: string): number => names.indexOf(name)

/** I(xⱼ; xₛ) of all pairs, [s][j], where no value is equal to another one: no noise is drawn. */
const pairs = async (): Promise<readonly Float64Array[]> =>
  Promise.all(
    names.map(async (name) => {
      const isClasses = name === 'coin'
      return (await mutualInformation(x, lists[name]!, { discrete, isClasses })).scores
    }),
  )

/** Each time the best of all, with what it scores. */
async function greedy({ scheme }: MrmrOptions) {
  const between = await pairs()
  const relevance = (await mutualInformation(x, y, { discrete })).scores
  const order: number[] = []
  const scores: number[] = []
  const copies = [at('a'), at('inches')]
  while (order.length < names.length) {
    const scoreOf = (j: number): number => {
      if (order.length === 0) return relevance[j]!
      const mean = order.reduce((sum, s) => sum + between[s]![j]!, 0) / order.length
      return scheme === 'miq' ? relevance[j]! / Math.max(mean, 1e-3) : relevance[j]! - mean
    }
    const open = [...names.keys()].filter((j) => !order.includes(j))
    const fresh = open.filter((j) => !(copies.includes(j) && order.some((s) => copies.includes(s))))
    const from = fresh.length > 0 ? fresh : open
    const best = from.reduce((least, j) => (scoreOf(j) > scoreOf(least) ? j : least))
    scores.push(scoreOf(best))
    order.push(best)
  }
  return { order, scores }
}

describe.each(['mid', 'miq'] as const)('%s', (scheme) => {
  test('takes what the definition takes, by the same scores', async () => {
    const wanted = await greedy({ scheme })
    const found = await mrmr(x, y, { discrete, names, scheme })
    expect(found.names).toEqual(names)
    expect(found.order).toEqual(wanted.order)
    for (const [i, j] of wanted.order.entries()) expect(found.scores[j]).toBeCloseTo(wanted.scores[i]!, 12)
    for (const j of wanted.order.slice(1)) {
      const [relevance, redundancy] = [found.relevance[j]!, found.redundancy[j]!]
      const score = scheme === 'mid' ? relevance - redundancy : relevance / Math.max(redundancy, 1e-3)
      expect(found.scores[j]).toBeCloseTo(score, 12)
    }
  })

  test('a copy comes after all that are none, what only comes near one where it belongs', async () => {
    const { order } = await mrmr(x, y, { discrete, names, scheme })
    const last = [at('a'), at('inches')].find((j) => order.at(-1) === j)
    expect(last).toBeDefined()
    expect(order.slice(0, -1).filter((j) => [at('a'), at('inches')].includes(j))).toHaveLength(1)
  })

  test('of a part of the columns it is the beginning', async () => {
    const all = await mrmr(x, y, { discrete, scheme })
    const some = await mrmr(x, y, { discrete, scheme, nFeatures: 3 })
    expect(some.order).toEqual(all.order.slice(0, 3))
    for (const j of names.keys()) expect(some.scores[j]).toBe(some.order.includes(j) ? all.scores[j] : Number.NaN)
  })
})

test('copies that have ties, and classes under other names', async () => {
  const { integer: draw } = random(4)
  const few = drawn(() => draw(6))
  const kinds = drawn(() => draw(3))
  const target = few.map((v, i) => Number(v > 2) + 2 * Number(kinds[i] === 1))
  const data = [few, few.map((v) => 5 * v - 1), kinds, kinds.map((v) => (v + 1) % 3), drawn(() => draw(40) / 40)]
  const matrix = {
    rows,
    columns: 5,
    data: Float64Array.from(data.flatMap((of) => [...of])),
    order: 'column-major' as const,
  }
  const given = { discrete: [false, false, true, true, false], isClasses: true }
  const { order } = await mrmr(matrix, target, given)
  const lastTwo = order.slice(3)
  expect(lastTwo.some((j) => j < 2)).toBe(true)
  expect(lastTwo.some((j) => j === 2 || j === 3)).toBe(true)
})

test('several threads take the same', async () => {
  const [many, count] = [6000, 45]
  const own = random(5)
  const data = Float64Array.from({ length: many * count }, () => own.normal())
  const t = Float64Array.from({ length: many }, (_, i) => data[i * count]! + data[i * count + 3]! + own.normal())
  const matrix = { rows: many, columns: count, data }
  const engine = await openEngine({ threads: 3 })
  try {
    expect(await mrmr(matrix, t, { nFeatures: 4, engine })).toEqual(await mrmr(matrix, t, { nFeatures: 4 }))
  } finally {
    await engine.close()
  }
})

test.each([0, 8, 1.5])('%s columns of seven are an error', async (nFeatures) => {
  await expect(mrmr(x, y, { nFeatures })).rejects.toMatchObject({ code: 'SELECT_KEEP' })
})
