import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { int, ints, str } from '../ir/attrs.js'
import { i64 } from '../ir/tensor.js'
import type { Attr, Dim, Node } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { arithmetic } from './arithmetic.js'
import { type Call, dataInputs, type Fact, type OpDef, quantRule, tensorFact } from './def.js'
import { logic } from './logic.js'
import { movement } from './movement.js'
import { addDim, broadcast, divDim, mulDim, normalizeAxes, normalizeAxis, product } from './shapes.js'

describe('broadcast over partly known dimensions', () => {
  test.each<[readonly (readonly Dim[])[], readonly Dim[]]>([
    [
      [
        ['N', 3],
        [1, 3],
      ],
      ['N', 3],
    ],
    [
      [
        ['N', 3],
        ['N', 1],
      ],
      ['N', 3],
    ],
    [[['N'], [5]], [5]],
    [[[null], [5]], [5]],
    [[[null], [1]], [null]],
    [[['N'], ['M']], [null]],
    [[['N'], [null]], [null]],
    [[[0], [null]], [0]],
    [
      [[2, 3, 4], [], [3, 1]],
      [2, 3, 4],
    ],
  ])('%j gives %j', (shapes, expected) => expect(broadcast(shapes)).toEqual(expected))

  test('an unknown rank makes the result unknown', () => expect(broadcast([[2], null])).toBeNull())

  test('known sizes that clash are an error that names the node', () =>
    expect(() => broadcast([[2], [3]], 'add1')).toThrow(/add1: .*broadcast/))

  test('does not depend on the order of its inputs', () => {
    const dim = fc.constantFrom<Dim>(1, 4, 'N', 'M', null)
    const shape = fc.array(dim, { maxLength: 3 })
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        expect(broadcast([a, b])).toEqual(broadcast([b, a]))
      }),
    )
  })

  test('claims nothing that a choice of the unknown sizes refutes', () => {
    const dim = fc.constantFrom<Dim>(1, 4, 'N', 'M', null)
    const shape = fc.array(dim, { minLength: 2, maxLength: 2 })
    fc.assert(
      fc.property(
        shape,
        shape,
        fc.constantFrom(1, 4),
        fc.constantFrom(1, 4),
        fc.constantFrom(1, 4),
        (a, b, n, m, u) => {
          const bind = (d: Dim) => (d === 'N' ? n : d === 'M' ? m : d === null ? u : d)
          const claimed = broadcast([a, b])!
          const actual = broadcast([a.map(bind), b.map(bind)])!
          for (const [i, d] of claimed.entries()) if (d !== null) expect(bind(d)).toBe(actual[i])
        },
      ),
    )
  })
})

describe('arithmetic of dimensions', () => {
  test('symbols pass where the other side is neutral', () => {
    expect([mulDim('N', 1), addDim(0, 'N'), divDim('N', 1, 'x')]).toEqual(['N', 'N', 'N'])
    expect([mulDim('N', 2), addDim('N', 'M'), divDim('N', 2, 'x')]).toEqual([null, null, null])
  })
  test('products', () => {
    expect([product([2, 3]), product(['N', 1]), product(['N', 2]), product([null, 0]), product([])]).toEqual([
      6,
      'N',
      null,
      0,
      1,
    ])
  })
  test('axes count from either end and lie inside', () => {
    expect([normalizeAxis(-1, 3, 'x'), normalizeAxis(2, 3, 'x')]).toEqual([2, 2])
    expect(() => normalizeAxis(3, 3, 'node')).toThrow(PareError)
    expect(() => normalizeAxes([0, -3], 3, 'node')).toThrow(/twice/)
  })
})

const records = [...arithmetic, ...logic, ...movement]
const record = (op: string): OpDef => records.find((r) => r.op === op)!

const nodeOf = (op: string, inputs: number, attrs: Record<string, Attr> = {}, outputs = 1): Node => ({
  name: 'n1',
  domain: '',
  op,
  inputs: Array.from({ length: inputs }, (_, i) => `i${i}`),
  outputs: Array.from({ length: outputs }, (_, i) => `o${i}`),
  attrs,
})

function infer(
  op: string,
  inputs: readonly (Fact | null)[],
  attrs: Record<string, Attr> = {},
  opset = 18,
  outputs = 1,
) {
  const call: Call = {
    node: nodeOf(op, inputs.length, attrs, outputs),
    opset,
    inputs,
    constant: () => null,
    subgraph: () => [],
  }
  return record(op).infer(call)[0]!
}

const data = (...shape: readonly Dim[]): Fact => tensorFact('float32', shape)
const content = (...elements: readonly Dim[]): Fact => tensorFact('int64', [elements.length], elements)

const shapeOfFact = (f: Fact | null) => (f?.value.kind === 'tensor' ? f.value.shape : null)

