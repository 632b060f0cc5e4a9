/**
 * The certificate of gradients: along random directions, the gradient of a graph is its central difference. A case is
 * one of `ops.ts`; what is differentiated is a weighted sum of its float outputs, by each of its float inputs.
 */

import { gradient, joined } from '../../src/autodiff/gradient.js'
import type { Engine, Session } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { int } from '../../src/ir/attrs.js'
import { builder, modelOf } from '../../src/ir/builder.js'
import { isFloat } from '../../src/ir/dtypes.js'
import { elementCount, numbers, tensor } from '../../src/ir/tensor.js'
import type { Graph, Model, Tensor } from '../../src/ir/types.js'
import { encodeModel } from '../../src/onnx/codec.js'
import { random } from '../../src/util/random.js'
import type { OpCase } from './ops.js'

/** Relative step and tolerance of a difference: in float64 the difference errs by h², in float32 rounding adds to it. */
const PRECISION = {
  float64: { step: 1e-5, tolerance: 1e-7 },
  float32: { step: 2e-3, tolerance: 1e-2 },
} as const
type Float = keyof typeof PRECISION

const floatTensor = (dtype: Float, shape: readonly number[], data: ArrayLike<number>): Tensor =>
  tensor(dtype, shape, dtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data))

/** The case's node on inputs, so that they can be moved; those that are not float stay constants. */
function graphOf(c: OpCase, dtype: Float): { readonly graph: Graph; readonly feeds: Record<string, Tensor> } {
  const b = builder()
  const feeds: Record<string, Tensor> = {}
  const names = (c.inputs ?? []).map((t, i) => {
    if (t === null) return ''
    if (!isFloat(t.dtype) || c.flat?.includes(i)) return b.constant(t, 'x')
    const name = b.fresh('x')
    feeds[name] = floatTensor(dtype, t.shape, redrawn(numbers(t)))
    return b.input(name, { kind: 'tensor', dtype, shape: t.shape })
  })
  const outputs = b.ops(c.op, names, { domain: c.domain ?? '', attrs: c.attrs ?? {}, outputs: c.outputs ?? 1 })
  for (const name of outputs) b.output(name)
  return { graph: b.graph(), feeds }
}

/** Elements between the same bounds, drawn anew: the cases' own may lie on a kink, where there is no derivative. */
function redrawn(data: ArrayLike<number>, seed = 3): Float64Array {
  const list = Array.from(data)
  const [low, high] = [Math.min(...list), Math.max(...list)]
  const { uniform } = random(seed)
  return low === high ? Float64Array.from(list) : Float64Array.from(list, () => uniform(low, high))
}

interface Weighted {
  /** The model with one output, the sum. */
  readonly model: Model
  readonly loss: string
  readonly weights: Readonly<Record<string, Tensor>>
}

