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
import { float, int, ints, str } from '../../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../../ir/builder.js'
import { f32, floats, i64 } from '../../../ir/tensor.js'
import type { Dim, Model, Tensor } from '../../../ir/types.js'
import { multiplied, openProducts, transposed } from '../../../linalg/products.js'
import { encodeModel } from '../../../onnx/codec.js'
import { inspectModel } from '../../../passes/inspect.js'
import * as layers from '../../../train/layers/index.js'
import { sequential } from '../../../train/layers/sequential.js'
import { inputMoments } from '../../layers/moments.js'
import { checkParams } from '../../transform.js'
import { secondMoments, shrunk, traceOf } from '../covariance.js'
import { factorize } from '../index.js'
import { normDirections, rankOf, readDirections } from './basis.js'
import { type BasisChange, changeBases, changedNorm, epsilonOf } from './change-basis.js'
import { factorizeSlice } from './slice.js'
import { findStreams } from './streams.js'
import { layersToObserve, normViews, readerViews } from './views.js'

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

const ones = (size: number): Tensor => f32([size], new Float32Array(size).fill(1))

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

/** One scale and one shift for two normalizations, and both are added to the stream as well. */
const SHARED = modelOfX(['n', 8], (b) => {
  const [g, h] = [
    b.constant(
      f32(
        [12],
        floats(weights([12], 3)).map((v) => 1 + v),
      ),
      'g',
    ),
    b.constant(weights([12], 4), 'h'),
  ]
  const norm = (x: string): string => b.op('LayerNormalization', [x, g, h])
  const begin = b.op('Add', [b.op('Add', [matmul(b, 'x', [8, 12], 1, 'first'), g]), h])
  const inside = b.op('Tanh', [matmul(b, norm(begin), [12, 20], 5, 'in')])
  return matmul(b, norm(b.op('Add', [begin, matmul(b, inside, [20, 12], 6, 'out')])), [12, 5], 7, 'head')
})

