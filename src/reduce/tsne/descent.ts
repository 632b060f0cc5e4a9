/**
 * Gradient descent on the map: attraction by the affinities, repulsion by whatever sums it up, with momentum, gains, early
 * exaggeration and steps of a bounded length, as in openTSNE (Poličar, Stražar and Zupan 2024).
 */

import type { Tasks } from '../../util/tasks.js'
import type { Affinities } from './affinities.js'
import { startOf } from './grid.js'
import { repulsionBy, repulsionBytes } from './methods.js'
import { type Box, boxOf, type RepulsionMethod, strideOf, type Target } from './repulsion.js'
import { openWorkshop, type Workshop } from './workshop.js'

export interface Phase {
  readonly iterations: number
  /** Times the affinities. */
  readonly exaggeration: number
  readonly momentum: number
  readonly learningRate: number
}

export interface DescentOptions {
  readonly dims: number
  readonly method: RepulsionMethod
  /** Of the tree. */
  readonly theta: number
  /** Points move by at most so much in one iteration. */
  readonly maxStepNorm: number
  /** Threads, and where those beside the caller's come from. */
  readonly parts: number
  readonly tasks?: Tasks | undefined
}

/** A map that moves. */
export interface MovingMap {
  readonly count: number
  readonly dims: number
  /** [count, dims], as it is now. */
  embedding(): Float32Array
  /** One iteration. */
  step(phase: Phase): void
  /** Σ p ln(p / q) of the map as it is now, with q as the method sums it up. */
  divergence(): number
  /** −½ of the gradient's parts: attraction and repulsion / Z, [count, dims] each, of the map as it is now. */
  forces(): { readonly attraction: Float32Array; readonly repulsion: Float32Array; readonly z: number }
  close(): Promise<void>
}

/** `start`: [count, dims]. Throws `TSNE_MEMORY`. */
export function openMap(start: ArrayLike<number>, affinities: Affinities, options: DescentOptions): MovingMap {
  const { dims, parts, tasks, method, theta, maxStepNorm } = options
  const { count } = affinities
  const stride = strideOf(dims)
  // Whole vectors: an odd number of points in the plane has half a one too many.
  const room = stride === 2 ? count + (count % 2) : count
  const { arena, crew } = opened(affinities, { room, stride, parts, method, tasks })
  const floats = (length: number): number => arena.take(4 * length)
  const starts = arena.take(4 * (count + 1))
  const indices = arena.take(4 * affinities.indices.length)
  const p = floats(affinities.values.length)
  const [points, updates, gains, attraction, repulsion] = Array.from({ length: 5 }, () => floats(room * stride)) as [
    ...[number, number, number, number, number],
  ]
  const values = floats(room)
  const found = floats(16 * parts)
  const off = floats(4)
  arena.integers(starts, count + 1).set(affinities.starts)
  arena.integers(indices, affinities.indices.length).set(affinities.indices)
  arena.floats(p, affinities.values.length).set(affinities.values)
  arena.floats(gains, room * stride).fill(1)
  const at = arena.floats(points, room * stride)
  for (let i = 0; i < count; i++) for (let d = 0; d < dims; d++) at[i * stride + d] = start[i * dims + d]!
  // The half vector too many lies where a point is, so that it is nowhere the outermost, and never moves.
  if (room > count) for (let d = 0; d < stride; d++) at[count * stride + d] = at[d]!

  const repelling = repulsionBy(method, { arena, crew, count, theta })
  const target: Target = { at: points, count, dims, stride, out: repulsion, values, isCharge: true }
  const attract = dims === 2 ? 'attract2' : 'attract3'
  let box = boxOf(at, count, dims, stride)

  /** Fills attraction and repulsion; returns Z, of all pairs of different points. */
  function force(): number {
    repelling.place({ at: points, count, dims, stride }, box)
    const sums = crew.run((k) => {
      const [from, to] = [startOf(count, parts, k), startOf(count, parts, k + 1)]
      return [[attract, starts, indices, p, points, attraction, from, to], ...repelling.callsOf(target, from, to, k)]
    })
    return sums.reduce((a, b) => a + b, 0)
  }

  return {
    count,
    dims,
    embedding: () => packed(arena.floats(points, count * stride), count, dims, stride),
    step({ exaggeration, momentum, learningRate }) {
      const z = force()
      const vectors = (room * stride) / 4
      crew.run((k) => [
        [
          ...(['step', points, updates, gains, attraction, repulsion] as const),
          ...[startOf(vectors, parts, k), startOf(vectors, parts, k + 1), Number(dims === 2)],
          ...[exaggeration, 1 / z, momentum, learningRate, maxStepNorm, found + 64 * k],
        ],
      ])
      const sums = arena.floats(found, 16 * parts)
      const mean = meanOf(sums, parts, count, dims, stride, at)
      arena.floats(off, 4).set(Array.from({ length: 4 }, (_, d) => mean[d % stride] ?? 0))
      crew.run((k) => [['shift', points, startOf(vectors, parts, k), startOf(vectors, parts, k + 1), off]])
      box = boxFrom(sums, parts, dims, stride, mean)
      if (room > count) for (let d = 0; d < stride; d++) at[count * stride + d] = at[d]!
    },
    divergence() {
      const z = force()
      const logs = crew.run((k) => [
        ['spreadOut', starts, indices, p, points, stride, startOf(count, parts, k), startOf(count, parts, k + 1)],
      ])
      // q = 1 / (1 + d²) / Z, and Σ p = 1.
      return affinities.entropy + logs.reduce((a, b) => a + b, 0) + Math.log(z)
    },
    forces() {
      const z = force()
      const of = (address: number): Float32Array => packed(arena.floats(address, count * stride), count, dims, stride)
      return { attraction: of(attraction), repulsion: of(repulsion).map((v) => v / z), z }
    },
    close: () => crew.close(),
  }
}