/** Σ w ∘ y over the outputs that gradients flow through, the weights w as inputs of unknown size. */
async function weighted(
  c: OpCase,
  model: Model,
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Weighted> {
  const values = await session.run(feeds)
  const b = builder([...Object.keys(feeds), ...model.graph.nodes.flatMap((n) => [n.name, ...n.outputs])])
  const weights: Record<string, Tensor> = {}
  const parts = model.graph.outputs.slice(0, c.differentiable).flatMap((name, i) => {
    const { dtype, shape } = values[name]!
    if ((dtype !== 'float32' && dtype !== 'float64') || elementCount(shape) === 0) return []
    const { uniform } = random(i + 11)
    const weight = b.input(b.fresh('w'), { kind: 'tensor', dtype, shape: shape.map(() => null) })
    weights[weight] = floatTensor(
      dtype,
      shape,
      Array.from({ length: elementCount(shape) }, () => uniform(0.5, 1.5)),
    )
    return [b.op('ReduceSum', [b.op('Mul', [name, weight])], { attrs: { keepdims: int(0) } })]
  })
  const loss = parts.length === 1 ? parts[0]! : b.op('Sum', parts)
  const added = b.graph()
  const next = joined(model.graph, added)
  const inputs = [...model.graph.inputs, ...added.inputs]
  const stated = new Map([...model.graph.values, ...added.values])
  return { model: { ...model, graph: { ...next, inputs, values: stated, outputs: [loss] } }, loss, weights }
}

export interface GradientCheck {
  /** In words, where gradient and difference disagree; empty where they agree. */
  check(c: OpCase): Promise<readonly string[]>
  close(): Promise<void>
}

export async function openGradientCheck(): Promise<GradientCheck> {
  const engine = await openEngine({ threads: 1 })
  return {
    async check(c) {
      const dtype = await precisionFor(engine, c)
      return disagreements(engine, c, dtype)
    },
    close: () => engine.close(),
  }
}

const load = (engine: Engine, model: Model): Promise<Session> =>
  engine.load(encodeModel(model).bytes, { optimization: 'off' })

const modelFor = (c: OpCase, graph: Graph): Model =>
  modelOf(graph, { '': 21, ...(c.domain && { [c.domain]: c.version ?? 1 }) })

/** float64 where the engine has kernels for it, and does not round to float32 inside. */
async function precisionFor(engine: Engine, c: OpCase): Promise<Float> {
  if (c.inFloat32) return 'float32'
  try {
    const { graph, feeds } = graphOf(c, 'float64')
    const session = await load(engine, modelFor(c, graph))
    const results = Object.values(await session.run(feeds))
    await session.close()
    const digits = results.filter((t) => t.dtype === 'float64').flatMap((t) => [...numbers(t)])
    return digits.some((v) => Math.fround(v) !== v) ? 'float64' : 'float32'
  } catch {
    return 'float32'
  }
}

async function disagreements(engine: Engine, c: OpCase, dtype: Float): Promise<readonly string[]> {
  const { graph, feeds: moved } = graphOf(c, dtype)
  const plain = await load(engine, modelFor(c, graph))
  const { model, loss, weights } = await weighted(c, modelFor(c, graph), plain, moved)
  await plain.close()
  const feeds = { ...moved, ...weights }
  const forward = await load(engine, model)
  const { model: backward, gradients } = await gradient(model, { of: loss, wrt: Object.keys(moved) })
  const session = await load(engine, backward)
  const results = await session.run(feeds)
  const problems: string[] = []
  for (const [name, output] of gradients) {
    const g = results[output]!
    const x = feeds[name]!
    if (g.shape.join() !== x.shape.join()) problems.push(`${name}: gradient of shape [${g.shape}] for [${x.shape}]`)
    else problems.push(...(await alongDirections(forward, feeds, name, numbers(g), dtype, loss)))
  }
  await forward.close()
  await session.close()
  return problems.map((p) => `${p} (${dtype})`)
}

async function alongDirections(
  session: Session,
  feeds: Record<string, Tensor>,
  name: string,
  g: ArrayLike<number>,
  dtype: Float,
  loss: string,
): Promise<readonly string[]> {
  const { step, tolerance } = PRECISION[dtype]
  const x = Float64Array.from(numbers(feeds[name]!))
  const at = async (moved: Float64Array): Promise<number> => {
    const y = await session.run({ ...feeds, [name]: floatTensor(dtype, feeds[name]!.shape, moved) })
    return numbers(y[loss]!)[0]!
  }
  const problems: string[] = []
  for (const direction of directions(x.length)) {
    const up = x.map((v, i) => v + step * direction[i]!)
    const down = x.map((v, i) => v - step * direction[i]!)
    const difference = ((await at(up)) - (await at(down))) / (2 * step)
    const slope = direction.reduce((sum, d, i) => sum + d * g[i]!, 0)
    const scale = direction.reduce((sum, d, i) => sum + Math.abs(d * g[i]!), 0)
    if (!(Math.abs(difference - slope) <= tolerance * Math.max(1, scale)))
      problems.push(`${name}: gradient ${slope}, central difference ${difference}`)
  }
  return problems
}

/** Each element alone where there are few; else random signs, three times. */
function directions(length: number): readonly Float64Array[] {
  if (length <= 12) return Array.from({ length }, (_, k) => Float64Array.from({ length }, (__, i) => Number(i === k)))
  return [1, 2, 3].map((seed) => {
    const { uniform } = random(seed)
    return Float64Array.from({ length }, () => (uniform() < 0.5 ? -1 : 1))
  })
}
