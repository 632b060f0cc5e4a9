import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { graphAttr } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { f32, tensor } from '../ir/tensor.js'
import type { Dim, Model } from '../ir/types.js'
import { fuseGemm } from './fuse-gemm.js'

const { check } = passTester()

const wave = (shape: readonly number[], phase = 0) =>
  f32(
    shape,
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i * 7.31 + phase)),
  )
const matmul = (b: Builder, x: string, shape: readonly number[]): string =>
  b.op('MatMul', [x, b.constant(wave(shape), 'w')], { name: 'product' })
const bias = (b: Builder, shape: readonly number[]): string => b.constant(wave(shape, 1), 'bias')
const halves = (b: Builder, shape: readonly number[]): string =>
  b.constant(tensor('float64', shape, new Float64Array(shape.reduce((n, d) => n * d, 1)).fill(0.5)))
const rows = (build: (b: Builder) => readonly string[], shape: readonly Dim[] = ['n', 6]): Model =>
  small(17, { x: ['float32', shape] }, build)

describe('a product of a matrix and its bias', () => {
  it.each([
    ['the product first', (b: Builder) => b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [4])])],
    ['the bias first', (b: Builder) => b.op('Add', [bias(b, [4]), matmul(b, 'x', [6, 4])])],
  ])('become one Gemm, %s', async (_, build) => {
    const next = await check(
      fuseGemm,
      rows((b) => [b.op('Relu', [build(b)])]),
      { tolerance: 1e-6, dims: { n: 3 } },
    )
    expect(opsOf(next)).toEqual(['Gemm', 'Relu'])
    const [gemm] = next.graph.nodes
    // Transforms know layers by their nodes' names: the product's stays.
    expect(gemm).toMatchObject({ name: 'product', domain: '', attrs: {} })
    expect(gemm!.inputs).toEqual(['x', 'w', 'bias'])
  })

  it('do so in a chain, and where the sum is an output', async () => {
    const model = rows((b) => {
      const h = b.op('Relu', [b.op('Add', [matmul(b, 'x', [6, 8]), bias(b, [8])])])
      const y = b.op('Add', [b.op('MatMul', [h, b.constant(wave([8, 3], 2))]), bias(b, [3])])
      return [y, b.op('Neg', [y])]
    })
    const next = await check(fuseGemm, model, { tolerance: 1e-6, dims: { n: 2 } })
    expect(opsOf(next)).toEqual(['Gemm', 'Relu', 'Gemm', 'Neg'])
  })

  it('do so where only the rank of the input is known', async () => {
    const model = rows((b) => [b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [4])])], [null, null])
    const next = await check(fuseGemm, model, { tolerance: 1e-6, shapes: { x: [2, 6] } })
    expect(opsOf(next)).toEqual(['Gemm'])
  })

  it('do so inside a subgraph', async () => {
    const inner = builder(['x'])
    inner.output(inner.op('Add', [matmul(inner, 'x', [6, 4]), bias(inner, [4])]))
    const other = builder(['x'])
    other.output(matmul(other, 'x', [6, 4]))
    const attrs = { then_branch: graphAttr(inner.graph('t')), else_branch: graphAttr(other.graph('e')) }
    const model = small(17, { x: ['float32', [2, 6]], c: ['bool', []] }, (b) => [b.op('If', ['c'], { attrs })])
    for (const c of [0, 1]) {
      const next = await check(fuseGemm, model, { tolerance: 1e-6, integers: { c } })
      expect(opsOf(next)).toEqual(['Gemm', 'MatMul', 'If'])
    }
  })
})

const kept: Readonly<Record<string, Model>> = {
  'another op than Add': rows((b) => [b.op('Mul', [matmul(b, 'x', [6, 4]), bias(b, [4])])]),
  'another op than MatMul': rows(
    (b) => [b.op('Add', [b.op('PRelu', ['x', b.constant(wave([6, 6]), 'w')]), bias(b, [6])])],
    [6, 6],
  ),
  'an Add of another domain': small(
    17,
    { x: ['float32', [2, 6]] },
    (b) => [b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [4])], { domain: 'example' })],
    { example: 1 },
  ),
  'a MatMul of another domain': small(
    17,
    { x: ['float32', [2, 6]] },
    (b) => [b.op('Add', [b.op('MatMul', ['x', b.constant(wave([6, 4]), 'w')], { domain: 'example' }), bias(b, [4])])],
    { example: 1 },
  ),
  'batches of matrices': rows((b) => [b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [4])])], ['b', 'n', 6]),
  'a vector': rows((b) => [b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [4])])], [6]),
  'an input of unknown rank': small(17, { x: ['float32', null] }, (b) => [
    b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [4])]),
  ]),
  'a product that something else reads': rows((b) => {
    const y = matmul(b, 'x', [6, 4])
    return [b.op('Add', [y, bias(b, [4])]), b.op('Relu', [y])]
  }),
  'a product that is an output': rows((b) => {
    const y = matmul(b, 'x', [6, 4])
    return [b.op('Add', [y, bias(b, [4])]), y]
  }),
  'a product that nothing reads': rows((b) => [matmul(b, 'x', [6, 4])]),
  'a product added to itself': rows((b) => {
    const y = matmul(b, 'x', [6, 4])
    return [b.op('Add', [y, y])]
  }),
  'what is added is no constant': small(17, { x: ['float32', [2, 6]], c: ['float32', [4]] }, (b) => [
    b.op('Add', [matmul(b, 'x', [6, 4]), 'c']),
  ]),
  'a bias of one number for all': rows((b) => [b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [])])]),
  'a bias of one element, broadcast': rows((b) => [b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [1])])]),
  'a matrix that is added': rows((b) => [b.op('Add', [matmul(b, 'x', [6, 4]), bias(b, [4, 4])])], [4, 6]),
  'a bias that widens the product': rows((b) => [b.op('Add', [matmul(b, 'x', [6, 1]), bias(b, [4])])]),
  'a weight that is made in the graph': rows((b) => [
    b.op('Add', [b.op('MatMul', ['x', b.op('Neg', [b.constant(wave([6, 4]))])]), bias(b, [4])]),
  ]),
  'a weight of more dimensions': rows((b) => [b.op('Add', [matmul(b, 'x', [2, 6, 6]), bias(b, [6])])]),
  'types that disagree in the weight': rows((b) => [
    b.op('Add', [b.op('MatMul', ['x', halves(b, [6, 4])]), bias(b, [4])]),
  ]),
  'types that disagree in the bias': rows((b) => [b.op('Add', [matmul(b, 'x', [6, 4]), halves(b, [4])])]),
  float64: small(17, { x: ['float64', [2, 6]] }, (b) => [
    b.op('Add', [b.op('MatMul', ['x', halves(b, [6, 4])]), halves(b, [4])]),
  ]),
}
const NO_ENGINE = { engine: () => Promise.reject(new Error('needs no engine')) }

describe('left alone is', () => {
  it.each(Object.entries(kept))('%s', async (_, model) => {
    expect(await fuseGemm.run(model, NO_ENGINE)).toBe(model)
  })

  it('a weight that is an input with a default: a caller may replace it', async () => {
    const open = small(17, { x: ['float32', [2, 6]], weight: ['float32', [6, 4]] }, (b) => [
      b.op('Add', [b.op('MatMul', ['x', 'weight']), bias(b, [4])]),
    ])
    const constants = new Map([...open.graph.constants, ['weight', wave([6, 4])]])
    const model: Model = { ...open, graph: { ...open.graph, constants } }
    expect(await fuseGemm.run(model, NO_ENGINE)).toBe(model)
  })
})