interface Sizes extends Pick<DescentOptions, 'parts' | 'method' | 'tasks'> {
  readonly room: number
  readonly stride: number
}

function opened({ indices }: Affinities, { room, stride, parts, method, tasks }: Sizes): Workshop {
  const own = 4 * (room + 1 + 2 * indices.length + 5 * room * stride + room) + 64 * (parts + 16)
  return openWorkshop(own + repulsionBytes(method, room, parts), parts, tasks)
}

function packed(values: Float32Array, count: number, dims: number, stride: number): Float32Array {
  if (dims === stride) return values.slice(0, count * dims)
  const out = new Float32Array(count * dims)
  for (let i = 0; i < count; i++) for (let d = 0; d < dims; d++) out[i * dims + d] = values[i * stride + d]!
  return out
}

/** Of what the parts of a step found: 4 numbers are one point or two. */
const lanesOf = (d: number, stride: number): readonly number[] => (stride === 2 ? [d, d + 2] : [d])

function meanOf(
  found: Float32Array,
  parts: number,
  count: number,
  dims: number,
  stride: number,
  points: Float32Array,
): readonly number[] {
  return Array.from({ length: dims }, (_, d) => {
    let sum = 0
    for (let k = 0; k < parts; k++) for (const lane of lanesOf(d, stride)) sum += found[16 * k + lane]!
    // Without the point too many.
    if (stride === 2 && count % 2 === 1) sum -= points[count * stride + d]!
    return sum / count
  })
}

function boxFrom(found: Float32Array, parts: number, dims: number, stride: number, mean: readonly number[]): Box {
  const over = (d: number, at: number, least: (...v: number[]) => number): number =>
    least(
      ...Array.from({ length: parts }, (_, k) => lanesOf(d, stride).map((lane) => found[16 * k + at + lane]!)).flat(),
    ) - mean[d]!
  const all = Array.from({ length: dims }, (_, d) => d)
  return { low: all.map((d) => over(d, 4, Math.min)), high: all.map((d) => over(d, 8, Math.max)) }
}
