import { afterAll, beforeAll, expect, test } from 'vitest'
import { stream } from '../../test/calibrated.js'
import { weights } from '../../test/compress-models.js'
import { value } from '../../test/small-models.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { graphAttr, int, ints } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, floats, i64, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { type QuantizeOptions, quantize } from './quantize/index.js'
import { applySteps, type RecipeStep } from './recipes.js'
import { VALUE_KINDS } from './store/values.js'
import { type QuantizeSummary, summarizeQuantization } from './summary.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** A Conv, a MatMul, a Gather from a table and, in a branch of an If, an LSTM; the other branch is a copy of the input. */
function mixed(): Model {
  const b = builder()
  b.input('x', value('float32', [1, 16, 32]))
  b.input('rows', value('int64', [2]))
  b.input('on', value('bool', []))
  b.output(b.op('Conv', ['x', b.constant(weights([24, 16, 3], 1), 'conv')]), value('float32', null))
  b.output(b.op('MatMul', ['x', b.constant(weights([32, 64], 2), 'product')]), value('float32', null))
  b.output(b.op('Gather', [b.constant(weights([64, 32], 3), 'table'), 'rows']), value('float32', null))
  const branch = builder()
  const lstm = [branch.constant(weights([1, 64, 32], 4), 'w'), branch.constant(weights([1, 64, 16], 5), 'r')]
  branch.output(branch.op('LSTM', ['x', ...lstm], { attrs: { hidden_size: int(16) } }), value('float32', null))
  const other = builder()
  other.output(other.op('Unsqueeze', ['x', 'axes']), value('float32', null))
  b.constant(i64([1], [1]), 'axes')
  const branches = { then_branch: graphAttr(branch.graph('then')), else_branch: graphAttr(other.graph('else')) }
  b.output(b.op('If', ['on'], { attrs: branches }), value('float32', null))
  return modelOf(b.graph(), { '': 17 })
}

const NONE: QuantizeSummary = {
  static: 0,
  dynamic: 0,
  dynamicLstm: 0,
  blocks4: 0,
  storedInt8: 0,
  storedInt4: 0,
  storedFloat16: 0,
  storedBinary: 0,
  storedTernary: 0,
  storedInt6: 0,
  storedInt5: 0,
  storedInt3: 0,
  storedInt2: 0,
  storedCodebook: 0,
  storedSparse: 0,
}
const feeds = {
  x: f32(
    [1, 16, 32],
    Float32Array.from({ length: 512 }, (_, i) => Math.sin(i)),
  ),
  rows: i64([2], [0, 1]),
  on: tensor('bool', [], Uint8Array.of(1)),
}
const samples = { name: 'one', count: 1, read: () => stream([{ feeds, name: '0' }]) }

test.each<[string, QuantizeOptions, Partial<QuantizeSummary>]>([
  ['dynamic int8', { to: 'int8' }, { dynamic: 1, dynamicLstm: 1, storedInt8: 2 }],
  ['static int8', { to: 'int8', samples }, { static: 2, dynamicLstm: 1, storedInt8: 1 }],
  ['portable int8', { to: 'int8', portable: true }, { dynamic: 1, storedInt8: 4 }],
  ['int4', { to: 'int4' }, { blocks4: 1, dynamicLstm: 1, storedInt8: 2 }],
  ['int4 within the standard', { to: 'int4', portable: true }, { dynamic: 1, storedInt8: 4 }],
  ['float16', { to: 'f16' }, { storedFloat16: 5 }],
  ['stored int8', { to: 'store-int8' }, { storedInt8: 5 }],
  ['stored int4', { to: 'store-int4' }, { storedInt4: 5 }],
  ['stored int6', { to: 'store-int6' }, { storedInt6: 5 }],
  ['stored int5', { to: 'store-int5' }, { storedInt5: 5 }],
  ['stored int3', { to: 'store-int3' }, { storedInt3: 5 }],
  ['stored int2', { to: 'store-int2' }, { storedInt2: 5 }],
])('%s', async (_, options, expected) => {
  const model = mixed()
  const result = await quantize(model, options, { engine: async () => engine })
  expect(summarizeQuantization(model, result)).toEqual({ ...NONE, ...expected })
  expect(summarizeQuantization(result, result)).toEqual(NONE)
})

