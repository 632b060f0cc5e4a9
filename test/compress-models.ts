/** Small models with weights, one for each shape of graph that compression must get right. All at opset 21. */

import { float, graphAttr, int, ints } from '../src/ir/attrs.js'
import { type Builder, builder, modelOf } from '../src/ir/builder.js'
import { f32, i64 } from '../src/ir/tensor.js'
import type { Dim, DType, Model, Tensor } from '../src/ir/types.js'
import { random } from '../src/util/random.js'
import type { FeedOptions } from './random-feeds.js'

export interface CompressCase {
  readonly name: string
  readonly model: Model
  /** How to make inputs for it. */
  readonly feeds: FeedOptions
  /** Layers one after the other: errors add up along them. */
  readonly depth: number
  /** Transforms that must find something to do here; those not listed may. */
  readonly changes: readonly string[]
  /** Constants whose bits nothing may touch. */
  readonly fixed?: readonly string[]
}

const MATMUL = ['quantize/static', 'quantize/dynamic', 'quantize/nbits', 'store/int8', 'store/int4', 'store/f16']
const CONV = ['quantize/static', 'store/int8', 'store/int4', 'store/f16']
const PRUNE = 'prune/channels'
const STORE = ['store/int8', 'store/int4', 'store/f16']

/** Normal weights; each row of the first dimension has a magnitude of its own. */
export function weights(shape: readonly number[], seed: number, deviation = 0.3): Tensor {
  const r = random(seed)
  const row = shape.slice(1).reduce((n, d) => n * d, 1)
  const count = shape.reduce((n, d) => n * d, 1)
  return f32(
    shape,
    Float32Array.from({ length: count }, (_, i) => r.normal(0, deviation * (1 + (Math.floor(i / row) % 4) / 2))),
  )
}

type Inputs = Readonly<Record<string, readonly [DType, readonly Dim[]]>>
interface Rest extends Partial<Omit<CompressCase, 'name' | 'model'>> {
  readonly outputs?: number
}

function makeCase(
  name: string,
  inputs: Inputs,
  build: (b: Builder) => readonly string[],
  { feeds = {}, depth = 1, changes = [], fixed }: Rest = {},
): CompressCase {
  const b = builder()
  for (const [input, [dtype, shape]] of Object.entries(inputs)) b.input(input, { kind: 'tensor', dtype, shape })
  for (const out of build(b)) b.output(out, { kind: 'tensor', dtype: 'float32', shape: null })
  return { name, model: modelOf(b.graph()), feeds, depth, changes, ...(fixed && { fixed }) }
}

const x = (...shape: Dim[]): Inputs => ({ x: ['float32', shape] })
const rows = x('n', 32)
const ROWS: FeedOptions = { dims: { n: 5 } }

const matmul = (b: Builder, from: string, w: Tensor, name?: string): string =>
  b.op('MatMul', [from, b.constant(w, 'w')], name === undefined ? {} : { name })

const conv = (b: Builder, from: string, shape: readonly number[], seed: number, group = 1, pad = 1): string =>
  b.op('Conv', [from, b.constant(weights(shape, seed), 'w'), b.constant(weights([shape[0]!], seed + 1), 'b')], {
    attrs: { group: int(group), pads: ints(shape.slice(2).flatMap(() => [pad, pad])) },
  })

const clip6 = (b: Builder, from: string): string =>
  b.op('Clip', [from, b.constant(f32([], [0]), 'zero'), b.constant(f32([], [6]), 'six')])

const convNet = makeCase(
  'convolutions with a residual',
  x(1, 8, 12, 12),
  (b) => {
    const a = b.op('Relu', [conv(b, 'x', [32, 8, 3, 3], 1)])
    const d = clip6(b, conv(b, a, [32, 1, 3, 3], 3, 32))
    const p = conv(b, d, [32, 32, 1, 1], 5, 1, 0)
    const sum = b.op('Relu', [b.op('Add', [a, p])])
    const pool = b.op('MaxPool', [sum], { attrs: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) } })
    const mean = b.op('Flatten', [b.op('GlobalAveragePool', [pool])])
    return [
      b.op('Gemm', [mean, b.constant(weights([10, 32], 7), 'w'), b.constant(weights([10], 8), 'b')], {
        attrs: { transB: int(1) },
      }),
    ]
  },
  { depth: 5, changes: [...CONV, PRUNE] },
)

