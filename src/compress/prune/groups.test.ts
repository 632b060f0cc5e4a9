import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { weights } from '../../../test/compress-models.js'
import { randomFeeds } from '../../../test/random-feeds.js'
import { value } from '../../../test/small-models.js'
import { addPair, differenceOf, NO_SUMS } from '../../engine/compare.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int, ints } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { f32, i64, numbers, scalar, tensor } from '../../ir/tensor.js'
import type { Dim, Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { inspectModel } from '../../passes/inspect.js'
import { dense, embedding, layerNorm, positions, transformerBlock } from '../../train/layers/index.js'
import { sequential } from '../../train/layers/sequential.js'
import { cutUnits } from './cut.js'
import { findGroups } from './groups.js'
import { axisKey } from './index-sets.js'
import { maskUnits } from './mask.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function model(input: readonly Dim[], build: (b: Builder) => readonly string[]): Model {
  const b = builder()
  b.input('x', value('float32', input))
  for (const name of build(b)) b.output(name)
  return modelOf(b.graph())
}

const conv = (b: Builder, x: string, shape: readonly number[], seed: number, name: string, group = 1): string =>
  b.op(
    'Conv',
    [x, b.constant(weights(shape, seed), `${name}_w`), b.constant(weights([shape[0]!], seed + 50), `${name}_b`)],
    {
      name,
      attrs: { group: int(group), pads: ints(shape.slice(2).flatMap((k) => [(k - 1) / 2, (k - 1) / 2])) },
    },
  )

const matmul = (b: Builder, x: string, shape: readonly number[], seed: number, name: string): string =>
  b.op('MatMul', [x, b.constant(weights(shape, seed, 0.1), `${name}_w`)], { name })

const reshape = (b: Builder, x: string, shape: readonly number[]): string =>
  b.op('Reshape', [x, b.constant(i64([shape.length], shape), 'shape')])

const transpose = (b: Builder, x: string, perm: readonly number[]): string =>
  b.op('Transpose', [x], { attrs: { perm: ints(perm) } })

async function outputs(m: Model, seed: number) {
  const session = await engine.load(encodeModel(m).bytes, { optimization: 'off' })
  try {
    return await session.run(randomFeeds(session.inputs, { seed, dims: { n: 2, s: 5, N: 2, z: 4 } }))
  } finally {
    await session.close()
  }
}

/** Cuts every third unit of each group, or others, and holds the result against the masked model. */
async function certify(m: Model, isCut = (i: number): boolean => i % 3 === 1): Promise<Model> {
  const units = findGroups(m).groups.flatMap((g) => g.units.filter((_, i) => isCut(i)))
  expect(units).not.toHaveLength(0)
  const cut = cutUnits(m, units)
  const [got, wanted] = [await outputs(cut, 3), await outputs(maskUnits(m, units), 3)]
  for (const [name, t] of Object.entries(wanted)) {
    expect(got[name]!.shape).toEqual(t.shape)
    expect(differenceOf(addPair(NO_SUMS, t, got[name]!)).relativeL2, name).toBeLessThan(1e-5)
  }
  expect(inspectModel(cut).parameters).toBeLessThan(inspectModel(m).parameters)
  return cut
}

const groupsOf = (m: Model) => findGroups(m).groups.map((g) => `${g.name}: ${g.units.length}`)