describe('symbols in shape arithmetic', () => {
  test.each<[string, Fact, Fact, readonly Dim[] | undefined]>([
    ['Add', content('N', 3), content(0, 1), ['N', 4]],
    ['Sub', content('N', 'N'), content('N', 0), [0, 'N']],
    ['Mul', content('N', 'N'), content(1, 2), ['N', null]],
    ['Div', content('N', 7), content(1, -2), ['N', -3]],
    ['Max', content('N', 'N'), content(0, 1), ['N', null]],
    ['Equal', content('N', 'N', 'N'), content(-1, 'N', 4), [0, 1, null]],
    ['Greater', content('N', 'N'), content(-1, 0), [1, null]],
    ['Concat', content('N'), content(4, null), ['N', 4, null]],
    ['Gather', content('N', 3, 'M'), content(-1, 0), ['M', 'N']],
  ])('%s', (op, a, b, expected) =>
    expect(infer(op, [a, b], op === 'Concat' ? { axis: int(0) } : {}).content).toEqual(expected),
  )

  test('Where picks by a known condition, or what both sides share', () => {
    const condition = tensorFact('bool', [3], [1, 0, null])
    expect(infer('Where', [condition, content('N', 2, 'M'), content(1, 'N', 'M')]).content).toEqual(['N', 'N', 'M'])
  })

  test.each<[readonly Dim[], readonly Dim[], readonly Dim[]]>([
    [
      ['N', 64, 7, 7],
      ['N', -1],
      ['N', 3136],
    ],
    [
      ['N', 64, 7, 7],
      [0, -1],
      ['N', 3136],
    ],
    [
      ['N', 'T', 8],
      [-1, 8],
      [null, 8],
    ],
    [
      ['N', 24],
      [-1, 4, 6],
      ['N', 4, 6],
    ],
    [
      [null, 64, 7],
      [0, -1],
      [null, 448],
    ],
    [
      ['N', 1, 8],
      [-1, 8],
      ['N', 8],
    ],
    [
      ['N', 4],
      ['M', -1],
      ['M', null],
    ],
    [
      [2, 12],
      [null, 8],
      [3, 8],
    ],
    [
      [2, 12],
      [null, null],
      [null, null],
    ],
    [
      ['N', 6],
      [-1, 3],
      [null, 3],
    ],
  ])('Reshape of %j to %j gives %j', (from, to, expected) =>
    expect(shapeOfFact(infer('Reshape', [data(...from), content(...to)]))).toEqual(expected),
  )

  test('a slice that takes all keeps a symbol, others lose it', () => {
    const sliced = (start: Dim, end: Dim) => shapeOfFact(infer('Slice', [data('N', 5), content(start), content(end)]))
    expect(sliced(0, 2 ** 31 - 1)).toEqual(['N', 5])
    expect(sliced(0, 'N')).toEqual(['N', 5])
    expect(sliced(1, 2 ** 31 - 1)).toEqual([null, 5])
    expect(sliced(0, 3)).toEqual([null, 5])
  })

  test('Split of a symbol into equal parts is unknown', () =>
    expect(shapeOfFact(infer('Split', [data('N', 4)], { axis: int(0), num_outputs: int(2) }, 18, 2))).toEqual([
      null,
      4,
    ]))
})

describe('nodes that break the specification', () => {
  test.each<[string, readonly Fact[], Record<string, Attr>]>([
    ['Add', [data(2), data(3)], {}],
    ['Reshape', [data(2, 3), content(4, -1)], {}],
    ['Reshape', [data(2, 3), content(4, 2)], {}],
    ['Reshape', [data(2), content(1, 0)], {}],
    ['Squeeze', [data(2, 3), content(0)], {}],
    ['Transpose', [data(2, 3)], { perm: ints([0, 0]) }],
    ['Transpose', [data(2, 3)], { perm: ints([0]) }],
    ['Concat', [data(2, 3), data(2, 4)], { axis: int(0) }],
    ['Concat', [data(2, 3), data(2)], { axis: int(0) }],
    ['Pad', [data(2, 3), content(1, 1)], {}],
    ['DepthToSpace', [data(1, 3, 2, 2)], { blocksize: int(2) }],
    ['Gather', [data(2, 3), content(0)], { axis: int(2) }],
    ['Tile', [data(2, 3), content(2)], {}],
  ])('%s %j', (op, inputs, attrs) => {
    expect(() => infer(op, inputs, attrs)).toThrow(expect.objectContaining({ code: 'OP_MALFORMED' }))
    expect(() => infer(op, inputs, attrs)).toThrow(/n1/)
  })
})

describe('quantization rules', () => {
  test('a map that only rearranges on this node is a move', () => {
    const kind = (op: string, attrs: Record<string, Attr>) => {
      const rule = quantRule(record(op), nodeOf(op, 1, attrs))
      return rule === 'none' ? rule : rule.kind
    }
    expect(kind('Resize', { mode: str('nearest') })).toBe('move')
    expect(kind('Resize', { mode: str('linear') })).toBe('map')
    expect(kind('Pad', {})).toBe('map')
    expect(kind('Pad', { mode: str('edge') })).toBe('move')
    expect(kind('ScatterElements', { reduction: str('add') })).toBe('map')
  })
  test('data inputs: variadic ones all, others as listed, absent ones left out', () => {
    const inputs = (node: Node) => dataInputs(record(node.op), node, quantRule(record(node.op), node) as never)
    expect(inputs(nodeOf('Concat', 3))).toEqual([0, 1, 2])
    expect(inputs(nodeOf('Gather', 2))).toEqual([0])
    expect(inputs({ ...nodeOf('Concat', 2), inputs: ['', 'b'] })).toEqual([1])
  })
})

test('a constant list serves as well as content', () => {
  const call: Call = {
    node: nodeOf('Reshape', 2),
    opset: 13,
    inputs: [data(2, 6), null],
    constant: (i) => (i === 1 ? i64([2], [3, -1]) : null),
    subgraph: () => [],
  }
  expect(shapeOfFact(record('Reshape').infer(call)[0]!)).toEqual([3, 4])
})
