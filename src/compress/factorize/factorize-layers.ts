/** Takes the layers of a model apart, and keeps apart those that are the smaller or faster for it. */

import type { Ratio } from '../../engine/timing.js'
import { nodeKey, withGraph } from '../../ir/graphs.js'
import type { Graph, Model, Node, Tensor } from '../../ir/types.js'
import { multiplied } from '../../linalg/products.js'
import { freshNames } from '../../passes/names.js'
import { removeDead } from '../../passes/remove-dead.js'
import { nodeBytes, tensorBytes } from '../../passes/size.js'
import type { Layer } from '../layers/layer.js'
import { rewriter, withInput } from '../quantize/rewrite.js'
import type { TransformEnv } from '../transform.js'
import { raisedBias } from './bias.js'
import { type Candidate, candidates, type Reach, splittable } from './candidates.js'
import { chooseCuts } from './cuts.js'
import { type Cut, composed, type Decompose, type Decomposition, depthOf, type Part, within } from './decompose.js'
import type { FactorizeParams } from './params.js'
import { chainNodes, partTensor } from './split.js'
import { inputShapes, timeRatio } from './worth.js'

/** What became of one weight. */
export interface FactorizedLayer {
  /** Of the nodes that read it. */
  readonly nodes: readonly string[]
  readonly op: string
  readonly shape: readonly number[]
  /** Between the parts, from the input's side to the output's. */
  readonly ranks: readonly number[]
  /** Share that is kept: of the variance of what leaves the layer on the samples, or, without them, of the weight's squares. */
  readonly energy: number
  /** Whether the energy is that on samples. */
  readonly isOnSamples: boolean
  readonly parameters: number
  /** Of the parts. */
  readonly parametersInParts: number
  readonly isSplit: boolean
  /** Why it is or is not, in a few words. */
  readonly reason: string
  /** Measured time of the parts over that of the layer, where that decided. */
  readonly time?: Ratio
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
  const cuts = chooseCuts(decompositions, whole, params)
  const judge = await judgeOf(model, found, params, env)
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
    const split = splitOf(candidate, parts, shift, r, graph)
    const verdict = await judge(candidate, split)
    if (verdict.isSplit) for (const [old, nodes] of split.replaced) r.replace(old, ...nodes)
    layers.push({ ...described(candidate, graph, cut), energy, ...verdict })
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
    const square = await within(w, rows, metric, engine)
    return square.reduce((sum, v, i) => sum + (i % (rows + 1) === 0 ? v : 0), 0)
  }
  const all = await energyOf(matrix)
  const shape = { m: rows, k: depthOf(weight), n: 1 }
  const shift: (Float64Array | null)[] = []
  for (const { bias, moments } of readers)
    shift.push(bias && moments ? await multiplied(dropped, moments.mean, shape, engine) : null)
  return { energy: all > 0 ? 1 - (await energyOf(dropped)) / all : 1, shift }
}

interface Split {
  readonly constants: ReadonlyMap<string, Tensor>
  /** Nodes and what stands for them. */
  readonly replaced: ReadonlyMap<Node, readonly Node[]>
}

/** The constants are the rewriter's already; those that nothing reads in the end go with what is dead. */
function splitOf(
  { readers, weight }: Candidate,
  parts: readonly Part[],
  shift: Loss['shift'],
  r: ReturnType<typeof rewriter>,
  graph: Graph,
): Split {
  const constants = new Map<string, Tensor>()
  const constant = (t: Tensor, hint: string): string => {
    const name = r.constant(t, hint)
    constants.set(name, t)
    return name
  }
  const { layer: first } = readers[0]!
  const names = parts.map((part) => constant(partTensor(part, weight.kernel), `${first.weight}_part`))
  const replaced = new Map<Node, readonly Node[]>()
  for (const [i, { layer, bias }] of readers.entries()) {
    const chain = chainNodes(layer, parts, names, layer.node.outputs[0]!, r.fresh)
    const by = shift[i]
    const last = chain.at(-1)!
    if (!by || bias === null) replaced.set(layer.node, chain)
    else {
      const name = constant(
        raisedBias(bias, by),
        `${graph.constants.has(bias.node.inputs[bias.input] ?? '') ? bias.node.inputs[bias.input] : first.weight}_mean`,
      )
      if (bias.node === layer.node)
        replaced.set(layer.node, [...chain.slice(0, -1), { ...last, inputs: [...last.inputs.slice(0, 2), name] }])
      else {
        replaced.set(layer.node, chain)
        replaced.set(bias.node, [withInput(bias.node, bias.input, name)])
      }
    }
  }
  return { constants, replaced }
}

type Verdict = Pick<FactorizedLayer, 'isSplit' | 'reason' | 'time'>

async function judgeOf(
  model: Model,
  found: readonly Candidate[],
  params: FactorizeParams,
  env: TransformEnv,
): Promise<(candidate: Candidate, split: Split) => Promise<Verdict>> {
  if (params.for === 'size') {
    return async ({ readers }, split) => {
      const [before, after] = bytesOf(readers[0]!.layer, split, model.graph)
      return { isSplit: after < before, reason: after < before ? `${before - after} bytes fewer` : 'no fewer bytes' }
    }
  }
  const firsts = found.map(({ readers }) => readers[0]!.layer)
  const shapes = await inputShapes(model, firsts, env)
  return async ({ readers }, { constants, replaced }) => {
    // Of several that share a weight the first stands for all.
    const { layer } = readers[0]!
    const shape = shapes.get(layer.input)
    if (shape === undefined) return { isSplit: false, reason: 'the shape of what enters it is not known' }
    const time = await timeRatio(model, layer, replaced.get(layer.node)!, constants, shape, env)
    const isSplit = time.verdict === 'faster'
    return {
      isSplit,
      reason: isSplit ? 'measured faster' : `measured ${time.verdict === 'same' ? 'no faster' : 'slower'}`,
      time,
    }
  }
}

/** Of the file, before and after. */
function bytesOf({ weight }: Layer, { constants, replaced }: Split, graph: Graph): readonly [number, number] {
  const sum = (values: Iterable<number>): number => [...values].reduce((n, v) => n + v, 0)
  const old = sum([...replaced.keys()].map(nodeBytes)) + tensorBytes(weight, graph.constants.get(weight)!)
  const now = sum([...replaced.values()].flat().map(nodeBytes)) + sum([...constants].map(([n, t]) => tensorBytes(n, t)))
  return [old, now]
}

/** What the layers that are taken apart have lost in parameters. */
export const parametersOf = (
  layers: readonly FactorizedLayer[],
): { readonly before: number; readonly after: number } => ({
  before: layers.reduce((sum, l) => sum + l.parameters, 0),
  after: layers.reduce((sum, l) => sum + (l.isSplit ? l.parametersInParts : l.parameters), 0),
})
