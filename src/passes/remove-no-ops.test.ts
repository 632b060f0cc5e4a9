import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { graphAttr, int, ints } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { f32, i64, tensor } from '../ir/tensor.js'
import type { Dim } from '../ir/types.js'
import { removeNoOps } from './remove-no-ops.js'

const { check } = passTester()

/** The rule under test works on `h`; a Neg before and an Exp after keep it off the model's inputs and outputs. */
const between = (shape: readonly Dim[], build: (b: Builder, h: string) => string, opset = 17) =>
  small(opset, { x: ['float32', shape] }, (b) => [b.op('Exp', [build(b, b.op('Neg', ['x']))])])

describe('remove-no-ops', () => {
  type Case = [name: string, shape: readonly Dim[], build: (b: Builder, h: string) => string, opset?: number]
  const gone: Case[] = [
    ['Identity', [2, 3], (b, h) => b.op('Identity', [h])],
    ['Dropout', [2, 3], (b, h) => b.op('Dropout', [h])],
    ['Cast to the same type', [2, 3], (b, h) => b.op('Cast', [h], { attrs: { to: int(1) } })],
    ['Transpose by the identity', [2, 3], (b, h) => b.op('Transpose', [h], { attrs: { perm: ints([0, 1]) } })],
    ['two Transposes that cancel', [2, 3], (b, h) => b.op('Transpose', [b.op('Transpose', [h])])],
    ['Reshape to its own shape', [2, 3], (b, h) => b.op('Reshape', [h, b.constant(i64([2], [0, -1]))])],
    [
      'Reshape there and back',
      [2, 3],
      (b, h) => b.op('Reshape', [b.op('Reshape', [h, b.constant(i64([1], [6]))]), b.constant(i64([2], [2, 3]))]),
    ],
    [
      'Unsqueeze and Squeeze',
      ['n', null],
      (b, h) => {
        const axes = b.constant(i64([1], [0]))
        return b.op('Squeeze', [b.op('Unsqueeze', [h, axes]), axes])
      },
    ],
    ['Pad by zero', [2, 3], (b, h) => b.op('Pad', [h, b.constant(i64([4], [0, 0, 0, 0]))])],
    ['Add 0', [2, 3], (b, h) => b.op('Add', [b.constant(f32([1], [0])), h])],
    ['Sub 0', [2, 3], (b, h) => b.op('Sub', [h, b.constant(f32([3], [0, 0, 0]))])],
    ['Mul 1', [2, 3], (b, h) => b.op('Mul', [h, b.constant(f32([], [1]))])],
    ['Div 1', [2, 3], (b, h) => b.op('Div', [h, b.constant(f32([1, 3], [1, 1, 1]))])],
    ['Concat of one', [2, 3], (b, h) => b.op('Concat', [h], { attrs: { axis: int(0) } })],
    ['Sum of one', [2, 3], (b, h) => b.op('Sum', [h])],
    ['Split into one', [2, 3], (b, h) => b.op('Split', [h], { attrs: { axis: int(0), num_outputs: int(1) } }), 18],
    ['Max of one', [2, 3], (b, h) => b.op('Max', [h])],
    ['Expand to the same shape', [2, 3], (b, h) => b.op('Expand', [h, b.constant(i64([2], [2, 1]))])],
    ['Tile once', [2, 3], (b, h) => b.op('Tile', [h, b.constant(i64([2], [1, 1]))])],
    [
      'Slice of everything',
      [2, 3],
      (b, h) => b.op('Slice', [h, b.constant(i64([1], [0])), b.constant(i64([1], [5])), b.constant(i64([1], [1]))]),
    ],
    [
      'Slice of everything, opset 9',
      ['n', 3],
      (b, h) => b.op('Slice', [h], { attrs: { starts: ints([0]), ends: ints([2 ** 40]), axes: ints([0]) } }),
      9,
    ],
  ]
  it.each(gone)('removes %s', async (...[, shape, build, opset]: Case) => {
    expect(opsOf(await check(removeNoOps, between(shape, build, opset)))).toEqual(['Neg', 'Exp'])
  })

  const kept: Case[] = [
    ['Add 0 that widens', [3], (b, h) => b.op('Add', [h, b.constant(f32([2, 1], [0, 0]))])],
    ['Add 0 that adds an axis', [3], (b, h) => b.op('Add', [h, b.constant(f32([1, 1], [0]))])],
    ['Mul by more than 1', [3], (b, h) => b.op('Mul', [h, b.constant(f32([3], [1, 1, 1.0001]))])],
    ['0 - x', [3], (b, h) => b.op('Sub', [b.constant(f32([], [0])), h])],
    ['Expand of an unknown size', ['n'], (b, h) => b.op('Expand', [h, b.constant(i64([1], [3]))])],
    [
      'Slice backwards',
      [3],
      (b, h) => {
        const [start, end, axis, step] = [-1, -10, 0, -1].map((v) => b.constant(i64([1], [v])))
        return b.op('Slice', [h, start!, end!, axis!, step!])
      },
    ],
    ['Pad', [3], (b, h) => b.op('Pad', [h, b.constant(i64([2], [1, -1]))])],
    ['Cast', [3], (b, h) => b.op('Cast', [b.op('Cast', [h], { attrs: { to: int(7) } })], { attrs: { to: int(1) } })],
    [
      'Add 0 of float16, which rounds on the engine',
      [3],
      (b, h) => {
        const zero = b.constant(tensor('float16', [1], Uint16Array.of(0)))
        const sum = b.op('Add', [b.op('Cast', [h], { attrs: { to: int(10) } }), zero])
        return b.op('Cast', [sum], { attrs: { to: int(1) } })
      },
    ],
  ]
  it.each(kept)('keeps %s', async (...[, shape, build]: Case) => {
    const model = between(shape, build)
    expect(await check(removeNoOps, model, { dims: { n: 1 } })).toBe(model)
  })

  it('composes Transposes', async () => {
    const perm = (...p: number[]) => ({ attrs: { perm: ints(p) } })
    const model = between([2, 3, 4], (b, h) =>
      b.op('Transpose', [b.op('Transpose', [h], perm(1, 2, 0))], perm(0, 2, 1)),
    )
    expect(opsOf(await check(removeNoOps, model))).toEqual(['Neg', 'Transpose', 'Exp'])
  })

  it('lets a Reshape read past a Reshape, but not where it copies a dimension', async () => {
    const chain = (to: number[]) =>
      between([2, 6], (b, h) =>
        b.op('Reshape', [b.op('Reshape', [h, b.constant(i64([2], [3, 4]))]), b.constant(i64([to.length], to))]),
      )
    expect(opsOf(await check(removeNoOps, chain([4, 3])))).toEqual(['Neg', 'Reshape', 'Exp'])
    expect(opsOf(await check(removeNoOps, chain([0, 2, 2])))).toEqual(['Neg', 'Reshape', 'Reshape', 'Exp'])
  })

  it('keeps the names of outputs', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => {
      const h = b.op('Neg', ['x'])
      b.op('Exp', [h])
      b.op('Identity', [h], { outputs: ['first'] })
      b.op('Identity', [h], { outputs: ['second'] })
      b.op('Dropout', ['x'], { outputs: ['third'] })
      return ['first', 'second', 'third']
    })
    const next = await check(removeNoOps, model)
    expect(next.graph.outputs).toEqual(['first', 'second', 'third'])
    expect(opsOf(next)).toEqual(['Neg', 'Identity', 'Identity'])
  })

  it('renames what subgraphs capture, and keeps an Identity that hands on a captured value', async () => {
    const branch = (name: string, ops: readonly string[]) => {
      const inner = builder(['h', 'x', 'copy'])
      inner.output(ops.reduce((value, op) => inner.op(op, [value]), 'copy'))
      return graphAttr(inner.graph(name))
    }
    const model = small(17, { x: ['float32', [2]], c: ['bool', []] }, (b) => {
      b.op('Identity', [b.op('Neg', ['x'])], { outputs: ['copy'] })
      const attrs = {
        then_branch: branch('a', ['Identity', 'Relu', 'Identity']),
        else_branch: branch('b', ['Identity']),
      }
      return [b.op('If', ['c'], { attrs })]
    })
    expect(opsOf(await check(removeNoOps, model))).toEqual(['Relu', 'Identity', 'Neg', 'If'])
  })

  it('does not take an input with a default for a constant', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => [b.op('Add', ['x', b.constant(f32([], [0]), 'zero')])])
    const values = new Map(model.graph.values).set('zero', { kind: 'tensor', dtype: 'float32', shape: [] } as const)
    const open = { ...model, graph: { ...model.graph, inputs: ['x', 'zero'], values } }
    expect(await check(removeNoOps, open)).toBe(open)
  })
})
