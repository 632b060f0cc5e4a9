import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { samplesOf } from '../../../test/samples-of.js'
import { value } from '../../../test/small-models.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int, ints, str } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Attr, Model } from '../../ir/types.js'
import { random } from '../../util/random.js'
import { findLayers, layersByWeight, weightMatrix, withWeightMatrix } from './layer.js'
import { inputMoments } from './moments.js'
import { findAllLayers } from './recurrent.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const envOf = (feeds: readonly Feeds[]) => ({ engine: async () => engine, samples: samplesOf(feeds) })

function oneLayer(op: string, x: readonly number[], w: readonly number[], attrs: Record<string, Attr> = {}): Model {
  const b = builder()
  b.input('x', value('float32', x))
  b.output(b.op(op, ['x', b.constant(weights(w, 5), 'w')], { name: 'layer', attrs }), value('float32', null))
  return modelOf(b.graph())
}

const normal = (shape: readonly number[], seed: number): Feeds => {
  const r = random(seed)
  return {
    x: f32(
      shape,
      Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => r.normal(0.5)),
    ),
  }
}

/**
 * What moments promise: another weight W + Δ changes the outputs by Δx, whose squares sum up to tr(Δ H Δᵀ) · count and
 * whose sum is Δ mean · count.
 */
async function certify(model: Model, shape: readonly number[]): Promise<void> {
  const feeds = [1, 2, 3].map((seed) => normal(shape, seed))
  const [layer] = findLayers(model.graph)
  const { groups, rows, depth } = layer!
  const moments = (await inputMoments(model, [layer!], envOf(feeds))).of.get(layer!)!
  const delta = floats(weights([groups * rows, depth], 9))
  const changed = weightMatrix(layer!, model.graph).map((w, i) => w + delta[i]!)
  const after: Model = { ...model, graph: withWeightMatrix(model.graph, layer!, changed) }
  let [squares, sum, columns] = [0, 0, 0]
  for (const feed of feeds) {
    const [before] = Object.values(await outputsOf(engine, model, feed, 'off'))
    const [now] = Object.values(await outputsOf(engine, after, feed, 'off'))
    const reference = floats(before!)
    floats(now!).forEach((v, i) => {
      squares += (v - reference[i]!) ** 2
      sum += v - reference[i]!
    })
    columns += reference.length / (groups * rows)
  }
  let [trace, shift] = [0, 0]
  for (let r = 0; r < groups * rows; r++) {
    const group = Math.floor(r / rows)
    for (let i = 0; i < depth; i++) {
      shift += delta[r * depth + i]! * moments.mean[group * depth + i]!
      for (let j = 0; j < depth; j++)
        trace += delta[r * depth + i]! * moments.h[(group * depth + i) * depth + j]! * delta[r * depth + j]!
    }
  }
  expect(moments.count).toBe(columns)
  expect(Math.abs(trace * columns - squares) / squares).toBeLessThan(1e-4)
  expect(Math.abs(shift * columns - sum)).toBeLessThan(1e-4 * Math.sqrt(squares * columns * rows * groups))
}

describe('moments tell how far another weight changes the outputs', () => {
  test.each([
    ['a MatMul', oneLayer('MatMul', [2, 3, 5], [5, 4]), [2, 3, 5]],
    ['a Gemm', oneLayer('Gemm', [3, 5], [5, 4]), [3, 5]],
    ['a Gemm with turned weight', oneLayer('Gemm', [3, 5], [4, 5], { transB: int(1) }), [3, 5]],
    ['a Gemm with turned input', oneLayer('Gemm', [5, 3], [5, 4], { transA: int(1) }), [5, 3]],
    ['a 1 x 1 Conv', oneLayer('Conv', [2, 3, 4, 5], [6, 3, 1, 1]), [2, 3, 4, 5]],
    [
      'a Conv in time',
      oneLayer('Conv', [1, 4, 11], [6, 2, 3], { group: int(2), pads: ints([2, 0]), dilations: ints([2]) }),
      [1, 4, 11],
    ],
    [
      'a Conv that pads as it needs',
      oneLayer('Conv', [1, 2, 7, 6], [4, 2, 3, 2], { auto_pad: str('SAME_UPPER'), strides: ints([2, 2]) }),
      [1, 2, 7, 6],
    ],
    ['a Conv in space', oneLayer('Conv', [1, 1, 3, 4, 3], [2, 1, 2, 2, 2]), [1, 1, 3, 4, 3]],
  ])('of %s', async (_, model, shape) => {
    await certify(model, shape)
  })

  test('of any plane Conv', async () => {
    const conv = fc.record({
      batch: fc.integer({ min: 1, max: 2 }),
      groups: fc.constantFrom(1, 2, 3),
      channels: fc.integer({ min: 1, max: 3 }),
      rows: fc.integer({ min: 1, max: 3 }),
      size: fc.tuple(fc.integer({ min: 5, max: 8 }), fc.integer({ min: 5, max: 8 })),
      kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 })),
      dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
      pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(conv, async ({ batch, groups, channels, rows, size, kernel, stride, dilation, pads }) => {
        const shape = [batch, groups * channels, ...size]
        const attrs = { group: int(groups), strides: ints(stride), dilations: ints(dilation), pads: ints(pads) }
        await certify(oneLayer('Conv', shape, [groups * rows, channels, ...kernel], attrs), shape)
      }),
      { numRuns: 15, seed: 1 },
    )
  })
})