const mlp = makeCase(
  'perceptron',
  rows,
  (b) => {
    const first = b.op('Gemm', ['x', b.constant(weights([64, 32], 1), 'w'), b.constant(weights([64], 2), 'b')], {
      attrs: { transB: int(1) },
    })
    const second = b.op('Add', [
      matmul(b, b.op('Relu', [first]), weights([64, 48], 3)),
      b.constant(weights([48], 4), 'b'),
    ])
    return [b.op('Gemm', [b.op('Tanh', [second]), b.constant(weights([48, 16], 5), 'w')])]
  },
  { feeds: ROWS, depth: 3, changes: [...MATMUL, PRUNE] },
)

const attention = makeCase(
  'attention',
  x(1, 's', 32),
  (b) => {
    const shape = b.constant(i64([4], [0, 0, 4, 8]), 'shape')
    const heads = (seed: number, perm: readonly number[]): string =>
      b.op('Transpose', [b.op('Reshape', [matmul(b, 'x', weights([32, 32], seed)), shape])], {
        attrs: { perm: ints(perm) },
      })
    const [q, k, v] = [heads(1, [0, 2, 1, 3]), heads(2, [0, 2, 3, 1]), heads(3, [0, 2, 1, 3])]
    const scores = b.op('Softmax', [b.op('Mul', [b.op('MatMul', [q, k]), b.constant(f32([], [0.35]), 'c')])], {
      attrs: { axis: int(-1) },
    })
    const mixed = b.op('Transpose', [b.op('MatMul', [scores, v])], { attrs: { perm: ints([0, 2, 1, 3]) } })
    const joined = b.op('Reshape', [mixed, b.constant(i64([3], [0, 0, 32]), 'shape')])
    const sum = b.op('Add', ['x', matmul(b, joined, weights([32, 32], 4))])
    const scale = b.constant(f32([32], new Float32Array(32).fill(1)), 'scale')
    return [
      b.op('LayerNormalization', [sum, scale, b.constant(weights([32], 5), 'b')], { attrs: { epsilon: float(1e-5) } }),
    ]
  },
  { feeds: { dims: { s: 6 } }, depth: 4, changes: [...MATMUL, PRUNE] },
)

/** Two layers that add to what they read: the stream of 64 holds at most the 4 that it begins with and the 16 inside. */
const stream = makeCase(
  'a residual stream, normalized',
  x('n', 3, 4),
  (b) => {
    const norm = (from: string, seed: number): string =>
      b.op('LayerNormalization', [
        from,
        b.constant(f32([64], new Float32Array(64).fill(1)), 'scale'),
        b.constant(weights([64], seed), 'b'),
      ])
    const begin = matmul(b, 'x', weights([4, 64], 1))
    const inside = b.op('Relu', [matmul(b, norm(begin, 2), weights([64, 16], 3, 0.1))])
    const sum = b.op('Add', [begin, matmul(b, inside, weights([16, 64], 4))])
    return [matmul(b, norm(sum, 5), weights([64, 32], 6, 0.1))]
  },
  // As many rows as tell that nothing else is in it.
  { feeds: { dims: { n: 200 } }, depth: 4, changes: [...MATMUL, PRUNE, 'factorize/slice'] },
)

const recurrent = (op: 'LSTM' | 'GRU', gates: number, direction: 'forward' | 'bidirectional'): CompressCase =>
  makeCase(
    `${op}, ${direction}`,
    x('t', 1, 16),
    (b) => {
      const d = direction === 'forward' ? 1 : 2
      const [y, h] = b.ops(
        op,
        [
          'x',
          b.constant(weights([d, gates * 24, 16], 1, 0.2), 'w'),
          b.constant(weights([d, gates * 24, 24], 2, 0.2), 'r'),
          b.constant(weights([d, 2 * gates * 24], 3, 0.1), 'b'),
        ],
        {
          outputs: 2,
          attrs: { hidden_size: int(24), direction: { type: 'string', value: new TextEncoder().encode(direction) } },
        },
      )
      return [y!, h!]
    },
    { feeds: { dims: { t: 7 } }, depth: 3, changes: op === 'LSTM' ? ['quantize/dynamic', ...STORE] : STORE },
  )

const mixed = makeCase(
  'LSTM before a product',
  x('t', 1, 16),
  (b) => {
    const w = b.constant(weights([1, 96, 16], 1, 0.2), 'w')
    const r = b.constant(weights([1, 96, 24], 2, 0.2), 'r')
    const [, h] = b.ops('LSTM', ['x', w, r], { outputs: 2, attrs: { hidden_size: int(24) } })
    return [matmul(b, h!, weights([24, 48], 3))]
  },
  { feeds: { dims: { t: 7 } }, depth: 4, changes: [...MATMUL, PRUNE] },
)

