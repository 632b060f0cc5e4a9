import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { floatList, graphAttr, int, ints, str } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { f32, numbers } from '../ir/tensor.js'
import type { Attr, Model } from '../ir/types.js'
import { unfuseConv } from './unfuse-conv.js'

const { check, run } = passTester()

const wave = (shape: readonly number[], phase = 0) =>
  f32(
    shape,
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i * 7.31 + phase)),
  )

interface Parts {
  readonly bias?: boolean
  readonly sum?: boolean
  readonly attrs?: Readonly<Record<string, Attr>>
  readonly domain?: string
  readonly name?: string
}

function fused(b: Builder, x: string, parts: Parts): string {
  const { bias = true, sum = false, attrs = {}, domain = 'com.microsoft', name = 'fused' } = parts
  const inputs = [x, b.constant(wave([4, 2, 3, 3]), 'w')]
  if (bias || sum) inputs.push(bias ? b.constant(wave([4], 1), 'b') : '')
  if (sum) inputs.push(b.constant(wave([1, 4, 6, 6], 2), 'z'))
  return b.op('FusedConv', inputs, { domain, attrs: { pads: ints([1, 1, 1, 1]), ...attrs }, name })
}
const modelWith = (parts: Parts, opset = 17): Model =>
  small(opset, { x: ['float32', [1, 2, 6, 6]] }, (b) => [b.op('Neg', [fused(b, 'x', parts)])], {
    'com.microsoft': 1,
    example: 1,
  })

/** The pass takes one node apart into several: the file may grow. */
const OPTIONS = { tolerance: 1e-6, mayGrow: true }
const activation = (name: string, ...params: number[]): Parts => ({
  attrs: { activation: str(name), ...(params.length > 0 && { activation_params: floatList(params) }) },
})

describe('a fused convolution', () => {
  it.each([
    ['Relu', activation('Relu'), 'Relu'],
    ['Sigmoid', activation('Sigmoid'), 'Sigmoid'],
    ['Tanh', activation('Tanh'), 'Tanh'],
    ['LeakyRelu', activation('LeakyRelu', 0.3), 'LeakyRelu'],
    ['HardSigmoid', activation('HardSigmoid', 0.4, 0.1), 'HardSigmoid'],
    ['Clip', activation('Clip', -0.5, 0.7), 'Clip'],
    ['no activation', {}, 'Identity'],
  ])('with %s becomes Conv and the activation', async (_, parts, op) => {
    const next = await check(unfuseConv, modelWith(parts), OPTIONS)
    expect(opsOf(next)).toEqual(['Conv', op, 'Neg'])
    // Transforms know layers by their nodes' names: the convolution keeps it, and only what a Conv has.
    expect(next.graph.nodes[0]).toMatchObject({ name: 'fused', domain: '', attrs: { pads: ints([1, 1, 1, 1]) } })
    expect(Object.keys(next.graph.nodes[0]!.attrs)).toEqual(['pads'])
  })

  it.each([10, 11])('with Clip has its bounds where opset %i wants them', async (opset) => {
    const next = await check(unfuseConv, modelWith(activation('Clip', -0.5, 0.7), opset), OPTIONS)
    expect(next.graph.nodes[1]!.inputs).toHaveLength(opset < 11 ? 1 : 3)
  })

  it.each([
    ['a sum', { sum: true }, 3],
    ['a sum and no bias', { sum: true, bias: false }, 2],
    ['neither', { bias: false }, 2],
  ])('with %s keeps what it adds', async (_, own, inputs) => {
    const next = await check(unfuseConv, modelWith({ ...activation('Relu'), ...own }), OPTIONS)
    expect(opsOf(next)).toEqual([...('sum' in own ? ['Conv', 'Add'] : ['Conv']), 'Relu', 'Neg'])
    expect(next.graph.nodes[0]!.inputs).toHaveLength(inputs)
  })

  it('with groups, strides and dilations keeps them', async () => {
    const attrs = { ...activation('Relu').attrs, strides: ints([2, 2]), dilations: ints([2, 2]), group: int(1) }
    const next = await check(unfuseConv, modelWith({ attrs }), OPTIONS)
    expect(next.graph.nodes[0]!.attrs).toEqual({
      pads: ints([1, 1, 1, 1]),
      strides: ints([2, 2]),
      dilations: ints([2, 2]),
      group: int(1),
    })
  })

  it('inside a subgraph finds its bounds there', async () => {
    const branch = (low: number): Attr => {
      const inner = builder(['x'])
      inner.output(fused(inner, 'x', activation('Clip', low, 0.7)))
      return graphAttr(inner.graph(`from ${low}`))
    }
    const attrs = { then_branch: branch(0), else_branch: branch(-1) }
    const inputs = { x: ['float32', [1, 2, 6, 6]], c: ['bool', []] } as const
    const model = small(17, inputs, (b) => [b.op('If', ['c'], { attrs })], { 'com.microsoft': 1 })
    for (const c of [0, 1]) {
      const next = await check(unfuseConv, model, { ...OPTIONS, integers: { c } })
      expect(opsOf(next)).toEqual(['Conv', 'Clip', 'Conv', 'Clip', 'If'])
    }
  })

  it('twice in a graph gets names of its own each time', async () => {
    const model = small(
      17,
      { x: ['float32', [1, 2, 6, 6]] },
      (b) => [
        fused(b, 'x', activation('Clip', 0, 1)),
        fused(b, 'x', { ...activation('Clip', -1, 0.5), sum: true, name: 'other' }),
      ],
      { 'com.microsoft': 1 },
    )
    const next = await check(unfuseConv, model, OPTIONS)
    expect(opsOf(next)).toEqual(['Conv', 'Clip', 'Conv', 'Add', 'Clip'])
    expect(next.graph.outputs).toEqual(model.graph.outputs)
  })
})

