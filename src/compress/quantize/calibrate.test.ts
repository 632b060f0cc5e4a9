import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calibrated } from '../../../bench/calibration.js'
import { feedsOf, stream } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { dataPath } from '../../../test/data.js'
import { value } from '../../../test/small-models.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { type Histogram, histogramCollector } from '../../grids/histogram.js'
import { int } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Dim, Model } from '../../ir/types.js'
import type { Progress } from '../../util/env.js'
import { random } from '../../util/random.js'
import { calibrate } from './calibrate.js'
import { calibrationTargets, findUnits } from './units.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function build(shape: readonly Dim[], body: (b: Builder) => string): Model {
  const b = builder()
  b.input('x', value('float32', shape))
  b.output(body(b), value('float32', null))
  return modelOf(b.graph())
}
const doubled = (b: Builder): string => b.op('Mul', ['x', b.constant(f32([], [2]), 'two')], { name: 'mul' })

const normal = (shape: readonly number[], seed: number): Feeds => {
  const r = random(seed)
  return {
    x: f32(
      shape,
      Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => r.normal(0, 2 ** seed)),
    ),
  }
}

function counted(feeds: readonly Feeds[], f: (v: number) => number): Histogram {
  const collector = histogramCollector()
  for (const { x } of feeds) collector.add(floats(x!).map(f))
  return collector.snapshot()
}

describe('histograms', () => {
  test.each([
    ['known', [3, 40]],
    ['symbolic', ['n', 40]],
  ] as const)('of a small model of %s shape are those of the values themselves', async (_, shape) => {
    const model = build(shape, (b) => b.op('Relu', [doubled(b)], { name: 'relu' }))
    const feeds = [1, 2, 3, 4, 5, 6].map((seed) => normal([3, 40], seed))
    const { histograms, samples } = await calibrate(model, ['x', 'mul_out', 'relu_out'], stream(feeds), engine)
    expect(samples).toBe(6)
    expect(histograms.get('x')).toEqual(counted(feeds, (v) => v))
    expect(histograms.get('mul_out')).toEqual(counted(feeds, (v) => 2 * v))
    expect(histograms.get('relu_out')).toEqual(counted(feeds, (v) => Math.max(0, 2 * v)))
  })

  test('of a large value count some of it, with the exact ends', async () => {
    const size = 100_003
    const model = build([1, size], doubled)
    const feeds = [1, 2].map((seed) => {
      const { x } = normal([1, size], seed)
      // Ends at places that no stride but 1 visits.
      const data = floats(x!)
      data[1] = -1000
      data[size - 2] = 2000
      return { x: f32([1, size], data) }
    })
    const { histograms } = await calibrate(model, ['mul_out'], stream(feeds), engine)
    const some = histograms.get('mul_out')!
    const all = counted(feeds, (v) => 2 * v)
    expect([some.min, some.max, some.width]).toEqual([all.min, all.max, all.width])
    expect(some.count).toBeGreaterThan(2 * 10_000)
    expect(some.count).toBeLessThan(2 * 40_000)
    // Shares of the values below and above zero, bin by bin: the largest gap of the distribution functions.
    let [a, b, gap] = [0, 0, 0]
    for (let i = 0; i < all.positive.length; i++) {
      a += some.positive[i]! / some.count
      b += all.positive[i]! / all.count
      gap = Math.max(gap, Math.abs(a - b))
    }
    expect(gap).toBeLessThan(0.01)
  })

  test('leave out what is not float32, and take what the model gets as it is', async () => {
    const b = builder()
    b.input('x', value('float32', [2, 8]))
    const top = b.ops('TopK', ['x', b.constant({ ...oneInt64() }, 'k')], { name: 'top', outputs: 2 })
    b.output(top[0]!, value('float32', null))
    b.output(top[1]!, value('int64', null))
    const feeds = [normal([2, 8], 1)]
    for (const detail of ['histogram', 'range'] as const) {
      const result = await calibrate(modelOf(b.graph()), ['x', ...top], stream(feeds), engine, { detail })
      expect([...result.histograms.keys()].sort()).toEqual([top[0], 'x'].sort())
    }
  })
})

const oneInt64 = () => ({
  dtype: 'int64' as const,
  shape: [1],
  byteLength: 8,
  bytes: () => new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0]),
})