const branch = (node: string, from: string, own: Tensor | string): Builder => {
  const b = builder([from])
  const w = typeof own === 'string' ? own : b.constant(own, 'inner_w')
  b.ops('MatMul', [from, w], { name: node, outputs: [`${node}_y`] })
  b.output(`${node}_y`, { kind: 'tensor', dtype: 'float32', shape: null })
  return b
}

/** One branch has its weight inside, the other takes it from outside. */
const conditional = (takes: 'then' | 'else'): CompressCase =>
  makeCase(
    `products in branches, ${takes}`,
    { ...rows, c: ['bool', []] },
    (b) => {
      const outer = b.constant(weights([48, 16], 1), 'outer_w')
      const h = b.op('Relu', [matmul(b, 'x', weights([32, 48], 2))])
      const inside = branch('inside', h, weights([48, 16], 3)).graph('inside')
      const outside = branch('outside', h, outer).graph('outside')
      const y = b.op('If', ['c'], { attrs: { then_branch: graphAttr(inside), else_branch: graphAttr(outside) } })
      return [y]
    },
    { feeds: { ...ROWS, integers: { c: takes === 'then' ? 1 : 0 } }, depth: 2, changes: MATMUL },
  )

const embedding = makeCase(
  'embedding',
  { x: ['int64', ['n']] },
  (b) => {
    const table = b.constant(weights([40, 32], 1), 'table')
    return [matmul(b, b.op('Gather', [table, 'x']), weights([32, 40], 2))]
  },
  { feeds: ROWS, depth: 2, changes: MATMUL },
)

const tiedEmbedding = makeCase(
  'embedding tied to the last product',
  { x: ['int64', ['n']] },
  (b) => {
    const table = b.constant(weights([40, 32], 1), 'table')
    const h = b.op('Tanh', [matmul(b, b.op('Gather', [table, 'x']), weights([32, 32], 2))])
    return [b.op('Gemm', [h, table], { attrs: { transB: int(1) } })]
  },
  { feeds: ROWS, depth: 3, changes: MATMUL },
)

const tiedProducts = makeCase(
  'one weight for two products',
  rows,
  (b) => {
    const w = b.constant(weights([32, 32], 1), 'w')
    return [b.op('MatMul', [b.op('Tanh', [b.op('MatMul', ['x', w])]), w])]
  },
  { feeds: ROWS, depth: 2, changes: MATMUL },
)

const tiedConvs = makeCase(
  'one weight for two convolutions',
  x(1, 16, 8, 8),
  (b) => {
    const w = b.constant(weights([16, 16, 3, 3], 1, 0.1), 'w')
    const attrs = { pads: ints([1, 1, 1, 1]) }
    const first = b.op('Conv', ['x', w, b.constant(weights([16], 2), 'b')], { attrs })
    return [b.op('Conv', [b.op('Relu', [first]), w, b.constant(weights([16], 3), 'b')], { attrs })]
  },
  { depth: 2, changes: CONV },
)

const weightOut = makeCase(
  'weight that is an output',
  rows,
  (b) => {
    const w = b.constant(weights([32, 40], 1), 'w')
    return [b.op('MatMul', ['x', w]), w]
  },
  { feeds: ROWS, fixed: ['w'] },
)

/** A weight that is listed as an input is a default: the caller may give another. */
const weightIn: CompressCase = (() => {
  const made = makeCase('weight that is an input', rows, (b) => [matmul(b, 'x', weights([32, 40], 1), 'product')], {
    feeds: ROWS,
    fixed: ['w'],
  })
  const { graph } = made.model
  const values = new Map([...graph.values, ['w', { kind: 'tensor', dtype: 'float32', shape: [32, 40] }] as const])
  return { ...made, model: { ...made.model, graph: { ...graph, inputs: [...graph.inputs, 'w'], values } } }
})()

const zeros = makeCase(
  'weights of zero',
  x(1, 16, 6, 6),
  (b) => {
    const zero = b.constant(f32([16, 16, 3, 3], new Float32Array(2304)), 'w')
    const c = b.op('Conv', ['x', zero, b.constant(weights([16], 1), 'b')], { attrs: { pads: ints([1, 1, 1, 1]) } })
    const flat = b.op('Reshape', [c, b.constant(i64([2], [36, 16]), 'shape')])
    return [matmul(b, flat, f32([16, 64], new Float32Array(1024)))]
  },
  { depth: 2 },
)

const empty = makeCase(
  'weights without elements',
  rows,
  (b) => [
    matmul(b, 'x', f32([32, 0], [])),
    b.op('Concat', [matmul(b, 'x', weights([32, 40], 1)), b.constant(f32([5, 0], []), 'none')], {
      attrs: { axis: int(1) },
    }),
  ],
  { feeds: ROWS, changes: MATMUL },
)