describe('groups of channels', () => {
  test('convolutions behind each other, with all that lies between', async () => {
    const m = model(['n', 3, 8, 8], (b) => {
      const a = conv(b, 'x', [6, 3, 3, 3], 1, 'a')
      const ones = b.constant(f32([6], new Float32Array(6).fill(1)), 'one')
      const bn = b.op('BatchNormalization', [a, ones, b.constant(weights([6], 5), 'shift'), ones, ones])
      const d = conv(b, b.op('Relu', [bn]), [6, 1, 3, 3], 2, 'd', 6)
      const p = b.op('MaxPool', [d], { attrs: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) } })
      const c = b.op('Sigmoid', [conv(b, p, [8, 6, 1, 1], 3, 'c')])
      return [matmul(b, reshape(b, c, [0, -1]), [128, 5], 4, 'out')]
    })
    expect(groupsOf(m)).toEqual(['a: 6', 'c: 8'])
    const [first] = findGroups(m).groups
    const at = (name: string) => m.graph.nodes.find((n) => n.name === name)!
    expect(first!.madeAt).toEqual([{ value: at('a').outputs[0], axis: 1 }])
    expect(first!.readAt).toEqual([{ value: at('c').inputs[0], axis: 1 }])
    expect(first!.units[2]!.places.get(axisKey(first!.readAt[0]!))).toEqual([2])
    expect(findGroups(m).held.get('out')).toMatch(/an output of the model/)
    const cut = await certify(m)
    expect(cut.graph.nodes.find((n) => n.name === 'd')!.attrs.group).toEqual(int(4))
    expect([...cut.graph.constants].find(([name]) => name.startsWith('out'))![1].shape).toEqual([80, 5])
  })

  test('layers that a residual sum joins are one group, those of a Concat are two', async () => {
    const m = model([1, 3, 8, 8], (b) => {
      const a = conv(b, 'x', [6, 3, 3, 3], 1, 'a')
      const c = b.op('Relu', [b.op('Add', [a, conv(b, b.op('Relu', [a]), [6, 6, 3, 3], 2, 'b')])])
      const cat = b.op('Concat', [c, conv(b, c, [9, 6, 1, 1], 3, 'd')], { attrs: { axis: int(1) } })
      return [conv(b, cat, [4, 15, 1, 1], 4, 'out')]
    })
    expect(groupsOf(m)).toEqual(['a + b: 6', 'd: 9'])
    await certify(m)
  })

  test('groups of a convolution keep equal sizes: their channels go together', async () => {
    const m = model([1, 3, 6, 6], (b) => {
      const a = conv(b, 'x', [8, 3, 1, 1], 1, 'a')
      const g = conv(b, a, [12, 4, 3, 3], 2, 'g', 2)
      const t = b.op('ConvTranspose', [g, b.constant(weights([12, 4, 2, 2], 3), 't_w')], {
        name: 't',
        attrs: { group: int(2), strides: ints([2, 2]) },
      })
      return [conv(b, t, [2, 8, 1, 1], 4, 'out')]
    })
    expect(groupsOf(m)).toEqual(['a: 4', 'g: 6', 't: 4'])
    await certify(m)
  })

  test('a gate on each channel', async () => {
    const m = model([1, 3, 6, 6], (b) => {
      const a = conv(b, 'x', [8, 3, 3, 3], 1, 'a')
      const s = b.op('Relu', [conv(b, b.op('GlobalAveragePool', [a]), [4, 8, 1, 1], 2, 'squeeze')])
      const e = b.op('HardSigmoid', [conv(b, s, [8, 4, 1, 1], 3, 'excite')])
      return [conv(b, b.op('Mul', [a, e]), [2, 8, 1, 1], 4, 'out')]
    })
    expect(groupsOf(m)).toEqual(['a + excite: 8', 'squeeze: 4'])
    await certify(m)
  })

  test('what normalizes over channels holds them, and says so', () => {
    const m = model([1, 3, 6, 6], (b) => {
      const a = b.op('Softmax', [conv(b, 'x', [8, 3, 3, 3], 1, 'a')], { name: 'soft', attrs: { axis: int(1) } })
      return [conv(b, a, [2, 8, 1, 1], 4, 'out')]
    })
    expect(groupsOf(m)).toEqual([])
    expect(findGroups(m).held.get('a')).toBe('soft (Softmax) normalizes over it')
  })
})