describe('ranges alone', () => {
  test('are the exact ends over all samples', async () => {
    const model = build(['n', 40], (b) => b.op('Relu', [doubled(b)], { name: 'relu' }))
    const feeds = [2, 3, 1].map((seed) => normal([3, 40], seed))
    const options = { detail: 'range' } as const
    const { histograms } = await calibrate(model, ['x', 'mul_out', 'relu_out'], stream(feeds), engine, options)
    for (const [name, f] of [
      ['x', (v: number) => v],
      ['mul_out', (v: number) => 2 * v],
      ['relu_out', (v: number) => Math.max(0, 2 * v)],
    ] as const) {
      const { min, max } = counted(feeds, f)
      expect(histograms.get(name)).toMatchObject({ min: min + 0, max, count: 3, nonFinite: 0 })
    }
  })
})

describe('values that are not finite are told apart', () => {
  const size = 50_000
  const cases = [
    ['small values', 'histogram', 40],
    ['large values', 'histogram', size],
    ['ranges', 'range', 40],
  ] as const
  test.each(cases)('%s', async (_, detail, n) => {
    const model = build([1, n], doubled)
    for (const bad of [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]) {
      const data = floats(normal([1, n], 1).x!)
      data[1] = bad
      const feeds = [normal([1, n], 1), { x: f32([1, n], data) }]
      const { histograms } = await calibrate(model, ['mul_out'], stream(feeds), engine, { detail })
      const h = histograms.get('mul_out')!
      expect(h.nonFinite).toBeGreaterThan(0)
      expect(Number.isFinite(h.min) && Number.isFinite(h.max)).toBe(true)
      expect(h.count).toBeGreaterThan(0)
    }
    const good = await calibrate(model, ['mul_out'], stream([normal([1, n], 1)]), engine, { detail })
    expect(good.histograms.get('mul_out')!.nonFinite).toBe(0)
  })
})

describe('NaN is seen wherever it stands', () => {
  test.each([
    ['range', 40],
    ['range', 50_000],
    ['histogram', 40],
    ['histogram', 50_000],
  ] as const)('%s of %i elements', async (detail, n) => {
    const model = build([1, n], doubled)
    for (const at of [0, 1, 7, n - 1]) {
      const data = floats(normal([1, n], 1).x!)
      data[at] = Number.NaN
      const { histograms } = await calibrate(model, ['mul_out'], stream([{ x: f32([1, n], data) }]), engine, { detail })
      expect(histograms.get('mul_out')!.nonFinite, String(at)).toBeGreaterThan(0)
    }
  })
})

test.each(['range', 'histogram'] as const)('%s: a sample without elements says nothing', async (detail) => {
  const model = build(['n', 4], doubled)
  const feeds = [f32([3, 4], new Float32Array(12).fill(1)), f32([0, 4], [])].map((x) => ({ x }))
  const { histograms, samples } = await calibrate(model, ['mul_out'], stream(feeds), engine, { detail })
  expect(samples).toBe(2)
  expect(histograms.get('mul_out')).toMatchObject({ min: 2, max: 2, nonFinite: 0 })
})

test.each(['range', 'histogram'] as const)('%s: nothing to look at is no error', async (detail) => {
  const { histograms, samples } = await calibrate(build([2], doubled), [], stream([normal([2], 1)]), engine, { detail })
  expect(histograms.size).toBe(0)
  expect(samples).toBe(1)
})

