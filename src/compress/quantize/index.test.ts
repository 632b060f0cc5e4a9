import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf, stream } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { difference } from '../../../test/difference.js'
import { value } from '../../../test/small-models.js'
import type { Samples } from '../../data/samples.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { ints, str } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { decodeModel, encodeModel } from '../../onnx/codec.js'
import { PareError } from '../../util/errors.js'
import { type QuantizeOptions, quantize } from './index.js'
import type { QuantizeKind } from './kinds.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const IMAGE = [1, 16, 8, 8]
const ramp: Feeds = {
  x: f32(
    IMAGE,
    Float32Array.from({ length: 1024 }, (_, i) => 1 + Math.sin(i)),
  ),
}
const samplesOf = (feeds: Feeds): Samples => ({ name: 'one', count: 1, read: () => stream([{ feeds, name: '0' }]) })
const run = (model: Model, options: QuantizeOptions): Promise<Model> =>
  quantize(model, options, { engine: async () => engine })
const opsOf = (model: Model): readonly string[] => model.graph.nodes.map((n) => n.op)

async function refusal(model: Model, options: QuantizeOptions): Promise<PareError> {
  const error = await run(model, options).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(PareError)
  return error as PareError
}

/** Conv, then `middle`, and a Gemm beside it. */
function model(opset: number, middle: (b: Builder, x: string) => readonly string[], domain = ''): Model {
  const b = builder()
  b.input('x', value('float32', IMAGE))
  const op = (name: string, inputs: readonly string[], attrs = {}) => b.op(name, inputs, { domain, attrs })
  const c = op('Conv', ['x', b.constant(weights([16, 16, 3, 3], 1, 0.1), 'w'), b.constant(weights([16], 2), 'b')], {
    pads: ints([1, 1, 1, 1]),
  })
  for (const out of middle(b, c)) b.output(out, value('float32', null))
  const flat = op('Flatten', [op('GlobalAveragePool', [c])])
  const gemm = op('Gemm', [flat, b.constant(weights([16, 64], 4), 'g'), b.constant(weights([64], 5), 'gb')])
  b.output(gemm, value('float32', null))
  return modelOf(b.graph(), { '': opset })
}

