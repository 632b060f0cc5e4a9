import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { samplesOf } from '../../../test/samples-of.js'
import { value } from '../../../test/small-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Attr, Model } from '../../ir/types.js'
import { random } from '../../util/random.js'
import { checkParams } from '../transform.js'
import { storeCodebook } from './codebook.js'
import { importanceOf } from './importance.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function layer(op: string, x: readonly number[], w: readonly number[], attrs: Record<string, Attr> = {}): Model {
  const b = builder()
  b.input('x', value('float32', x))
  b.output(b.op(op, ['x', b.constant(weights(w, 5), 'w')], { attrs }), value('float32', null))
  return modelOf(b.graph())
}

/** Inputs of which some are much larger than others. */
const inputOf = (shape: readonly number[], seed: number) => {
  const r = random(seed)
  const count = shape.reduce((n, d) => n * d, 1)
  return {
    x: f32(
      shape,
      Float32Array.from({ length: count }, (_, i) => r.normal() * (i % 4 === 0 ? 5 : 0.2)),
    ),
  }
}

describe('an error at a single weight costs what it was said to', () => {
  const cases = [
    ['a product', [3, 8], layer('MatMul', [3, 8], [8, 6])],
    ['a transposed one', [3, 8], layer('Gemm', [3, 8], [6, 8], { transB: int(1) })],
    ['a grouped convolution', [1, 4, 5, 5], layer('Conv', [1, 4, 5, 5], [6, 2, 3, 3], { group: int(2) })],
  ] as const
  test.each(cases)('%s', async (_, shape, model) => {
    const feeds = [1, 2].map((seed) => inputOf(shape, seed))
    const env = { engine: async () => engine, samples: samplesOf(feeds) }
    const w = model.graph.constants.get('w')!
    const importance = (await importanceOf(model, env)).get(w)!
    expect(importance).toHaveLength(floats(w).length)
    const output = model.graph.outputs[0]!
    for (const at of [0, 7, 23, importance.length - 1]) {
      const constants = new Map([
        [
          'w',
          f32(
            w.shape,
            floats(w).map((v, i) => (i === at ? v + 1 : v)),
          ),
        ],
      ])
      const changed = { ...model, graph: { ...model.graph, constants } }
      let [squares, columns] = [0, 0]
      for (const feed of feeds) {
        const [a, b] = [await outputsOf(engine, model, feed), await outputsOf(engine, changed, feed)]
        floats(b[output]!).forEach((v, i) => {
          squares += (v - floats(a[output]!)[i]!) ** 2
        })
        columns += floats(a[output]!).length / 6
      }
      const cost = squares / columns
      expect(Math.abs(importance[at]! - cost)).toBeLessThan(1e-3 * Math.max(1, cost))
    }
  })
})

test('a codebook that weighs errors leaves the outputs nearer', async () => {
  const model = layer('MatMul', [16, 32], [32, 48])
  const feeds = [1, 2, 3, 4].map((seed) => inputOf([16, 32], seed))
  const env = { engine: async () => engine, samples: samplesOf(feeds) }
  const errorOf = async (weighted: boolean): Promise<number> => {
    const stored = await storeCodebook.apply(model, checkParams(storeCodebook, { bits: 2, weighted }), env)
    expect(stored).not.toBe(model)
    let sum = 0
    for (const feed of feeds) {
      const [a, b] = [await outputsOf(engine, model, feed), await outputsOf(engine, stored, feed)]
      const [x, y] = [a, b].map((o) => floats(Object.values(o)[0]!))
      x!.forEach((v, i) => {
        sum += (v - y![i]!) ** 2
      })
    }
    return sum
  }
  expect(await errorOf(true)).toBeLessThan(0.95 * (await errorOf(false)))
})

test('without samples errors cannot be weighed', async () => {
  const model = layer('MatMul', [16, 32], [32, 48])
  const params = checkParams(storeCodebook, { weighted: true })
  await expect(storeCodebook.apply(model, params, { engine: async () => engine })).rejects.toMatchObject({
    code: 'CALIBRATION_MISSING',
  })
})
