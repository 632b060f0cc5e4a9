import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TrialResult } from '../trial.js'
import { hypervolume } from './hypervolume.js'
import { crowdingOf, ranked } from './ranking.js'
import { promising } from './worth.js'

const cell = fc.integer({ min: 0, max: 5 })
const points = fc.array(fc.tuple(cell, cell, cell), { maxLength: 12 })

/** By counting the unit cubes below the reference that some point dominates. */
function counted(all: readonly (readonly [number, number, number])[]): number {
  let n = 0
  for (let x = 0; x < 5; x++)
    for (let y = 0; y < 5; y++) for (let z = 0; z < 5; z++) if (all.some(([a, b, c]) => a <= x && b <= y && c <= z)) n++
  return n
}

test('the volume is that of the dominated unit cubes', () => {
  fc.assert(
    fc.property(points, (all) => {
      expect(hypervolume(all, [5, 5, 5])).toBe(counted(all))
    }),
  )
})

test('no item stands behind one that it dominates', () => {
  const isBetter = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((v, i) => v <= b[i]!) && a.some((v, i) => v < b[i]!)
  fc.assert(
    fc.property(points, (all) => {
      const order = ranked(all, (p) => p)
      expect(order.toSorted()).toEqual(all.toSorted())
      expect(order.some((p, i) => order.slice(0, i).some((q) => isBetter(p, q)))).toBe(false)
    }),
  )
})

test('crowding is the gap between neighbours as a share of the range, endless at the ends', () => {
  expect(
    crowdingOf([
      [0, 10],
      [1, 4],
      [4, 2],
      [10, 0],
    ]),
  ).toEqual([Number.POSITIVE_INFINITY, 0.4 + 0.8, 0.9 + 0.4, Number.POSITIVE_INFINITY])
  expect(crowdingOf([])).toEqual([])
})

const result = (id: string, bytes: number, ratio: number, drop: number): TrialResult => ({
  trial: { id, name: id, model: '', steps: [], seed: 0 },
  status: 'ok',
  sha256: id,
  bytes,
  latency: { p50: ratio, p95: ratio, ratio, interval: [ratio, ratio] },
  quality: { value: 1 - drop, drop, outputs: [] },
  seconds: 0,
})

test('what adds most to the front goes on, what only costs more of everything comes last', () => {
  const goal = { originalBytes: 100, maxDrop: 0.01, limits: {} }
  const all = [
    result('dominated', 60, 0.9, 0.005),
    result('small', 5, 1, 0.004),
    result('fast', 50, 0.3, 0.004),
    result('broken', 2, 0.2, 1),
  ]
  const order = promising(goal, all, 4).map((r) => r.trial.id)
  expect(new Set(order.slice(0, 2))).toEqual(new Set(['small', 'fast']))
  expect(order.slice(2)).toEqual(['dominated', 'broken'])
  expect(promising({ ...goal, limits: { bytes: 10 } }, all, 1)[0]!.trial.id).toBe('small')
  expect(promising({ ...goal, limits: { latency: 0.5 } }, all, 1)[0]!.trial.id).toBe('fast')
})