const droppedMask = (b: Builder, x: string): readonly string[] => {
  const [kept, mask] = b.ops('Dropout', [x], { outputs: 2 })
  return [kept!, mask!]
}
const oldResize = (b: Builder, x: string): readonly string[] => [
  b.op('Resize', [x, b.constant(f32([0], []), 'roi'), b.constant(f32([4], [1, 1, 2, 2]), 'scales')], {
    attrs: { coordinate_transformation_mode: str('tf_half_pixel_for_nn') },
  }),
]
describe('a model that cannot be brought to opset 21', () => {
  const kinds: readonly (readonly [string, QuantizeKind, boolean])[] = [
    ['int8 with samples', 'int8', true],
    ['int8', 'int8', false],
    ['int4', 'int4', false],
    ['store-int8', 'store-int8', false],
    ['f16', 'f16', false],
  ]
  const blocked = [
    [9, 'a mask that is read', droppedMask],
    [11, 'a rule of coordinates that ended', oldResize],
    [12, 'a rule of coordinates that ended', oldResize],
  ] as const
  describe.each(blocked)('opset %i: %s', (opset, _, middle) => {
    test.each(kinds)('%s runs, near the original', async (_, to, calibrated) => {
      const original = model(opset, middle)
      const result = await run(original, { to, ...(calibrated && { samples: samplesOf(ramp) }) })
      const before = await outputsOf(engine, original, ramp, 'off')
      const after = await outputsOf(engine, result, ramp)
      for (const [name, t] of Object.entries(before)) {
        if (t.dtype === 'float32') expect(difference(t, after[name]!), name).toBeLessThan(0.15)
      }
    })

    test('store-int4 is refused, and the node that is in the way named', async () => {
      const error = await refusal(model(opset, middle), { to: 'store-int4' })
      expect(error.code).toBe('QUANTIZE_NOTHING')
      expect(error.message).toMatch(/store\/int4 needs opset 21, and the model's is (9|12)\./)
      expect(error.message).toMatch(/(Dropout|Resize) .* bars opset (10|13): .*store-int8/)
    })
  })

  test('static int8 stays static where the operators are there, without channels below opset 13', async () => {
    const result = await run(model(12, oldResize), { to: 'int8', samples: samplesOf(ramp) })
    expect(result.opsets.get('')).toBe(12)
    const scales = result.graph.nodes.filter((n) => n.op === 'DequantizeLinear')
    expect(scales.length).toBeGreaterThan(2)
    expect(scales.every((n) => n.attrs.axis === undefined)).toBe(true)
  })
})

test('a model without weights is told so', async () => {
  const b = builder()
  b.input('x', value('float32', [4]))
  b.output(b.op('Neg', ['x']), value('float32', null))
  const error = await refusal(modelOf(b.graph()), { to: 'int4' })
  expect(error.code).toBe('QUANTIZE_NOTHING')
  expect(error.message).toContain('no MatMul or Gemm with constant weights')
  expect(error.message).not.toContain('opset')
})

test('a model of an opset that is not known gets no advice that does not help', async () => {
  const error = await refusal(
    model(5, () => []),
    { to: 'f16' },
  )
  expect(error.code).toBe('QUANTIZE_NOTHING')
  expect(error.message).toMatch(/^model: .*Its opset is 5.* from opset 7 on/)
  expect(error.message).not.toContain('store-int8')
})

test('a file without samples is named', async () => {
  const none: Samples = { name: 'none.npy', count: 0, read: () => stream([]) }
  const error = await refusal(
    model(21, () => []),
    { to: 'int8', samples: none },
  )
  expect(error).toMatchObject({ code: 'SAMPLES_EMPTY', detail: { where: 'none.npy' } })
})

test.each([17, 21, 22])('opset %i: the standard domain may be spelled ai.onnx', async (opset) => {
  const of = (domain: string) => decodeModel(encodeModel(model(opset, () => [], domain)).bytes)
  for (const options of [{ to: 'int8', samples: samplesOf(ramp) }, { to: 'int4' }] as const) {
    const [plain, spelled] = [await run(of(''), options), await run(of('ai.onnx'), options)]
    expect(opsOf(spelled)).toEqual(opsOf(plain))
  }
})

test.each([undefined, 'percentile'] as const)('NaN stays NaN: range %s', async (range) => {
  const b = builder()
  b.input('x', value('float32', IMAGE))
  const w = b.constant(weights([16, 16, 3, 3], 1, 0.1), 'w')
  b.output(b.op('Conv', [b.op('Log', ['x']), w]), value('float32', null))
  const original = modelOf(b.graph())
  const feeds = {
    x: f32(
      IMAGE,
      floats(ramp.x!).map((v, i) => (i === 500 ? -1 : v + 1)),
    ),
  }
  const result = await run(original, { to: 'int8', samples: samplesOf(feeds), ...(range && { range }) })
  const nans = async (m: Model) =>
    floats(Object.values(await outputsOf(engine, m, feeds))[0]!).filter(Number.isNaN).length
  expect(await nans(original)).toBeGreaterThan(50)
  expect(await nans(result)).toBe(await nans(original))
})

describe('samples that fix no ranges', () => {
  const heard = async (given: Model, options: QuantizeOptions): Promise<readonly string[]> => {
    const warnings: string[] = []
    await quantize(given, options, { engine: async () => engine, onWarning: (message) => warnings.push(message) })
    return warnings
  }
  const layered = model(21, (_, x) => [x])
  const samples = samplesOf(ramp)

  test('are said to, with the reason', async () => {
    const b = builder()
    b.input('x', value('float32', IMAGE))
    const w = b.constant(weights([16, 16, 3, 3], 1, 0.1), 'w')
    b.output(b.op('ConvTranspose', ['x', w]), value('float32', null))
    const noUnits = modelOf(b.graph())
    expect(await heard(noUnits, { to: 'int8', samples })).toEqual([
      expect.stringMatching(/^The samples fix no ranges: .*no Conv, MatMul or Gemm with constant weights/),
    ])
  })

  test('are no matter where they do, or other kinds need none', async () => {
    expect(await heard(layered, { to: 'int8', samples })).toEqual([])
    expect(await heard(layered, { to: 'int8' })).toEqual([])
    expect(await heard(layered, { to: 'f16', samples })).toEqual([])
  })
})

describe('excluded nodes', () => {
  /** MatMul and Add that become one Gemm, and another MatMul. */
  const pair = (names: readonly [string, string, string]): Model => {
    const b = builder()
    b.input('x', value('float32', [4, 32]))
    const product = b.op('MatMul', ['x', b.constant(weights([32, 64], 1), 'w')], { name: names[0] })
    const sum = b.op('Add', [product, b.constant(weights([64], 2), 'c')], { name: names[1] })
    b.output(b.op('MatMul', [sum, b.constant(weights([64, 32], 3), 'v')], { name: names[2] }), value('float32', null))
    return modelOf(b.graph())
  }
  const named = pair(['encoder.0.product', 'encoder.0.sum', 'head'])
  const unnamed = { ...named, graph: { ...named.graph, nodes: named.graph.nodes.map((n) => ({ ...n, name: '' })) } }
  const outs = named.graph.nodes.map((n) => n.outputs[0]!)

  test.each([
    ['the product of a fused pair', named, 'encoder.0.product'],
    ['its addition', named, 'encoder.0.sum'],
    ['the product, by its output', unnamed, outs[0]!],
    ['the addition, by its output', unnamed, outs[1]!],
  ])('%s', async (_, original, name) => {
    const result = await run(original, { to: 'int8', exclude: [name] })
    const ops = opsOf(result)
    expect(ops.filter((op) => op === 'Gemm')).toHaveLength(1)
    expect(ops.filter((op) => op === 'MatMulInteger')).toHaveLength(1)
  })

  test('others are not: the one behind a fused pair is quantized', async () => {
    const ops = opsOf(await run(named, { to: 'int8', exclude: ['head'] }))
    expect(ops.filter((op) => op === 'MatMul')).toHaveLength(1)
    expect(ops.filter((op) => op === 'MatMulInteger')).toHaveLength(1)
  })

  test('a node that preparing takes away is no error', async () => {
    const b = builder()
    b.input('x', value('float32', [4, 32]))
    const same = b.op('Identity', ['x'], { name: 'same' })
    b.output(b.op('MatMul', [same, b.constant(weights([32, 64], 1), 'w')], { name: 'head' }), value('float32', null))
    const ops = opsOf(await run(modelOf(b.graph()), { to: 'int8', exclude: ['same'] }))
    expect(ops).toContain('MatMulInteger')
  })

  test('an unknown name is refused, with names that are near', async () => {
    const error = await refusal(named, { to: 'int8', exclude: ['encoder.0.prodct'] })
    expect(error.code).toBe('PARAM_INVALID')
    expect(error.message).toContain('exclude: there is no node of this name (got "encoder.0.prodct")')
    expect(error.message).toContain('Near it: encoder.0.product')
    expect(error.message).not.toContain('head')
    expect((await refusal(named, { to: 'f16', exclude: ['zzz'] })).message).toContain('pare inspect')
  })

  test('all of them: nothing is left, and that is said', async () => {
    const error = await refusal(named, { to: 'int8', exclude: ['encoder.0.product', 'head'] })
    expect(error.code).toBe('QUANTIZE_NOTHING')
    expect(error.message).toContain('excluded')
  })
})
