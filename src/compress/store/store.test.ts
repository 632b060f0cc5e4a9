import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { feedsOf, outputsOf } from '../../../test/calibrated.js'
import { COMPRESS_CASES, weights } from '../../../test/compress-models.js'
import { difference } from '../../../test/difference.js'
import { value } from '../../../test/small-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { optimizedGraph } from '../../engine/node/optimized.js'
import { roundEven } from '../../grids/affine.js'
import { blockLayout } from '../../grids/blocks.js'
import { graphAttr, int } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { mapGraphs } from '../../ir/graphs.js'
import { elements, f32, floats, floatToHalf, halfToFloat, numbers, tensor } from '../../ir/tensor.js'
import type { Graph, Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { checkParams, type Transform } from '../transform.js'
import { storeInt4 } from './blocks.js'
import { storeF16, storeInt8 } from './store.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const STORES = [storeInt8, storeInt4, storeF16]
const apply = (
  t: (typeof STORES)[number],
  model: Model,
  params: Readonly<Record<string, unknown>> = {},
): Promise<Model> =>
  t.apply(model, checkParams(t as unknown as Transform, { minElements: 128, ...params }) as never, {
    engine: async () => engine,
  })

const graphsOf = (model: Model): readonly Graph[] => {
  const all: Graph[] = []
  mapGraphs(model.graph, (g) => {
    all.push(g)
    return g
  })
  return all
}
const opsOf = (model: Model): readonly string[] => graphsOf(model).flatMap((g) => g.nodes.map((n) => n.op))
const constantsOf = (model: Model): readonly Tensor[] => graphsOf(model).flatMap((g) => [...g.constants.values()])

/** y = x + w: shows the weight as the engine expands it. */
function shown(w: Tensor, name = 'w'): Model {
  const b = builder()
  b.input('x', value('float32', w.shape))
  const constant = b.constant(w, name)
  b.ops('Add', ['x', constant], { outputs: ['y'] })
  b.output('y', value('float32', null))
  return modelOf(b.graph())
}
async function expanded(model: Model): Promise<Float32Array> {
  const [feeds] = await feedsOf(engine, model, [1])
  const zeros = floats(feeds!.x!).map(() => 0)
  return floats((await outputsOf(engine, model, { x: f32(feeds!.x!.shape, zeros) })).y!)
}

const EXPANDING = ['Cast', 'Mul', 'Reshape', 'Slice', 'DequantizeLinear']

describe('nothing is left to do at run time: expanded weights are folded when the model is loaded', () => {
  const cases = COMPRESS_CASES.filter(
    (c) => c.changes.includes('store/int8') && !c.name.startsWith('weights of magnitude'),
  )
  test.each(STORES.flatMap((t) => cases.map((c) => ({ id: t.id, name: c.name, t, c }))))(
    '$id: $name',
    async ({ t, c }) => {
      const before = opsOf(c.model)
      const stored = await apply(t, c.model)
      expect(opsOf(stored).length).toBeGreaterThan(before.length)
      // At `basic` the engine folds constants and fuses nothing that would hide an op.
      const own = opsOf(await optimizedGraph(engine, encodeModel(c.model).bytes, { optimization: 'basic' }))
      const left = opsOf(await optimizedGraph(engine, encodeModel(stored).bytes, { optimization: 'basic' }))
      for (const op of EXPANDING) {
        expect(left.filter((o) => o === op).length, `${op} in ${left}`).toBe(own.filter((o) => o === op).length)
      }
    },
  )

  test.each(STORES.map((t) => ({ id: t.id, t })))(
    '$id: inside both branches of an If, and of weights they capture',
    async ({ t }) => {
      const branch = (name: string, own: Tensor | null): Graph => {
        const b = builder(['x', 'outer'])
        b.ops('MatMul', ['x', own === null ? 'outer' : b.constant(own, `${name}_w`)], { name, outputs: [`${name}_y`] })
        b.output(`${name}_y`, value('float32', null))
        return b.graph(name)
      }
      const b = builder()
      b.input('x', value('float32', [2, 32]))
      b.input('c', value('bool', []))
      b.constant(weights([32, 40], 1), 'outer')
      const attrs = {
        then_branch: graphAttr(branch('inside', weights([32, 40], 2))),
        else_branch: graphAttr(branch('outside', null)),
      }
      b.ops('If', ['c'], { outputs: ['y'], attrs })
      b.output('y', value('float32', null))
      const model = modelOf(b.graph())
      const stored = await apply(t, model)
      expect(constantsOf(stored).filter((c) => c.dtype === 'float32' && c.byteLength > 1024)).toEqual([])
      const left = opsOf(await optimizedGraph(engine, encodeModel(stored).bytes, { optimization: 'basic' }))
      expect([...left].sort()).toEqual(['If', 'MatMul', 'MatMul'])
      // Either weight can be kept by the name of the node that reads it.
      for (const key of ['inside', 'outside']) {
        const kept = constantsOf(await apply(t, model, { exclude: [key] }))
        const same = key === 'inside' ? weights([32, 40], 2) : weights([32, 40], 1)
        expect(kept.some((k) => k.dtype === 'float32' && Buffer.compare(k.bytes(), same.bytes()) === 0)).toBe(true)
      }
    },
  )
})

describe('store/int8', () => {
  test('has the integers and scales of a computation by hand', async () => {
    const w = f32(
      [6, 32],
      floats(weights([6, 32], 1)).map((v, i) => v * 10 ** (i >> 5)),
    )
    const stored = await apply(storeInt8, shown(w))
    const q = constantsOf(stored).find((t) => t.dtype === 'int8')!
    const s = constantsOf(stored).find((t) => t.dtype === 'float32')!
    // Columns are too short for scales of their own.
    expect(s.shape).toEqual([6, 1])
    const data = floats(w)
    const scales = Array.from({ length: 6 }, (_, r) =>
      Math.fround(data.subarray(32 * r, 32 * (r + 1)).reduce((a, v) => Math.max(a, Math.abs(v)), 0) / 127),
    )
    expect([...floats(s)]).toEqual(scales)
    const integers = Array.from(data, (v, i) => roundEven(v / scales[i >> 5]!) + 0)
    expect([...elements(q)]).toEqual(integers)
    expect([...(await expanded(stored))]).toEqual(integers.map((v, i) => Math.fround(v * scales[i >> 5]!)))
  })

  test('takes the axis that loses least, and none where an axis gains nothing', async () => {
    const along = (axis: number | null): Tensor =>
      f32(
        [16, 12, 10],
        Float32Array.from({ length: 1920 }, (_, i) => {
          const at = [Math.floor(i / 120), Math.floor(i / 10) % 12, i % 10]
          return Math.sin(i * 1.7) * (axis === null ? 1 : 10 ** (at[axis]! / 4))
        }),
      )
    for (const [axis, shape] of [
      [0, [16, 1, 1]],
      [1, [12, 1]],
      [2, [10]],
    ] as const) {
      const scale = constantsOf(await apply(storeInt8, shown(along(axis)))).find((t) => t.dtype === 'float32')!
      expect(scale.shape).toEqual(shape)
    }
    const equal = f32(
      [16, 12],
      Float32Array.from({ length: 192 }, (_, i) => (i % 2 === 0 ? 1 : -1)),
    )
    expect(constantsOf(await apply(storeInt8, shown(equal))).find((t) => t.dtype === 'float32')!.shape).toEqual([])
  })

  test('spends no scale on fewer than eight elements', async () => {
    const stored = await apply(storeInt8, shown(weights([64, 4], 1)))
    expect(constantsOf(stored).find((t) => t.dtype === 'float32')!.byteLength).toBeLessThanOrEqual(16)
  })

  test('of weights below what float32 holds in full makes zeros, not NaN', async () => {
    const stored = await apply(storeInt8, shown(f32([128], new Float32Array(128).fill(1e-40))))
    for (const v of await expanded(stored)) expect(Math.abs(v)).toBeLessThanOrEqual(1e-40)
  })

  test('of the largest float32, which masks are made of, stays finite', async () => {
    const most = -3.4028234663852886e38
    const stored = await apply(
      storeInt8,
      shown(
        f32(
          [256],
          Float32Array.from({ length: 256 }, (_, i) => (i % 2) * most),
        ),
      ),
    )
    expect(opsOf(stored)).toContain('Cast')
    const values = await expanded(stored)
    expect(values[0]).toBe(0)
    expect(values[1]! / most).toBeCloseTo(1, 6)
  })
})

describe('store/int4', () => {
  test('has the bytes of a computation by hand', async () => {
    // One row of 32 and a step of 1, one of step −2.
    const first = Array.from({ length: 32 }, (_, i) => (i % 16) - 8)
    const second = Array.from({ length: 32 }, (_, i) => 2 * (8 - (i % 16)))
    const stored = await apply(storeInt4, shown(f32([4, 32], [...first, ...second, ...first, ...second])))
    const q = constantsOf(stored).find((t) => t.dtype === 'int4')!
    const s = constantsOf(stored).find((t) => t.dtype === 'float16')!
    expect(q.shape).toEqual([128])
    // −8 … 7 in two's complement, low half first.
    const packed = [0x98, 0xba, 0xdc, 0xfe, 0x10, 0x32, 0x54, 0x76]
    expect([...q.bytes()]).toEqual([
      ...packed,
      ...packed,
      ...packed,
      ...packed,
      ...packed,
      ...packed,
      ...packed,
      ...packed,
    ])
    expect(s.shape).toEqual([4, 1])
    expect([...numbers(s)]).toEqual([1, -2, 1, -2])
    expect([...(await expanded(stored))]).toEqual([...first, ...second, ...first, ...second].map((v) => v + 0))
  })

  test.each([
    ['whole blocks', [6, 64]],
    ['a rest at the end of each row', [6, 85]],
    ['rows of a prime length', [6, 89]],
    ['rows shorter than a block', [40, 9]],
    ['one row', [300]],
    ['a kernel', [12, 5, 3, 3]],
  ] as const)('expands to integers times float16 scales: %s', async (_, shape) => {
    const w = weights(shape, 2)
    const data = floats(w)
    const { depth, block } = blockLayout(shape, 32)
    const expected = Array.from(data, (_, i) => {
      const [row, k] = [Math.floor(i / depth), i % depth]
      const start = row * depth + Math.floor(k / block) * block
      const end = Math.min(start + block, (row + 1) * depth)
      const peak = data.subarray(start, end).reduce((a, v) => (Math.abs(v) > Math.abs(a) ? v : a), 0)
      const scale = halfToFloat(floatToHalf(peak / -8))
      return Math.min(7, Math.max(-8, roundEven(data[i]! / scale))) * scale + 0
    })
    const stored = await apply(storeInt4, shown(w))
    const got = await expanded(stored)
    expect([...got].map((v) => v + 0)).toEqual(expected)
  })

  test('keeps float32 scales where float16 has no digits for them', async () => {
    for (const factor of [1e-9, 1e9]) {
      const w = f32(
        [8, 32],
        floats(weights([8, 32], 1)).map((v) => v * factor),
      )
      const stored = await apply(storeInt4, shown(w))
      expect(constantsOf(stored).some((t) => t.dtype === 'float16')).toBe(false)
      const got = await expanded(stored)
      expect(difference(w, f32([8, 32], got))).toBeLessThan(1 / 8)
    }
  })
})

describe('store/f16', () => {
  test('has the nearest float16 of every element', async () => {
    const w = weights([16, 16], 1)
    const stored = await apply(storeF16, shown(w))
    expect([...(await expanded(stored))]).toEqual(Array.from(floats(w), (v) => halfToFloat(floatToHalf(v))))
    expect(constantsOf(stored).map((t) => t.dtype)).toEqual(['float16'])
  })

  test('leaves alone what float16 cannot hold', async () => {
    for (const factor of [1e6, 1e-7]) {
      const model = shown(
        f32(
          [16, 16],
          floats(weights([16, 16], 1)).map((v) => v * factor),
        ),
      )
      expect(await apply(storeF16, model)).toBe(model)
    }
    const one = weights([16, 16], 1)
    new Float32Array(one.bytes().buffer)[9] = 65520
    const model = shown(one)
    expect(await apply(storeF16, model)).toBe(model)
  })

  test('takes weights of which a few are below its range', async () => {
    const some = weights([16, 16], 1)
    new Float32Array(some.bytes().buffer)[9] = 1e-9
    expect(opsOf(await apply(storeF16, shown(some)))).toContain('Cast')
  })
})

describe('what is left alone', () => {
  test('the scales of a product with 4-bit floats', async () => {
    const b = builder()
    b.input('x', value('float32', [1, 64]))
    const absmax = Float32Array.from({ length: 256 }, (_, i) => 10 ** ((-6 * i) / 256))
    const inputs = ['x', b.constant(tensor('uint8', [4096], new Uint8Array(4096)), 'w'), b.constant(f32([256], absmax))]
    const attrs = { K: int(64), N: int(128), block_size: int(32), quant_type: int(1) }
    b.output(b.op('MatMulBnb4', inputs, { domain: 'com.microsoft', attrs }), value('float32', null))
    const model = modelOf(b.graph(), { '': 21, 'com.microsoft': 1 })
    expect(await apply(storeInt8, model)).toBe(model)
  })

  const build = (body: (b: Builder) => readonly string[]): Model => {
    const b = builder()
    b.input('x', value('float32', [4, 200]))
    for (const out of body(b)) b.output(out, value('float32', null))
    return modelOf(b.graph())
  }
  const divisor = (op: string, place: number) => (b: Builder) => {
    const w = b.constant(weights([4, 200], 1), 'w')
    return [b.op(op, op === 'Div' || op === 'Pow' ? (place === 0 ? [w, 'x'] : ['x', w]) : [w]), 'x']
  }
  const cases: Readonly<Record<string, (b: Builder) => readonly string[]>> = {
    'a divisor': divisor('Div', 1),
    'a base': divisor('Pow', 0),
    'an exponent': divisor('Pow', 1),
    'what a root is taken of': divisor('Sqrt', 0),
    'what a logarithm is taken of': divisor('Log', 0),
    'what is inverted': divisor('Reciprocal', 0),
    'a constant that nothing reads but an output': (b) => [b.constant(weights([4, 200], 1), 'w'), 'x'],
  }
  test.each(Object.entries(cases))('%s', async (_, body) => {
    const model = build(body)
    for (const t of STORES) expect(await apply(t, model), t.id).toBe(model)
  })

  test('a dividend is not', async () => {
    const model = build(divisor('Div', 0))
    for (const t of STORES) expect(await apply(t, model), t.id).not.toBe(model)
  })

  test('constants below minElements', async () => {
    const model = shown(weights([10, 20], 1))
    for (const t of STORES) expect(await apply(t, model, { minElements: 200 })).not.toBe(model)
    expect(await apply(storeF16, model, { minElements: 201 })).toBe(model)
    for (const t of STORES.filter((s) => s !== storeF16)) {
      const small = await apply(t, model, { minElements: 201 })
      expect(
        [...small.graph.constants.values()].map((c) => c.dtype),
        t.id,
      ).toEqual(['float16'])
    }
    for (const t of STORES) expect(t.refuses(shown(weights([127], 1)), {})).toContain('no float32 constants')
    for (const t of STORES) expect(t.refuses(shown(weights([128], 1)), {})).toBe(null)
  })
})

test.each(STORES.map((t) => ({ id: t.id, t })))(
  '$id never makes a file larger, whatever the size and the length of names',
  async ({ t }) => {
    for (const shape of [[3], [40], [1, 20], [128], [130, 1], [8, 16], [13, 11], [4, 4, 3, 3], [300]])
      for (const name of ['w', 'a/long/path/of/modules/as/exporters/write/it/weight', 'n'.repeat(300)]) {
        const model = shown(weights(shape, 1), name)
        const stored = await apply(t, model, { minElements: 1 })
        if (shape[0] === 300) expect(stored, name).not.toBe(model)
        if (stored === model) continue
        expect(encodeModel(stored).byteLength, `${shape} ${name.length}`).toBeLessThan(encodeModel(model).byteLength)
      }
  },
)

test('a stored model runs as the original does', async () => {
  const model = shown(weights([16, 16], 1))
  const [feeds] = await feedsOf(engine, model, [1])
  const before = await outputsOf(engine, model, feeds!, 'off')
  for (const [t, bound] of [
    [storeInt8, 0.01],
    [storeInt4, 0.15],
    [storeF16, 0.001],
  ] as const) {
    expect(difference(before.y!, (await outputsOf(engine, await apply(t, model), feeds!)).y!), t.id).toBeLessThan(bound)
  }
})
