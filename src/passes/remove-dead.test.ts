import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { graphAttr } from '../ir/attrs.js'
import { builder } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
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
