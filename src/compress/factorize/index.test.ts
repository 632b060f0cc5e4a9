import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { samplesOf } from '../../../test/samples-of.js'
import { value } from '../../../test/small-models.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { float, int, ints, str } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { elementCount, f32, floats } from '../../ir/tensor.js'
import type { Attr, Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { random } from '../../util/random.js'
import { checkParams } from '../transform.js'
import { factorizeLayers } from './factorize-layers.js'
import { factorize } from './index.js'
import { factorizeSvd, SVD } from './svd.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())
const env = () => ({ engine: async () => engine })

/** A weight of this rank exactly, but for rounding, seen as [first, rest], or [all others, last]. */
function ofRank(shape: readonly number[], rank: number, seed: number): Tensor {
  const { normal } = random(seed)
  const [rows, rest] = shape.length === 2 ? shape : [shape[0]!, elementCount(shape.slice(1))]
  const [a, b] = [rows!, rest!].map((n) => Float64Array.from({ length: n * rank }, () => normal()))
  const data = Float32Array.from({ length: rows! * rest! }, (_, at) => {
    let sum = 0
    for (let k = 0; k < rank; k++) sum += a![Math.floor(at / rest!) * rank + k]! * b![(at % rest!) * rank + k]!
    return sum / Math.sqrt(rest!)
  })
  return f32(shape, data)
}

function modelWith(x: readonly (number | string)[], build: (b: Builder) => readonly string[]): Model {
  const b = builder()
  b.input('x', value('float32', x))
  for (const out of build(b)) b.output(out, value('float32', null))
  return modelOf(b.graph())
}

const normal = (shape: readonly number[], seed: number, mean = 0.5): Feeds => {
  const r = random(seed)
  return {
    x: f32(
      shape,
      Float32Array.from({ length: elementCount(shape) }, () => r.normal(mean)),
    ),
  }
}

const first = async (model: Model, feeds: Feeds): Promise<Float32Array> =>
  floats(Object.values(await outputsOf(engine, model, feeds, 'off'))[0]!)

/** ‖a − b‖ / ‖a‖ */
function error(a: Float32Array, b: Float32Array): number {
  expect(b.length).toBe(a.length)
  return Math.sqrt(a.reduce((n, v, i) => n + (v - b[i]!) ** 2, 0) / a.reduce((n, v) => n + v * v, 0))
}

const LAYERS: readonly (readonly [string, Model, readonly number[]])[] = [
  ['a MatMul', modelWith([2, 3, 30], (b) => [b.op('MatMul', ['x', b.constant(ofRank([30, 40], 3, 1))])]), [2, 3, 30]],
  ['a product of a vector', modelWith([30], (b) => [b.op('MatMul', ['x', b.constant(ofRank([30, 40], 3, 1))])]), [30]],
  [
    'a MatMul and its bias',
    modelWith([2, 3, 30], (b) => {
      const bias = b.constant(weights([1, 1, 40], 3))
      return [b.op('Add', [bias, b.op('MatMul', ['x', b.constant(ofRank([30, 40], 3, 1))])])]
    }),
    [2, 3, 30],
  ],
  [
    'a MatMul and one number a position',
    modelWith([2, 30, 30], (b) => [
      b.op('Add', [b.op('MatMul', ['x', b.constant(ofRank([30, 30], 3, 1))]), b.constant(weights([30, 1], 3))]),
    ]),
    [2, 30, 30],
  ],
  [
    'a Gemm and one number a row',
    modelWith([30, 30], (b) => [
      b.op('Gemm', ['x', b.constant(ofRank([30, 30], 3, 1)), b.constant(weights([30, 1], 3))]),
    ]),
    [30, 30],
  ],
  ['a Gemm', modelWith([4, 30], (b) => [b.op('Gemm', ['x', b.constant(ofRank([30, 40], 3, 1))])]), [4, 30]],
  [
    'a Gemm with turned weight and one bias for all',
    modelWith([4, 30], (b) => [
      b.op('Gemm', ['x', b.constant(ofRank([40, 30], 3, 1)), b.constant(f32([], [0.5]))], {
        attrs: { transB: int(1) },
      }),
    ]),
    [4, 30],
  ],
  [
    'a Conv in time',
    modelWith([1, 16, 11], (b) => [
      b.op('Conv', ['x', b.constant(ofRank([24, 16, 3], 3, 1)), b.constant(weights([24], 2))], {
        attrs: { pads: ints([2, 0]), dilations: ints([2]) },
      }),
    ]),
    [1, 16, 11],
  ],
  [
    'a Conv that pads as it needs',
    modelWith([1, 16, 7, 6], (b) => [
      b.op('Conv', ['x', b.constant(ofRank([24, 16, 3, 2], 3, 1))], {
        attrs: { auto_pad: str('SAME_UPPER'), strides: ints([2, 2]) },
      }),
    ]),
    [1, 16, 7, 6],
  ],
]

describe('a layer of low rank keeps its outputs, with fewer parameters and bytes', () => {
  test.each(LAYERS)('%s', async (_, model, shape) => {
    const feeds = normal(shape, 1)
    const before = await first(model, feeds)
    for (const samples of [undefined, samplesOf([normal(shape, 2), normal(shape, 3)])]) {
      const made = await factorize(model, { energy: 1 - 1e-9, ...(samples && { samples }) }, env())
      const [layer] = made.layers
      expect(layer).toMatchObject({ ranks: [3], isSplit: true, isOnSamples: samples !== undefined })
      expect(layer!.energy).toBeCloseTo(1, 6)
      expect(layer!.parametersInParts).toBeLessThan(layer!.parameters)
      expect(error(before, await first(made.model, feeds))).toBeLessThan(1e-5)
      expect(encodeModel(made.model).byteLength).toBeLessThan(encodeModel(model).byteLength)
    }
  })

  test('any plane Conv, in two and in three', async () => {
    const conv = fc.record({
      rank: fc.integer({ min: 1, max: 2 }),
      batch: fc.integer({ min: 1, max: 2 }),
      size: fc.tuple(fc.integer({ min: 5, max: 8 }), fc.integer({ min: 5, max: 8 })),
      kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2, max: 3 })),
      stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 })),
      dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
      pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 }),
      method: fc.constantFrom('svd', 'tucker', 'fewest'),
    })
    await fc.assert(
      fc.asyncProperty(conv, async ({ rank, batch, size, kernel, stride, dilation, pads, method }) => {
        const shape = [batch, 14, ...size]
        const attrs: Record<string, Attr> = {
          strides: ints(stride),
          dilations: ints(dilation),
          pads: ints(pads),
          kernel_shape: ints(kernel),
        }
        const model = modelWith(shape, (b) => [
          b.op('Conv', ['x', b.constant(ofRank([40, 14, ...kernel], rank, 5)), b.constant(weights([40], 6))], {
            attrs,
          }),
        ])
        const made = await factorize(model, { method, energy: 1 - 1e-9 }, env())
        const feeds = normal(shape, 7)
        expect(error(await first(model, feeds), await first(made.model, feeds))).toBeLessThan(1e-5)
      }),
      { numRuns: 15, seed: 2 },
    )
  })
})