describe('layers', () => {
  const two = (body: (b: Builder) => readonly string[]): Model => {
    const b = builder()
    b.input('x', value('float32', [4, 4]))
    for (const out of body(b)) b.output(out, value('float32', null))
    return modelOf(b.graph())
  }

  test('that see the same share their moments, and samples with NaN do not count', async () => {
    const model = two((b) => [
      b.op('MatMul', ['x', b.constant(weights([4, 3], 1), 'v')]),
      b.op('MatMul', ['x', b.constant(weights([4, 5], 2), 'w')]),
    ])
    const layers = findLayers(model.graph)
    const broken = { x: f32([4, 4], new Float32Array(16).fill(Number.NaN)) }
    const { of } = await inputMoments(model, layers, envOf([normal([4, 4], 1), broken, normal([4, 4], 2)]))
    expect(of.get(layers[0]!)).toBe(of.get(layers[1]!))
    expect(of.get(layers[0]!)!.count).toBe(8)
  })

  test('of windows that differ have their own, whether the node names their size or not', async () => {
    const b = builder()
    b.input('x', value('float32', [1, 2, 8, 8]))
    const conv = (shape: readonly number[], attrs: Record<string, Attr> = {}) =>
      b.output(b.op('Conv', ['x', b.constant(weights(shape, 1), 'w')], { attrs }), value('float32', null))
    conv([4, 2, 1, 5])
    conv([4, 2, 5, 1])
    conv([3, 2, 1, 5], { kernel_shape: ints([1, 5]) })
    const model = modelOf(b.graph())
    const layers = findLayers(model.graph)
    const [wide, tall, named] = layers
    const env = envOf([normal([1, 2, 8, 8], 1)])
    const { of } = await inputMoments(model, layers, env)
    expect(of.get(tall!)).toEqual((await inputMoments(model, [tall!], env)).of.get(tall!))
    expect(of.get(tall!)!.h).not.toEqual(of.get(wide!)!.h)
    expect(of.get(named!)).toBe(of.get(wide!))
  })

  test('with an infinite input have none, and the reason is told', async () => {
    const model = two((b) => [b.op('MatMul', [b.op('Log', ['x']), b.constant(weights([4, 3], 1), 'v')])])
    const layers = findLayers(model.graph)
    const { of, missing } = await inputMoments(model, layers, envOf([{ x: f32([4, 4], new Float32Array(16)) }]))
    expect(of.size).toBe(0)
    expect(missing.get(layers[0]!)).toContain('nothing finite')
  })

  test('go by the weight that they read, unless something else reads it too', () => {
    const { graph } = two((b) => {
      const [free, tied] = [b.constant(weights([4, 4], 1), 'free'), b.constant(weights([4, 4], 2), 'tied')]
      const once = b.op('MatMul', ['x', free])
      return [b.op('MatMul', [once, free]), b.op('Mul', [b.op('MatMul', ['x', tied]), tied])]
    })
    const byWeight = layersByWeight(graph, findLayers(graph))
    expect([...byWeight].map(([name, own]) => [name, own.length])).toEqual([['free', 2]])
  })

  test('of which one sample gives thousands of columns are seen in part, the same part for one seed', async () => {
    const shape = [1, 1, 60, 60]
    const model = oneLayer('Conv', shape, [2, 1, 3, 3], { pads: ints([1, 1, 1, 1]) })
    const layers = findLayers(model.graph)
    const feeds = [1, 2].map((seed) => normal(shape, seed))
    const seen = async (seed: number) =>
      (await inputMoments(model, layers, { ...envOf(feeds), seed })).of.get(layers[0]!)!
    const [first, again, other] = [await seen(1), await seen(1), await seen(2)]
    expect(first.count).toBe(2048)
    expect(again).toEqual(first)
    expect(other.h).not.toEqual(first.h)
    // Unit variance around 0.5: the middle of the kernel sees no padding.
    expect(Math.abs(first.mean[4]! - 0.5)).toBeLessThan(0.1)
    expect(Math.abs(first.h[4 * 9 + 4]! - 1.25)).toBeLessThan(0.2)
  })

  test('of a recurrent node see its input and its own last outputs', async () => {
    const [steps, batch, inputs, hidden] = [5, 2, 3, 4]
    const b = builder()
    b.input('x', value('float32', [steps, batch, inputs]))
    b.input('h', value('float32', [1, batch, hidden]))
    const w = b.constant(weights([1, 4 * hidden, inputs], 1), 'w')
    const r = b.constant(weights([1, 4 * hidden, hidden], 2), 'r')
    b.ops('LSTM', ['x', w, r, '', '', 'h'], { outputs: ['y'], attrs: { hidden_size: int(hidden) } })
    b.output('y', value('float32', null))
    const model = modelOf(b.graph())
    const [x, h] = [normal([steps, batch, inputs], 1).x!, normal([1, batch, hidden], 2).x!]
    const y = (await outputsOf(engine, model, { x, h })).y!
    const layers = findAllLayers(model.graph)
    const { of } = await inputMoments(model, layers, envOf([{ x, h }]))
    const states = [...floats(h), ...floats(y).subarray(0, (steps - 1) * batch * hidden)]
    for (const [layer, seen] of [
      [layers[0]!, [...floats(x)]],
      [layers[1]!, states],
    ] as const) {
      const { depth } = layer
      const { h: second, count } = of.get(layer)!
      expect(count).toBe(steps * batch)
      second.forEach((v, k) => {
        let sum = 0
        for (let n = 0; n < count; n++) sum += seen[n * depth + Math.floor(k / depth)]! * seen[n * depth + (k % depth)]!
        expect(v).toBeCloseTo(sum / count, 5)
      })
    }
  })

  test('need samples', async () => {
    const model = oneLayer('MatMul', [2, 5], [5, 4])
    await expect(inputMoments(model, findLayers(model.graph), envOf([]))).rejects.toThrow(
      expect.objectContaining({ code: 'SAMPLES_EMPTY' }),
    )
  })
})
