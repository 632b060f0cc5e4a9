import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { repositoryRoot } from '../../test/data.js'
import type { FeedOptions } from '../../test/random-feeds.js'
import { float, floatList, graphAttr, int, ints, str } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { f32, i64, tensor } from '../ir/tensor.js'
import type { Dim, DType, Model } from '../ir/types.js'
import { STEPS, UNCHANGED } from './opset/steps.js'
import { upgradeOpset } from './upgrade-opset.js'

const { check, env } = passTester()
const pass = upgradeOpset()

type Inputs = Readonly<Record<string, readonly [DType, readonly Dim[] | null]>>
type Case = [
  name: string,
  opset: number,
  inputs: Inputs,
  build: (b: Builder) => readonly string[],
  options?: FeedOptions,
]

const image: Inputs = { x: ['float32', [1, 2, 6, 5]] }
const table: Inputs = { x: ['float32', [3, 4]] }
const one =
  (op: string, attrs: NonNullable<Parameters<Builder['op']>[2]>['attrs'], inputs: readonly string[] = ['x']) =>
  (b: Builder) => [b.op(op, inputs, { attrs: attrs ?? {} })]

const reductions = 'L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare'.split(' ')
const positive = (op: string) => (b: Builder) => [
  b.op(`Reduce${op}`, [b.op('Exp', ['x'])], { attrs: { axes: ints([-2, 1]), keepdims: int(0) } }),
]

