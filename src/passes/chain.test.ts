/** Two models as one against both, one after the other. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { value } from '../../test/small-models.js'
import type { Engine, Feeds } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { graphAttr, int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { checkModel } from '../ir/check.js'
import { f32, numbers, scalar, tensorOfBytes } from '../ir/tensor.js'
import type { Dim, DType, Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { chain } from './chain.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

interface Unary {
  readonly input?: string
  readonly output?: string
  readonly shape?: readonly Dim[] | null
  readonly dtype?: DType
  readonly opset?: number
}

/** output = op(input · 2), with names that the other model has too. */
function unary(
  op: string,
  { input = 'x', output = 'y', shape = ['N', 3], dtype = 'float32', opset = 21 }: Unary = {},
): Model {
  const b = builder([input, output])
  b.input(input, value(dtype, shape))
  const twice = b.op('Mul', [input, b.constant(scalar(2, dtype as 'float32'), 'two')], { name: 'twice' })
  b.ops(op, [twice], { name: 'last', outputs: [output] })
  b.output(output, value(dtype, shape))
  return modelOf(b.graph(op), { '': opset })
}

async function run(model: Model, feeds: Feeds) {
  checkModel(model)
  const session = await engine.load(encodeModel(model).bytes)
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}

const x = f32([2, 3], [0.1, -0.2, 0.3, 0.4, -0.5, 0.6])

test.each([
  ['the same names everywhere', {}, {}],
  ['the output of one is the input of the other by name', { output: 'z' }, { input: 'z' }],
  ['names that cross', { input: 'a', output: 'b' }, { input: 'b', output: 'a' }],
  ['other symbols, and an unknown shape', { shape: ['N', 'M'] }, { shape: ['batch', 3] }],
  ['no shape at all', { shape: null }, {}],
  ['an older opset first', { opset: 13 }, {}],
  ['an older opset last', {}, { opset: 13 }],
] as const)('%s', async (_, one, other) => {
  const [first, second] = [unary('Sin', one), unary('Exp', other)]
  const whole = chain(first, second)
  const between = Object.values(await run(first, { [first.graph.inputs[0]!]: x }))[0]!
  const after = Object.values(await run(second, { [second.graph.inputs[0]!]: between }))[0]!
  const found = await run(whole, { [whole.graph.inputs[0]!]: x })
  expect(Object.keys(found)).toEqual(whole.graph.outputs)
  expect(numbers(found[whole.graph.outputs[0]!]!)).toEqual(numbers(after))
  expect(whole.graph.inputs).toEqual(first.graph.inputs)
})

test('names of the outside stay; symbols that meet become one', () => {
  const whole = chain(unary('Sin', { output: 'z' }), unary('Exp', { input: 'z', shape: ['batch', 3] }))
  expect([whole.graph.inputs, whole.graph.outputs]).toEqual([['x'], ['y']])
  expect(whole.graph.values.get('y')).toMatchObject({ shape: ['N', 3] })
  const names = whole.graph.nodes.map(({ name }) => name)
  expect(new Set(names).size).toBe(4)
})

test('three in a row, and a model with itself', async () => {
  const sine = unary('Sin')
  const whole = chain(chain(sine, sine), sine)
  const sin = (v: number): number => Math.sin(2 * v)
  const found = await run(whole, { x })
  for (const [i, v] of numbers(found.y!).entries()) expect(v).toBeCloseTo(sin(sin(sin(numbers(x)[i]!))), 5)
})

/** a + b and a − b */
function both(): Model {
  const b = builder()
  for (const name of ['a', 'b']) b.input(name, value('float32', ['N', 3]))
  b.ops('Add', ['a', 'b'], { outputs: ['sum'] })
  b.ops('Sub', ['a', 'b'], { outputs: ['difference'] })
  for (const name of ['sum', 'difference']) b.output(name, value('float32', ['N', 3]))
  return modelOf(b.graph())
}

