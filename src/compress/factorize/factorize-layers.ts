/** Takes the layers of a model apart, and keeps apart those that are the smaller or faster for it. */

import { nodeKey, withGraph } from '../../ir/graphs.js'
import type { Graph, Model } from '../../ir/types.js'
import { multiplied } from '../../linalg/products.js'
import { freshNames } from '../../passes/names.js'
import { removeDead } from '../../passes/remove-dead.js'
import { rewriter } from '../quantize/rewrite.js'
import type { TransformEnv } from '../transform.js'
import { type Candidate, candidates, type Reach, splittable } from './candidates.js'
import { traceOf } from './covariance.js'
import { chooseCuts } from './cuts.js'
import { type Cut, composed, type Decompose, type Decomposition, depthOf, type Part, within } from './decompose.js'
import type { FactorizeParams } from './params.js'
import { splitOf } from './split.js'
import { judgeOf, type Verdict } from './worth.js'

/** What became of one weight. */
export interface FactorizedLayer extends Verdict {
  /** Of the nodes that read it; of a stream, of the layers that make it. */
  readonly nodes: readonly string[]
  /** `stream` where no weight was taken apart but a stream sliced: its shape and rank are its coordinates. */
  readonly op: string
  readonly shape: readonly number[]
  /** Between the parts, from the input's side to the output's. */
  readonly ranks: readonly number[]
  /**
   * Share that is kept, 1 where the layer stays whole: of the variance of what leaves the layer on the samples, or,
   * without them, of the weight's squares.
   */
  readonly energy: number
  /** Whether the energy is that on samples. */
  readonly isOnSamples: boolean
  readonly parameters: number
  /** Of the parts. */
  readonly parametersInParts: number
}

export interface Factorized {
  /** The same object where no layer is taken apart. */
  readonly model: Model
  readonly layers: readonly FactorizedLayer[]
}

/** Bytes are those of the file; a layer whose parts have no fewer parameters stays whole, whatever the time. */
export async function factorizeLayers(
  model: Model,
  method: { readonly decompose: Decompose; readonly reach: Reach },
  params: FactorizeParams,
  env: TransformEnv,
): Promise<Factorized> {
  const { graph } = model
  const engine = await env.engine()
  const found = await candidates(model, splittable(graph, method.reach, params.exclude), env)
  const decompositions: Decomposition[] = []
  for (const { weight, metric } of found) {
    env.signal?.throwIfAborted()
    decompositions.push(await method.decompose(weight, metric, engine))
    env.onProgress?.({ task: 'decomposing layers', done: decompositions.length, total: found.length })
  }
  const whole = found.map(({ weight }) => weight.matrix.length)
  const cuts = chooseCuts(decompositions, whole, params, env.onWarning)
  const judge = await judgeOf(model, found, params.for, env)
  const r = rewriter(graph, freshNames(model))
  const layers: FactorizedLayer[] = []
  for (const [i, candidate] of found.entries()) {
    env.signal?.throwIfAborted()
    const cut = cuts[i]!
    if (cut.parameters >= whole[i]!) {
      layers.push({ ...described(candidate, graph, cut), energy: 1, isSplit: false, reason: 'no fewer parameters' })
      continue
    }
    const parts = await decompositions[i]!.parts(cut)
    const { energy, shift } = await lossOf(candidate, parts, env)
    const split = splitOf(candidate, parts, shift, r)
    const verdict = await judge(candidate, split)
    if (verdict.isSplit) for (const [old, nodes] of split.replaced) r.replace(old, ...nodes)
    layers.push({ ...described(candidate, graph, cut), energy: verdict.isSplit ? energy : 1, ...verdict })
    env.onProgress?.({ task: 'taking layers apart', done: i + 1, total: found.length })
  }
  if (!layers.some(({ isSplit }) => isSplit)) return { model, layers }
  return { model: await removeDead.run(withGraph(model, r.finish()), env), layers }
}

const described = ({ readers, weight, metric }: Candidate, graph: Graph, { ranks, parameters }: Cut) => ({
  nodes: readers.map(({ layer }) => nodeKey(layer.node)),
  op: readers[0]!.layer.node.op,
  shape: graph.constants.get(readers[0]!.layer.weight)!.shape,
  ranks,
  isOnSamples: metric !== null,
  parameters: weight.matrix.length,
  parametersInParts: parameters,
})

interface Loss {
  readonly energy: number
  /** Of each reader, the mean of what is dropped: Δ E[x], [rows]; null where nothing is known or nothing can take it up. */
  readonly shift: readonly (Float64Array | null)[]
}

async function lossOf(
  { readers, weight, metric }: Candidate,
  parts: readonly Part[],
  env: TransformEnv,
): Promise<Loss> {
  const engine = await env.engine()
  const { matrix, rows } = weight
  const made = await composed(parts, weight, engine)
  const dropped = matrix.map((w, i) => w - made[i]!)
  const energyOf = async (w: Float64Array): Promise<number> => {
    return traceOf(await within(w, rows, metric, engine), rows)
  }
  const all = await energyOf(matrix)
  const shape = { m: rows, k: depthOf(weight), n: 1 }
  // The mean over samples that do not vary would hide on them alone what is lost.
  const shift: (Float64Array | null)[] = []
  for (const { bias, moments } of readers)
    shift.push(bias && moments && metric ? await multiplied(dropped, moments.mean, shape, engine) : null)
  const share = all > 0 ? 1 - (await energyOf(dropped)) / all : 1
  return { energy: Math.min(1, Math.max(0, share)), shift }
}
