/** Forces are held against sums over all pairs in float64, and these against the divergence; a step against plain loops. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { random } from '../../util/random.js'
import { nearestNeighbours } from '../neighbours.js'
import { type Affinities, conditionals, joint } from './affinities.js'
import { type DescentOptions, openMap } from './descent.js'

const COUNT = 501
let affinities: Affinities
let engine: Engine

beforeAll(async () => {
  engine = await openEngine({ threads: 3 })
  const { normal } = random(9)
  const data = Float64Array.from({ length: COUNT * 8 }, () => normal())
  const near = await nearestNeighbours({ rows: COUNT, columns: 8, data, order: 'row-major' }, 45)
  affinities = joint(near, conditionals(near, 15).values)
})
afterAll(() => engine.close())

const pointsOf = (dims: number, size: number): Float32Array => {
  const { normal } = random(2)
  return Float32Array.from({ length: COUNT * dims }, () => normal(0, size))
}

const OPTIONS = { dims: 2, method: 'grid', theta: 0.5, maxStepNorm: 5, parts: 1 } as const satisfies DescentOptions

/** Attraction and repulsion / Z of all pairs, and Σ p ln(p / q). */
function exact(points: ArrayLike<number>, dims: number) {
  const { starts, indices, values } = affinities
  const [attraction, repulsion] = [new Float64Array(COUNT * dims), new Float64Array(COUNT * dims)]
  const at = (i: number, d: number): number => points[i * dims + d]!
  const qOf = (i: number, j: number): number => {
    let square = 0
    for (let d = 0; d < dims; d++) square += (at(i, d) - at(j, d)) ** 2
    return 1 / (1 + square)
  }
  let z = 0
  for (let i = 0; i < COUNT; i++)
    for (let j = 0; j < COUNT; j++) {
      if (i === j) continue
      const q = qOf(i, j)
      z += q
      for (let d = 0; d < dims; d++) repulsion[i * dims + d]! += q * q * (at(i, d) - at(j, d))
    }
  let divergence = 0
  for (let i = 0; i < COUNT; i++)
    for (let e = starts[i]!; e < starts[i + 1]!; e++) {
      const [j, p] = [indices[e]!, values[e]!]
      if (p === 0) continue
      const q = qOf(i, j)
      divergence += p * Math.log((p * z) / q)
      for (let d = 0; d < dims; d++) attraction[i * dims + d]! += p * q * (at(i, d) - at(j, d))
    }
  return { attraction, repulsion: repulsion.map((v) => v / z), divergence, z }
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [apart, size] = [0, 0]
  for (let k = 0; k < b.length; k++) {
    apart += (a[k]! - b[k]!) ** 2
    size += b[k]! ** 2
  }
  return Math.sqrt(apart / size)
}

describe('forces are those of all pairs', () => {
  test.each([
    ['grid', 2, 1, 1e-4],
    ['grid', 2, 5, 1e-2],
    ['grid', 2, 20, 2e-2],
    ['barnes-hut', 2, 1, 2e-2],
    ['barnes-hut', 2, 10, 4e-2],
    ['barnes-hut', 3, 5, 4e-2],
    ['exact', 2, 1e-4, 1e-5],
    ['exact', 2, 5, 1e-5],
    ['exact', 3, 5, 1e-5],
  ] as const)('%s in %d dimensions, points spread over %d', async (method, dims, size, most) => {
    const points = pointsOf(dims, size)
    const map = openMap(points, affinities, { ...OPTIONS, method, dims })
    const [found, expected] = [map.forces(), exact(points, dims)]
    expect(distance(found.repulsion, expected.repulsion)).toBeLessThan(most)
    expect(distance(found.attraction, expected.attraction)).toBeLessThan(1e-5)
    expect(Math.abs(found.z / expected.z - 1)).toBeLessThan(most)
    expect(Math.abs(map.divergence() - expected.divergence)).toBeLessThan(most)
    await map.close()
  })
})

test('four times attraction less repulsion is the gradient of the divergence', () => {
  const points = Float64Array.from(pointsOf(2, 2))
  const { attraction, repulsion } = exact(points, 2)
  for (const k of [0, 1, 77, 500]) {
    const at = (change: number): number => exact(points.with(k, points[k]! + change), 2).divergence
    const slope = (at(1e-5) - at(-1e-5)) / 2e-5
    expect(4 * (attraction[k]! - repulsion[k]!)).toBeCloseTo(slope, 7)
  }
})

