import { afterAll, beforeAll, expect, test } from 'vitest'
import { cutNeurons, spareModel } from '../../../test/prunable.js'
import { rowSamples } from '../../../test/search-models.js'
import type { Samples } from '../../data/samples.js'
import { comparison } from '../../engine/compare.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { ints } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { nodeKey } from '../../ir/graphs.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { random } from '../../util/random.js'
import { quantizeDynamic } from '../quantize/dynamic.js'
import { storeInt2 } from '../store/blocks.js'
import { checkParams, type TransformEnv } from '../transform.js'
import { recoverDistill } from './distill.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const original = spareModel()
const env = (more: Partial<TransformEnv> = {}): TransformEnv => ({
  engine: async () => engine,
  teacher: original,
  samples: rowSamples(400),
  seed: 1,
  ...more,
})
const cut = (): Promise<Model> => cutNeurons.apply(original, { ratio: 0.3 }, env())
const params = (given: Readonly<Record<string, unknown>> = {}) =>
  checkParams(recoverDistill, { steps: 150, learningRate: 0.01, ...given })

/** ‖model − original‖ ÷ ‖original‖ on samples that nothing was learned from. */
async function errorOf(model: Model): Promise<number> {
  const sums = comparison()
  const [a, b] = [await engine.load(encodeModel(original).bytes), await engine.load(encodeModel(model).bytes)]
  for await (const { feeds } of rowSamples(100, 99).read()) sums.add(await a.run(feeds), await b.run(feeds))
  await a.close()
  await b.close()
  return sums.differences().get('y')!.relativeL2
}

test('a cut network answers more like the original again, and is as small as before', async () => {
  const before = await cut()
  const losses: number[] = []
  const recovered = await recoverDistill.apply(before, params(), env({ onRecovered: (l) => losses.push(...l) }))
  expect(await errorOf(recovered)).toBeLessThan(0.75 * (await errorOf(before)))
  expect([...recovered.graph.constants].map(([name, t]) => [name, t.shape])).toEqual(
    [...before.graph.constants].map(([name, t]) => [name, t.shape]),
  )
  expect(losses.length).toBeGreaterThan(1)
  expect(losses.at(-1)!).toBeLessThan(losses[0]!)
})

test('of the original itself there is nothing to recover, unless its weights will be rounded', async () => {
  expect(await recoverDistill.apply(original, params(), env())).toBe(original)
  const rounded = (model: Model): Promise<Model> =>
    storeInt2.apply(model, checkParams(storeInt2, { minElements: 512 }), env())
  const recovered = await recoverDistill.apply(
    original,
    params({ grid: 'store-int2', steps: 600, learningRate: 0.003 }),
    env(),
  )
  expect(await errorOf(await rounded(recovered))).toBeLessThan(0.95 * (await errorOf(await rounded(original))))
  // The weights lie on the grid already: storing them changes nothing.
  expect(await errorOf(await rounded(recovered))).toBeCloseTo(await errorOf(recovered), 6)
})

test('where the grid has no weight to round nothing is rounded', async () => {
  // Of two layers both are spared.
  const before = await cut()
  const recovered = await recoverDistill.apply(before, params({ grid: 'ternary' }), env())
  expect(await errorOf(recovered)).toBeLessThan(0.75 * (await errorOf(before)))
})

test('one seed makes the same bytes, another one others', async () => {
  const bytes = async (seed: number) =>
    encodeModel(await recoverDistill.apply(await cut(), params({ steps: 20 }), env({ seed }))).bytes
  const first = await bytes(1)
  expect(await bytes(1)).toEqual(first)
  expect(await bytes(2)).not.toEqual(first)
})

test('labels can be learned too', async () => {
  const samples = rowSamples(200)
  const labelled: Samples = {
    ...samples,
    async *read() {
      let i = 0
      for await (const s of samples.read()) yield { ...s, label: i++ % 8 }
    },
  }
  const losses: number[] = []
  const onRecovered = (l: readonly number[]) => losses.push(...l)
  await recoverDistill.apply(await cut(), params({ aim: 'labels' }), env({ training: labelled, onRecovered }))
  expect(losses.at(-1)!).toBeLessThan(losses[0]!)
})

test('refuses what cannot be recovered, with the reason', async () => {
  const refuses = recoverDistill.refuses
  const { samples: _, ...none } = env()
  expect(refuses(await cut(), none)).toContain('no samples')
  const integers = await quantizeDynamic.apply(original, checkParams(quantizeDynamic, {}), env())
  expect(refuses(integers, env())).toContain('integers')
  expect(refuses(await cut(), env())).toBe(null)
})

test.each(['MatMulBnb4', 'QGemm', 'QAttention', 'MatMulNBits', 'QLinearConv', 'ConvInteger'])(
  'refuses a model with %s',
  async (op) => {
    const before = await cut()
    const nodes = before.graph.nodes.map((n) => (n.op === 'Relu' ? { ...n, op } : n))
    expect(recoverDistill.refuses({ ...before, graph: { ...before.graph, nodes } }, env())).toContain('integers')
  },
)

test('excluded nodes keep their weights, and where all are excluded nothing changes', async () => {
  const before = await cut()
  const layers = before.graph.nodes.filter((n) => n.inputs.some((i) => before.graph.constants.has(i))).map(nodeKey)
  const [first] = layers as [string]
  const recovered = await recoverDistill.apply(before, params({ steps: 20, exclude: [first] }), env())
  const node = before.graph.nodes.find((n) => nodeKey(n) === first)!
  const weights = node.inputs.filter((name) => before.graph.constants.has(name))
  for (const [name, t] of before.graph.constants) {
    const isSame = Buffer.compare(recovered.graph.constants.get(name)!.bytes(), t.bytes()) === 0
    if (weights.includes(name)) expect(isSame, name).toBe(true)
  }
  expect(await errorOf(recovered)).not.toBe(await errorOf(before))
  expect(await recoverDistill.apply(before, params({ exclude: layers }), env())).toBe(before)
})

test('a weight that an excluded node reads through another node stays too', async () => {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: ['n', 16] })
  const { normal } = random(5)
  const drawn = (): string =>
    b.constant(
      f32(
        [16, 16],
        Float32Array.from({ length: 256 }, () => normal()),
      ),
      'w',
    )
  const [w, v] = [drawn(), drawn()]
  const turned = b.op('Transpose', [w], { attrs: { perm: ints([1, 0]) } })
  const hidden = b.op('Relu', [b.op('MatMul', ['x', turned], { name: 'first' })])
  b.ops('MatMul', [hidden, v], { name: 'second', outputs: ['y'] })
  b.output('y', { kind: 'tensor', dtype: 'float32', shape: ['n', 16] })
  const model = modelOf(b.graph())
  const halved = f32(
    [16, 16],
    floats(model.graph.constants.get(v)!).map((x) => x / 2),
  )
  const changed = { ...model, graph: { ...model.graph, constants: new Map([...model.graph.constants, [v, halved]]) } }
  const recovered = await recoverDistill.apply(
    changed,
    params({ steps: 20, exclude: ['first'] }),
    env({ teacher: model, samples: rowSamples(400, 7, 16) }),
  )
  const bytesOf = (m: Model, name: string) => m.graph.constants.get(name)!.bytes()
  expect(Buffer.compare(bytesOf(recovered, w), bytesOf(model, w))).toBe(0)
  expect(Buffer.compare(bytesOf(recovered, v), bytesOf(changed, v))).not.toBe(0)
})