const cases: Case[] = [
  [
    'BatchNormalization',
    7,
    image,
    (b) => {
      const parameters = [
        [1, 2],
        [3, 4],
        [0.5, 0.1],
        [1, 2],
      ].map((v) => b.constant(f32([2], v)))
      return [b.op('BatchNormalization', ['x', ...parameters], { attrs: { spatial: int(1), momentum: float(0.5) } })]
    },
  ],
  ['Upsample nearest', 7, image, one('Upsample', { mode: str('nearest'), scales: floatList([1, 1, 2, 3]) })],
  ['Upsample linear', 8, image, one('Upsample', { mode: str('linear'), scales: floatList([1, 1, 2, 2]) })],
  ['Upsample 9', 9, image, (b) => [b.op('Upsample', ['x', b.constant(f32([4], [1, 1, 1.5, 2]))])]],
  ['Resize nearest up', 10, image, (b) => [b.op('Resize', ['x', b.constant(f32([4], [1, 1, 2.3, 1.7]))])]],
  ['Resize nearest down', 10, image, (b) => [b.op('Resize', ['x', b.constant(f32([4], [1, 1, 0.6, 0.7]))])]],
  [
    'Resize linear',
    10,
    image,
    (b) => [b.op('Resize', ['x', b.constant(f32([4], [1, 1, 1.6, 0.7]))], { attrs: { mode: str('linear') } })],
  ],
  [
    'Resize to sizes',
    11,
    image,
    (b) => [
      b.op('Resize', ['x', b.constant(f32([0], [])), b.constant(f32([0], [])), b.constant(i64([4], [1, 2, 9, 4]))], {
        attrs: { mode: str('linear') },
      }),
    ],
  ],
  [
    'Resize tf_half_pixel_for_nn',
    11,
    image,
    (b) => [
      b.op('Resize', ['x', b.constant(f32([0], [])), b.constant(f32([4], [1, 1, 2, 0.5]))], {
        attrs: { coordinate_transformation_mode: str('tf_half_pixel_for_nn'), nearest_mode: str('floor') },
      }),
    ],
  ],
  ['Slice', 9, table, one('Slice', { starts: ints([1, -3]), ends: ints([2 ** 31 - 1, -1]), axes: ints([0, 1]) })],
  ['Slice without axes', 9, table, one('Slice', { starts: ints([1]), ends: ints([3]) })],
  ['TopK', 9, table, (b) => [...b.ops('TopK', ['x'], { outputs: 2, attrs: { k: int(2), axis: int(1) } })]],
  ['Dropout', 9, table, one('Dropout', { ratio: float(0.3) })],
  ['Clip', 10, table, one('Clip', { min: float(-0.25), max: float(0.5) })],
  ['Clip below', 10, table, one('Clip', { max: float(0.5) })],
  ['Clip without bounds', 7, table, one('Clip', {})],
  [
    'Clip of float64',
    7,
    { x: ['float64', [3]] },
    (b) => [
      b.op('Cast', [b.op('Clip', [b.op('Cast', ['x'], { attrs: { to: int(1) } })], { attrs: { min: float(0) } })], {
        attrs: { to: int(11) },
      }),
    ],
  ],
  ['Pad', 10, table, one('Pad', { pads: ints([1, 0, 0, 2]), value: float(1.5) })],
  ['Pad reflect', 10, table, one('Pad', { pads: ints([1, 0, 0, 2]), mode: str('reflect') })],
  ['Pad float64', 10, { x: ['float64', [3]] }, one('Pad', { pads: ints([1, 2]), value: float(1.5) })],
  [
    'Scatter',
    10,
    table,
    (b) => [b.op('Scatter', ['x', b.constant(i64([1, 2], [1, 0])), b.constant(f32([1, 2], [7, 8]))])],
  ],
  ['Squeeze', 12, { x: ['float32', [1, 3, 1]] }, one('Squeeze', { axes: ints([0]) })],
  ['Squeeze of all', 12, { x: ['float32', [1, 3, 1]] }, one('Squeeze', {})],
  ['Unsqueeze', 9, table, one('Unsqueeze', { axes: ints([0, 3]) })],
  ['Split', 12, table, (b) => [...b.ops('Split', ['x'], { outputs: 2, attrs: { axis: int(1), split: ints([1, 3]) } })]],
  ['Split into equal parts', 12, table, (b) => [...b.ops('Split', ['x'], { outputs: 2, attrs: { axis: int(1) } })]],
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): Case[] => [
    [`${op} default of 2 axes`, 12, table, one(op, {})],
    [`${op} default of 3 axes`, 12, { x: ['float32', [2, 3, 4]] }, one(op, {})],
    [`${op} default, open batch`, 11, { x: ['float32', ['n', 3, 4]] }, one(op, {}), { dims: { n: 2 } }],
    [`${op} axis 0`, 12, table, one(op, { axis: int(0) })],
    [`${op} axis -1`, 12, { x: ['float32', [2, 3, 4]] }, one(op, { axis: int(-1) })],
    [`${op} axis 2 of 3`, 8, { x: ['float32', [2, 3, 4]] }, one(op, { axis: int(2) })],
    [`${op} before axes of size 1`, 9, { x: ['float32', [2, 3, 1, 1]] }, one(op, { axis: int(1) })],
    [`${op} of unknown rank`, 9, { x: ['float32', null] }, one(op, {}), { shapes: { x: [2, 3, 4] } }],
  ]),
  ...reductions.map((op): Case => [`Reduce${op}`, 11, { x: ['float32', [2, 3, 4]] }, positive(op)]),
  ['ReduceMean of all', 7, table, one('ReduceMean', { keepdims: int(0) })],
  [
    'AveragePool',
    7,
    image,
    one('AveragePool', {
      kernel_shape: ints([3, 3]),
      pads: ints([1, 1, 1, 1]),
      strides: ints([2, 2]),
      count_include_pad: int(1),
    }),
  ],
  [
    'AveragePool ceil',
    10,
    image,
    one('AveragePool', {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([0, 0, 1, 1]),
      ceil_mode: int(1),
      count_include_pad: int(1),
    }),
  ],
  ['MaxPool', 7, image, one('MaxPool', { kernel_shape: ints([2, 2]), auto_pad: str('SAME_UPPER') })],
  ['LpPool', 7, image, one('LpPool', { kernel_shape: ints([2, 2]) })],
  [
    'ConvTranspose SAME_UPPER',
    7,
    image,
    (b) => [
      b.op(
        'ConvTranspose',
        [
          'x',
          b.constant(
            f32(
              [2, 1, 3, 3],
              Array.from({ length: 18 }, (_, i) => Math.sin(i)),
            ),
          ),
        ],
        {
          attrs: { auto_pad: str('SAME_UPPER'), strides: ints([2, 2]) },
        },
      ),
    ],
  ],
  [
    'OneHot with negative indices',
    9,
    {},
    (b) => [b.op('OneHot', [b.constant(i64([3], [0, -1, 2])), b.constant(i64([], [3])), b.constant(f32([2], [0, 1]))])],
  ],
  [
    'RoiAlign',
    10,
    image,
    (b) => [
      b.op('RoiAlign', ['x', b.constant(f32([1, 4], [0.4, 0.3, 4.2, 3.9])), b.constant(i64([1], [0]))], {
        attrs: { output_height: int(2), output_width: int(2) },
      }),
    ],
  ],
  ...['bilinear', 'nearest', 'bicubic', ''].map(
    (mode): Case => [
      `GridSample ${mode}`,
      16,
      { ...image, g: ['float32', [1, 3, 4, 2]] },
      one('GridSample', mode === '' ? {} : { mode: str(mode) }, ['x', 'g']),
    ],
  ),
  ['DFT', 17, { x: ['float32', [1, 6, 4, 1]] }, one('DFT', {})],
  ['DFT along axis 2', 17, { x: ['float32', [1, 6, 4, 1]] }, one('DFT', { axis: int(2), onesided: int(1) })],
  [
    'GroupNormalization',
    18,
    { x: ['float32', [1, 4, 3, 3]] },
    (b) => [
      b.op('GroupNormalization', ['x', b.constant(f32([2], [1, 2])), b.constant(f32([2], [3, 4]))], {
        attrs: { num_groups: int(2) },
      }),
    ],
  ],
  [
    'GroupNormalization of computed scales',
    18,
    { x: ['float32', [1, 4, 3, 3]], s: ['float32', [2]] },
    (b) => [b.op('GroupNormalization', ['x', 's', b.constant(f32([2], [3, 4]))], { attrs: { num_groups: int(2) } })],
  ],
  [
    'LSTM',
    7,
    { x: ['float32', [3, 1, 2]] },
    (b) => {
      const wave = (shape: number[]) =>
        f32(
          shape,
          Array.from({ length: shape.reduce((n, d) => n * d) }, (_, i) => Math.sin(i)),
        )
      return [
        b.op('LSTM', ['x', b.constant(wave([1, 12, 2])), b.constant(wave([1, 12, 3]))], {
          attrs: { hidden_size: int(3) },
        }),
      ]
    },
  ],
  [
    'DequantizeLinear',
    10,
    { x: ['int8', [3]] },
    (b) => [
      b.op('DequantizeLinear', ['x', b.constant(f32([], [0.5])), b.constant(tensor('int8', [], Int8Array.of(2)))]),
    ],
  ],
]

