/**
 * Bias correction (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section
 * 4.2 and appendix D, the empirical form). A layer whose weights were rounded by ΔW makes outputs that are off by
 * E[ΔW·x] on average, which the layers behind it see in every sample. That mean shift is measured on samples, channel by
 * channel, between the model before rounding and after it, and taken off the bias. Layers are corrected in the order in
 * which they compute, each on what the corrected ones before it hand on.
 *
 * Values of both models correspond by their names: rounding gives a layer's output a grid, but leaves it its name.
 */

import type { Samples } from '../../data/samples.js'
import { consumers, producers } from '../../ir/graphs.js'
import type { Graph, Model, Node } from '../../ir/types.js'
import { shapeOf } from '../../ops/def.js'
import { factFinder } from '../../passes/facts.js'
import { freshNames } from '../../passes/names.js'
import { removeDead } from '../../passes/remove-dead.js'
import { type ChannelTarget, channelStats } from '../channel-stats.js'
import type { Params, Transform, TransformEnv } from '../transform.js'
import { shiftBias } from './bias-shift.js'
import { rewriter } from './rewrite.js'

const params = {
  samples: {
    kind: 'number',
    default: 64,
    min: 1,
    max: 1e6,
    doc: 'samples that the means are taken over, at most',
  },
  exclude: { kind: 'names', default: [], doc: 'nodes whose biases stay as they are' },
} as const

type CorrectionParams = Params<typeof params>

export const biasCorrection: Transform<typeof params> = {
  id: 'quantize/bias-correction',
  summary: 'mean shifts of rounded layers taken off their biases',
  params,
  needsCalibration: false,
  role: 'corrects',
  refuses(_model, env) {
    const before = env.unrounded ?? env.teacher
    if (env.samples === undefined || before === undefined) return 'bias correction needs samples'
    return before.graph.nodes.some((node) => isLayer(node, before.graph)) ? null : 'no layer with constant weights'
  },
  async apply(model: Model, p: CorrectionParams, env) {
    const before = env.unrounded ?? env.teacher
    if (env.samples === undefined || before === undefined) return model
    const layers = roundedLayers(before, model, p.exclude)
    if (layers.length === 0) return model
    return removeDead.run(await correctInOrder(before, model, layers, env.samples, p.samples, env), env)
  },
}

/** A layer of the model before rounding whose weight is another one after it. */
interface Rounded {
  /** Its output, before rounding. */
  readonly target: ChannelTarget
  /** Rounded layers on the longest way to it. */
  readonly level: number
}

/** In graph order. A MatMul and the constant that is added behind it are one layer. */
function roundedLayers({ graph, ...model }: Model, after: Model, exclude: readonly string[]): readonly Rounded[] {
  const excluded = new Set(exclude)
  const facts = factFinder({ graph, ...model })
  const made = producers(after.graph)
  const readers = consumers(graph)
  const levels = new Map<string, number>()
  return graph.nodes.flatMap((node): readonly Rounded[] => {
    const before = Math.max(0, ...node.inputs.map((name) => levels.get(name) ?? 0))
    for (const out of node.outputs) levels.set(out, before)
    if (!isLayer(node, graph) || excluded.has(node.name) || excluded.has(node.outputs[0]!)) return []
    const name = withAdded(node, graph, readers)
    const rank = shapeOf(facts(name))?.length ?? 0
    const product = made.get(rawOf(node.outputs[0]!, made))
    if (rank < 2 || !made.has(rawOf(name, made)) || readsWeight(product, node, graph, after.graph)) return []
    for (const out of [...node.outputs, name]) levels.set(out, before + 1)
    const isConv = node.op === 'Conv' || node.op === 'ConvTranspose'
    return [{ target: { name, rank, axis: isConv ? 1 : rank - 1 }, level: before }]
  })
}

const LAYERS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul'])

const isLayer = (node: Node, { constants }: Graph): boolean =>
  node.domain === '' &&
  LAYERS.has(node.op) &&
  constants.get(node.inputs[1] ?? '')?.dtype === 'float32' &&
  !constants.has(node.inputs[0]!)

/** Still the same weight. */
function readsWeight(maker: Node | undefined, node: Node, before: Graph, after: Graph): boolean {
  const weight = after.constants.get(maker?.inputs[1] ?? '')
  return weight !== undefined && weight === before.constants.get(node.inputs[1]!)
}

/** The value of a layer with its bias: that of an Add of a vector that alone reads a MatMul. */
function withAdded(node: Node, graph: Graph, readersOf: ReadonlyMap<string, readonly Node[]>): string {
  const own = node.outputs[0]!
  const readers = readersOf.get(own) ?? []
  const [add] = readers
  if (node.op !== 'MatMul' || readers.length !== 1 || add?.op !== 'Add' || graph.outputs.includes(own)) return own
  const other = graph.constants.get(add.inputs.find((name) => name !== own) ?? '')
  return other?.dtype === 'float32' && other.shape.slice(0, -1).every((d) => d === 1) ? add.outputs[0]! : own
}

/** The value that a layer makes, before it is put on a grid under the layer's old name. */
function rawOf(name: string, made: ReadonlyMap<string, Node>): string {
  const dequantize = made.get(name)
  if (dequantize?.op !== 'DequantizeLinear') return name
  const quantize = made.get(dequantize.inputs[0]!)
  return quantize?.op === 'QuantizeLinear' ? quantize.inputs[0]! : name
}

/** Mean shifts below this part of the means are rounding errors of the measurement. */
const NEGLIGIBLE = 1e-6

async function correctInOrder(
  before: Model,
  model: Model,
  layers: readonly Rounded[],
  samples: Samples,
  limit: number,
  env: TransformEnv,
): Promise<Model> {
  const options = { limit, kind: 'mean' } as const
  const wanted = await channelStats(
    before,
    layers.map((l) => l.target),
    samples,
    env,
    options,
  )
  const levels = [...new Set(layers.map((l) => l.level))].toSorted((a, b) => a - b)
  let current = model
  for (const [done, level] of levels.entries()) {
    env.onProgress?.({ task: 'correcting biases', done, total: levels.length })
    const made = producers(current.graph)
    const together = layers
      .filter((l) => l.level === level)
      .map(({ target }) => ({ ...target, raw: rawOf(target.name, made) }))
    const found = await channelStats(
      current,
      together.map(({ raw, ...t }) => ({ ...t, name: raw })),
      samples,
      env,
      options,
    )
    const r = rewriter(current.graph, freshNames(current))
    for (const { name, raw, rank, axis } of together) {
      const [want, have] = [wanted.get(name)?.mean, found.get(raw)?.mean]
      if (want === undefined || have?.length !== want.length) continue
      const shift = want.map((v, c) => v - have[c]!)
      if (norm(shift) > NEGLIGIBLE * norm(want))
        shiftBias(r, raw, shift, axis === rank - 1 ? [] : Array(rank - 2).fill(1))
    }
    current = { ...current, graph: r.finish() }
  }
  return current
}

const norm = (values: Float64Array): number => Math.hypot(...values)
