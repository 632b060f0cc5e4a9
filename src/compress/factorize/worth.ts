/** Whether the parts of a layer are faster than the layer, measured by turns on the engine that the model is for. */

import type { Feeds } from '../../engine/engine.js'
import { type Ratio, ratio } from '../../engine/timing.js'
import { nodeKey } from '../../ir/graphs.js'
import { f32 } from '../../ir/tensor.js'
import type { Model, Node, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { shapeOf } from '../../ops/def.js'
import { factFinder } from '../../passes/facts.js'
import { random } from '../../util/random.js'
import type { Layer } from '../layers/layer.js'
import type { TransformEnv } from '../transform.js'

/** Milliseconds for one pair, and times of that where it is not told apart. */
const BUDGET_MS = 250
const PATIENCE = 3

/** Shapes of what enters layers, by its name: as the model states them, else of the first sample. */
export async function inputShapes(
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

/** Time of the chain over that of the layer, both alone, on inputs of the shape that are random. */
export async function timeRatio(
  model: Model,
  { node, input }: Layer,
  chain: readonly Node[],
  constants: ReadonlyMap<string, Tensor>,
  shape: readonly number[],
  env: TransformEnv,
): Promise<Ratio> {
  const alone = (nodes: readonly Node[]): Uint8Array => {
    const read = new Set(nodes.flatMap((n) => n.inputs))
    const known = new Map([...model.graph.constants, ...constants])
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
