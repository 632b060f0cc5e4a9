/** Products (MACs) written out by hand, axes of output channels, and shapes that no engine kernel can confirm. */

import { expect, test } from 'vitest'
import { int, ints, str } from '../ir/attrs.js'
import type { Attr, Dim, Tensor } from '../ir/types.js'
import { type Call, type Fact, shapeOf, tensorFact } from './def.js'
import { findOp } from './index.js'

type Attrs = Readonly<Record<string, Attr>>
/** A shape, a fact, or null for an absent input. */
type Given = readonly Dim[] | Fact | null

function call(op: string, given: readonly Given[], attrs: Attrs = {}, domain = '', opset = 23): Call {
  const inputs = given.map((g) => (g === null ? null : 'value' in g ? g : tensorFact('float32', g)))
  const names = given.map((g, i) => (g === null ? '' : `x${i}`))
  const node = { name: '', domain, op, inputs: names, outputs: ['y'], attrs }
  return { node, opset, inputs, constant: (): Tensor | null => null, subgraph: () => [] }
}

function macs(c: Call): number | null {
  const def = findOp(c.node.domain, c.node.op)!
  return def.cost === 'none' ? null : (def.cost(c, def.infer(c))?.macs ?? null)
}

const MS = 'com.microsoft'
const total = tensorFact('int32', [1], [7])

test.each<[string, Call, number | null]>([
  [
    'Conv',
    call('Conv', [
      [2, 3, 8, 8],
      [5, 3, 3, 3],
    ]),
    2 * 5 * 36 * 27,
  ],
  [
    'Conv, groups',
    call(
      'Conv',
      [
        [1, 4, 9],
        [8, 2, 3],
      ],
      { group: int(2), strides: ints([2]) },
    ),
    8 * 4 * 6,
  ],
  [
    'Conv, open batch',
    call('Conv', [
      ['n', 3, 8, 8],
      [5, 3, 3, 3],
    ]),
    null,
  ],
  [
    'ConvTranspose',
    call(
      'ConvTranspose',
      [
        [2, 4, 5, 6],
        [4, 3, 2, 2],
      ],
      { group: int(2) },
    ),
    2 * 4 * 30 * 3 * 4,
  ],
  [
    'MatMul',
    call('MatMul', [
      [2, 1, 3, 4],
      [5, 4, 6],
    ]),
    2 * 5 * 3 * 4 * 6,
  ],
  ['MatMul, vectors', call('MatMul', [[4], [4]]), 4],
  [
    'MatMul, open rows',
    call('MatMul', [
      ['n', 4],
      [4, 6],
    ]),
    null,
  ],
  [
    'Gemm',
    call(
      'Gemm',
      [
        [4, 3],
        [5, 4],
      ],
      { transA: int(1), transB: int(1) },
    ),
    3 * 4 * 5,
  ],
  [
    'Einsum',
    call(
      'Einsum',
      [
        [2, 3, 4],
        [2, 5, 4],
      ],
      { equation: str('bqd,bkd->bqk') },
    ),
    2 * 3 * 4 * 5,
  ],
  ['Einsum of one', call('Einsum', [[2, 3]], { equation: str('ij->ji') }), 0],
  ['MatMulNBits', call('MatMulNBits', [[2, 3, 32]], { K: int(32), N: int(8) }, MS), 6 * 32 * 8],
  [
    'LSTM',
    call('LSTM', [
      [5, 2, 3],
      [1, 16, 3],
      [1, 16, 4],
    ]),
    4 * 4 * (3 + 4) * 5 * 2,
  ],
  [
    'GRU, both ways',
    call(
      'GRU',
      [
        [5, 2, 3],
        [2, 12, 3],
        [2, 12, 4],
      ],
      { direction: str('bidirectional') },
    ),
    3 * 4 * (3 + 4) * 5 * 2 * 2,
  ],
  // Three projections of 8 channels, then 2 heads of 4: scores and their sum over values.
  [
    'Attention',
    call(
      'Attention',
      [
        [2, 3, 8],
        [8, 24],
      ],
      { num_heads: int(2) },
      MS,
    ),
    2 * 3 * 8 * 24 + 2 * 2 * 9 * (4 + 4),
  ],
  [
    'MultiHeadAttention',
    call(
      'MultiHeadAttention',
      [
        [2, 3, 8],
        [2, 5, 8],
        [2, 5, 12],
      ],
      { num_heads: int(2) },
      MS,
    ),
    2 * 2 * 3 * 5 * (4 + 6),
  ],
  [
    'GroupQueryAttention over 7 tokens in a buffer of 20',
    call(
      'GroupQueryAttention',
      [[1, 1, 64], [1, 1, 32], [1, 1, 32], [1, 2, 20, 16], [1, 2, 20, 16], null, total],
      { num_heads: int(4), kv_num_heads: int(2) },
      MS,
    ),
    4 * 7 * 32,
  ],
  ['Relu', call('Relu', [['n', 3]]), 0],
  ['DFT', call('DFT', [[1, 8, 1]]), null],
])('%s', (_name, c, expected) => {
  expect(macs(c)).toBe(expected)
})