describe('shapes that are computed', () => {
  const number = (b: Builder, ...values: readonly number[]): string => b.constant(i64([values.length], values), 'k')

  test('by an open batch hold nothing but the batch', async () => {
    const m = model(['n', 3, 4, 4], (b) => {
      const a = b.op('Relu', [conv(b, 'x', [6, 3, 3, 3], 1, 'a')])
      const batch = b.op('Gather', [b.op('Shape', [a]), b.constant(scalar(0, 'int64'), 'first')])
      const target = b.op('Concat', [b.op('Unsqueeze', [batch, number(b, 0)]), number(b, 96)], {
        attrs: { axis: int(0) },
      })
      return [matmul(b, b.op('Reshape', [a, target]), [96, 5], 2, 'out')]
    })
    expect(groupsOf(m)).toEqual(['a: 6'])
    await certify(m)
  })

  test('by a size that is read hold its axis, and say so', () => {
    const m = model(['n', 3, 4, 4], (b) => {
      const a = conv(b, 'x', [6, 3, 3, 3], 1, 'a')
      const count = b.op('Gather', [b.op('Shape', [a]), b.constant(scalar(1, 'int64'), 'second')], { name: 'read' })
      const divided = b.op('Div', [a, b.op('Cast', [count], { attrs: { to: int(1) } })])
      return [conv(b, divided, [2, 6, 1, 1], 2, 'out')]
    })
    expect(groupsOf(m)).toEqual([])
    expect(findGroups(m).held.get('a')).toBe('its size is read: read (Gather) picks from it')
  })

  test('for a Resize become scales', async () => {
    const m = model(['n', 3, 4, 4], (b) => {
      const a = conv(b, 'x', [6, 3, 3, 3], 1, 'a')
      const front = b.op('Slice', [b.op('Shape', [a]), number(b, 0), number(b, 2)])
      const sizes = b.op('Concat', [front, number(b, 8, 12)], { attrs: { axis: int(0) } })
      return [conv(b, b.op('Resize', [a, '', '', sizes]), [2, 6, 1, 1], 2, 'out')]
    })
    expect(groupsOf(m)).toEqual(['a: 6'])
    await certify(m)
  })

  test('with ends that are as far as can be', async () => {
    const m = model([1, 3, 4, 4], (b) => {
      const a = conv(b, 'x', [9, 3, 3, 3], 1, 'a')
      const far = b.constant(tensor('int64', [2], BigInt64Array.of(8n, 2n ** 63n - 1n)), 'ends')
      return [conv(b, b.op('Slice', [a, number(b, 1, 1), far, number(b, 1, 2)]), [2, 7, 1, 1], 2, 'out')]
    })
    await certify(m)
  })
})

