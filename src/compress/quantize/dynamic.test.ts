import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { feedsOf, outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { difference } from '../../../test/difference.js'
import { value } from '../../../test/small-models.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { optimizedGraph } from '../../engine/node/optimized.js'
import { roundEven } from '../../grids/affine.js'
import { float, graphAttr, int, str } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { mapGraphs } from '../../ir/graphs.js'
import { elements, f32, floats, tensor } from '../../ir/tensor.js'
import type { Attr, Dim, Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { checkParams } from '../transform.js'
import { quantizeDynamic } from './dynamic.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

type Inputs = Readonly<Record<string, readonly Dim[]>>
type Body = (b: Builder) => readonly string[]

function build(inputs: Inputs, body: Body): Model {
  const b = builder()
  for (const [name, shape] of Object.entries(inputs)) b.input(name, value('float32', shape))
  for (const out of body(b)) b.output(out, value('float32', null))
  return modelOf(b.graph())
}

const ROWS = { x: [6, 32] }
const apply = (model: Model, params: Readonly<Record<string, unknown>> = {}, portable = false): Promise<Model> =>
  quantizeDynamic.apply(model, checkParams(quantizeDynamic, params), { engine: async () => engine, portable })

function opsOf(model: Model): readonly string[] {
  const ops: string[] = []
  mapGraphs(model.graph, (g) => {
    ops.push(...g.nodes.map((n) => n.op))
    return g
  })
  return ops
}
const optimizedOps = async (model: Model): Promise<readonly string[]> =>
  opsOf(await optimizedGraph(engine, encodeModel(model).bytes))

const matmul = (b: Builder, from: string, shape: readonly number[], seed = 1): string =>
  b.op('MatMul', [from, b.constant(weights(shape, seed), 'w')])
const gemm = (b: Builder, from: string, attrs: Readonly<Record<string, Attr>> = { transB: int(1) }): string =>
  b.op('Gemm', [from, b.constant(weights([24, 32], 1), 'w'), b.constant(weights([24], 2), 'b')], { attrs })

describe('the engine fuses what is written', () => {
  test('MatMul into DynamicQuantizeMatMul', async () => {
    const ops = await optimizedOps(await apply(build(ROWS, (b) => [matmul(b, 'x', [32, 24])])))
    expect(ops).toEqual(['DynamicQuantizeMatMul'])
  })

  test('Gemm and its bias into one DynamicQuantizeMatMul', async () => {
    expect(await optimizedOps(await apply(build(ROWS, (b) => [gemm(b, 'x')])))).toEqual(['DynamicQuantizeMatMul'])
  })

  test('products of one input share its quantization', async () => {
    const model = build(ROWS, (b) => [matmul(b, 'x', [32, 24]), matmul(b, 'x', [32, 16], 2)])
    const result = await apply(model)
    expect(opsOf(result).filter((op) => op === 'DynamicQuantizeLinear')).toHaveLength(1)
    const ops = [...(await optimizedOps(result))].sort()
    expect(ops).toEqual(['DynamicQuantizeLinear', 'MatMulIntegerToFloat', 'MatMulIntegerToFloat'])
  })

  test.each(['forward', 'bidirectional'])('LSTM, %s, into DynamicQuantizeLSTM', async (direction) => {
    const ops = await optimizedOps(await apply(lstm({ direction: str(direction) })))
    expect(ops).toEqual(['DynamicQuantizeLSTM'])
  })

  test('products inside the branches of an If', async () => {
    const inner = (seed: number) => {
      const b = builder(['x'])
      b.ops('MatMul', ['x', b.constant(weights([32, 24], seed), 'w')], { outputs: [`y${seed}`] })
      b.output(`y${seed}`, value('float32', null))
      return graphAttr(b.graph())
    }
    const b = builder()
    b.input('x', value('float32', [6, 32]))
    b.input('c', value('bool', []))
    b.ops('If', ['c'], { outputs: ['y'], attrs: { then_branch: inner(1), else_branch: inner(2) } })
    b.output('y', value('float32', null))
    const ops = await optimizedOps(await apply(modelOf(b.graph())))
    expect([...ops].sort()).toEqual(['DynamicQuantizeMatMul', 'DynamicQuantizeMatMul', 'If'])
  })
})

/** DynamicQuantizeLinear by its definition in the operator specification, in float32. */
function dynamicGrid(x: Float32Array): {
  readonly q: readonly number[]
  readonly scale: number
  readonly zero: number
} {
  const low = x.reduce((a, v) => Math.min(a, v), 0)
  const high = x.reduce((a, v) => Math.max(a, v), 0)
  const scale = Math.fround((high - low) / 255)
  const zero = Math.min(255, Math.max(0, roundEven(Math.fround(-low / scale))))
  const q = Array.from(x, (v) => Math.min(255, Math.max(0, roundEven(Math.fround(v / scale)) + zero)))
  return { q, scale, zero }
}

/** Each column of w [depth, columns] to −127 … 127; one scale for all where `perChannel` is off. */
function columnGrid(w: Float32Array, depth: number, columns: number, perChannel: boolean) {
  const peaks = new Float64Array(columns)
  w.forEach((v, i) => {
    const c = perChannel ? i % columns : 0
    peaks[c] = Math.max(peaks[c]!, Math.abs(v))
  })
  const scales = Array.from(peaks, (p) => Math.fround(p / 127))
  const q = Array.from({ length: depth * columns }, (_, i) => roundEven(w[i]! / scales[perChannel ? i % columns : 0]!))
  return { q, scales: perChannel ? scales : scales.slice(0, 1) }
}

/** How far a sum of two neighbouring products of one sign may come with activations of 255, as a part of 16 bits. */
const reachOf = (column: readonly number[]): number =>
  Math.max(
    ...[1, -1].map((sign) =>
      Math.max(
        ...column.flatMap((v, k) =>
          k % 2 === 0 ? [Math.max(0, sign * v) + Math.max(0, sign * (column[k + 1] ?? 0))] : [],
        ),
      ),
    ),
  ) /
  (32767 / 255)

/** No pair saturates on a CPU without VNNI, whatever it meets. */
function expectClear(q: readonly number[], depth: number, columns: number): void {
  for (let c = 0; c < columns; c++)
    expect(reachOf(Array.from({ length: depth }, (_, k) => q[k * columns + c]!))).toBeLessThanOrEqual(1)
}

describe('the numbers', () => {
  test.each([true, false])('are those of integer products done by hand; per channel %s', async (perChannel) => {
    const model = build(ROWS, (b) => [matmul(b, 'x', [32, 24])])
    const result = await apply(model, { perChannel })
    const w = floats(model.graph.constants.get('w')!)
    const constants = [...result.graph.constants.values()]
    const stored = constants.find((t) => t.dtype === 'int8')!
    const scale = constants.find((t) => t.dtype === 'float32')!
    const [q, scales] = [[...(elements(stored) as Int8Array)], floats(scale)]
    expect(stored.shape).toEqual([32, 24])
    expect(scale.shape).toEqual(perChannel ? [24] : [])
    const plain = columnGrid(w, 32, 24, perChannel)
    expectClear(q, 32, 24)
    if (perChannel) {
      expect(q).toEqual(Array.from(w, (v, i) => roundEven(v / scales[i % 24]!) + 0))
      for (const [column, scale] of scales.entries()) {
        const own = plain.q.filter((_, i) => i % 24 === column)
        if (reachOf(own) <= 1) expect(scale).toBe(plain.scales[column])
        else expect(scale / plain.scales[column]!).toBeLessThanOrEqual(127 / 64 + 1e-6)
      }
    } else {
      // One scale for all may clip a few weights, where the others gain more by that.
      const lost = (integers: readonly number[], s: number): number =>
        integers.reduce((n, v, i) => n + (v * s - w[i]!) ** 2, 0)
      const coarser = scales[0]! / plain.scales[0]!
      expect(lost(q, scales[0]!)).toBeLessThanOrEqual(lost(plain.q, plain.scales[0]!) * Math.max(1, coarser) ** 2)
    }

    const [feeds] = await feedsOf(engine, model, [3])
    const x = dynamicGrid(floats(feeds!.x!))
    const expected = Float32Array.from({ length: 6 * 24 }, (_, i) => {
      const [row, column] = [Math.floor(i / 24), i % 24]
      let sum = 0
      for (let k = 0; k < 32; k++) sum += (x.q[row * 32 + k]! - x.zero) * q[k * 24 + column]!
      return sum * Math.fround(x.scale * scales[perChannel ? column : 0]!)
    })
    for (const optimization of ['off', 'all'] as const) {
      const got = await outputsOf(engine, result, feeds!, optimization)
      expect(difference(f32([6, 24], expected), Object.values(got)[0]!)).toBeLessThan(1e-5)
    }
  })

  test('of a transposed Gemm weight are those of the weight turned', async () => {
    const model = build(ROWS, (b) => [gemm(b, 'x')])
    const result = await apply(model)
    const stored = [...result.graph.constants.values()].find((t) => t.dtype === 'int8')!
    const w = floats(model.graph.constants.get('w')!)
    const turned = Float32Array.from({ length: w.length }, (_, i) => w[(i % 24) * 32 + Math.floor(i / 24)]!)
    expect(stored.shape).toEqual([32, 24])
    const scales = floats(result.graph.constants.get('w_s')!)
    expect([...elements(stored)]).toEqual(Array.from(turned, (v, i) => roundEven(v / scales[i % 24]!) + 0))
    expectClear([...(elements(stored) as Int8Array)], 32, 24)
  })
})

/** T steps of 16 inputs; 24 hidden units. */
function lstm(attrs: Readonly<Record<string, Attr>> = {}, more: 'state' | 'none' = 'none', layout = 0): Model {
  const d =
    attrs.direction?.type === 'string' && new TextDecoder().decode(attrs.direction.value) === 'bidirectional' ? 2 : 1
  return build(
    { x: layout === 0 ? [7, 1, 16] : [1, 7, 16], ...(more === 'state' && { h: [d, 1, 24], c: [d, 1, 24] }) },
    (b) => {
      const inputs = [
        'x',
        b.constant(weights([d, 96, 16], 1, 0.2), 'w'),
        b.constant(weights([d, 96, 24], 2, 0.2), 'r'),
        b.constant(weights([d, 192], 3, 0.1), 'b'),
        ...(more === 'state' ? ['', 'h', 'c', b.constant(weights([d, 72], 4, 0.1), 'p')] : []),
      ]
      return b.ops('LSTM', inputs, { outputs: 3, attrs: { hidden_size: int(24), ...attrs } })
    },
  )
}

describe('LSTM', () => {
  test.each([
    ['forward', {}, 'none'],
    ['bidirectional', { direction: str('bidirectional') }, 'none'],
    ['with states and peepholes', {}, 'state'],
    ['bidirectional with states', { direction: str('bidirectional') }, 'state'],
    ['that clips', { clip: float(0.5) }, 'none'],
  ] as const)('%s: near the original, all outputs, per channel and not', async (_, attrs, more) => {
    const model = lstm(attrs, more)
    const [feeds] = await feedsOf(engine, model, [1])
    const before = await outputsOf(engine, model, feeds!, 'off')
    for (const perChannel of [true, false]) {
      const result = await apply(model, { perChannel })
      expect(opsOf(result)).toEqual(['DynamicQuantizeLSTM'])
      expect([...result.opsets.keys()]).toContain('com.microsoft')
      const after = await outputsOf(engine, result, feeds!)
      for (const name of Object.keys(before)) expect(difference(before[name]!, after[name]!), name).toBeLessThan(0.03)
    }
  })

  test('weights are stored transposed, with a scale for each gate row', async () => {
    const model = lstm()
    const result = await apply(model)
    const node = result.graph.nodes[0]!
    const stored = result.graph.constants.get(node.inputs[1]!)!
    const scale = result.graph.constants.get(node.inputs[8]!)!
    expect(stored.shape).toEqual([1, 16, 96])
    expect(scale.shape).toEqual([1, 96])
    const w = floats(model.graph.constants.get('w')!)
    const q = elements(stored) as Int8Array
    for (let row = 0; row < 96; row++)
      for (let k = 0; k < 16; k++) {
        const s = floats(scale)[row]!
        expect(Math.abs(q[k * 96 + row]! * s - w[row * 16 + k]!)).toBeLessThanOrEqual(0.5001 * s)
      }
  })

  test('weights that two share are written once', async () => {
    const model = build({ x: [7, 1, 16], z: [7, 1, 16] }, (b) => {
      const [w, r] = [b.constant(weights([1, 96, 16], 1, 0.2), 'w'), b.constant(weights([1, 96, 24], 2, 0.2), 'r')]
      return ['x', 'z'].map((from) => b.ops('LSTM', [from, w, r], { outputs: 2, attrs: { hidden_size: int(24) } })[1]!)
    })
    const result = await apply(model)
    expect(opsOf(result)).toEqual(['DynamicQuantizeLSTM', 'DynamicQuantizeLSTM'])
    const stored = [...result.graph.constants.values()].filter((t) => t.dtype === 'int8' && t.shape.length === 3)
    expect(stored.map((t) => t.byteLength).sort()).toEqual([16 * 96, 24 * 96])
    const [feeds] = await feedsOf(engine, model, [1])
    const [before, after] = [await outputsOf(engine, model, feeds!, 'off'), await outputsOf(engine, result, feeds!)]
    for (const name of Object.keys(before)) expect(difference(before[name]!, after[name]!)).toBeLessThan(0.03)
  })

  test('is quantized below opset 11 too, where products have no operator', async () => {
    const old = (model: Model): Model => ({ ...model, opsets: new Map([['', 10]]) })
    expect(quantizeDynamic.refuses(old(lstm()), {})).toBe(null)
    const model = old(build(ROWS, (b) => [matmul(b, 'x', [32, 24])]))
    expect(quantizeDynamic.refuses(model, {})).toContain('needs opset 11')
    expect(await apply(model)).toBe(model)
    const result = await apply(old(lstm()))
    const [feeds] = await feedsOf(engine, result, [1])
    const [before, after] = [await outputsOf(engine, old(lstm()), feeds!), await outputsOf(engine, result, feeds!)]
    for (const name of Object.keys(before)) expect(difference(before[name]!, after[name]!)).toBeLessThan(0.03)
  })

  test.each([
    ['reverse', { direction: str('reverse') }],
    ['coupled gates', { input_forget: int(1) }],
  ] as const)('%s stays as it is', async (_, attrs) => {
    const model = lstm(attrs)
    expect(quantizeDynamic.refuses(model, {})).toContain('no MatMul')
    expect(await apply(model)).toBe(model)
  })

  test('stays in float where it must be portable, or is told to', async () => {
    const model = lstm()
    expect(quantizeDynamic.refuses(model, { portable: true })).not.toBe(null)
    expect(quantizeDynamic.refuses(model, { portable: false })).toBe(null)
    expect(await apply(model, { lstm: false })).toBe(model)
    expect(await apply(model, {}, true)).toBe(model)
  })
})

describe('what stays in float', () => {
  const untouched: Readonly<Record<string, Body>> = {
    'a small weight': (b) => [matmul(b, 'x', [32, 1])],
    'a Gemm that scales': (b) => [gemm(b, 'x', { transB: int(1), alpha: float(0.5) })],
    'a Gemm that scales its bias': (b) => [gemm(b, 'x', { transB: int(1), beta: float(0.5) })],
    'a product of two constants': (b) => [
      b.op('MatMul', [b.constant(weights([6, 32], 1), 'a'), b.constant(weights([32, 24], 2), 'w')]),
      'x',
    ],
    'a batch of matrices': (b) => [b.op('MatMul', ['x', b.constant(weights([2, 32, 24], 1), 'w')])],
    'a constant on the left': (b) => [b.op('MatMul', [b.constant(weights([24, 6], 1), 'w'), 'x'])],
    'a weight that a float reader needs too': (b) => {
      const w = b.constant(weights([32, 24], 1), 'w')
      return [b.op('MatMul', ['x', w]), b.op('Neg', [w])]
    },
  }
  test.each(Object.entries(untouched))('%s', async (_, body) => {
    const model = build(ROWS, body)
    expect(await apply(model)).toBe(model)
  })

  test('what a chain of shared weights ties to float', async () => {
    // LSTM weights w and r; r is tied to a product, w to a float reader: none may change.
    const model = build({ x: [7, 1, 16], z: [5, 96, 24] }, (b) => {
      const w = b.constant(weights([1, 96, 16], 1, 0.2), 'w')
      const r = b.constant(weights([1, 96, 24], 2, 0.2), 'r')
      const other = b.constant(weights([1, 96, 24], 3, 0.2), 'other')
      const first = b.ops('LSTM', ['x', w, r], { outputs: 3, attrs: { hidden_size: int(24) } })
      const second = b.ops('LSTM', ['x', w, other], { outputs: 3, attrs: { hidden_size: int(24) } })
      return [first[0]!, second[0]!, b.op('Add', ['z', r])]
    })
    expect(await apply(model)).toBe(model)
  })

  test('minElements draws the line', async () => {
    const model = build(ROWS, (b) => [matmul(b, 'x', [32, 2])])
    expect(opsOf(await apply(model))).toContain('MatMulInteger')
    expect(await apply(model, { minElements: 65 })).toBe(model)
  })

  test('a float64 product', async () => {
    const b = builder()
    b.input('x', value('float64', [6, 32]))
    const w: Tensor = tensor('float64', [32, 24], new Float64Array(768).fill(1))
    b.ops('MatMul', ['x', b.constant(w, 'w')], { outputs: ['y'] })
    b.output('y', value('float64', null))
    const model = modelOf(b.graph())
    expect(await apply(model)).toBe(model)
  })
})

test('a vector and a batch of matrices times a matrix keep their shapes', async () => {
  for (const shape of [[32], [2, 3, 6, 32]]) {
    const model = build({ x: shape }, (b) => [matmul(b, 'x', [32, 24])])
    const [feeds] = await feedsOf(engine, model, [1])
    const before: Feeds = await outputsOf(engine, model, feeds!, 'off')
    const after = await outputsOf(engine, await apply(model), feeds!)
    for (const name of Object.keys(before)) expect(difference(before[name]!, after[name]!)).toBeLessThan(0.03)
  }
})
