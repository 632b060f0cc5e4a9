/**
 * New points in a map that stays as it is: each begins in the middle of its neighbours and is moved by attraction to these
 * and repulsion by all points of the map, but not by other new ones, so that it lies where it would alone (Poličar, Stražar
 * and Zupan 2024).
 */

import { throwIfAborted } from '../../engine/failures.js'
import type { DenseMatrix } from '../../linear/design.js'
import { rareTurns } from '../../util/turns.js'
import { type NeighbourOptions, nearestNeighbours } from '../neighbours.js'
import { conditionals } from './affinities.js'
import { repulsionBy, repulsionBytes } from './methods.js'
import { boxOf, type RepulsionMethod, strideOf } from './repulsion.js'
import { openWorkshop } from './workshop.js'

export interface TransformOptions extends Omit<NeighbourOptions, 'of' | 'search' | 'seed'> {
  /** Neighbours in the map that count for a new point. Default 5, or a third of the rows of the map where these are fewer. */
  readonly perplexity?: number
  /** Default 250; with 0 points stay in the middle of their neighbours. */
  readonly iterations?: number
}

/** What is known of a map. */
export interface Reference {
  readonly x: DenseMatrix
  /** [rows, dims] */
  readonly embedding: Float32Array
  readonly dims: number
  readonly method: RepulsionMethod
  readonly theta: number
}

const PERPLEXITY = 5
const EXAGGERATION = 1.5
const MOMENTUM = 0.8
const RATE = 0.1
/** Of the gradient, so that nothing shoots out of the map. */
const LONGEST = 0.25
const REACH = 3

/** [rows, dims] */
export async function placedInto(reference: Reference, x: DenseMatrix, o: TransformOptions): Promise<Float32Array> {
  const { embedding, dims } = reference
  const known = reference.x.rows
  const perplexity = o.perplexity ?? Math.min(PERPLEXITY, Math.max(1, known / REACH))
  const k = Math.min(known, Math.ceil(REACH * perplexity))
  const near = await nearestNeighbours(reference.x, k, { ...o, of: x })
  const { values: p } = conditionals(near, perplexity)
  const points = new Float64Array(x.rows * dims)
  for (let i = 0, e = 0; i < x.rows; i++)
    for (let n = 0; n < k; n++, e++)
      for (let d = 0; d < dims; d++) points[i * dims + d]! += p[e]! * embedding[near.indices[e]! * dims + d]!
  const repulsion = openField(reference, x.rows)
  const updates = new Float64Array(points.length)
  const gains = new Float64Array(points.length).fill(1)
  const turn = rareTurns()
  for (let iteration = 0; iteration < (o.iterations ?? 250); iteration++) {
    const { forces, values } = repulsion(points)
    for (let i = 0; i < x.rows; i++) {
      const gradient = new Array<number>(dims).fill(0)
      for (let e = i * k; e < (i + 1) * k; e++) {
        const other = near.indices[e]! * dims
        let square = 0
        for (let d = 0; d < dims; d++) square += (points[i * dims + d]! - embedding[other + d]!) ** 2
        const w = (EXAGGERATION * p[e]!) / (1 + square)
        for (let d = 0; d < dims; d++) gradient[d]! += w * (points[i * dims + d]! - embedding[other + d]!)
      }
      for (let d = 0; d < dims; d++) gradient[d]! -= forces[i * dims + d]! / values[i]!
      const shorten = Math.min(1, LONGEST / (Math.hypot(...gradient) || 1))
      for (let d = 0; d < dims; d++) {
        const at = i * dims + d
        const g = gradient[d]! * shorten
        gains[at] = Math.sign(updates[at]!) === Math.sign(g) ? 0.8 * gains[at]! + 0.01 : gains[at]! + 0.2
        updates[at] = MOMENTUM * updates[at]! - RATE * gains[at]! * g
        points[at]! += updates[at]!
      }
    }
    await turn()
    throwIfAborted(o.signal)
  }
  return Float32Array.from(points)
}

/** How far beyond the map a new point may come. */
const BEYOND = 5

/** What the map does to points that are somewhere else; brings those back that left its surroundings. */
function openField({ embedding, dims, method, theta }: Reference, count: number) {
  const stride = strideOf(dims)
  const known = embedding.length / dims
  const { arena, crew } = openWorkshop(
    4 * (stride * (known + 2 * count) + count) + 1024 + repulsionBytes(method, known, 1),
    1,
    undefined,
  )
  const padded = (values: ArrayLike<number>, length: number): number => {
    const at = arena.take(4 * length * stride)
    const out = arena.floats(at, length * stride)
    for (let i = 0; i < length; i++) for (let d = 0; d < dims; d++) out[i * stride + d] = values[i * dims + d]!
    return at
  }
  const map = padded(embedding, known)
  const own = padded(new Float32Array(count * dims), count)
  const [out, values] = [arena.take(4 * count * stride), arena.take(4 * count)]
  const repulsion = repulsionBy(method, { arena, crew, count: known, theta })
  const { low, high } = boxOf(embedding, known, dims, dims)
  const box = { low: low.map((v) => v - BEYOND), high: high.map((v) => v + BEYOND) }
  repulsion.place({ at: map, count: known, dims, stride }, box)
  const target = { at: own, count, dims, stride, out, values, isCharge: false }
  return (points: Float64Array) => {
    const at = arena.floats(own, count * stride)
    for (let i = 0; i < count; i++)
      for (let d = 0; d < dims; d++) {
        const v = Math.min(box.high[d]!, Math.max(box.low[d]!, points[i * dims + d]!))
        points[i * dims + d] = v
        at[i * stride + d] = v
      }
    crew.run((k) => repulsion.callsOf(target, 0, count, k))
    const found = arena.floats(out, count * stride)
    const forces = new Float32Array(count * dims)
    for (let i = 0; i < count; i++) for (let d = 0; d < dims; d++) forces[i * dims + d] = found[i * stride + d]!
    return { forces, values: arena.floats(values, count) }
  }
}