test('several inputs and outputs: by name, or as told; what nothing feeds stays an input', async () => {
  await expect(async () => chain(both(), both())).rejects.toMatchObject({ code: 'CHAIN_NAMES' })
  const y = f32([2, 3], [1, 2, 3, 4, 5, 6])
  const part = chain(both(), both(), { connect: { a: 'difference' } })
  expect(part.graph.inputs).toHaveLength(3)
  const [, , free] = part.graph.inputs
  const found = await run(part, { a: x, b: y, [free!]: x })
  for (const [i, v] of numbers(found.sum!).entries()) expect(v).toBeCloseTo(2 * numbers(x)[i]! - numbers(y)[i]!, 5)
  const twice = chain(unary('Sin', { output: 'a' }), both(), { connect: { a: 'a', b: 'a' } })
  expect(numbers((await run(twice, { x })).difference!)).toEqual(new Float32Array(6))
  const named = chain(unary('Sin', { output: 'b' }), both())
  expect(named.graph.inputs).toEqual(['x', 'a'])
})

test('a graph inside a node, which reads what comes from outside', async () => {
  const branch = (op: string) => {
    const b = builder(['y'])
    b.ops(op, ['y'], { outputs: ['twice'] })
    b.output('twice', value('float32', ['N', 3]))
    return b.graph()
  }
  const b = builder(['y', 'x'])
  b.input('y', value('float32', ['N', 3]))
  const isPositive = b.constant(tensorOfBytes('bool', [], Uint8Array.of(1)))
  b.ops('If', [isPositive], {
    outputs: ['x'],
    attrs: { then_branch: graphAttr(branch('Neg')), else_branch: graphAttr(branch('Abs')) },
  })
  b.output('x', value('float32', ['N', 3]))
  const whole = chain(unary('Sin'), modelOf(b.graph()))
  const found = Object.values(await run(whole, { x }))[0]!
  for (const [i, v] of numbers(found).entries()) expect(v).toBeCloseTo(-Math.sin(2 * numbers(x)[i]!), 6)
})

test('what does not fit is refused, with both places', () => {
  const code = (first: Model, second: Model, connect?: Record<string, string>): string => {
    try {
      chain(first, second, connect && { connect })
      return ''
    } catch (error) {
      return (error as { readonly code: string }).code
    }
  }
  expect(code(unary('Sin'), unary('Exp', { shape: ['N', 4] }))).toBe('CHAIN_SHAPE')
  expect(code(unary('Sin'), unary('Exp', { shape: ['N', 3, 1] }))).toBe('CHAIN_SHAPE')
  expect(code(unary('Sin', { shape: [2, 3] }), unary('Exp', { shape: ['N', 'N'] }))).toBe('CHAIN_SHAPE')
  expect(code(unary('Sin'), unary('Exp', { dtype: 'float64' }))).toBe('CHAIN_TYPE')
  expect(code(unary('Sin'), unary('Exp'), { q: 'y' })).toBe('CHAIN_NAMES')
  expect(code(unary('Sin'), unary('Exp'), { x: 'q' })).toBe('CHAIN_NAMES')
  expect(code(unary('Sin'), unary('Exp'), {})).toBe('CHAIN_NAMES')
  expect(code(unary('Sin'), unary('Exp', { opset: 23 }))).toBe('CHAIN_OPSET')
  const custom = (version: number): Model => ({
    ...unary('Sin'),
    opsets: new Map([
      ['', 21],
      ['custom', version],
    ]),
  })
  expect(code(custom(1), custom(2))).toBe('CHAIN_OPSET')
  expect(code(custom(1), custom(1))).toBe('')
  const func = {
    name: 'f',
    domain: 'custom',
    inputs: [],
    outputs: [],
    attributes: [],
    defaults: {},
    opsets: new Map(),
    nodes: [],
    values: new Map(),
  }
  expect(code({ ...custom(1), functions: [func] }, { ...custom(1), functions: [func] })).toBe('CHAIN_FUNCTION')
})

test('an upgrade converts what changed', async () => {
  const b = builder(['y'])
  b.input('x', value('float32', ['N', 3]))
  b.ops('ReduceMean', ['x'], { outputs: ['y'], attrs: { axes: { type: 'ints', value: [1n] }, keepdims: int(1) } })
  b.output('y', value('float32', ['N', 1]))
  const whole = chain(modelOf(b.graph(), { '': 13 }), unary('Exp', { shape: ['N', 1] }))
  expect(whole.opsets.get('')).toBe(21)
  expect(numbers((await run(whole, { x })).y!)[0]).toBeCloseTo(Math.exp(2 * (0.2 / 3)), 6)
})