test.each<[string, Call, number, number | null]>([
  ['Conv', call('Conv', [null, [8, 4, 3, 3]]), 1, 0],
  ['ConvTranspose', call('ConvTranspose', [null, [4, 8, 3, 3]]), 1, 1],
  ['ConvTranspose, groups', call('ConvTranspose', [null, [4, 8, 3, 3]], { group: int(2) }), 1, null],
  ['MatMul, right', call('MatMul', [null, [2, 4, 8]]), 1, 2],
  ['MatMul, left', call('MatMul', [[8, 4], null]), 0, 0],
  ['MatMul, a vector', call('MatMul', [null, [4]]), 1, null],
  ['Gemm', call('Gemm', [null, [4, 8]]), 1, 1],
  ['Gemm, transB', call('Gemm', [null, [8, 4]], { transB: int(1) }), 1, 0],
  ['FusedMatMul, transB', call('FusedMatMul', [null, [8, 4]], { transB: int(1) }, MS), 1, 0],
  ['FusedMatMul, transA', call('FusedMatMul', [[4, 8], null], { transA: int(1) }, MS), 0, 1],
  ['LSTM', call('LSTM', [null, [1, 16, 3], [1, 16, 4]]), 2, 1],
])('output channels of %s', (_name, c, weight, axis) => {
  const { quant } = findOp(c.node.domain, c.node.op)!
  if (quant === 'none' || quant.kind !== 'weighted') throw new Error('not weighted')
  expect(quant.weights).toContain(weight)
  expect(quant.channelAxis(c, weight)).toBe(axis)
})

test('batch-first recurrent layers, which this engine refuses', () => {
  const c = call(
    'GRU',
    [
      ['b', 5, 3],
      [2, 12, 3],
      [2, 12, 4],
    ],
    { layout: int(1), direction: str('bidirectional') },
  )
  expect(findOp('', 'GRU')!.infer(c).map(shapeOf)).toEqual([
    ['b', 5, 2, 4],
    ['b', 2, 4],
  ])
})

test('sizes that depend on an open one stay open, and stay named where nothing changes them', () => {
  const shape = (c: Call) => shapeOf(findOp(c.node.domain, c.node.op)!.infer(c)[0])
  const pads = { pads: ints([1, 1]) }
  expect(
    shape(
      call(
        'Conv',
        [
          ['n', 2, 'w'],
          [4, 2, 3],
        ],
        pads,
      ),
    ),
  ).toEqual(['n', 4, 'w'])
  expect(
    shape(
      call(
        'Conv',
        [
          ['n', 2, 'w'],
          [4, 2, 3],
        ],
        { ...pads, strides: ints([2]) },
      ),
    ),
  ).toEqual(['n', 4, null])
  expect(shape(call('MaxPool', [['n', 2, 'w']], { kernel_shape: ints([2]), auto_pad: str('SAME_UPPER') }))).toEqual([
    'n',
    2,
    'w',
  ])
  expect(
    shape(
      call('MatMul', [
        ['b', 'm', 4],
        [4, 'k'],
      ]),
    ),
  ).toEqual(['b', 'm', 'k'])
  expect(
    shape(
      call('LSTM', [
        ['s', 'b', 3],
        [1, 16, 3],
        [1, 16, 4],
      ]),
    ),
  ).toEqual(['s', 1, 'b', 4])
})