describe('axes that nothing names', () => {
  test.each([21, 12])('Squeeze takes no channel axis that was cut to one, at opset %i', async (opset) => {
    const m = model([1, 3, 1, 1], (b) => {
      const a = b.op('Relu', [conv(b, 'x', [4, 3, 1, 1], 1, 'a')])
      return [matmul(b, b.op('Squeeze', [a]), [4, 5], 2, 'out')]
    })
    const older = { ...m, opsets: new Map([['', opset]]) }
    expect(groupsOf(older)).toEqual(['a: 4'])
    const { graph } = await certify(older, (i) => i > 0)
    const squeeze = graph.nodes.find((n) => n.op === 'Squeeze')!
    if (opset < 13) expect(squeeze.attrs.axes).toEqual(ints([0, 2, 3]))
    else expect([...numbers(graph.constants.get(squeeze.inputs[1]!)!)]).toEqual([0, 2, 3])
  })

  test('a Squeeze that takes nothing holds the channels, which it would take at one', () => {
    const m = model([2, 3, 4, 4], (b) => {
      const a = b.op('Squeeze', [conv(b, 'x', [4, 3, 3, 3], 1, 'a')])
      return [conv(b, a, [2, 4, 1, 1], 2, 'out')]
    })
    expect(groupsOf(m)).toEqual([])
  })

  /** Of unknown rank for who sees z alone: ['z', 8] with z = 4, or [8] with z = 1. */
  const open = (b: Builder): string => {
    b.input('z', value('float32', ['z', 8]))
    return b.op('Squeeze', ['z'], { name: 'open' })
  }
  const beside: Readonly<Record<string, (b: Builder) => string>> = {
    Gemm: (b) => b.op('Gemm', ['x', b.constant(weights([6, 8], 1), 'w'), open(b)], { name: 'a' }),
    PRelu: (b) => b.op('PRelu', [matmul(b, 'x', [6, 8], 1, 'a'), open(b)]),
    QuantizeLinear: (b) => {
      const grid = { axis: int(1) }
      const scales = b.op('Abs', [b.op('Squeeze', [b.op('Slice', [open(b), ...[0, 1, 0].map((k) => at(b, k))])])])
      const zero = b.constant(tensor('uint8', [], Uint8Array.of(128)), 'zero')
      const q = b.op('QuantizeLinear', [matmul(b, 'x', [6, 8], 1, 'a'), scales, zero], { attrs: grid })
      return b.op('DequantizeLinear', [q, scales, zero], { attrs: grid })
    },
  }
  const at = (b: Builder, k: number): string => b.constant(i64([1], [k]), 'k')
  test.each(Object.entries(beside))('an input of unknown shape holds what %s reads beside it', (_, build) => {
    const m = model([4, 6], (b) => [matmul(b, b.op('Relu', [build(b)]), [8, 3], 2, 'out')])
    expect(groupsOf(m)).toEqual([])
    expect(findGroups(m).held.get('a')).toMatch(/of which no shape is known/)
  })

  test('a skip of lower rank goes with the axes that it is added to', async () => {
    const m = model([2, 3, 16], (b) => {
      const ones = b.constant(f32([16], new Float32Array(16).fill(1)), 'gamma')
      const skip = b.constant(weights([8, 16], 5), 'skip')
      const inputs = [conv(b, 'x', [8, 3, 1], 1, 'a'), skip, ones]
      const a = b.ops('SkipLayerNormalization', inputs, { domain: 'com.microsoft', outputs: 1 })[0]!
      return [conv(b, a, [2, 8, 1], 2, 'out')]
    })
    const own = { ...m, opsets: new Map([...m.opsets, ['com.microsoft', 1]]) }
    expect(groupsOf(own)).toEqual(['a: 8'])
    const { graph } = await certify(own)
    expect([...graph.constants].find(([name]) => name.startsWith('skip'))![1].shape).toEqual([5, 16])
  })
})

