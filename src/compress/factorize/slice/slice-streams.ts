/** Finds the streams of a model and holds each in as few coordinates as keep the share of energy that is asked for. */

import type { Engine } from '../../../engine/engine.js'
import { elementCount } from '../../../ir/tensor.js'
import type { Graph, Model, Node } from '../../../ir/types.js'
import { openProducts } from '../../../linalg/products.js'
import type { Layer } from '../../layers/layer.js'
import { type InputMoments, inputMoments } from '../../layers/moments.js'
import type { Params, TransformEnv } from '../../transform.js'
import { secondMoments, traceOf } from '../covariance.js'
import { cutsForRatio } from '../cuts.js'
import { within } from '../decompose.js'
import type { Factorized, FactorizedLayer } from '../factorize-layers.js'
import { type Basis, type Directions, energyOf, normDirections, rankOf, readDirections } from './basis.js'
import { type BasisChange, changeBases, changedNorm, epsilonOf, type NormChange } from './change-basis.js'
import type { sliceParams } from './params.js'
import { findStreams, type Stream } from './streams.js'
import { layersToObserve, type NormView, normViews, readerViews, type Spread } from './views.js'

/** A stream of which is known what its readers see. */
interface Analysed {
  readonly stream: Stream
  readonly directions: Directions
  readonly norms: ReadonlyMap<Node, NormView>
}

/** `env.samples` are needed. */
export async function sliceStreams(
  model: Model,
  params: Params<typeof sliceParams>,
  env: TransformEnv,
): Promise<Factorized> {
  const { graph } = model
  const engine = await env.engine()
  const excluded = new Set(params.exclude)
  const all = findStreams(model)
  const streams = all.streams.filter(({ group }) => !group.touches.some((key) => excluded.has(key)))
  const layers = streams.map(layersToObserve)
  const moments = await inputMoments(model, layers.flat(), env)
  // What several layers add to is a stream that somebody hopes for: it is told why it is none.
  const joined = all.others.filter(({ group }) => group.layers.length > 1)
  const left = (stream: Pick<Stream, 'group'>, reason: string): FactorizedLayer =>
    outcome(stream, graph, sizeOf(stream), { energy: 1, reason })
  const outcomes = joined.map(({ group, reason }) => left({ group }, reason))
  const found: Analysed[] = []
  for (const [i, stream] of streams.entries()) {
    env.signal?.throwIfAborted()
    const analysed = await analyse(stream, layers[i]!, graph, moments, engine)
    if (typeof analysed === 'string') outcomes.push(left(stream, analysed))
    else found.push(analysed)
    env.onProgress?.({ task: 'looking at streams', done: i + 1, total: streams.length })
  }
  const changes: BasisChange[] = []
  for (const [i, kept] of widthsOf(found, graph, params, env).entries()) {
    const { stream, directions } = found[i]!
    if (kept >= directions.size) {
      outcomes.push(left(stream, 'no fewer coordinates'))
      continue
    }
    const rank = directionsIn(stream, kept)
    const energy = energyOf(directions, rank)
    outcomes.push(outcome(stream, graph, kept, { energy, reason: 'fewer coordinates' }))
    env.signal?.throwIfAborted()
    changes.push(await changeOf(found[i]!, await directions.basis(rank), engine))
  }
  const products = openProducts(engine)
  try {
    return { model: await changeBases(model, changes, products, env.signal), layers: outcomes }
  } finally {
    await products.close()
  }
}

const sizeOf = ({ group }: Pick<Stream, 'group'>): number => group.units.length

/** What is known of a stream, or why nothing is. */
async function analyse(
  stream: Stream,
  layers: readonly Layer[],
  graph: Graph,
  moments: InputMoments,
  engine: Engine,
): Promise<Analysed | string> {
  const size = sizeOf(stream)
  if (stream.norms.length > 0) {
    const norms = normViews(stream, layers, graph, moments)
    if (typeof norms === 'string') return norms
    return { stream, directions: await normDirections([...norms.values()], size, engine), norms }
  }
  const views = await readerViews(stream, graph, moments, engine)
  if (typeof views === 'string') return views
  const directions = await readDirections(views, size, engine)
  return directions.variance > 0
    ? { stream, directions, norms: new Map() }
    : 'what its readers make of it does not vary on the samples'
}

/** Directions that so many coordinates hold: a normalization needs one for itself. */
const directionsIn = ({ norms }: Stream, kept: number): number => (norms.length > 0 ? kept - 1 : kept)

/** Coordinates that are kept of each. */
function widthsOf(
  found: readonly Analysed[],
  graph: Graph,
  { rank, energy, ratio, multiple }: Params<typeof sliceParams>,
  { onWarning }: TransformEnv,
): readonly number[] {
  const byTail = (tail: number): readonly number[] =>
    found.map(({ stream, directions }) => {
      const needed = rankOf(directions, tail) + (directions.size - directionsIn(stream, directions.size))
      return Math.min(directions.size, Math.ceil(needed / multiple) * multiple)
    })
  if (rank === 'energy') return byTail(1 - energy)
  const streams = found.map(({ stream }) => stream)
  const leftBy = (widths: readonly number[]): number => parametersOf(streams, graph, widths)
  return cutsForRatio(byTail, leftBy, leftBy(streams.map(sizeOf)), ratio, onWarning)
}

async function changeOf({ stream, norms }: Analysed, basis: Basis, engine: Engine): Promise<BasisChange> {
  const changed = new Map<Node, NormChange>()
  for (const [norm, view] of norms) {
    const share = await shareOf(view, basis, engine)
    changed.set(norm, changedNorm(view, basis, { share, epsilon: epsilonOf(norm) }))
  }
  return { stream, basis, norms: changed }
}

/** tr(R C Rᵀ) / tr C, C = E[x̂ x̂ᵀ]. */
async function shareOf({ mean, covariance }: Spread, { to, kept }: Basis, engine: Engine): Promise<number> {
  const squares = secondMoments(covariance, mean)
  return traceOf(await within(to, kept, squares, engine), kept) / traceOf(squares, mean.length)
}

/** Of all constants on these streams, with so many coordinates each. */
function parametersOf(streams: readonly Pick<Stream, 'group'>[], graph: Graph, widths: readonly number[]): number {
  const shapes = new Map<string, number[]>()
  for (const [i, stream] of streams.entries()) {
    for (const { constant, axis } of stream.group.units[0]!.slices) {
      const shape = shapes.get(constant) ?? [...graph.constants.get(constant)!.shape]
      shapes.set(constant, shape)
      shape[axis]! -= sizeOf(stream) - widths[i]!
    }
  }
  return [...shapes.values()].reduce((sum, shape) => sum + elementCount(shape), 0)
}

function outcome(
  stream: Pick<Stream, 'group'>,
  graph: Graph,
  kept: number,
  { energy, reason }: Pick<FactorizedLayer, 'energy' | 'reason'>,
): FactorizedLayer {
  const size = sizeOf(stream)
  return {
    nodes: stream.group.layers,
    op: 'stream',
    shape: [size],
    ranks: [kept],
    energy,
    isOnSamples: true,
    parameters: parametersOf([stream], graph, [size]),
    parametersInParts: parametersOf([stream], graph, [kept]),
    isSplit: kept < size,
    reason,
  }
}
