/** Whether a layer is worth taking apart: by bytes in the file, or by time, measured by turns on the engine. */

import type { Feeds } from '../../engine/engine.js'
import { type Ratio, ratio } from '../../engine/timing.js'
import { nodeKey } from '../../ir/graphs.js'
import { f32 } from '../../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { shapeOf } from '../../ops/def.js'
import { factFinder } from '../../passes/facts.js'
import { nodeBytes, tensorBytes } from '../../passes/size.js'
import { random } from '../../util/random.js'
import type { Layer } from '../layers/layer.js'
import type { TransformEnv } from '../transform.js'
import type { Candidate } from './candidates.js'
import type { FactorizeParams } from './params.js'
import type { Split } from './split.js'

/** Milliseconds for one pair, and times of that where it is not told apart. */
const BUDGET_MS = 250
const PATIENCE = 3

export interface Verdict {
  readonly isSplit: boolean
  /** In a few words. */
  readonly reason: string
  /** Time of the parts over that of the layer, where that decided. */
  readonly time?: Ratio
}

/** Says of each weight whether it is taken apart. */
export async function judgeOf(
  model: Model,
  found: readonly Candidate[],
  goal: FactorizeParams['for'],
  env: TransformEnv,
): Promise<(candidate: Candidate, split: Split) => Promise<Verdict>> {
  if (goal === 'size') {
    return async ({ readers }, split) => {
      const [before, after] = bytesOf(readers[0]!.layer, split, model.graph)
      return { isSplit: after < before, reason: after < before ? 'fewer bytes' : 'no fewer bytes' }
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

/** Shapes of what enters layers, by its name: as the model states them, else of the first sample. */
async function inputShapes(
  model: Model,
  layers: readonly Layer[],
  env: TransformEnv,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const factOf = factFinder(model)
  const shapes = new Map<string, readonly number[]>()
  const open = new Set<string>()
  for (const { input } of layers) {
    const shape = shapeOf(factOf(input))
    if (shape?.every((d) => typeof d === 'number')) shapes.set(input, shape as readonly number[])
    else open.add(input)
  }
  if (open.size === 0 || env.samples === undefined) return shapes
  const engine = await env.engine()
  const outputs = [...open].filter((name) => !model.graph.inputs.includes(name))
  const tapped = outputs.length === 0 ? model : { ...model, graph: { ...model.graph, outputs } }
  const session = await engine.load(encodeModel(tapped).bytes)
  try {
    for await (const { feeds } of env.samples.read()) {
      const values: Feeds = { ...feeds, ...(await session.run(feeds)) }
      for (const name of open) if (values[name] !== undefined) shapes.set(name, values[name].shape)
      break
    }
  } finally {
    await session.close()
  }
  return shapes
}

/**
 * Time of the chain over that of the layer, both alone, on inputs of the shape that are random. Zeros stand for a bias that
 * the model computes.
 */
async function timeRatio(
  model: Model,
  { node, input, rows, groups }: Layer,
  chain: readonly Node[],
  constants: ReadonlyMap<string, Tensor>,
  shape: readonly number[],
  env: TransformEnv,
): Promise<Ratio> {
  const known = new Map([...model.graph.constants, ...constants])
  const bias = node.inputs[2] ?? ''
  if (bias !== '' && bias !== input && !known.has(bias))
    known.set(bias, f32([rows * groups], new Float32Array(rows * groups)))
  const alone = (nodes: readonly Node[]): Uint8Array => {
    const read = new Set(nodes.flatMap((n) => n.inputs))
    const graph = {
      name: nodeKey(node),
      inputs: [input],
      outputs: [node.outputs[0]!],
      nodes,
      constants: new Map([...known].filter(([name]) => read.has(name))),
      values: new Map([[input, { kind: 'tensor', dtype: 'float32', shape } as const]]),
    }
    return encodeModel({ ...model, functions: [], graph }).bytes
  }
  const { normal } = random(env.seed ?? 0)
  const x = f32(
    shape,
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => normal()),
  )
  const engine = await env.engine()
  const [whole, parts] = await engine.measure([alone([node]), alone(chain)], [{ [input]: x }], {
    budgetMs: BUDGET_MS,
    patience: PATIENCE,
    ...(env.signal && { signal: env.signal }),
  })
  return ratio(whole!.runs, parts!.runs)
}
