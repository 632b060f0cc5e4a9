import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calibratedEnv, feedsOf, stream } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import type { Samples } from '../../data/samples.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int, ints } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { producers } from '../../ir/graphs.js'
import { floats } from '../../ir/tensor.js'
import type { Dim, Graph, Model } from '../../ir/types.js'
import { type ChannelTarget, channelStats } from '../channel-stats.js'
import { applySteps, type RecipeStep } from '../recipes.js'
import type { TransformEnv } from '../transform.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

interface Case {
  readonly model: Model
  /** What its layers make. */
  readonly targets: readonly ChannelTarget[]
}

function caseOf(input: readonly Dim[], rank: number, build: (b: Builder) => readonly string[]): Case {
  const b = builder()
  b.input('x', value('float32', input))
  const layers = build(b)
  b.output(layers.at(-1)!, value('float32', null))
  const targets = layers.map((name) => ({ name, rank, axis: rank === 4 ? 1 : rank - 1 }))
  return { model: modelOf(b.graph()), targets }
}

/** Convolutions with and without a bias, one of them depthwise, one straight behind another. */
const convolutions = (): Case =>
  caseOf([1, 4, 10, 10], 4, (b) => {
    const layer = (x: string, shape: readonly number[], seed: number, hasBias: boolean, group = 1): string => {
      const bias = hasBias ? [b.constant(weights([shape[0]!], seed + 9), 'b')] : []
      const pad = (shape[2]! - 1) / 2
      return b.op('Conv', [x, b.constant(weights(shape, seed), 'w'), ...bias], {
        name: `conv${seed}`,
        attrs: { group: int(group), pads: ints([pad, pad, pad, pad]) },
      })
    }
    const first = layer(b.op('Abs', ['x']), [16, 4, 3, 3], 1, true)
    const second = layer(b.op('Relu', [first]), [16, 1, 3, 3], 2, false, 16)
    const third = layer(second, [12, 16, 1, 1], 3, false)
    return [first, second, third, layer(b.op('Relu', [third]), [20, 12, 3, 3], 4, true)]
  })

/** Gemm, MatMul with a constant added to it, MatMul alone. */
const products = (): Case =>
  caseOf(['n', 32], 2, (b) => {
    const first = b.op(
      'Gemm',
      [b.op('Abs', ['x']), b.constant(weights([48, 32], 1), 'w'), b.constant(weights([48], 2), 'b')],
      {
        attrs: { transB: int(1) },
      },
    )
    const product = b.op('MatMul', [b.op('Relu', [first]), b.constant(weights([48, 40], 3), 'w')])
    const second = b.op('Add', [product, b.constant(weights([40], 4), 'b')])
    return [first, second, b.op('MatMul', [b.op('Tanh', [second]), b.constant(weights([40, 36], 5), 'w')])]
  })

const plan: readonly (readonly [string, () => Case, readonly RecipeStep[]])[] = [
  ['convolutions in static int8', convolutions, [{ transform: 'quantize/static', params: { perChannel: false } }]],
  ['convolutions stored in int4', convolutions, [{ transform: 'store/int4', params: {} }]],
  ['products in static int8', products, [{ transform: 'quantize/static', params: {} }]],
  ['products in blocks of 4 bits', products, [{ transform: 'quantize/nbits', params: {} }]],
  ['products in dynamic int8', products, [{ transform: 'quantize/dynamic', params: { perChannel: false } }]],
  [
    'products equalized, in blocks of 4 bits, their biases stored',
    products,
    [
      { transform: 'equalize/weights', params: {} },
      { transform: 'quantize/nbits', params: {} },
      { transform: 'store/int8', params: { minElements: 16 } },
    ],
  ],
]

const CORRECT: RecipeStep = { transform: 'quantize/bias-correction', params: {} }

