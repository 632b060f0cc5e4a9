import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { graphAttr, int, ints } from '../ir/attrs.js'
import { builder } from '../ir/builder.js'
import { f32, tensor } from '../ir/tensor.js'
import type { Attr, Tensor } from '../ir/types.js'
import { findOp, OPS } from '../ops/index.js'
import { mergeConstants } from './merge-constants.js'
import { removeDead } from './remove-dead.js'

const { check, env } = passTester()

describe('remove-dead', () => {
  it('removes nodes, constants and types that no output needs, and keeps inputs', async () => {
    const model = small(17, { x: ['float32', [2]], unused: ['float32', [2]] }, (b) => {
      b.op('Add', ['x', b.constant(f32([2], [1, 2]), 'dead')])
      return [b.op('Relu', ['x'])]
    })
    const graph = { ...model.graph, values: new Map(model.graph.values).set('gone', { kind: 'untyped' } as const) }
    const next = await check(removeDead, { ...model, graph })
    expect(opsOf(next)).toEqual(['Relu'])
    expect([...next.graph.constants.keys()]).toEqual([])
    expect(next.graph.values.has('gone')).toBe(false)
    expect(next.graph.inputs).toEqual(['x', 'unused'])
  })

  it('keeps the scales and zero points that quantization notes name', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => {
      for (const name of ['scale', 'scale2']) b.constant(f32([], [0.5]), name)
      return [b.op('Relu', ['x'], { outputs: ['y'] })]
    })
    const quantAnnotations = ['x', 'y'].map((tensor, i) => ({
      tensor,
      parameters: new Map([['SCALE_TENSOR', ['scale', 'scale2'][i]!]]),
    }))
    const noted = { ...model, graph: { ...model.graph, quantAnnotations } }
    expect(await removeDead.run(noted, env)).toBe(noted)
    expect(await mergeConstants.run(noted, env)).toBe(noted)
  })

  it('keeps what a subgraph captures, and sweeps inside it', async () => {
    const branch = (op: string) => {
      const inner = builder(['h', 'x'])
      inner.op('Exp', ['h'])
      inner.output(inner.op(op, ['h'], { outputs: [`${op}_y`] }))
      return graphAttr(inner.graph(op))
    }
    const model = small(17, { x: ['float32', [2]], c: ['bool', []] }, (b) => {
      b.op('Neg', ['x'], { outputs: ['h'] })
      return [b.op('If', ['c'], { attrs: { then_branch: branch('Relu'), else_branch: branch('Tanh') } })]
    })
    expect(opsOf(await check(removeDead, model))).toEqual(['Relu', 'Tanh', 'Neg', 'If'])
  })

  it('names unread optional outputs "" and leaves variadic ones', async () => {
    const model = small(17, { x: ['float32', [1, 1, 4, 4]] }, (b) => {
      const attrs = { kernel_shape: { type: 'ints', value: [2n, 2n] } as const }
      const [pooled] = b.ops('MaxPool', ['x'], { outputs: 2, attrs })
      const [first] = b.ops('Split', [pooled!], { outputs: 3, attrs: { axis: { type: 'int', value: 3n } } })
      return [first!]
    })
    const [pool, split] = (await check(removeDead, model)).graph.nodes
    expect(pool!.outputs[1]).toBe('')
    expect(split!.outputs.every((out) => out !== '')).toBe(true)
  })

  describe('outputs that go together', () => {
    const past = { pk: ['float32', [1, 2, 4, 8]], pv: ['float32', [1, 2, 4, 8]] } as const
    const qkv = (tokens: number) => ['q', 'k', 'v'].map((name) => [name, ['float32', [1, tokens, 16]]] as const)
    const heads = { num_heads: int(2) }
    const ms = { 'com.microsoft': 1 }

    it.each([
      [
        'Attention',
        small(23, { ...Object.fromEntries(qkv(3)), ...past }, (b) => {
          const attrs = { q_num_heads: int(2), kv_num_heads: int(2) }
          return [b.ops('Attention', ['q', 'k', 'v', '', 'pk', 'pv'], { outputs: 3, attrs })[0]!]
        }),
      ],
      [
        'com.microsoft Attention',
        small(
          21,
          { q: ['float32', [1, 3, 8]], p: ['float32', [2, 1, 2, 2, 4]] },
          (b) => {
            const w = b.constant(
              f32(
                [8, 24],
                Array.from({ length: 192 }, (_, i) => Math.sin(i)),
              ),
            )
            const bias = b.constant(f32([24], new Float32Array(24)))
            const made = { outputs: 2, attrs: heads, domain: 'com.microsoft' }
            return [b.ops('Attention', ['q', w, bias, '', 'p'], made)[0]!]
          },
          ms,
        ),
      ],
      [
        'MultiHeadAttention',
        small(
          21,
          { ...Object.fromEntries(qkv(3)), ...past },
          (b) => {
            const made = { outputs: 3, attrs: heads, domain: 'com.microsoft' }
            return [b.ops('MultiHeadAttention', ['q', 'k', 'v', '', '', '', 'pk', 'pv'], made)[0]!]
          },
          ms,
        ),
      ],
      [
        'GroupQueryAttention',
        small(
          21,
          { ...Object.fromEntries(qkv(1)), ...past, length: ['int32', [1]], total: ['int32', [1]] },
          (b) => {
            const made = { outputs: 3, attrs: { ...heads, kv_num_heads: int(2) }, domain: 'com.microsoft' }
            return [b.ops('GroupQueryAttention', ['q', 'k', 'v', 'pk', 'pv', 'length', 'total'], made)[0]!]
          },
          ms,
        ),
      ],
    ])('stay: the present of %s with a past', async (_, model) => {
      expect(await check(removeDead, model, { integers: { length: 2, total: 3 } })).toBe(model)
    })
  })

  describe('outputs that can be left out alone', () => {
    const wave = (shape: readonly number[]) =>
      f32(
        shape,
        Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i + 1)),
      )
    const bytes = (shape: readonly number[]) =>
      tensor(
        'int8',
        shape,
        Int8Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => (i % 23) - 11),
      )
    const hidden = { hidden_size: int(2) }
    const gated = (gates: number) => [wave([1, 2 * gates, 4]), wave([1, 2 * gates, 2])]
    const one = f32([1], [0.1])
    const none = tensor('int8', [1], Int8Array.of(0))
    const list: readonly [string, number, number, readonly (Tensor | null)[], Readonly<Record<string, Attr>>][] = [
      ['Dropout', 13, 2, [], {}],
      ['MaxPool', 17, 2, [], { kernel_shape: ints([2]) }],
      ['Unique', 17, 4, [], {}],
      ['LayerNormalization', 17, 3, [wave([4])], {}],
      ['SimplifiedLayerNormalization', 17, 2, [wave([4])], {}],
      ['com.microsoft:SkipLayerNormalization', 17, 4, [wave([3, 2, 4]), wave([4])], {}],
      ['com.microsoft:SkipSimplifiedLayerNormalization', 17, 4, [wave([3, 2, 4]), wave([4])], {}],
      ['LSTM', 17, 3, gated(4), hidden],
      ['GRU', 17, 2, gated(3), hidden],
      ['RNN', 17, 2, gated(1), hidden],
      [
        'com.microsoft:DynamicQuantizeLSTM',
        17,
        3,
        [bytes([1, 4, 8]), bytes([1, 2, 8]), null, null, null, null, null, one, none, one, none],
        hidden,
      ],
    ]

    it.each(list)('%s', async (name, opset, outputs, constants, attrs) => {
      const [op, domain = ''] = name.split(':').toReversed()
      const layerNorm = /Skip/.test(name) ? [0, 3] : null
      for (const read of layerNorm ?? Array.from({ length: outputs }, (_, i) => i)) {
        const model = small(
          opset,
          { x: ['float32', [3, 2, 4]] },
          (b) => {
            const inputs = ['x', ...constants.map((c) => (c === null ? '' : b.constant(c)))]
            return [b.ops(op!, inputs, { outputs, attrs, domain })[read]!]
          },
          domain === '' ? {} : { [domain]: 1 },
        )
        const [node] = (await check(removeDead, model)).graph.nodes
        expect(node!.outputs[read]).not.toBe('')
        expect(
          findOp(domain, op!)!.schema.outputs.every(
            (o, i) => o.kind !== 'optional' || i === read || node!.outputs[i] === '',
          ),
        ).toBe(true)
      }
    })

    it('are all that the records list', () => {
      expect(list.map(([name]) => name).sort()).toEqual(
        OPS.filter((def) => def.separable)
          .map(({ domain, op }) => (domain === '' ? op : `${domain}:${op}`))
          .sort(),
      )
    })
  })

  it('drops constants that a file of IR version 3 lists as inputs and nothing reads', async () => {
    const model = small(8, { x: ['float32', [2]] }, (b) => {
      b.constant(f32([2], [1, 2]), 'unread')
      return [b.op('Relu', ['x'])]
    })
    const listed = {
      ...model.graph,
      inputs: ['x', 'unread'],
      values: new Map(model.graph.values).set('unread', { kind: 'tensor', dtype: 'float32', shape: [2] } as const),
    }
    const next = await check(removeDead, { ...model, irVersion: 3, graph: listed })
    expect(next.graph.inputs).toEqual(['x'])
    expect(next.graph.constants.size).toBe(0)
  })

  it('drops functions and domains that nothing uses', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => [b.op('Double', ['x'], { domain: 'own' })], {
      own: 1,
      other: 2,
    })
    const func = (name: string) => ({
      name,
      domain: 'own',
      inputs: ['a'],
      outputs: ['b'],
      attributes: [],
      defaults: {},
      opsets: new Map([['', 17]]),
      nodes: [{ name: '', domain: '', op: 'Add', inputs: ['a', 'a'], outputs: ['b'], attrs: {} }],
      values: new Map(),
    })
    const next = await check(removeDead, { ...model, functions: [func('Double'), func('Unused')] })
    expect(next.functions.map((f) => f.name)).toEqual(['Double'])
    expect([...next.opsets.keys()]).toEqual(['', 'own'])
  })
})