describe('what is dropped', () => {
  const shape = [2, 12, 6, 5]
  const net = modelWith(shape, (b) => {
    const attrs = { pads: ints([1, 1, 1, 1]) }
    return [b.op('Conv', ['x', b.constant(weights([20, 12, 3, 3], 1)), b.constant(weights([20], 2))], { attrs })]
  })
  const feeds = [1, 2, 3].map((seed) => normal(shape, seed, 2))

  test.each(['svd', 'tucker', 'fewest'] as const)('has a mean that the bias takes up: %s', async (method) => {
    const { model } = await factorize(net, { method, energy: 0.4, samples: samplesOf(feeds) }, env())
    const sums = new Float64Array(20)
    const sizes = new Float64Array(20)
    for (const feed of feeds) {
      const [before, after] = [await first(net, feed), await first(model, feed)]
      before.forEach((v, i) => {
        const channel = Math.floor(i / 30) % 20
        sums[channel]! += v - after[i]!
        sizes[channel]! += Math.abs(v - after[i]!)
      })
    }
    for (const [c, sum] of sums.entries()) expect(Math.abs(sum)).toBeLessThan(1e-5 * sizes[c]!)
  })

  test('costs less on samples like those that it was chosen on', async () => {
    // Some inputs are ten times as large as others: weights alone do not know.
    const uneven = (seed: number): Feeds => {
      const { x } = normal([50, 24], seed, 0)
      return {
        x: f32(
          [50, 24],
          floats(x!).map((v, i) => (i % 24 < 6 ? 10 * v : v)),
        ),
      }
    }
    const dense = modelWith([50, 24], (b) => [b.op('Gemm', ['x', b.constant(weights([24, 30], 3))])])
    const options = { rank: 'ratio', ratio: 0.5 } as const
    const plain = await factorize(dense, options, env())
    const aware = await factorize(dense, { ...options, samples: samplesOf([1, 2, 3].map(uneven)) }, env())
    const before = await first(dense, uneven(9))
    const [far, near] = [
      error(before, await first(plain.model, uneven(9))),
      error(before, await first(aware.model, uneven(9))),
    ]
    expect(near).toBeLessThan(far / 2)
    // The energy is what the outputs keep.
    expect(1 - near ** 2).toBeCloseTo(aware.layers[0]!.energy, 1)
    expect(aware.layers[0]!.parametersInParts).toBeLessThanOrEqual(360)
  })
})