test('the divergence of a map far from its start keeps its digits', async () => {
  const points = pointsOf(2, 60)
  const map = openMap(points, affinities, { ...OPTIONS, method: 'exact' })
  expect(map.divergence() / exact(points, 2).divergence).toBeCloseTo(1, 5)
  await map.close()
})

test.each([2, 3])('steps in %d dimensions: momentum, gains, bounded lengths, about the middle', async (dims) => {
  const start = pointsOf(dims, 1)
  const phase = { iterations: 3, exaggeration: 4, momentum: 0.7, learningRate: 900 }
  const map = openMap(start, affinities, { ...OPTIONS, dims, method: 'exact', maxStepNorm: 0.05 })
  const y = Float64Array.from(start)
  const [updates, gains] = [new Float64Array(y.length), new Float64Array(y.length).fill(1)]
  for (let round = 0; round < 3; round++) {
    map.step(phase)
    const { attraction, repulsion } = exact(y, dims)
    for (let i = 0; i < COUNT; i++) {
      for (let at = i * dims; at < (i + 1) * dims; at++) {
        const g = phase.exaggeration * attraction[at]! - repulsion[at]!
        gains[at] = Math.sign(g) === Math.sign(updates[at]!) ? 0.8 * gains[at]! + 0.01 : gains[at]! + 0.2
        updates[at] = phase.momentum * updates[at]! - phase.learningRate * gains[at]! * g
      }
      const own = updates.subarray(i * dims, (i + 1) * dims)
      const length = Math.hypot(...own)
      if (length > 0.05) for (let d = 0; d < dims; d++) own[d]! *= 0.05 / length
      for (let d = 0; d < dims; d++) y[i * dims + d]! += own[d]!
    }
    for (let d = 0; d < dims; d++) {
      const mean = y.reduce((sum, v, at) => sum + (at % dims === d ? v : 0), 0) / COUNT
      for (let i = 0; i < COUNT; i++) y[i * dims + d]! -= mean
    }
  }
  expect(distance(map.embedding(), y)).toBeLessThan(1e-4)
  await map.close()
})

describe('threads', () => {
  const PHASE = { iterations: 1, exaggeration: 1, momentum: 0.8, learningRate: 200 } as const

  test.each(['grid', 'barnes-hut'] as const)('%s: parts give the same bits, whoever does them', async (method) => {
    const options = { ...OPTIONS, method, parts: 3 }
    const [alone, shared] = [
      openMap(pointsOf(2, 3), affinities, options),
      openMap(pointsOf(2, 3), affinities, { ...options, tasks: engine.tasks }),
    ]
    for (let round = 0; round < 300; round++) {
      alone.step(PHASE)
      shared.step(PHASE)
      // The others come when they have started.
      if (round % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(shared.embedding()).toEqual(alone.embedding())
    expect(shared.divergence()).toBe(alone.divergence())
    await alone.close()
    await shared.close()
  })

  test('one part or several: the same but for rounding', async () => {
    const [one, several] = [1, 4].map((parts) => openMap(pointsOf(2, 3), affinities, { ...OPTIONS, parts }))
    one!.step(PHASE)
    several!.step(PHASE)
    expect(distance(several!.embedding(), one!.embedding())).toBeLessThan(1e-5)
  })
})

test('points in one place are no trouble to a tree', async () => {
  const map = openMap(new Float32Array(2 * COUNT), affinities, { ...OPTIONS, method: 'barnes-hut' })
  const { repulsion, z } = map.forces()
  expect(repulsion.every((v) => v === 0)).toBe(true)
  expect(z).toBe(COUNT * (COUNT - 1))
  await map.close()
})

test('a map that is too large for a fine grid has a coarser one', async () => {
  const points = pointsOf(2, 3000)
  const map = openMap(points, affinities, OPTIONS)
  expect(map.forces().repulsion.every(Number.isFinite)).toBe(true)
  map.step({ iterations: 1, exaggeration: 1, momentum: 0.8, learningRate: 10 })
  expect(map.embedding().every(Number.isFinite)).toBe(true)
  await map.close()
})