const withSpecial = (value: number): Tensor => {
  const t = weights([32, 40], 1)
  new Float32Array(t.bytes().buffer)[7] = value
  return t
}

const nonFinite = makeCase(
  'weights that are not finite',
  { ...rows, z: ['float32', [1, 4, 6, 6]] },
  (b) => {
    const w = weights([32, 4, 3, 3], 4)
    new Float32Array(w.bytes().buffer)[0] = Number.NEGATIVE_INFINITY
    return [
      matmul(b, 'x', withSpecial(Number.NaN), 'nan'),
      b.op('Gemm', ['x', b.constant(withSpecial(Number.POSITIVE_INFINITY), 'w')], { name: 'infinite' }),
      b.op('Conv', ['z', b.constant(w, 'w')], { name: 'conv' }),
      matmul(b, 'x', weights([32, 40], 3)),
    ]
  },
  { feeds: ROWS, changes: MATMUL },
)

const conv1d = makeCase(
  '1-D convolutions',
  x(1, 16, 40),
  (b) => [conv(b, b.op('Relu', [conv(b, 'x', [32, 16, 3], 1)]), [16, 32, 5], 3, 1, 2)],
  { depth: 2, changes: [...CONV, PRUNE] },
)

const grouped = makeCase(
  'grouped and transposed convolutions',
  x(1, 16, 8, 8),
  (b) => {
    const g = b.op('Relu', [conv(b, 'x', [32, 4, 3, 3], 1, 4)])
    const w = b.constant(weights([32, 8, 2, 2], 3), 'w')
    return [b.op('ConvTranspose', [g, w], { attrs: { group: int(2), strides: ints([2, 2]) } })]
  },
  { depth: 2, changes: CONV },
)

const vector = makeCase('product of a vector', x(48), (b) => [matmul(b, 'x', weights([48, 33], 1))], {
  changes: MATMUL,
})

const odd = makeCase(
  'sizes that fit no block',
  x('n', 45),
  (b) => [matmul(b, b.op('Relu', [matmul(b, 'x', weights([45, 37], 1))]), weights([37, 51], 2))],
  { feeds: ROWS, depth: 2, changes: MATMUL },
)

/** Values over six orders of magnitude, none of them zero. */
const wide = (count: number, seed: number): Tensor => {
  const r = random(seed)
  return f32(
    [count],
    Float32Array.from({ length: count }, () => 10 ** r.uniform(-5, 1)),
  )
}

const divisors = makeCase(
  'constants that divide',
  x(2, 160, 2),
  (b) => {
    const bn = b.op('BatchNormalization', [
      'x',
      b.constant(weights([160], 1), 'scale'),
      b.constant(weights([160], 2), 'shift'),
      b.constant(weights([160], 3), 'mean'),
      b.constant(wide(160, 4), 'variance'),
    ])
    const d = b.constant(f32([160, 1], new Float32Array(wide(160, 5).bytes().buffer)), 'divisor')
    const p = b.constant(f32([160, 1], new Float32Array(wide(160, 6).bytes().buffer)), 'root')
    return [bn, b.op('Div', ['x', d]), b.op('Div', ['x', b.op('Sqrt', [p])])]
  },
  { fixed: ['variance', 'divisor', 'root'] },
)

const scaled = (factor: number): CompressCase =>
  makeCase(
    `weights of magnitude ${factor}`,
    rows,
    (b) => {
      const w = weights([32, 40], 1)
      const big = Float32Array.from(new Float32Array(w.bytes().buffer), (v) => v * factor)
      return [b.op('Mul', [matmul(b, 'x', f32([32, 40], big)), b.constant(f32([], [1 / factor]), 'unit')])]
    },
    { feeds: ROWS, changes: ['quantize/static', 'quantize/dynamic', 'quantize/nbits', 'store/int8', 'store/int4'] },
  )

/** Each column of `two` has two values, each row of `three` has three. */
const signs = makeCase(
  'weights of two and of three values',
  rows,
  (b) => {
    const r = random(8)
    const two = Array.from({ length: 32 * 48 }, (_, i) => (r.uniform() < 0.5 ? -1 : 1) * (0.1 + (i % 48) / 100))
    const three = Array.from({ length: 48 * 40 }, (_, i) => (r.integer(3) - 1) * (0.1 + Math.floor(i / 40) / 100))
    return [matmul(b, b.op('Relu', [matmul(b, 'x', f32([32, 48], two))]), f32([48, 40], three))]
  },
  { feeds: ROWS, depth: 2, changes: [...MATMUL, 'store/binary', 'store/ternary'] },
)