const NO_ENGINE = { engine: () => Promise.reject(new Error('needs no engine')) }

/** What the operator's definition leaves to each activation where no parameters are given. */
describe('parameters that are not given are those of the activation alone', () => {
  it.each(['LeakyRelu', 'HardSigmoid'])('%s', async (op) => {
    const next = await unfuseConv.run(modelWith(activation(op)), NO_ENGINE)
    const plain: Model = {
      ...next,
      graph: { ...next.graph, nodes: next.graph.nodes.map((n) => (n.op === op ? { ...n, attrs: {} } : n)) },
    }
    const [own, byDefault] = [await run(next, {}), await run(plain, {})]
    const [name] = next.graph.outputs
    expect(numbers(own[name!]!)).toEqual(numbers(byDefault[name!]!))
  })

  it('Clip has no bounds', async () => {
    const next = await unfuseConv.run(modelWith(activation('Clip')), NO_ENGINE)
    const [clip] = next.graph.nodes.filter((n) => n.op === 'Clip')
    const [low, high] = clip!.inputs.slice(1).map((name) => numbers(next.graph.constants.get(name)!)[0]!)
    expect(low).toBeLessThan(-3.4e38)
    expect(high).toBeGreaterThan(3.4e38)
  })
})

describe('left alone is', () => {
  it.each([
    ['an activation that the operator does not define', modelWith(activation('Elu'))],
    ['a node of another domain', modelWith({ ...activation('Relu'), domain: 'example' })],
    [
      'another node of the domain',
      small(
        17,
        { x: ['float32', [2, 2]] },
        (b) => [b.op('Gelu', ['x'], { domain: 'com.microsoft', attrs: { activation: str('Relu') } })],
        { 'com.microsoft': 1 },
      ),
    ],
    [
      'a plain convolution',
      small(17, { x: ['float32', [1, 2, 6, 6]] }, (b) => [b.op('Conv', ['x', b.constant(wave([4, 2, 3, 3]))])]),
    ],
  ])('%s', async (_, model) => {
    expect(await unfuseConv.run(model, NO_ENGINE)).toBe(model)
  })

  it('what it does not know beside what it does', async () => {
    const model = small(
      17,
      { x: ['float32', [1, 2, 6, 6]] },
      (b) => [fused(b, 'x', activation('Elu')), fused(b, 'x', { ...activation('Relu'), name: 'other' })],
      { 'com.microsoft': 1 },
    )
    const next = await unfuseConv.run(model, NO_ENGINE)
    expect(opsOf(next)).toEqual(['FusedConv', 'Conv', 'Relu'])
    expect(next.graph.nodes[0]).toBe(model.graph.nodes[0])
  })
})
