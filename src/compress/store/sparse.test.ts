/** Stores of sparse and of shared weights: what the engine expands is what was stored, bit by bit, and nothing is left to do. */

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../test/calibrated.js'
import { value } from '../../../test/small-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { optimizedGraph } from '../../engine/node/optimized.js'
import { codebookOf } from '../../grids/codebook.js'
import { builder, modelOf } from '../../ir/builder.js'
import { elements, f32, floats, floatToHalf, halfToFloat } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { cleanModel } from '../../passes/clean.js'
import { random } from '../../util/random.js'
import { quantizeWeight } from '../quantize/weights.js'
import { checkParams } from '../transform.js'
import { storeCodebook } from './codebook.js'
import { digitBytes } from './digits.js'
import { storeSparse } from './sparse.js'

let engine: Engine
let wasm: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
  wasm = await openEngine({ device: 'wasm', threads: 1 })
})
afterAll(async () => {
  await engine.close()
  await wasm.close()
})

const env = { engine: async () => engine }

/** Normal weights, of which so many are not zero. */
function sparse(shape: readonly number[], density: number, seed = 1): Tensor {
  const r = random(seed)
  const count = shape.reduce((n, d) => n * d, 1)
  return f32(
    shape,
    Float32Array.from({ length: count }, () => (r.uniform() < density ? r.normal() : 0)),
  )
}

/** y = x + w: shows the weight as the engine expands it. */
function shown(w: Tensor): Model {
  const b = builder()
  b.input('x', value('float32', w.shape))
  b.ops('Add', ['x', b.constant(w, 'w')], { outputs: ['y'] })
  b.output('y', value('float32', null))
  return modelOf(b.graph())
}
async function expanded(model: Model, shape: readonly number[], on = engine): Promise<Float32Array> {
  const zeros = f32(shape, new Float32Array(shape.reduce((n, d) => n * d, 1)))
  return floats((await outputsOf(on, model, { x: zeros })).y!)
}
const store = (w: Tensor, params: Readonly<Record<string, unknown>> = {}): Promise<Model> =>
  storeSparse.apply(shown(w), checkParams(storeSparse, { minElements: 1, ...params }), env)
const share = (w: Tensor, bits: number): Promise<Model> =>
  storeCodebook.apply(shown(w), checkParams(storeCodebook, { minElements: 1, bits }), env)

const opsOf = (model: Model): readonly string[] => model.graph.nodes.map((n) => n.op)

/** What each kind of value is to give back. */
const EXPECTED: Readonly<Record<string, (w: Tensor) => Float32Array>> = {
  exact: (w) => floats(w),
  float16: (w) => floats(w).map((v) => halfToFloat(floatToHalf(v))),
  codebook: (w) => {
    const { codebook, indices } = codebookOf(floats(w), { size: 16, keepZero: true })
    return Float32Array.from(indices, (i) => codebook[i]!)
  },
}