describe('upgrade-opset', () => {
  it.each(cases)('%s', async (...[, opset, inputs, build, options]: Case) => {
    const model = small(opset, inputs, build)
    expect(pass.plan(model)).toEqual({ from: opset, to: 21, blockers: [] })
    const next = await check(pass, model, { ...options, mayGrow: true, tolerance: 1e-6 })
    expect(next.opsets.get('')).toBe(21)
    expect(next.irVersion).toBeGreaterThanOrEqual(10)
  })

  // The list is onnx.defs.get_all_schemas_with_history() of ONNX 1.23: per op, versions 8 to 21 but the op's first.
  it('knows every change of every op', async () => {
    const history: Record<string, number[]> = JSON.parse(
      await readFile(`${repositoryRoot}/test/golden/opset-changes.json`, 'utf8'),
    )
    const known = (op: string, version: number) => {
      const converted = Object.hasOwn(STEPS[version] ?? {}, op)
      const unchanged = (UNCHANGED[version] ?? '').split(/\s+/).includes(op)
      return Number(converted) + Number(unchanged)
    }
    const wrong = Object.entries(history).flatMap(([op, versions]) =>
      versions.filter((version) => known(op, version) !== 1).map((version) => `${op} ${version}`),
    )
    expect(wrong).toEqual([])
  })

  const blocked: [name: string, model: Model, to: number, reason: RegExp][] = [
    [
      'spatial',
      small(8, image, (b) => {
        const p = b.constant(f32([2, 6, 5], new Float32Array(60)))
        return [b.op('BatchNormalization', ['x', p, p, p, p], { attrs: { spatial: int(0) } })]
      }),
      8,
      /each activation/,
    ],
    [
      'mixed Resize',
      small(10, image, (b) => [b.op('Resize', ['x', b.constant(f32([4], [1, 1, 2, 0.5]))])]),
      10,
      /enlarges one axis/,
    ],
    ['Dropout mask', small(9, table, (b) => [...b.ops('Dropout', ['x'], { outputs: 2 })]), 9, /mask/],
    ['opset 6', small(6, table, one('Relu', {})), 6, /older/],
  ]
  it.each(blocked)('stops before what it cannot convert: %s', async (_, model, to, reason) => {
    const { blockers, ...plan } = pass.plan(model)
    expect(plan).toEqual({ from: model.opsets.get(''), to })
    expect(blockers[0]!.reason).toMatch(reason)
    expect((await pass.run(model, env)).opsets.get('')).toBe(to)
  })

  it('converts subgraphs and functions', async () => {
    const branch = (name: string, axis: number) => {
      const inner = builder(['x'])
      inner.output(inner.op('Unsqueeze', ['x'], { attrs: { axes: ints([axis]) }, outputs: [`${name}_y`] }))
      return graphAttr(inner.graph(name))
    }
    const model = small(
      12,
      { x: ['float32', [2, 3]], c: ['bool', []] },
      (b) => {
        const both = { then_branch: branch('yes', 0), else_branch: branch('no', 2) }
        return [b.op('If', ['c'], { attrs: both }), b.op('Sum2', ['x'], { domain: 'own' })]
      },
      { own: 1 },
    )
    const func = {
      name: 'Sum2',
      domain: 'own',
      inputs: ['a'],
      outputs: ['b'],
      attributes: [],
      defaults: {},
      opsets: new Map([['', 12]]),
      nodes: [{ name: '', domain: '', op: 'ReduceSum', inputs: ['a'], outputs: ['b'], attrs: { axes: ints([1]) } }],
      values: new Map(),
    }
    const next = await check(pass, { ...model, functions: [func] }, { mayGrow: true })
    expect(next.functions[0]!.nodes.map((n) => n.op)).toEqual(['Constant', 'ReduceSum'])
    expect(opsOf(next)).toEqual(['Unsqueeze', 'Unsqueeze', 'If', 'Sum2'])
    const open = {
      ...func,
      attributes: ['axes'],
      nodes: [{ ...func.nodes[0]!, attrs: { axes: { ...ints([]), ref: 'axes' } } }],
    }
    expect(pass.plan({ ...model, functions: [open] }).to).toBe(12)
  })

  it('knows the other spelling of the standard domain', async () => {
    const model = small(12, { x: ['float32', [1, 3]] }, (b) => [
      b.op('Squeeze', ['x'], { domain: 'ai.onnx', attrs: { axes: ints([0]) } }),
    ])
    const next = await check(pass, { ...model, opsets: new Map([['ai.onnx', 12]]) }, { mayGrow: true })
    expect([...next.opsets]).toEqual([['', 21]])
    expect(next.graph.nodes[0]!.inputs).toHaveLength(2)
  })

  it('takes constants off the inputs of a file of IR version 3', async () => {
    const model = small(8, { x: ['float32', [2]] }, (b) => [b.op('Add', ['x', b.constant(f32([2], [1, 2]), 'w')])])
    const values = new Map(model.graph.values).set('w', { kind: 'tensor', dtype: 'float32', shape: [2] } as const)
    const old = { ...model, irVersion: 3, graph: { ...model.graph, inputs: ['x', 'w'], values } }
    const next = await check(pass, old, { mayGrow: true })
    expect(next.graph.inputs).toEqual(['x'])
    const defaults = await pass.run({ ...old, irVersion: 4 }, env)
    expect(defaults.graph.inputs).toEqual(['x', 'w'])
  })
})

it.each([7, 22, 13.5, Number.NaN])('a target that no step leads to is refused: %s', (target) => {
  expect(() => upgradeOpset(target)).toThrow(expect.objectContaining({ code: 'OPSET_TARGET' }))
})
