/** Finds the streams of a model and holds each in as few coordinates as keep the share of energy that is asked for. */

import { nodeKey } from '../../../ir/graphs.js'
import { elementCount } from '../../../ir/tensor.js'
import type { Graph, Model, Node } from '../../../ir/types.js'
import { openProducts } from '../../../linalg/products.js'
import { inputMoments } from '../../layers/moments.js'
import type { Params, TransformEnv } from '../../transform.js'
import { cutsForRatio } from '../cuts.js'
import type { Factorized, FactorizedLayer } from '../factorize-layers.js'
import { rankByTail } from '../rank.js'
import { type Basis, type Directions, normedDirections, readDirections } from './basis.js'
import type { sliceParams } from './params.js'
import { findStreams, type Stream } from './streams.js'
import { epsilonOf, type NormTurn, type Turn, turnedNorm, turnStreams } from './turn.js'
import { type Affine, affineOf, normedViews, readerViews } from './views.js'

/** A stream of which is known what its readers see. */
interface Seen {
  readonly stream: Stream
  readonly directions: Directions
  /** γ and β of each normalization, and E[x̂ x̂ᵀ]. */
  readonly norms: ReadonlyMap<Node, { readonly affine: Affine; readonly seen: Float64Array }>
}

interface Width {
  readonly kept: number
  readonly parameters: number
}

/** `env.samples` are needed. */
export async function sliceStreams(
  model: Model,
  params: Params<typeof sliceParams>,
  env: TransformEnv,
): Promise<Factorized> {
  const { graph } = model
  const excluded = new Set(params.exclude)
  const streams = findStreams(model).streams.filter(({ group }) => !group.touches.some((key) => excluded.has(key)))
  const moments = await inputMoments(
    model,
    streams.flatMap(({ readings }) => readings.map((r) => r.layer)),
    env,
  )
  const layers: FactorizedLayer[] = []
  const found: Seen[] = []
  for (const stream of streams) {
    env.signal?.throwIfAborted()
    const seen = await see(stream, graph, moments, env)
    if (typeof seen === 'string') layers.push(described(stream, graph, stream.group.units.length, 1, seen))
    else found.push(seen)
    env.onProgress?.({ task: 'looking at streams', done: found.length + layers.length, total: streams.length })
  }
  const whole = found.map(({ stream }) => parametersOf(stream, graph, stream.group.units.length))
  const byTail = (tail: number): readonly Width[] => found.map((s) => widthOf(s, tail, params.multiple, graph))
  const widths =
    params.rank === 'ratio' ? cutsForRatio(byTail, whole, params.ratio, env.onWarning) : byTail(1 - params.energy)
  const turns: Turn[] = []
  for (const [i, seen] of found.entries()) {
    const { stream, directions } = seen
    const { kept } = widths[i]!
    if (kept >= directions.size) {
      layers.push(described(stream, graph, directions.size, 1, 'no fewer coordinates'))
      continue
    }
    const rank = rankOf(stream, kept)
    const total = directions.squares.reduce((sum, v) => sum + v, 0)
    const energy = total > 0 ? directions.squares.subarray(0, rank).reduce((sum, v) => sum + v, 0) / total : 1
    layers.push(described(stream, graph, kept, energy, 'fewer coordinates'))
    turns.push(turnOf(seen, await directions.basis(rank)))
  }
  const products = openProducts(await env.engine())
  try {
    return { model: await turnStreams(model, turns, products), layers }
  } finally {
    await products.close()
  }
}

async function see(
  stream: Stream,
  graph: Graph,
  moments: Awaited<ReturnType<typeof inputMoments>>,
  env: TransformEnv,
): Promise<Seen | string> {
  const engine = await env.engine()
  const size = stream.group.units.length
  if (stream.norms.length === 0) {
    const views = readerViews(stream, graph, moments)
    if (typeof views === 'string') return views
    const directions = await readDirections(views, size, engine)
    return directions.squares[0]! > 0
      ? { stream, directions, norms: new Map() }
      : 'its readers make zeros on the samples'
  }
  const affines = new Map<Node, Affine>()
  for (const norm of stream.norms) {
    const affine = affineOf(norm, graph)
    if (affine === null) return `${nodeKey(norm)} takes a coordinate away`
    affines.set(norm, affine)
  }
  const views = normedViews(stream, affines, moments)
  if (typeof views === 'string') return views
  const norms = new Map([...views].map(([norm, seen]) => [norm, { affine: affines.get(norm)!, seen }]))
  return { stream, directions: await normedDirections([...views.values()], size, engine), norms }
}

/** Directions that so many coordinates hold: a normalization needs one for itself. */
const rankOf = ({ norms }: Stream, kept: number): number => (norms.length > 0 ? kept - 1 : kept)

function widthOf({ stream, directions }: Seen, tail: number, multiple: number, graph: Graph): Width {
  const { size, squares } = directions
  const rank = rankByTail({ squares, long: size }, tail)
  const needed = rank + (size - rankOf(stream, size))
  const kept = Math.min(size, Math.ceil(needed / multiple) * multiple)
  return { kept, parameters: parametersOf(stream, graph, kept) }
}

function turnOf({ stream, norms }: Seen, basis: Basis): Turn {
  const turned = new Map<Node, NormTurn>()
  for (const [norm, { affine, seen }] of norms) {
    const size = affine.scale.length
    turned.set(norm, turnedNorm(affine, basis, { share: shareOf(seen, basis, size), epsilon: epsilonOf(norm) }))
  }
  return { stream, basis, norms: turned }
}

/** tr(R C Rᵀ) / tr C */
function shareOf(seen: Float64Array, { to, kept }: Basis, size: number): number {
  let [inside, all] = [0, 0]
  for (let i = 0; i < size; i++) {
    all += seen[i * (size + 1)]!
    for (let j = 0; j < size; j++)
      for (let k = 0; k < kept; k++) inside += to[k * size + i]! * seen[i * size + j]! * to[k * size + j]!
  }
  return all > 0 ? inside / all : 1
}

/** Of all constants on the stream, with so many coordinates. */
function parametersOf({ group }: Stream, graph: Graph, kept: number): number {
  const size = group.units.length
  const counts = new Map<string, number>()
  for (const { constant, axis } of group.units[0]!.slices) {
    const { shape } = graph.constants.get(constant)!
    const before = counts.get(constant) ?? elementCount(shape)
    counts.set(constant, (before / shape[axis]!) * (shape[axis]! - size + kept))
  }
  return [...counts.values()].reduce((sum, n) => sum + n, 0)
}

function described(stream: Stream, graph: Graph, kept: number, energy: number, reason: string): FactorizedLayer {
  const size = stream.group.units.length
  return {
    nodes: stream.group.layers,
    op: 'stream',
    shape: [size],
    ranks: [kept],
    energy,
    isOnSamples: true,
    parameters: parametersOf(stream, graph, size),
    parametersInParts: parametersOf(stream, graph, kept),
    isSplit: kept < size,
    reason,
  }
}