describe('store/sparse', () => {
  test.each(Object.keys(EXPECTED))('%s: any shape and any density comes back bit by bit', async (values) => {
    const shape = fc.oneof(
      fc.tuple(fc.integer({ min: 40, max: 900 })),
      fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 20, max: 60 })),
      fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 9 }), fc.constant(3), fc.constant(3)),
    )
    await fc.assert(
      fc.asyncProperty(shape, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(99), async (dims, density, seed) => {
        const w = sparse(dims, density ** 2, seed)
        const stored = await store(w, { values, bits: 4 })
        // Another one is drawn where nothing was stored.
        fc.pre(opsOf(stored).includes('Reshape'))
        expect(encodeModel(stored).byteLength).toBeLessThan(encodeModel(shown(w)).byteLength)
        expect(await expanded(stored, dims)).toEqual(EXPECTED[values]!(w))
      }),
      { numRuns: 15 },
    )
  })

  test.each([
    ['int8', 127],
    ['int4', 7],
  ] as const)('%s: integers times a scale a column', async (values, limit) => {
    // Rows are too short for scales of their own.
    const shape = [200, 6]
    const columns = floats(sparse(shape, 0.3)).map((v, i) => v * 3 ** (i % 6))
    const stored = await store(f32(shape, columns), { values })
    const q = quantizeWeight(columns, shape, 1, [limit])
    const [integers, scale] = [elements(q.values) as Int8Array, floats(q.scale)]
    const wanted = Float32Array.from(integers, (v, i) => v * scale[i % 6]! + 0)
    expect((await expanded(stored, shape)).map((v) => v + 0)).toEqual(wanted)
  })

  test.each([0.02, 0.1, 0.3, 0.7])(
    'nothing is left to do at run time at a density of %d, nor in WebAssembly',
    async (density) => {
      const w = sparse([70, 130], density)
      for (const values of ['exact', 'float16', 'int8', 'int4', 'codebook']) {
        const stored = await store(w, { values })
        expect(stored.graph.nodes.length, values).toBeGreaterThan(5)
        const { graph } = await optimizedGraph(engine, encodeModel(stored).bytes, { optimization: 'basic' })
        expect(
          graph.nodes.map((n) => n.op),
          values,
        ).toEqual(['Add'])
        expect(await expanded(stored, w.shape, wasm)).toEqual(await expanded(stored, w.shape))
      }
    },
  )

  test('the file is as large as the entries and their codes, within what names and nodes take', async () => {
    const w = sparse([300, 400], 0.05)
    const entries = floats(w).reduce((n, v) => n + Number(v !== 0), 0)
    const bytes = encodeModel(await store(w)).byteLength
    // 5 bits a code: at a density of 1/20 about one code in five has no entry.
    expect(bytes).toBeGreaterThan(4 * entries + digitBytes(entries, 32))
    expect(bytes).toBeLessThan(4 * entries + digitBytes(1.3 * entries, 32) + 1500)
    const half = encodeModel(await store(sparse([300, 400], 0.5))).byteLength
    expect(Math.abs(half - (2 * 300 * 400 + 300 * 50))).toBeLessThan(3000)
  })

  test('of zeros alone little is left', async () => {
    const w = f32([64, 64], new Float32Array(4096))
    const stored = await store(w)
    expect(encodeModel(stored).byteLength).toBeLessThan(500)
    expect(await expanded(stored, w.shape)).toEqual(floats(w))
  })

  test('weights without zeros stay, and a model that has no others is refused', async () => {
    const model = shown(sparse([40, 40], 1))
    expect(await storeSparse.apply(model, checkParams(storeSparse, {}), env)).toBe(model)
    expect(storeSparse.refuses(model, {})).toContain('exact zeros')
    expect(storeSparse.refuses(shown(sparse([40, 40], 0.5)), {})).toBe(null)
  })

  test('cleaning a stored model does not expand it', async () => {
    const stored = await store(sparse([70, 130], 0.1), { values: 'codebook' })
    const cleaned = await cleanModel(stored, env)
    expect(encodeModel(cleaned).byteLength).toBeLessThanOrEqual(encodeModel(stored).byteLength)
  })
})

describe('store/codebook', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('%d bits: the nearest of the entries, with nothing left to do', async (bits) => {
    for (const density of [1, 0.4, 0.05]) {
      const w = sparse([60, 110], density, bits)
      const { codebook, indices } = codebookOf(floats(w), { size: 2 ** bits, keepZero: true })
      const stored = await share(w, bits)
      expect(await expanded(stored, w.shape)).toEqual(Float32Array.from(indices, (i) => codebook[i]!))
      expect(encodeModel(stored).byteLength).toBeLessThan((60 * 110 * bits) / 8 + 4 * 2 ** bits + 2500)
      const { graph } = await optimizedGraph(engine, encodeModel(stored).bytes, { optimization: 'basic' })
      expect(graph.nodes.map((n) => n.op)).toEqual(['Add'])
    }
  })

  test('one weight far from the others costs no more than its entry', async () => {
    const w = sparse([64, 64], 1)
    const outlier = f32([64, 64], Float32Array.of(1000, ...floats(w).subarray(1)))
    const error = async (t: Tensor): Promise<number> => {
      const values = await expanded(await share(t, 5), t.shape)
      return floats(t).reduce((sum, v, i) => sum + (v - values[i]!) ** 2, 0)
    }
    // 31 entries for 32: the error of the others grows by (32 / 31)², about.
    expect(await error(outlier)).toBeLessThan(1.1 * (await error(w)))
  })

  test('half a bit is refused', () => {
    const refused = expect.objectContaining({ code: 'PARAM_INVALID' })
    expect(() => checkParams(storeCodebook, { bits: 2.5 })).toThrow(refused)
    expect(() => checkParams(storeSparse, { bits: 2.5 })).toThrow(refused)
  })

  test('of sparse weights lists the entries alone where that is smaller', async () => {
    const w = sparse([200, 200], 0.03)
    expect(opsOf(await share(w, 4))).toContain('ScatterElements')
    expect(opsOf(await share(sparse([200, 200], 0.9), 4))).not.toContain('CumSum')
    expect(encodeModel(await share(w, 4)).byteLength).toBeLessThan((200 * 200) / 8)
  })

  test('of weights that share as few values already loses nothing', async () => {
    const levels = [0, -0.3, 0.17, 1.5]
    const r = random(3)
    const w = f32(
      [50, 60],
      Float32Array.from({ length: 3000 }, () => levels[r.integer(4)]!),
    )
    expect(await expanded(await share(w, 2), w.shape)).toEqual(floats(w))
  })
})