async function envFor({ model }: Case): Promise<TransformEnv & { readonly samples: Samples }> {
  const feeds = await feedsOf(engine, model, [1, 2, 3, 4, 5, 6])
  const samples: Samples = {
    name: 'feeds',
    count: feeds.length,
    read: () => stream(feeds.map((f, i) => ({ feeds: f, name: `${i}` }))),
  }
  return { ...(await calibratedEnv(engine, model, feeds)), samples, teacher: model }
}

/** ‖E[y after] − E[y before]‖ of each layer over all samples, where y goes to a grid: before it does. */
async function shiftsOf(
  before: Model,
  after: Model,
  targets: Case['targets'],
  env: Awaited<ReturnType<typeof envFor>>,
) {
  const made = producers(after.graph)
  const raw = targets.map((t) => {
    const dequantize = made.get(t.name)!
    return { ...t, name: dequantize.op === 'DequantizeLinear' ? made.get(dequantize.inputs[0]!)!.inputs[0]! : t.name }
  })
  const [a, b] = [
    await channelStats(before, targets, env.samples, env, { kind: 'mean' }),
    await channelStats(after, raw, env.samples, env, { kind: 'mean' }),
  ]
  return targets.map(({ name }, i) => {
    const [want, have] = [a.get(name)!.mean, b.get(raw[i]!.name)!.mean]
    return Math.hypot(...want.map((v, c) => have[c]! - v))
  })
}

/** Half of the largest step of biases that are integers, for so many channels at once. */
function biasStep({ graph }: Model): number {
  const integers = graph.nodes.filter((n) => graph.constants.get(n.inputs[0] ?? '')?.dtype === 'int32')
  const scales = integers.flatMap((n) => [...numbersOf(graph, n.inputs[1]!)])
  return (Math.max(0, ...scales) / 2) * Math.sqrt(48)
}

function numbersOf(graph: Graph, name: string): readonly number[] {
  const constant = graph.constants.get(name)
  if (constant !== undefined) return [...floats(constant)]
  const [a, b] = producers(graph)
    .get(name)!
    .inputs.map((input) => floats(graph.constants.get(input)!))
  return [...a!].map((v) => v * b![0]!)
}

describe.each(plan)('%s', (_, make, steps) => {
  test('the mean of each layer is that before rounding', async () => {
    const c = make()
    const env = await envFor(c)
    const prepared = await applySteps(
      c.model,
      steps.filter((s) => s.transform.startsWith('equalize')),
      env,
    )
    const rounded = await applySteps(c.model, steps, env)
    const corrected = await applySteps(c.model, [...steps, CORRECT], env)
    const before = await shiftsOf(prepared, rounded, c.targets, env)
    const after = await shiftsOf(prepared, corrected, c.targets, env)
    const step = biasStep(corrected)
    expect(before.every((shift) => shift > 3 * step)).toBe(true)
    for (const [i, shift] of after.entries()) expect(shift, c.targets[i]!.name).toBeLessThan(1e-3 * before[i]! + step)
  })
})

test('biases of excluded layers stay, and so does a model that nothing rounded', async () => {
  const c = convolutions()
  const env = await envFor(c)
  const steps = [{ transform: 'store/int4', params: {} }]
  const all = ['conv1', 'conv2', 'conv3', 'conv4']
  const rounded = await applySteps(c.model, steps, env)
  const excluded = await applySteps(c.model, [...steps, { ...CORRECT, params: { exclude: all } }], env)
  expect(excluded.graph.nodes.filter((n) => n.op === 'Conv')).toEqual(
    rounded.graph.nodes.filter((n) => n.op === 'Conv'),
  )
  expect(await applySteps(c.model, [CORRECT], env)).toBe(c.model)
})

test('without samples there is nothing to measure', async () => {
  const { model } = convolutions()
  const rounded = await applySteps(model, [{ transform: 'store/int4', params: {} }], { engine: async () => engine })
  expect(await applySteps(rounded, [CORRECT], { engine: async () => engine, teacher: model })).toBe(rounded)
})