describe('the run', () => {
  const model = build([3, 40], doubled)
  const feeds = Array.from({ length: 7 }, (_, i) => normal([3, 40], i + 1))

  test('reports each sample', async () => {
    const seen: Progress[] = []
    await calibrate(model, ['mul_out'], stream(feeds), engine, { total: 7, onProgress: (p) => seen.push(p) })
    expect(seen.map((p) => p.done)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(new Set(seen.map((p) => p.total))).toEqual(new Set([7]))
  })

  test('without samples says so', async () => {
    await expect(calibrate(model, ['mul_out'], stream([]), engine)).rejects.toMatchObject({ code: 'SAMPLES_EMPTY' })
  })

  test('stops when it is cancelled', async () => {
    const abort = new AbortController()
    async function* endless() {
      for (let i = 0; ; i++) {
        if (i === 3) abort.abort()
        yield feeds[0]!
      }
    }
    const run = calibrate(model, ['mul_out'], endless(), engine, { signal: abort.signal })
    await expect(run).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('names a sample that does not fit', async () => {
    await expect(calibrate(model, ['mul_out'], stream([normal([2, 2], 1)]), engine)).rejects.toMatchObject({
      name: 'PareError',
    })
  })

  test('sees every value that a static recipe may ask for', async () => {
    const conv = build([1, 8, 6, 6], (b) => {
      const c = b.op('Conv', ['x', b.constant(weights([8, 8, 3, 3], 1), 'w')])
      const pool = b.op('MaxPool', [b.op('Relu', [c])], { attrs: { kernel_shape: { type: 'ints', value: [2n, 2n] } } })
      const flat = b.op('Flatten', [pool], { attrs: { axis: int(1) } })
      return b.op('MatMul', [flat, b.constant(weights([72, 4], 2), 'v')])
    })
    const targets = calibrationTargets(conv.graph, findUnits(conv.graph))
    const result = await calibrate(conv, targets, stream(await feedsOf(engine, conv)), engine)
    expect([...result.histograms.keys()].sort()).toEqual([...targets].sort())
    expect(targets).toContain('Relu_out')
    expect(targets).toContain('Flatten_out')
  })
})

describe('peaks', () => {
  const targets = [
    { key: 'channels', name: 'mul_out', channels: 3, rank: 4 },
    { key: 'columns', name: 'mul_out', channels: 5, rank: null },
  ]
  const peaksOf = (model: Model, feeds: readonly Feeds[], detail: 'range' | 'histogram' = 'range') =>
    calibrate(model, ['x', 'mul_out'], stream(feeds), engine, { detail, peaks: targets })
  /** Twice the largest value at each index along one axis. */
  const expected = (feeds: readonly Feeds[], shape: readonly number[], axis: number): Float32Array => {
    const run = shape.slice(axis + 1).reduce((n, d) => n * d, 1)
    const peaks = new Float32Array(shape[axis]!).fill(Number.NEGATIVE_INFINITY)
    for (const { x } of feeds)
      floats(x!).forEach((v, i) => {
        const c = Math.floor(i / run) % shape[axis]!
        peaks[c] = Math.max(peaks[c]!, 2 * v)
      })
    return peaks
  }
  const shape = [2, 3, 4, 5]
  const feeds = [3, 1, 2].map((seed) => normal(shape, seed))

  test.each([
    ['known', 21, shape],
    ['symbolic', 21, ['n', 3, 'h', 'w']],
    ['known', 13, shape],
  ] as const)('are the largest of each channel over all samples, shape %s, opset %i', async (_, opset, dims) => {
    const given = build(dims, doubled)
    const model = { ...given, opsets: new Map([['', opset]]) }
    for (const detail of ['range', 'histogram'] as const) {
      const { peaks, histograms } = await peaksOf(model, feeds, detail)
      expect(peaks.get('channels')).toEqual(expected(feeds, shape, 1))
      expect(peaks.get('columns')).toEqual(expected(feeds, shape, 3))
      // The ends are the same as without them.
      const plain = await calibrate(model, ['x', 'mul_out'], stream(feeds), engine, { detail })
      expect(histograms).toEqual(plain.histograms)
    }
  })

  test.each(['range', 'histogram'] as const)('%s: a sample without elements says nothing', async (detail) => {
    const model = build(['n', 3, 4, 5], doubled)
    const { peaks, samples, histograms } = await peaksOf(model, [...feeds, { x: f32([0, 3, 4, 5], []) }], detail)
    expect(samples).toBe(4)
    expect(peaks.get('channels')).toEqual(expected(feeds, shape, 1))
    expect(histograms.get('mul_out')!.nonFinite).toBe(0)
  })
})

const mnist = dataPath('mnist/train-images-idx3-ubyte.gz')
const cntk = dataPath('models/mnist-cntk.onnx')
const MB = 2 ** 20

describe.skipIf(mnist === null || cntk === null)('memory (needs the data folder)', () => {
  test.each(['range', 'histogram'] as const)(
    '%s: calibrating with 10,000 samples holds no more than calibrating with 100',
    async (detail) => {
      const measured = (count: number) => calibrated(cntk!, mnist!, { count, detail, isCollected: true })
      const few = await measured(100)
      const many = await measured(10_000)
      expect([few.seen, many.seen]).toEqual([100, 10_000])
      // Held, these samples would take 31 MB.
      expect(many.peakBytes - few.peakBytes).toBeLessThan(20 * MB)
    },
    120_000,
  )
})
