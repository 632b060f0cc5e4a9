import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../../test/calibrated.js'
import { weights } from '../../../../test/compress-models.js'
import { network } from '../../../../test/networks.js'
import { modelOfX, samplesFor } from '../../../../test/prune-models.js'
import { randomFeeds } from '../../../../test/random-feeds.js'
import { samplesOf } from '../../../../test/samples-of.js'
import type { Engine, Feeds } from '../../../engine/engine.js'
import { openEngine } from '../../../engine/node/open.js'
import { float, int, ints } from '../../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../../ir/builder.js'
import { f32, floats } from '../../../ir/tensor.js'
import type { Dim, Model, Tensor } from '../../../ir/types.js'
import { openProducts } from '../../../linalg/products.js'
import { encodeModel } from '../../../onnx/codec.js'
import { inspectModel } from '../../../passes/inspect.js'
import * as layers from '../../../train/layers/index.js'
import { sequential } from '../../../train/layers/sequential.js'
import { inputMoments } from '../../layers/moments.js'
import { checkParams } from '../../transform.js'
import { factorize } from '../index.js'
import { normedDirections, readDirections } from './basis.js'
import { factorizeSlice } from './slice.js'
import { findStreams } from './streams.js'
import { epsilonOf, type Turn, turnedNorm, turnStreams } from './turn.js'
import { affineOf, normedViews, readerViews } from './views.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const envOf = (model: Model, count = 40) => ({ engine: async () => engine, samples: samplesFor(model, count), seed: 0 })

/** ‖a − b‖ / ‖a‖ over all outputs of some inputs. */
async function distance(a: Model, b: Model, inputs: readonly Feeds[]): Promise<number> {
  let [difference, size] = [0, 0]
  for (const feeds of inputs) {
    const [before, after] = [await outputsOf(engine, a, feeds, 'off'), await outputsOf(engine, b, feeds)]
    for (const [name, t] of Object.entries(before)) {
      const other = floats(after[name]!)
      floats(t).forEach((v, i) => {
        difference += (v - other[i]!) ** 2
        size += v * v
      })
    }
  }
  return Math.sqrt(difference / size)
}

async function feedsOf(model: Model, count: number): Promise<readonly Feeds[]> {
  const list: Feeds[] = []
  for await (const { feeds } of samplesFor(model, count).read({})) list.push(feeds)
  return list
}

const matmul = (b: Builder, x: string, shape: readonly number[], seed: number, name: string): string =>
  b.op('MatMul', [x, b.constant(weights(shape, seed), `${name}_w`)], { name })

const affine = (b: Builder, x: string, shape: readonly number[], seed: number, name: string): string =>
  b.op('Add', [matmul(b, x, shape, seed, name), b.constant(weights([shape[1]!], seed + 50), `${name}_b`)])

const conv = (b: Builder, x: string, shape: readonly number[], seed: number, name: string, group = 1): string => {
  const pad = (shape[2]! - 1) / 2
  const [w, bias] = [
    b.constant(weights(shape, seed), `${name}_w`),
    b.constant(weights([shape[0]!], seed + 50), `${name}_b`),
  ]
  return b.op('Conv', [x, w, bias], { name, attrs: { pads: ints([pad, pad, pad, pad]), group: int(group) } })
}

const layerNorm = (b: Builder, x: string, size: number, seed: number): string => {
  const scale = f32(
    [size],
    floats(weights([size], seed, 0.2)).map((v) => 1 + v),
  )
  return b.op('LayerNormalization', [x, b.constant(scale, 'g'), b.constant(weights([size], seed + 1), 'h')], {
    attrs: { axis: int(-1), epsilon: float(0.01) },
  })
}

/** One layer makes the stream of 12, and one reads it. */
const PAIR = modelOfX(['n', 20], (b) => matmul(b, matmul(b, 'x', [20, 12], 1, 'first'), [12, 7], 2, 'second'))

