import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { weights } from '../../test/compress-models.js'
import { rowSamples, tiedModel } from '../../test/search-models.js'
import { value } from '../../test/small-models.js'
import type { Sample, Samples } from '../data/samples.js'
import { graphAttr } from '../ir/attrs.js'
import { type Builder, builder, modelOf } from '../ir/builder.js'
import { tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { type FallbackMemo, fallbackOrder, fewestExcluded, layerSensitivity } from './fallback.js'
import { layersOf } from './layers.js'
import { openSetup } from './setup.js'
import type { Step } from './trial.js'

function build(body: (b: Builder) => readonly string[]): Model {
  const b = builder()
  b.input('x', value('float32', [4, 16]))
  for (const out of body(b)) b.output(out, value('float32', null))
  return modelOf(b.graph())
}
const weight = (b: Builder, name: string, seed: number, shape: readonly number[] = [16, 16]): string =>
  b.constant(weights(shape, seed), name)

const names = (model: Model): readonly (readonly string[])[] => layersOf(model).map((l) => l.nodes)

describe('layers', () => {
  test('are the nodes that own a weight, small ones aside', () => {
    const model = build((b) => {
      const h = b.op('MatMul', ['x', weight(b, 'w', 1)], { name: 'first' })
      const s = b.op('Mul', [h, weight(b, 's', 2, [16])], { name: 'small' })
      return [b.op('MatMul', [s, weight(b, 'v', 3, [16, 4])], { name: 'last' })]
    })
    expect(layersOf(model)).toEqual([
      { key: 'first', nodes: ['first'], op: 'MatMul', parameters: 256, costShare: 0.8 },
      { key: 'last', nodes: ['last'], op: 'MatMul', parameters: 64, costShare: 0.2 },
    ])
  })

  test('are sets of nodes that share a weight, which counts once', () => {
    const model = build((b) => {
      const w = weight(b, 'w', 1)
      const h = b.op('MatMul', ['x', w], { name: 'a' })
      const g = b.op('MatMul', [h, weight(b, 'v', 2)], { name: 'b' })
      return [b.op('Gemm', [g, w], { name: 'c' })]
    })
    const [tied, alone] = layersOf(model)
    expect(tied).toMatchObject({ key: 'a and c (one weight)', nodes: ['a', 'c'], op: 'MatMul, Gemm', parameters: 256 })
    expect(tied!.costShare).toBeCloseTo(2 / 3, 10)
    expect(alone).toMatchObject({ key: 'b', nodes: ['b'], parameters: 256 })
  })

  test('are joined through others, in the order of the graph', () => {
    const model = build((b) => {
      const [v, w] = [weight(b, 'v', 1), weight(b, 'w', 2)]
      const apart = weight(b, 'u', 3)
      return [
        b.op('MatMul', ['x', v], { name: 'a' }),
        b.op('MatMul', ['x', apart], { name: 'b' }),
        b.op('MatMul', ['x', w], { name: 'c' }),
        b.op('Add', [w, v], { name: 'd' }),
        b.op('MatMul', ['x', w], { name: 'e' }),
      ]
    })
    expect(names(model)).toEqual([['a', 'c', 'd', 'e'], ['b']])
    expect(layersOf(model)[0]!.key).toBe('a, c and 2 more (one weight)')
  })

  test('that share a bias are strangers', () => {
    const model = build((b) => {
      const bias = weight(b, 'bias', 9, [64])
      const of = (name: string, seed: number): string =>
        b.op('Gemm', ['x', weight(b, `${name}.w`, seed, [16, 64]), bias], { name })
      return [of('a', 1), of('b', 2)]
    })
    expect(names(model)).toEqual([['a'], ['b']])
    expect(layersOf(model).map((l) => l.parameters)).toEqual([1088, 1088])
  })

  test('in branches share what they read from outside, and nothing that only has the same name', () => {
    const branch = (name: string, own: boolean) => {
      const inner = builder(own ? ['x'] : ['x', 'w'])
      const w = own ? weight(inner, 'w', 7) : 'w'
      inner.output(inner.op('MatMul', ['x', w], { name }), value('float32', [4, 16]))
      return graphAttr(inner.graph(name))
    }
    const model = (thenOwn: boolean, elseOwn: boolean): Model =>
      build((b) => {
        b.input('c', value('bool', []))
        const h = b.op('MatMul', ['x', weight(b, 'w', 1)], { name: 'outer' })
        const attrs = { then_branch: branch('then', thenOwn), else_branch: branch('else', elseOwn) }
        return [h, b.ops('If', ['c'], { outputs: ['either'], attrs })[0]!]
      })
    expect(names(model(false, false))).toEqual([['outer', 'then', 'else']])
    expect(names(model(false, true))).toEqual([['outer', 'then'], ['else']])
    expect(names(model(true, true))).toEqual([['outer'], ['then'], ['else']])
  })
})

describe('layers that share a weight are asked and fall back together', () => {
  const fixed: Step = { transform: 'quantize/static', params: {} }
  const dynamic: Step = { transform: 'quantize/dynamic', params: {} }
  const blocks: Step = { transform: 'quantize/nbits', params: { bits: '8' } }
  const store: Step = { transform: 'store/int8', params: {} }
  const memo: FallbackMemo = { recall: () => undefined, record: async () => {} }

  /** Rows, with the condition of the If by turns where the model has one. */
  const samples = (place: 'beside' | 'inside'): Samples => {
    const rows = rowSamples(40)
    if (place === 'beside') return rows
    return {
      ...rows,
      async *read(): AsyncIterable<Sample> {
        let i = 0
        for await (const s of rows.read())
          yield { ...s, feeds: { ...s.feeds, c: tensor('bool', [], Uint8Array.of(i++ % 2)) } }
      },
    }
  }

  test.each([
    ['beside', 'static', [fixed, store]],
    ['beside', 'dynamic', [dynamic, store]],
    ['beside', 'in blocks', [blocks, store]],
    ['beside', 'stored', [store]],
    ['inside', 'stored', [store]],
  ] as const)('%s each other, %s', async (place, _, steps) => {
    const folder = await mkdtemp(join(tmpdir(), 'pare-layers-'))
    const bench = await openSetup(tiedModel(place), { samples: samples(place), threads: 1, maxDrop: 0.05 }, folder)
    try {
      const layers = layersOf(bench.prepared)
      const asked = await Promise.all(layers.map((l) => layerSensitivity(bench, steps, l, layers)))
      expect(asked.map((s) => s?.node)).toEqual(layers.map((l) => l.key))
      const tied = asked.find((s) => s!.nodes !== undefined)!
      expect(tied).toMatchObject({ node: 'first and second (one weight)', nodes: ['first', 'second'] })
      for (const s of asked) if (s !== tied) expect(tied.drop).toBeGreaterThan(5 * s!.drop)
      const order = fallbackOrder(
        asked.map((s) => s!),
        layers,
        'size',
      )
      expect(order[0]).toEqual(['first', 'second'])
      expect(await fewestExcluded(bench, steps, order, 'float', memo)).toBe(1)
    } finally {
      await bench.close()
      await rm(folder, { recursive: true })
    }
  })
})