describe('samples that do not vary', () => {
  const shape = [1, 40]
  const model = modelWith(shape, (b) => {
    const [low, noise] = [floats(ofRank([40, 50], 4, 1)), floats(weights([40, 50], 2, 0.01))]
    const w = b.constant(
      f32(
        [40, 50],
        low.map((v, i) => v + noise[i]!),
      ),
    )
    return [b.op('Gemm', ['x', w, b.constant(weights([50], 3))])]
  })
  const one = normal(shape, 1)
  const zeros = { x: f32(shape, new Float32Array(40)) }

  test.each([
    ['one', [one]],
    ['one eight times', Array<Feeds>(8).fill(one)],
    ['only zeros', [zeros, zeros]],
  ])('tell nothing, and that is told: %s', async (_, feeds) => {
    const warnings: string[] = []
    const listening = { ...env(), onWarning: (message: string) => warnings.push(message) }
    const options = { rank: 'ratio', ratio: 0.3 } as const
    const made = await factorize(model, { ...options, samples: samplesOf(feeds) }, listening)
    const blind = await factorize(model, options, env())
    expect(warnings).toEqual([expect.stringContaining('does not vary')])
    expect(made.layers).toEqual(blind.layers)
    expect(made.layers[0]).toMatchObject({ isSplit: true, isOnSamples: false })
    const other = normal(shape, 9)
    expect(await first(made.model, other)).toEqual(await first(blind.model, other))
    expect(error(await first(model, other), await first(made.model, other))).toBeLessThan(0.1)
  })

  test('in some inputs, which are rounding alone beside their mean, do not make it keep more than all', async () => {
    const isSteady = (i: number): boolean => i % 40 < 36
    const uneven = modelWith([50, 40], (b) => {
      const w = floats(weights([40, 50], 2)).map((v, i) => (isSteady(Math.floor(i / 50)) ? 100 * v : v))
      return [b.op('Gemm', ['x', b.constant(f32([40, 50], w)), b.constant(weights([50], 3))])]
    })
    const feeds = Array.from({ length: 40 }, (_, seed) => ({
      x: f32(
        [50, 40],
        floats(normal([50, 40], seed, 0).x!).map((v, i) => (isSteady(i) ? 10 + (10 * (i % 40)) / 7 : v)),
      ),
    }))
    for (const ratio of [0.1, 0.5]) {
      const { layers } = await factorize(uneven, { rank: 'ratio', ratio, samples: samplesOf(feeds) }, env())
      expect(layers[0]!.isOnSamples).toBe(true)
      expect(layers[0]!.energy).toBeLessThanOrEqual(1)
      expect(layers[0]!.energy).toBeGreaterThanOrEqual(0)
    }
  })
})