const gemmBias = makeCase(
  'biases that are broadcast',
  rows,
  (b) => [
    b.op('Gemm', ['x', b.constant(weights([32, 40], 1), 'w'), b.constant(f32([1], [0.5]), 'b')]),
    b.op('Gemm', ['x', b.constant(weights([32, 40], 2), 'w'), b.constant(f32([], [0.5]), 'b')]),
    b.op('Gemm', ['x', b.constant(weights([32, 40], 3), 'w'), b.constant(weights([1, 40], 4), 'b')]),
    b.op('Gemm', ['x', b.constant(weights([32, 40], 5), 'w'), b.constant(weights([40], 6), 'b')], {
      attrs: { alpha: float(3) },
    }),
  ],
  { feeds: ROWS, changes: MATMUL.slice(1) },
)

/** A constant too large to be spread over the arguments of a call. */
const bigConstant = makeCase(
  'a large constant that is added',
  x(1, 4, 256, 128),
  (b) => {
    const c = conv(b, 'x', [4, 4, 3, 3], 1)
    const sum = b.op('Add', [c, b.constant(weights([1, 4, 256, 128], 3), 'map')])
    return [conv(b, sum, [4, 4, 3, 3], 4)]
  },
  { depth: 2, changes: STORE },
)

/** Minus infinity stands for "not this one". */
const masked = makeCase(
  'a mask of infinities',
  x(1, 6, 32),
  (b) => {
    const mask = b.constant(
      f32(
        [6, 6],
        Float32Array.from({ length: 36 }, (_, i) => (i % 6 > Math.floor(i / 6) ? Number.NEGATIVE_INFINITY : 0)),
      ),
      'mask',
    )
    const scores = b.op('Add', [matmul(b, 'x', weights([32, 6], 1, 0.2)), mask])
    return [matmul(b, b.op('Softmax', [scores], { attrs: { axis: int(-1) } }), weights([6, 200], 2))]
  },
  { depth: 2, changes: MATMUL },
)

/** [rows, rest] of a rank, with little else. */
function lowRank(shape: readonly number[], rank: number, seed: number): Tensor {
  const [rows, rest] = [shape[0]!, shape.slice(1).reduce((n, d) => n * d, 1)]
  const { normal } = random(seed)
  const [a, b] = [rows, rest].map((n) => Float64Array.from({ length: n * rank }, () => normal()))
  const value = (i: number, j: number): number =>
    Array.from({ length: rank }, (_, k) => a![i * rank + k]! * b![j * rank + k]!).reduce((n, v) => n + v, 0)
  return f32(
    shape,
    Float32Array.from(
      { length: rows * rest },
      (_, at) => 0.1 * value(Math.floor(at / rest), at % rest) + normal(0, 0.002),
    ),
  )
}

const redundant = makeCase(
  'weights of low rank',
  x(1, 32, 9, 9),
  (b) => {
    const attrs = { pads: ints([1, 1, 1, 1]), strides: ints([2, 2]) }
    const first = b.op('Conv', ['x', b.constant(lowRank([64, 32, 3, 3], 4, 1), 'w')], { attrs })
    const second = b.op('Conv', [b.op('Relu', [first]), b.constant(lowRank([32, 64, 1, 1], 3, 2), 'w')], {})
    const flat = b.op('Reshape', [second, b.constant(i64([2], [-1, 32]), 'shape')])
    const third = b.op('Gemm', [flat, b.constant(lowRank([40, 32], 2, 3), 'w'), b.constant(weights([40], 4), 'b')], {
      attrs: { transB: int(1) },
    })
    return [matmul(b, b.op('Relu', [third]), lowRank([40, 32], 3, 5))]
  },
  { depth: 4, changes: [...CONV, 'factorize/svd', 'factorize/tucker', 'factorize/fewest'] },
)

export const COMPRESS_CASES: readonly CompressCase[] = [
  convNet,
  mlp,
  attention,
  stream,
  recurrent('LSTM', 4, 'forward'),
  recurrent('LSTM', 4, 'bidirectional'),
  recurrent('GRU', 3, 'forward'),
  mixed,
  conditional('then'),
  conditional('else'),
  embedding,
  tiedEmbedding,
  tiedProducts,
  tiedConvs,
  weightOut,
  weightIn,
  zeros,
  empty,
  nonFinite,
  conv1d,
  grouped,
  vector,
  odd,
  divisors,
  scaled(1e-9),
  scaled(1e9),
  gemmBias,
  signs,
  bigConstant,
  masked,
  redundant,
]