/** Inverted residual blocks on a stream of 10, which a convolution of 3 x 3 reads too. */
const BLOCKS = modelOfX([1, 4, 6, 6], (b) => {
  const block = (x: string, seed: number): string =>
    b.op('Add', [
      x,
      conv(b, b.op('Relu', [conv(b, x, [24, 10, 1, 1], seed, `in${seed}`)]), [10, 24, 1, 1], seed + 1, `out${seed}`),
    ])
  const stream = block(block(conv(b, 'x', [10, 4, 3, 3], 1, 'stem'), 2), 4)
  const both = b.op('Concat', [b.op('Sigmoid', [conv(b, 'x', [3, 4, 1, 1], 9, 'side')]), stream], {
    attrs: { axis: int(1) },
  })
  return conv(b, both, [5, 13, 3, 3], 6, 'head')
})

/** Two pre-normalized blocks on a stream of 16. */
const NORMED = modelOfX(['n', 3, 8], (b) => {
  const block = (x: string, seed: number): string => {
    const inside = b.op('Gelu', [affine(b, layerNorm(b, x, 16, seed), [16, 32], seed + 2, `in${seed}`)])
    return b.op('Add', [x, affine(b, inside, [32, 16], seed + 3, `out${seed}`)])
  }
  const stream = block(block(affine(b, 'x', [8, 16], 1, 'stem'), 2), 7)
  return matmul(b, layerNorm(b, stream, 16, 12), [16, 5], 13, 'head')
})

/** A transformer for letters: its stream begins at two tables. */
const LETTERS = sequential(
  [
    layers.embedding(11, 24),
    layers.positions(),
    layers.transformerBlock({ heads: 2 }),
    layers.layerNorm(),
    layers.dense(11),
  ],
  { input: [9], inputType: 'int64', seed: 3 },
)

/** All streams, turned into bases that keep everything. */
async function turnedWhole(model: Model, env: Parameters<typeof inputMoments>[2]): Promise<readonly Turn[]> {
  const { streams } = findStreams(model)
  const moments = await inputMoments(
    model,
    streams.flatMap((s) => s.readings.map((r) => r.layer)),
    env,
  )
  const turns: Turn[] = []
  for (const stream of streams) {
    const size = stream.group.units.length
    if (stream.norms.length === 0) {
      const views = readerViews(stream, model.graph, moments)
      if (typeof views === 'string') continue
      turns.push({ stream, basis: await (await readDirections(views, size, engine)).basis(size), norms: new Map() })
      continue
    }
    const affines = new Map(stream.norms.map((norm) => [norm, affineOf(norm, model.graph)!]))
    const views = normedViews(stream, affines, moments)
    if (typeof views === 'string') continue
    const basis = await (await normedDirections([...views.values()], size, engine)).basis(size - 1)
    const norms = stream.norms.map((norm) => {
      const turned = turnedNorm(affines.get(norm)!, basis, { share: 1, epsilon: epsilonOf(norm) })
      return [norm, turned] as const
    })
    turns.push({ stream, basis, norms: new Map(norms) })
  }
  return turns
}

async function whole(model: Model, env: Parameters<typeof inputMoments>[2]): Promise<readonly [Model, number]> {
  const turns = await turnedWhole(model, env)
  const products = openProducts(engine)
  try {
    return [await turnStreams(model, turns, products), turns.length]
  } finally {
    await products.close()
  }
}

describe('in a basis that keeps all coordinates the outputs are what they were', () => {
  test.each([
    ['two layers', PAIR, 1],
    ['residual blocks', BLOCKS, 1],
    ['normalized blocks', NORMED, 1],
  ] as const)('%s', async (_, model, count) => {
    const [turned, turns] = await whole(model, envOf(model))
    expect(turns).toBe(count)
    expect(turned).not.toEqual(model)
    expect(await distance(model, turned, await feedsOf(model, 3))).toBeLessThan(1e-5)
  })

  test('a transformer, from its tables on', async () => {
    const session = await engine.load(encodeModel(LETTERS).bytes)
    const feeds = [1, 2, 3, 4, 5, 6].map((seed) => randomFeeds(session.inputs, { seed, dims: {} }))
    await session.close()
    const samples = samplesOf(feeds)
    const [turned, turns] = await whole(LETTERS, { engine: async () => engine, samples })
    expect(turns).toBe(1)
    expect(await distance(LETTERS, turned, feeds)).toBeLessThan(1e-5)
  })

  test('any network', async () => {
    let turned = 0
    await fc.assert(
      fc.asyncProperty(network, async (model) => {
        const session = await engine.load(encodeModel(model).bytes, { optimization: 'off' })
        const feeds = [1, 2].map((seed) => randomFeeds(session.inputs, { seed }))
        await session.close()
        const samples = samplesOf(feeds)
        const [made, turns] = await whole(model, { engine: async () => engine, samples })
        turned += turns
        if (turns > 0) expect(await distance(model, made, feeds)).toBeLessThan(1e-4)
      }),
      { numRuns: 80, seed: 5 },
    )
    expect(turned).toBeGreaterThan(20)
  })
})

