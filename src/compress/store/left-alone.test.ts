/** Constants that storing must leave as they are, each for a reason of its own. */

import { describe, expect, test } from 'vitest'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import { graphAttr } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { f32, i64, tensor } from '../../ir/tensor.js'
import type { Graph, Model } from '../../ir/types.js'
import { checkParams } from '../transform.js'
import { storeInt4 } from './blocks.js'
import { storeF16, storeInt8 } from './store.js'

const SHAPE = [4, 200]
const NO_ENGINE = { engine: () => Promise.reject(new Error('needs no engine')) }

function build(body: (b: Builder) => readonly string[], more: Readonly<Record<string, readonly number[]>> = {}): Model {
  const b = builder()
  for (const [name, shape] of Object.entries({ x: SHAPE, ...more })) b.input(name, value('float32', shape))
  for (const out of body(b)) b.output(out, value('float32', null))
  return modelOf(b.graph())
}
const w = (b: Builder, edit: (v: number, i: number) => number = (v) => v): string =>
  b.constant(f32(SHAPE, new Float32Array(weights(SHAPE, 1).bytes().slice().buffer).map(edit)), 'w')
const add = (b: Builder, constant: string): string => b.op('Add', ['x', constant], { name: 'add' })

describe.each([storeInt8, storeInt4, storeF16].map((t) => ({ id: t.id, t })))('$id', ({ t }) => {
  const apply = (model: Model, given: Readonly<Record<string, unknown>> = {}): Promise<Model> =>
    t.apply(model, checkParams(t, given), NO_ENGINE)

  test('takes a constant that is added', async () => {
    expect((await apply(build((b) => [add(b, w(b))]))).graph.nodes.map((n) => n.op)).toContain('Cast')
  })

  const kept: Readonly<Record<string, Model>> = {
    'one that is an output too': build((b) => {
      const c = w(b)
      return [add(b, c), c]
    }),
    'one with an infinity': build((b) => [
      add(
        b,
        w(b, (v, i) => (i === 5 ? Number.NEGATIVE_INFINITY : v)),
      ),
    ]),
    'one with NaN': build((b) => [
      add(
        b,
        w(b, (v, i) => (i === 5 ? Number.NaN : v)),
      ),
    ]),
    'one that nothing reads': build((b) => {
      w(b)
      return [b.op('Neg', ['x'])]
    }),
    float64: build((b) => [add(b, b.constant(tensor('float64', SHAPE, new Float64Array(800).fill(0.5))))]),
    int64: build((b) => [b.op('Expand', ['x', b.constant(i64([200], new Array<number>(200).fill(1)))])]),
    'one of a node that is excluded': build((b) => [b.op('Add', ['x', w(b)], { name: 'spared' })]),
    'one that a divisor reads beside others': build((b) => {
      const c = w(b)
      return [add(b, c), b.op('Div', ['x', c])]
    }),
  }
  test.each(Object.entries(kept))('leaves %s', async (_, model) => {
    expect(await apply(model, { exclude: ['spared'] })).toBe(model)
  })

  /** Scales, variances and what else counts by its ratio, by domain, operator and place. */
  const ratios: readonly (readonly [string, string, readonly number[]])[] = [
    ['', 'BatchNormalization', [4]],
    ['', 'QLinearConv', [1, 4, 6]],
    ['', 'QLinearMatMul', [1, 4, 6]],
    ['', 'QuantizeLinear', [1]],
    ['', 'DequantizeLinear', [1]],
    ['com.microsoft', 'QuantizeLinear', [1]],
    ['com.microsoft', 'DequantizeLinear', [1]],
    ['com.microsoft', 'QGemm', [1, 4, 7]],
    ['com.microsoft', 'MatMulNBits', [2]],
    ['com.microsoft', 'MatMulIntegerToFloat', [2, 3]],
    ['com.microsoft', 'GatherBlockQuantized', [2]],
    ['com.microsoft', 'DynamicQuantizeMatMul', [2]],
    ['com.microsoft', 'DynamicQuantizeLSTM', [8, 10]],
  ]
  const places = ratios.flatMap(([domain, op, at]) => at.map((place) => ({ domain, op, place })))
  test.each(places)('leaves input $place of $domain $op', async ({ domain, op, place }) => {
    const at = (index: number, ofDomain = domain): Model =>
      build((b) => {
        const c = w(b)
        const inputs = Array.from({ length: 11 }, (_, i) => (i === index ? c : 'x'))
        return [b.op(op, inputs, { domain: ofDomain })]
      })
    const model = at(place)
    expect(await apply(model)).toBe(model)
    const [beside, elsewhere] = [at(9), at(place, 'example')]
    expect(await apply(beside)).not.toBe(beside)
    expect(await apply(elsewhere)).not.toBe(elsewhere)
  })

  test('leaves one that is an input with a default, which a caller may replace', async () => {
    const open = build((b) => [add(b, 'given')], { given: SHAPE })
    const constants = new Map([['given', weights(SHAPE, 1)]])
    const model: Model = { ...open, graph: { ...open.graph, constants } }
    expect(await apply(model)).toBe(model)
  })

  test('leaves a model with nothing to store as it is, though it has nodes that nothing needs', async () => {
    const model = build((b) => {
      b.op('Relu', ['x'])
      return [b.op('Neg', ['x'])]
    })
    expect(await apply(model)).toBe(model)
  })

  describe('inside a subgraph', () => {
    /** An If whose branches divide by `inner`, where that is a name of their own or the constant outside. */
    const modelWith = (own: boolean): Model => {
      const branch = (name: string): Graph => {
        const b = builder(['x'])
        const constants = own ? [['w', f32([1], [2])] as const] : []
        b.output(b.op('Div', ['x', 'w'], { outputs: [name] }))
        return { ...b.graph(name), constants: new Map(constants) }
      }
      const b = builder()
      b.input('x', value('float32', SHAPE))
      b.input('c', value('bool', []))
      const sum = add(b, w(b))
      const attrs = { then_branch: graphAttr(branch('then')), else_branch: graphAttr(branch('else')) }
      b.output(sum)
      b.output(b.op('If', ['c'], { attrs }))
      return modelOf(b.graph())
    }

    test('a divisor that is captured counts', async () => {
      const model = modelWith(false)
      expect(await apply(model)).toBe(model)
    })

    test('a divisor of the subgraph’s own that has the same name does not', async () => {
      const model = modelWith(true)
      expect(await apply(model)).not.toBe(model)
    })
  })
})