describe('groups of other units', () => {
  test('attention heads, and the neurons between two products', async () => {
    const m = model(['n', 's', 24], (b) => {
      const heads = (name: string, seed: number, perm: readonly number[]): string =>
        transpose(b, reshape(b, matmul(b, 'x', [24, 24], seed, name), [0, 0, 6, 4]), perm)
      const scores = b.op('MatMul', [heads('q', 1, [0, 2, 1, 3]), heads('k', 2, [0, 2, 3, 1])])
      const mixed = b.op('MatMul', [b.op('Softmax', [scores]), heads('v', 3, [0, 2, 1, 3])])
      const y = matmul(b, reshape(b, transpose(b, mixed, [0, 2, 1, 3]), [0, 0, 24]), [24, 24], 4, 'o')
      const hidden = b.op('Gelu', [matmul(b, b.op('Add', ['x', y]), [24, 30], 5, 'up')])
      return [matmul(b, hidden, [30, 24], 6, 'down')]
    })
    expect(groupsOf(m)).toEqual(['q + k + v: 6', 'up: 30'])
    expect(findGroups(m).held.get('o')).toMatch(/an input of the model/)
    await certify(m)
  })

  test('heads and neurons of the transformers that are trained here, from one matrix of queries, keys and values', async () => {
    const m = sequential([embedding(11, 24), positions(), transformerBlock({ heads: 6 }), layerNorm(), dense(11)], {
      input: [5],
      inputType: 'int64',
      seed: 3,
    })
    expect(groupsOf(m)).toEqual(['layer2.0.1.qkv: 6', 'layer2.1.1: 96'])
    expect(findGroups(m).groups[0]!.width).toBe(12)
    await certify(m)
  })

  test.each([
    ['LSTM', 4],
    ['GRU', 3],
    ['RNN', 1],
  ])('units of a %s, in both directions', async (op, gates) => {
    const m = model([7, 1, 5], (b) => {
      const [w, r] = [weights([2, gates * 9, 5], 1, 0.2), weights([2, gates * 9, 9], 2, 0.2)]
      const bias = weights([2, 2 * gates * 9], 3, 0.2)
      const attrs = { hidden_size: int(9), direction: { type: 'string', value: Buffer.from('bidirectional') } } as const
      const inputs = ['x', b.constant(w, 'w'), b.constant(r, 'r'), b.constant(bias, 'b')]
      const [y] = b.ops(op, inputs, { name: 'rnn', outputs: 1, attrs })
      return [matmul(b, reshape(b, transpose(b, y!, [0, 2, 1, 3]), [0, 0, -1]), [18, 3], 4, 'out')]
    })
    expect(groupsOf(m)).toEqual(['rnn: 9'])
    const cut = await certify(m)
    expect(cut.graph.nodes[0]!.attrs.hidden_size).toEqual(int(6))
  })

  test('channels that are shuffled between groups', async () => {
    const m = model([1, 4, 5, 5], (b) => {
      const a = conv(b, 'x', [12, 2, 1, 1], 1, 'a', 2)
      const split = transpose(b, reshape(b, a, [1, 2, 6, 5, 5]), [0, 2, 1, 3, 4])
      return [conv(b, reshape(b, split, [1, 12, 5, 5]), [4, 12, 3, 3], 2, 'out')]
    })
    expect(groupsOf(m)).toEqual(['a: 6'])
    await certify(m)
  })

  test('channels that are split off and joined again', async () => {
    const m = model([1, 4, 5, 5], (b) => {
      const a = conv(b, 'x', [12, 4, 1, 1], 1, 'a')
      const [left, right] = b.ops('Split', [a], { outputs: 2, attrs: { axis: int(1), num_outputs: int(2) } })
      const bound = (k: number): string => b.constant(i64([1], [k]), 'bound')
      const slice = b.op('Slice', [a, bound(2), bound(8), bound(1)])
      const gather = b.op('Gather', [a, b.constant(i64([4], [11, 0, 3, 3]), 'picks')], { attrs: { axis: int(1) } })
      const cat = b.op('Concat', [b.op('Mul', [left!, b.op('Sigmoid', [right!])]), slice, gather], {
        attrs: { axis: int(1) },
      })
      return [conv(b, cat, [4, 16, 3, 3], 2, 'out')]
    })
    const names = findGroups(m).groups.map((g) => g.name)
    expect(new Set(names).size).toBe(names.length)
    const cut = await certify(m)
    const split = cut.graph.nodes.find((n) => n.op === 'Split')!
    expect(split.attrs.num_outputs).toBeUndefined()
    expect(numbers(cut.graph.constants.get(split.inputs[1]!)!)).toHaveLength(2)
  })
})

test('all units of a group cannot go', () => {
  const m = model([1, 3, 6, 6], (b) => [conv(b, conv(b, 'x', [8, 3, 3, 3], 1, 'a'), [2, 8, 1, 1], 4, 'out')])
  expect(() => cutUnits(m, findGroups(m).groups[0]!.units)).toThrow(expect.objectContaining({ code: 'PRUNE_ALL' }))
  expect(cutUnits(m, [])).toBe(m)
  expect(maskUnits(m, [])).toBe(m)
})