const parameters = (model: Model): number => inspectModel(model).parameters

describe('slices', () => {
  test('of a stream that one layer reads: the error is the tail of the spectrum', async () => {
    const { samples } = envOf(PAIR)
    const { model, layers: found } = await factorize(PAIR, { method: 'slice', samples, energy: 0.9 }, envOf(PAIR))
    expect(found).toEqual([
      expect.objectContaining({
        nodes: ['first'],
        op: 'stream',
        shape: [12],
        isSplit: true,
        reason: 'fewer coordinates',
      }),
    ])
    const [{ ranks, energy, parameters: before, parametersInParts: after }] = found as [(typeof found)[number]]
    expect(ranks[0]).toBeLessThan(12)
    expect([before, after]).toEqual([PAIR, model].map(parameters))
    expect(energy).toBeGreaterThanOrEqual(0.9)
    expect((await distance(PAIR, model, await feedsOf(PAIR, 40))) ** 2).toBeCloseTo(1 - energy, 5)
  })

  test('no other basis of its rank is nearer: that of most variance in the stream itself is not', async () => {
    const { samples } = envOf(PAIR)
    const { model: sliced, layers: made } = await factorize(
      PAIR,
      { method: 'slice', samples, energy: 0.9 },
      envOf(PAIR),
    )
    const { streams } = findStreams(PAIR)
    const stream = streams[0]!
    const moments = await inputMoments(PAIR, [stream.readings[0]!.layer], envOf(PAIR))
    const [view] = readerViews(stream, PAIR.graph, moments) as [{ weights: Float64Array; seen: Float64Array }]
    const plain = { weights: view.weights.map((_, i) => Number(i % 13 === 0)), seen: view.seen }
    const basis = await (await readDirections([plain], 12, engine)).basis(made[0]!.ranks[0]!)
    const products = openProducts(engine)
    const other = await turnStreams(PAIR, [{ stream, basis, norms: new Map() }], products)
    await products.close()
    const inputs = await feedsOf(PAIR, 40)
    expect(await distance(PAIR, sliced, inputs)).toBeLessThan(await distance(PAIR, other, inputs))
  })

  test('what lies in fewer coordinates is held in them without loss, normalized or not', async () => {
    // Three inputs make a stream of 16, and a normalization needs a coordinate more.
    const narrow = (isNormed: boolean): Model =>
      modelOfX(['n', 3], (b) => {
        const stream = matmul(b, 'x', [3, 16], 1, 'first')
        return affine(b, isNormed ? layerNorm(b, stream, 16, 5) : stream, [16, 6], 2, 'second')
      })
    for (const isNormed of [false, true]) {
      const model = narrow(isNormed)
      const env = envOf(model)
      const made = await factorize(model, { method: 'slice', samples: env.samples, energy: 0.999999 }, env)
      expect(made.layers[0]).toMatchObject({ shape: [16], ranks: [4] })
      expect(await distance(model, made.model, await feedsOf(model, 5))).toBeLessThan(1e-5)
    }
  })

  test('a share of the parameters: one energy for all streams', async () => {
    const env = envOf(NORMED)
    const { model } = await factorize(NORMED, { method: 'slice', samples: env.samples, rank: 'ratio', ratio: 0.6 }, env)
    expect(parameters(model)).toBeLessThan(0.66 * parameters(NORMED))
    // A quarter of the coordinates would say more than this of random weights; outputs stay near all the same.
    expect(await distance(NORMED, model, await feedsOf(NORMED, 10))).toBeLessThan(0.6)
  })

  test('layers that are excluded keep their shape, and the stream with them', async () => {
    const env = envOf(PAIR)
    const given = { method: 'slice', samples: env.samples, energy: 0.5, exclude: ['second'] } as const
    await expect(factorize(PAIR, given, env)).rejects.toThrow(
      expect.objectContaining({ code: 'FACTORIZE_NOTHING', message: expect.stringContaining('excluded') }),
    )
  })

  test('need samples', async () => {
    await expect(factorize(PAIR, { method: 'slice' }, { engine: async () => engine })).rejects.toThrow(
      expect.objectContaining({ code: 'CALIBRATION_MISSING' }),
    )
    expect(factorizeSlice.refuses(PAIR, {})).toContain('samples')
    expect(factorizeSlice.refuses(PAIR, envOf(PAIR))).toBeNull()
  })

  test('take no criterion, and no goal but size', async () => {
    const env = envOf(PAIR)
    for (const given of [{ rank: 'bic' }, { for: 'latency' }] as const) {
      await expect(factorize(PAIR, { method: 'slice', samples: env.samples, ...given }, env)).rejects.toThrow(
        expect.objectContaining({ code: 'PARAM_INVALID' }),
      )
    }
    expect(checkParams(factorizeSlice, {}).multiple).toBe(4)
  })
})