test('stored signs', async () => {
  const b = builder()
  b.input('x', value('float32', [1, 64]))
  const two = f32(
    [64, 64],
    Float32Array.from({ length: 4096 }, (_, i) => (i % 3 === 0 ? 0.25 : -0.25)),
  )
  const three = f32(
    [64, 64],
    Float32Array.from({ length: 4096 }, (_, i) => ((i % 3) - 1) * (1 + (i % 64))),
  )
  const h = b.op('MatMul', ['x', b.constant(two, 'two')])
  b.output(b.op('MatMul', [h, b.constant(three, 'three')]), value('float32', null))
  const model = modelOf(b.graph())
  const env = { engine: async () => engine }
  const binary = await quantize(model, { to: 'binary' }, env)
  expect(summarizeQuantization(model, binary)).toEqual({ ...NONE, storedBinary: 1 })
  expect(summarizeQuantization(model, await quantize(binary, { to: 'ternary' }, env))).toEqual({
    ...NONE,
    storedBinary: 1,
    storedTernary: 1,
  })
})

/** y = x · w */
function product(w: Float32Array): Model {
  const b = builder()
  b.input('x', value('float32', [1, 64]))
  b.output(b.op('MatMul', ['x', b.constant(f32([64, w.length / 64], w), 'w')]), value('float32', null))
  return modelOf(b.graph())
}

/** Of normal weights so many are not zero. */
const thin = (density: number): Float32Array =>
  floats(weights([64, 400], 1)).map((v, i) => ((i * 7919) % 1000 < 1000 * density ? v : 0))

test.each([
  ['dense weights in a codebook', 'codebook', 1, { storedCodebook: 1 }],
  ['sparse weights as they are', 'sparse', 0.1, { storedSparse: 1 }],
  ['sparse weights in a codebook', 'codebook', 0.05, { storedSparse: 1 }],
  ['weights of zeros alone', 'sparse', 0, { storedSparse: 1 }],
] as const)('%s', async (_, to, density, expected) => {
  const model = product(thin(density))
  const result = await quantize(model, { to }, { engine: async () => engine })
  expect(summarizeQuantization(model, result)).toEqual({ ...NONE, ...expected })
})

test.each<[string, readonly RecipeStep[], Partial<QuantizeSummary>]>([
  ...VALUE_KINDS.map((values): [string, readonly RecipeStep[], Partial<QuantizeSummary>] => [
    `sparse weights in ${values}`,
    [{ transform: 'store/sparse', params: { values } }],
    { storedSparse: 1 },
  ]),
  ...(['int6', 'int5', 'int4', 'int3', 'int2'] as const).map(
    (type): [string, readonly RecipeStep[], Partial<QuantizeSummary>] => [
      `${type} with zero points`,
      [{ transform: `store/${type}`, params: { zeroPoints: true } }],
      { [`storedI${type.slice(1)}`]: 1 },
    ],
  ),
])('a weight counts once: %s', async (_, steps, expected) => {
  const model = product(thin(0.1))
  const result = await applySteps(model, steps, { engine: async () => engine })
  expect(summarizeQuantization(model, result)).toEqual({ ...NONE, ...expected })
})

test('a weight that is read as it is and transposed counts once', async () => {
  const b = builder()
  b.input('x', value('float32', [1, 64]))
  const w = b.constant(weights([64, 64], 1), 'w')
  const h = b.op('MatMul', ['x', w])
  b.output(b.op('MatMul', [h, b.op('Transpose', [w], { attrs: { perm: ints([1, 0]) } })]), value('float32', null))
  const model = modelOf(b.graph())
  for (const [type, expected] of [
    ['int8', { storedInt8: 1 }],
    ['f16', { storedFloat16: 1 }],
  ] as const) {
    const result = await applySteps(model, [{ transform: `store/${type}`, params: {} }], { engine: async () => engine })
    expect(summarizeQuantization(model, result)).toEqual({ ...NONE, ...expected })
  }
})