const recurrent = (op: 'LSTM' | 'GRU', direction: 'forward' | 'bidirectional'): Model =>
  modelOfX([6, 1, 8], (b) => {
    const [d, gates] = [direction === 'forward' ? 1 : 2, op === 'LSTM' ? 4 : 3]
    const [w, r] = [b.constant(weights([d, gates * 5, 12], 2), 'w'), b.constant(weights([d, gates * 5, 5], 3), 'r')]
    const [y] = b.ops(op, [matmul(b, 'x', [8, 12], 1, 'first'), w, r], {
      outputs: 1,
      attrs: { hidden_size: int(5), direction: str(direction) },
    })
    return y!
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

type Env = Parameters<typeof inputMoments>[2]

/** All streams, in bases that keep everything. */
async function wholeBases(model: Model, env: Env): Promise<readonly BasisChange[]> {
  const { graph } = model
  const { streams } = findStreams(model)
  const layers = streams.map(layersToObserve)
  const moments = await inputMoments(model, layers.flat(), env)
  const changes: BasisChange[] = []
  for (const [i, stream] of streams.entries()) {
    const size = stream.group.units.length
    if (stream.norms.length === 0) {
      const views = await readerViews(stream, graph, moments, engine)
      if (typeof views === 'string') continue
      changes.push({ stream, basis: await (await readDirections(views, size, engine)).basis(size), norms: new Map() })
      continue
    }
    const views = normViews(stream, layers[i]!, graph, moments)
    if (typeof views === 'string') continue
    const basis = await (await normDirections([...views.values()], size, engine)).basis(size - 1)
    const norms = [...views].map(
      ([norm, view]) => [norm, changedNorm(view, basis, { share: 1, epsilon: epsilonOf(norm) })] as const,
    )
    changes.push({ stream, basis, norms: new Map(norms) })
  }
  return changes
}

async function changed(model: Model, changes: readonly BasisChange[]): Promise<Model> {
  const products = openProducts(engine)
  try {
    return await changeBases(model, changes, products)
  } finally {
    await products.close()
  }
}

async function whole(model: Model, env: Env): Promise<readonly [Model, number]> {
  const changes = await wholeBases(model, env)
  return [await changed(model, changes), changes.length]
}

/** Pre-normalized blocks, with and without biases, in front of a head that the stream reaches by some way. */
const normedNetwork = fc
  .record({
    size: fc.integer({ min: 3, max: 20 }),
    blocks: fc.array(fc.record({ inside: fc.integer({ min: 2, max: 24 }), hasBias: fc.boolean() }), { maxLength: 3 }),
    way: fc.constantFrom('as it is', 'mean', 'one', 'turned', 'convolved', 'square'),
    seed: fc.nat({ max: 1000 }),
  })
  .map(({ size, blocks, way, seed }) =>
    modelOfX([2, 5, 6], (b) => {
      const norm = (x: string, at: number, hasBias: boolean): string =>
        hasBias ? layerNorm(b, x, size, seed + at) : b.op('LayerNormalization', [x, b.constant(ones(size), 'ones')])
      const block = (x: string, { inside, hasBias }: (typeof blocks)[number], at: number): string => {
        const h = b.op('Tanh', [matmul(b, norm(x, at, hasBias), [size, inside], at + 1, `in${at}`)])
        return b.op('Add', [x, (hasBias ? affine : matmul)(b, h, [inside, size], at + 2, `out${at}`)])
      }
      let x = b.op('Add', [matmul(b, 'x', [6, size], seed, 'stem'), b.constant(weights([5, size], seed + 9), 'places')])
      for (const [i, one] of blocks.entries()) x = block(x, one, 10 * (i + 1))
      const last = norm(x, 90, true)
      switch (way) {
        case 'as it is':
          return matmul(b, last, [size, 4], 7, 'head')
        case 'mean':
          return matmul(b, b.op('ReduceMean', [last, b.constant(i64([1], [1]), 'axes')]), [size, 4], 7, 'head')
        case 'one':
          return matmul(
            b,
            b.op('Gather', [last, b.constant(i64([], [2]), 'at')], { attrs: { axis: int(1) } }),
            [size, 4],
            7,
            'head',
          )
        case 'turned': {
          const flat = b.op('Reshape', [last, b.constant(i64([2], [10, size]), 'shape')])
          return b.op('Gemm', [flat, b.constant(weights([4, size], 7), 'w')], { attrs: { transB: int(1) } })
        }
        case 'convolved': {
          const w = b.constant(weights([3, size, 3], 7), 'w')
          return b.op('Conv', [b.op('Transpose', [last], { attrs: { perm: ints([0, 2, 1]) } }), w], {
            attrs: { pads: ints([1, 1]) },
          })
        }
        case 'square':
          return matmul(b, last, [size, size], 7, 'head')
      }
    }),
  )

describe('in a basis that keeps all coordinates the outputs are what they were', () => {
  test.each([
    ['two layers', PAIR, 1],
    ['residual blocks', BLOCKS, 1],
    ['normalized blocks', NORMED, 1],
    ['normalizations of one scale and shift', SHARED, 1],
    ['an LSTM behind a product', recurrent('LSTM', 'forward'), 1],
    ['an LSTM in both directions', recurrent('LSTM', 'bidirectional'), 1],
    ['a GRU', recurrent('GRU', 'forward'), 1],
  ] as const)('%s', async (_, model, count) => {
    const [made, streams] = await whole(model, envOf(model))
    expect(streams).toBe(count)
    expect(made).not.toEqual(model)
    expect(await distance(model, made, await feedsOf(model, 3))).toBeLessThan(1e-5)
  })

  test('a transformer, from its tables on', async () => {
    const session = await engine.load(encodeModel(LETTERS).bytes)
    const feeds = [1, 2, 3, 4, 5, 6].map((seed) => randomFeeds(session.inputs, { seed, dims: {} }))
    await session.close()
    const [made, streams] = await whole(LETTERS, { engine: async () => engine, samples: samplesOf(feeds) })
    expect(streams).toBe(1)
    expect(await distance(LETTERS, made, feeds)).toBeLessThan(1e-5)
  })

  test('of normalizations each is seen by itself, whatever reads it', async () => {
    await fc.assert(
      fc.asyncProperty(normedNetwork, async (model) => {
        const env = { engine: async () => engine, samples: samplesFor(model, 30) }
        const [stream] = findStreams(model).streams
        if (stream === undefined) return
        const layers = layersToObserve(stream)
        const views = normViews(stream, layers, model.graph, await inputMoments(model, layers, env))
        if (typeof views === 'string') return
        for (const { covariance, mean } of views.values()) {
          const size = mean.length
          const squares = secondMoments(covariance, mean)
          // Less what epsilon takes off.
          expect(traceOf(squares, size) / size).toBeGreaterThan(0.8)
          expect(traceOf(squares, size) / size).toBeLessThan(1.001)
          for (let i = 0; i < size; i++) {
            const row = squares.subarray(i * size, (i + 1) * size).reduce((sum, v) => sum + v, 0)
            expect(Math.abs(row)).toBeLessThan(1e-2)
          }
        }
      }),
      { numRuns: 20, seed: 9 },
    )
  })

  test.each([
    ['network', network, 10],
    ['network of normalized blocks', normedNetwork, 30],
  ] as const)('any %s', async (_, networks, least) => {
    let seen = 0
    await fc.assert(
      fc.asyncProperty(networks, async (model) => {
        const session = await engine.load(encodeModel(model).bytes, { optimization: 'off' })
        const feeds = [1, 2, 3].map((seed) => randomFeeds(session.inputs, { seed }))
        await session.close()
        const [made, streams] = await whole(model, { engine: async () => engine, samples: samplesOf(feeds) })
        seen += streams
        if (streams > 0) expect(await distance(model, made, feeds)).toBeLessThan(1e-4)
      }),
      { numRuns: 40, seed: 5 },
    )
    expect(seen).toBeGreaterThan(least)
  })
})

const parameters = (model: Model): number => inspectModel(model).parameters

describe('slices', () => {
  test('of a stream that one layer reads: what is lost is the tail of the spectrum, and no other basis of the rank loses less', async () => {
    const size = 12
    const { samples } = envOf(PAIR)
    const [stream] = findStreams(PAIR).streams as [ReturnType<typeof findStreams>['streams'][number]]
    const moments = await inputMoments(PAIR, layersToObserve(stream), { engine: async () => engine, samples })
    const views = await readerViews(stream, PAIR.graph, moments, engine)
    if (typeof views === 'string') throw new Error(views)
    const [{ weights: m, mean, ...seen }] = views as [(typeof views)[number]]
    const covariance = shrunk(seen.covariance, size, seen.count)
    const c = secondMoments(covariance, mean)
    const lossOf = async (weights: Float64Array): Promise<readonly [number, number]> => {
      const directions = await readDirections([{ weights, mean, ...seen }], size, engine)
      const rank = rankOf(directions, 0.1)
      const { to, from } = await directions.basis(5)
      const left = Float64Array.from({ length: size * size }, (_, at) => {
        const [i, j] = [Math.floor(at / size), at % size]
        let sum = Number(i === j)
        for (let k = 0; k < 5; k++) sum -= from[i * 5 + k]! * to[k * size + j]!
        return sum
      })
      const product = async (a: Float64Array, b: Float64Array) =>
        multiplied(a, b, { m: size, k: size, n: size }, engine)
      const inside = await product(await product(left, c), transposed(left, size, size))
      const loss = (await product(m, inside)).reduce((sum, v, at) => sum + (at % (size + 1) === 0 ? v : 0), 0)
      expect(rank).toBeGreaterThan(1)
      const energy = m.reduce((sum, v, at) => sum + v * covariance[at]!, 0)
      return [loss / energy, directions.squares.subarray(5).reduce((sum, v) => sum + v, 0)]
    }
    const [loss, tail] = await lossOf(m)
    expect(loss).toBeCloseTo(tail, 8)
    const [other] = await lossOf(m.map((_, at) => Number(at % (size + 1) === 0)))
    expect(loss).toBeLessThan(0.95 * other)
  })

  test('of that stream: the error on the samples is what the energy says', async () => {
    const env = envOf(PAIR, 300)
    const { model, layers: found } = await factorize(PAIR, { method: 'slice', samples: env.samples, energy: 0.9 }, env)
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
    expect((await distance(PAIR, model, await feedsOf(PAIR, 300))) ** 2).toBeCloseTo(1 - energy, 2)
  })

  test('of few samples, which do not know all directions: more is kept than they span', async () => {
    const model = modelOfX(['n', 40], (b) => matmul(b, matmul(b, 'x', [40, 32], 1, 'first'), [32, 16], 2, 'second'))
    const env = envOf(model, 3)
    const few = await factorize(model, { method: 'slice', samples: env.samples, energy: 0.9 }, env)
    expect(few.layers[0]!.ranks[0]).toBeGreaterThanOrEqual(12)
    const one = envOf(model, 1)
    await expect(factorize(model, { method: 'slice', samples: one.samples }, one)).rejects.toThrow(
      expect.objectContaining({ code: 'FACTORIZE_NOTHING', message: expect.stringContaining('does not vary') }),
    )
  })

  test('what lies in fewer coordinates is held in them all but without loss, normalized or not', async () => {
    // Three inputs make a stream of 16, and a normalization needs a coordinate more.
    const narrow = (isNormed: boolean): Model =>
      modelOfX(['n', 3], (b) => {
        const stream = matmul(b, 'x', [3, 16], 1, 'first')
        return affine(b, isNormed ? layerNorm(b, stream, 16, 5) : stream, [16, 6], 2, 'second')
      })
    for (const isNormed of [false, true]) {
      const model = narrow(isNormed)
      const env = envOf(model, 400)
      // Shrinkage, which 400 samples ask for, turns a basis a little that weights are in.
      const made = await factorize(model, { method: 'slice', samples: env.samples, energy: 0.95 }, env)
      expect(made.layers[0]).toMatchObject({ shape: [16], ranks: [4] })
      expect(await distance(model, made.model, await feedsOf(model, 5))).toBeLessThan(isNormed ? 1e-5 : 2e-3)
    }
  })

  test('behind a normalization: the error is the part of its output that the energy leaves out', async () => {
    const unit = f32(
      [16, 16],
      Float32Array.from({ length: 256 }, (_, at) => Number(at % 17 === 0)),
    )
    const model = modelOfX(['n', 20], (b) => {
      const h = b.op('LayerNormalization', [matmul(b, 'x', [20, 16], 1, 'first'), b.constant(ones(16), 'ones')])
      return b.op('MatMul', [h, b.constant(unit, 'unit')])
    })
    const env = envOf(model, 500)
    const made = await factorize(model, { method: 'slice', samples: env.samples, energy: 0.75 }, env)
    const [{ ranks, energy }] = made.layers as [(typeof made.layers)[number]]
    expect(ranks[0]).toBeLessThanOrEqual(12)
    const lost = (await distance(model, made.model, await feedsOf(model, 500))) ** 2
    expect(lost / (1 - energy)).toBeGreaterThan(0.95)
    expect(lost / (1 - energy)).toBeLessThan(1.05)
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
      'where a constant stands beside what is normalized',
      between(
        (b, h) =>
          b.op('Concat', [b.constant(weights([1, 8], 4), 'token'), layerNorm(b, h, 8, 3)], {
            name: 'f',
            attrs: { axis: int(0) },
          }),
        [3, 6],
      ),
      'f (Concat) joins what is normalized with what is not',
    ],
    [
      'where a layer adds to what is normalized',
      modelOfX(['n', 6], (b) => {
        const z = layerNorm(b, matmul(b, 'x', [6, 8], 1, 'first'), 8, 3)
        const f = b.op('Relu', [b.op('Gemm', [z, b.constant(weights([8, 8], 2), 'w')])])
        const y = b.op('Gemm', [f, b.constant(weights([8, 8], 4), 'w'), z], { name: 'f' })
        return matmul(b, layerNorm(b, y, 8, 5), [8, 4], 6, 'head')
      }),
      'f (Gemm) adds what is normalized',
    ],
    [
      'normalized along another axis',
      modelOfX([1, 4, 3, 8], (b) =>
        conv(b, layerNorm(b, conv(b, 'x', [8, 4, 1, 1], 1, 'a'), 8, 2), [3, 8, 1, 1], 3, 'c'),
      ),
      'normalizes over more than the stream',
    ],
    [
      'normalized together with another',
      modelOfX(['n', 6], (b) => {
        const both = b.op('Concat', [matmul(b, 'x', [6, 8], 1, 'a'), matmul(b, 'x', [6, 8], 2, 'b')], {
          attrs: { axis: int(-1) },
        })
        return matmul(b, layerNorm(b, both, 16, 3), [16, 4], 5, 'c')
      }),
      'normalizes over more than the stream',
    ],
    [
      'with a layer along another axis',
      modelOfX([2, 6, 5], (b) => {
        const h = b.op('Conv', ['x', b.constant(weights([8, 6, 1], 1), 'w')], { name: 'first' })
        const along = b.op('Transpose', [matmul(b, h, [5, 3], 2, 'f')], { attrs: { perm: ints([0, 2, 1]) } })
        return matmul(b, along, [8, 4], 3, 'second')
      }),
      'f (MatMul) keeps them along another axis',
    ],
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
    expect(others.map((o) => o.reason).join()).toContain(reason)
    expect(factorizeSlice.refuses(model, envOf(model))).toContain(reason)
  })

  test('where one weight is multiplied by from both sides', () => {
    const model = modelOfX(['n', 8], (b) => {
      const [h, w] = [matmul(b, 'x', [8, 8], 1, 'first'), b.constant(weights([8, 8], 2), 'square')]
      const sum = b.op('Add', [b.op('MatMul', [h, w]), b.op('Gemm', [h, w], { attrs: { transB: int(1) } })])
      return matmul(b, b.op('Add', [h, sum]), [8, 4], 3, 'last')
    })
    expect(findStreams(model).others.map((o) => o.reason)).toEqual([
      expect.stringContaining('keeps them along another axis'),
    ])
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
    expect(others.map((o) => o.reason)).toEqual(['table is read in more than one way'])
  })

  test('a coordinate that a normalization takes away cannot be told from what is left', async () => {
    const model = between((b, h) => b.op('LayerNormalization', [h, b.constant(zero(), 'g')], { name: 'norm' }))
    const env = envOf(model)
    await expect(factorize(model, { method: 'slice', samples: env.samples, energy: 0.5 }, env)).rejects.toThrow(
      expect.objectContaining({ message: expect.stringContaining('norm hardly lets one of its coordinates through') }),
    )
  })
})