describe('no stream', () => {
  const between = (make: (b: Builder, h: string) => string, x: readonly Dim[] = ['n', 6]): Model =>
    modelOfX(x, (b) => matmul(b, make(b, matmul(b, 'x', [6, 8], 1, 'first')), [8, 4], 2, 'second'))
  const zero = (): Tensor =>
    f32(
      [8],
      new Float32Array(8).map((_, i) => Number(i > 0)),
    )

  test.each([
    ['behind a function', between((b, h) => b.op('Relu', [h], { name: 'f' })), 'f (Relu) is no sum over coordinates'],
    [
      'with one number added to all',
      between((b, h) => b.op('Add', [h, b.constant(f32([], [2]), 'two')], { name: 'f' })),
      'f (Add) adds more than the coordinates',
    ],
    [
      'normalized and as it is',
      between((b, h) => b.op('Add', [h, layerNorm(b, h, 8, 3)], { name: 'f' })),
      'f (Add) joins what is normalized with what is not',
    ],
    ['normalized twice', between((b, h) => layerNorm(b, layerNorm(b, h, 8, 3), 8, 5)), 'normalizes it once more'],
    [
      'through a depthwise convolution',
      modelOfX([1, 4, 5, 5], (b) =>
        conv(b, conv(b, conv(b, 'x', [8, 4, 1, 1], 1, 'a'), [8, 1, 3, 3], 2, 'd', 8), [3, 8, 1, 1], 3, 'c'),
      ),
      'd (Conv) is no sum over coordinates',
    ],
  ])('%s', (_, model, reason) => {
    const { streams, others } = findStreams(model)
    expect(streams).toEqual([])
    expect([...others.values()].join()).toContain(reason)
    expect(factorizeSlice.refuses(model, envOf(model))).toContain(reason)
  })

  test('where one table is both looked up and multiplied by', () => {
    const b = builder()
    b.input('x', { kind: 'tensor', dtype: 'int64', shape: ['n'] })
    const table = b.constant(weights([7, 8], 1), 'table')
    const h = b.op('Add', [b.op('Gather', [table, 'x']), matmul(b, b.op('Gather', [table, 'x']), [8, 8], 2, 'mix')])
    b.output(b.op('Gemm', [h, table], { name: 'tied', attrs: { transB: int(1) } }), {
      kind: 'tensor',
      dtype: 'float32',
      shape: null,
    })
    const { streams, others } = findStreams(modelOf(b.graph()))
    expect(streams).toEqual([])
    expect([...others.values()]).toEqual(['table is read in more than one way'])
  })

  test('a coordinate that a normalization takes away cannot be told from what is left', async () => {
    const model = between((b, h) => b.op('LayerNormalization', [h, b.constant(zero(), 'g')], { name: 'norm' }))
    const env = envOf(model)
    await expect(factorize(model, { method: 'slice', samples: env.samples, energy: 0.5 }, env)).rejects.toThrow(
      expect.objectContaining({ message: expect.stringContaining('norm takes a coordinate away') }),
    )
  })
})