describe('layers', () => {
  test('that share a weight share its parts', async () => {
    const model = modelWith([4, 30], (b) => {
      const w = b.constant(ofRank([30, 30], 2, 1), 'w')
      return [b.op('MatMul', [b.op('Tanh', [b.op('MatMul', ['x', w])]), w])]
    })
    const feeds = normal([4, 30], 1)
    const made = await factorize(model, { energy: 1 - 1e-9, samples: samplesOf([feeds]) }, env())
    expect(made.layers).toHaveLength(1)
    expect(made.layers[0]!.nodes).toHaveLength(2)
    expect([...made.model.graph.constants.values()].map(({ shape }) => shape)).toEqual([
      [30, 2],
      [2, 30],
    ])
    expect(error(await first(model, feeds), await first(made.model, feeds))).toBeLessThan(1e-5)
  })

  const two = modelWith([4, 30], (b) => [
    b.op('Gemm', ['x', b.constant(ofRank([30, 40], 2, 1), 'v')], { name: 'one' }),
    b.op('MatMul', ['x', b.constant(ofRank([30, 50], 2, 2), 'w')], { name: 'other' }),
    b.op('Gemm', ['x', b.constant(ofRank([30, 50], 2, 3), 'u')], { name: 'scaled', attrs: { alpha: float(2) } }),
  ])

  test('stay whole where they are excluded, or scale what they make', async () => {
    const { model, layers } = await factorize(two, { exclude: ['other'] }, env())
    expect(layers.map(({ nodes, isSplit }) => [nodes, isSplit])).toEqual([[['one'], true]])
    const weightOf = ({ graph }: Model, name: string) =>
      graph.constants.get(graph.nodes.find((node) => node.name === name)!.inputs[1]!)!.bytes()
    for (const name of ['other', 'scaled']) expect(weightOf(model, name)).toEqual(weightOf(two, name))
  })

  test('are measured where time decides, if it is known what enters them', async () => {
    const open = modelWith(['n', 30], (b) => [b.op('MatMul', ['x', b.constant(ofRank([30, 40], 2, 1), 'w')])])
    const params = checkParams(factorizeSvd, { for: 'latency' })
    const samples = samplesOf([normal([4, 30], 1)])
    const seen = await factorizeLayers(open, SVD, params, { ...env(), samples })
    const stated = await factorizeLayers(two, SVD, { ...params, exclude: ['scaled'] }, env())
    for (const { isSplit, time, reason } of [...seen.layers, ...stated.layers]) {
      expect(time!.ratio).toBeGreaterThan(0)
      expect(isSplit).toBe(time!.verdict === 'faster')
      expect(reason).toContain('measured')
    }
    const [blind] = (await factorizeLayers(open, SVD, params, env())).layers
    expect(blind).toMatchObject({ isSplit: false, reason: expect.stringContaining('not known') })
  })

  test('are measured without the bias that the model computes', async () => {
    const model = modelWith([4, 30], (b) => [
      b.op('Gemm', ['x', b.constant(ofRank([30, 40], 2, 1)), b.op('ReduceSum', ['x'])]),
    ])
    const { layers } = await factorizeLayers(model, SVD, checkParams(factorizeSvd, { for: 'latency' }), env())
    expect(layers).toHaveLength(1)
    expect(layers[0]!.time!.ratio).toBeGreaterThan(0)
  })

  test('keep what they must where no ratio is so small, and that is told', async () => {
    const warnings: string[] = []
    const listening = { ...env(), onWarning: (message: string) => warnings.push(message) }
    const plain = modelWith([4, 30], (b) => [b.op('MatMul', ['x', b.constant(weights([30, 30], 1))])])
    const { layers } = await factorize(plain, { rank: 'ratio', ratio: 0.01 }, listening)
    expect(layers[0]!.ranks).toEqual([1])
    // 60 of 900.
    expect(warnings).toEqual([expect.stringMatching(/ratio of 1\.00 % cannot be met.* 6\.67 %/)])
    await factorize(plain, { rank: 'ratio', ratio: 60 / 900 }, listening)
    expect(warnings).toHaveLength(1)
  })

  test('of which none gains anything are told of', async () => {
    const full = modelWith([4, 30], (b) => [b.op('MatMul', ['x', b.constant(weights([30, 30], 1))], { name: 'full' })])
    await expect(factorize(full, { energy: 0.999 }, env())).rejects.toThrow(
      expect.objectContaining({ code: 'FACTORIZE_NOTHING', message: expect.stringContaining('full') }),
    )
    await expect(factorize(full, { method: 'tucker' }, env())).rejects.toThrow(
      expect.objectContaining({ code: 'FACTORIZE_NOTHING', message: expect.stringContaining('kernel') }),
    )
    await expect(factorize(full, { exclude: ['full'] }, env())).rejects.toThrow(
      expect.objectContaining({ code: 'FACTORIZE_NOTHING', message: expect.stringContaining('excluded') }),
    )
  })

  test('know three methods and ranks of four kinds', async () => {
    const bad = { method: 'qr' } as unknown as { method: 'svd' }
    await expect(factorize(two, bad, env())).rejects.toThrow(expect.objectContaining({ code: 'FACTORIZE_METHOD' }))
    await expect(factorize(two, { energy: 2 }, env())).rejects.toThrow(
      expect.objectContaining({ code: 'PARAM_INVALID' }),
    )
    for (const rank of ['bic', 'vbmf'] as const) {
      const { layers } = await factorize(two, { rank, exclude: ['scaled'] }, env())
      // What rounding to float32 leaves is noise to them.
      expect(layers.map((layer) => layer.ranks)).toEqual([[2], [2]])
    }
  })
})
