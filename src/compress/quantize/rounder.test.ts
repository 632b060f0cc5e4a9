import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calibratedEnv, outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { samplesOf } from '../../../test/samples-of.js'
import { value } from '../../../test/small-models.js'
import { comparison } from '../../engine/compare.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int, ints } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { random } from '../../util/random.js'
import { applySteps } from '../recipes.js'
import { quantize } from './index.js'
import type { Rounding } from './rounder.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** Rows whose neighbouring inputs are much alike. */
function smooth(seed: number, shape: readonly number[]): Feeds {
  const r = random(seed)
  let level = 0
  const count = shape.reduce((n, d) => n * d, 1)
  return {
    x: f32(
      shape,
      Float32Array.from({ length: count }, () => {
        level = 0.9 * level + r.normal()
        return level
      }),
    ),
  }
}

const ROWS = [32, 48] as const
function products(): Model {
  const b = builder()
  b.input('x', value('float32', ROWS))
  const one = b.op('MatMul', ['x', b.constant(weights([48, 40], 1), 'one')], { name: 'one' })
  const inputs = [b.op('Relu', [one]), b.constant(weights([24, 40], 2), 'two'), b.constant(weights([24], 3), 'bias')]
  b.output(b.op('Gemm', inputs, { name: 'two', attrs: { transB: int(1) } }), value('float32', null))
  return modelOf(b.graph())
}

const PLANE = [1, 4, 12, 12] as const
function convolutions(): Model {
  const b = builder()
  b.input('x', value('float32', PLANE))
  const pads = ints([1, 1, 1, 1])
  const one = b.op('Conv', ['x', b.constant(weights([16, 4, 3, 3], 1), 'one')], { name: 'one', attrs: { pads } })
  const attrs = { pads, group: int(2) }
  b.output(
    b.op('Conv', [one, b.constant(weights([8, 8, 3, 3], 2), 'two')], { name: 'two', attrs }),
    value('float32', null),
  )
  return modelOf(b.graph())
}

interface Result {
  readonly error: number
  readonly told: readonly string[]
}

/** The relative error of the outputs on inputs that nothing has seen. */
async function tried(
  model: Model,
  shape: readonly number[],
  id: string,
  params: Readonly<Record<string, unknown>>,
  feeds = [1, 2, 3, 4, 5, 6].map((seed) => smooth(seed, shape)),
): Promise<Result> {
  const told: string[] = []
  const env = {
    ...(await calibratedEnv(engine, model, feeds)),
    samples: samplesOf(feeds),
    report: (message: string) => {
      told.push(message)
    },
  }
  const result = await applySteps(model, [{ transform: id, params }], env)
  const sums = comparison()
  for (const seed of [11, 12, 13]) {
    const feed = smooth(seed, shape)
    sums.add(await outputsOf(engine, model, feed), await outputsOf(engine, result, feed))
  }
  return { error: Math.max(...[...sums.differences().values()].map((d) => d.relativeL2)), told }
}

describe.each(['gptq', 'adaround'])('%s', (rounding) => {
  test.each([
    ['quantize/nbits', products(), ROWS, { minElements: 1 }],
    ['quantize/nbits', products(), ROWS, { minElements: 1, block: '16' }],
    ['quantize/dynamic', products(), ROWS, { perChannel: false }],
    ['quantize/nbits', products(), ROWS, { minElements: 1, zeroPoints: true }],
    ['store/int2', products(), ROWS, { minElements: 1 }],
    ['store/int3', products(), ROWS, { zeroPoints: true }],
    ['store/int8', products(), ROWS, {}],
    ['store/int4', products(), ROWS, {}],
    ['store/int8', convolutions(), PLANE, {}],
    ['store/int4', convolutions(), PLANE, {}],
  ] as const)(
    'as the rounding of %s takes outputs nearer than the nearest integers do',
    async (id, model, shape, params) => {
      const plain = await tried(model, shape, id, params)
      const chosen = await tried(model, shape, id, { ...params, rounding })
      expect(plain.told).toEqual([])
      const name = rounding === 'gptq' ? 'GPTQ' : 'AdaRound'
      expect(chosen.told).toEqual([`${id}: ${name} for 2 of 2 weights.`])
      expect(chosen.error).toBeLessThan(plain.error)
    },
  )

  test.each([
    ['convolutions', convolutions(), PLANE],
    ['products', products(), ROWS],
  ] as const)('serves static %s, whose activations are on a grid too', async (_, model, shape) => {
    const params = { perChannel: false }
    const plain = await tried(model, shape, 'quantize/static', params)
    const chosen = await tried(model, shape, 'quantize/static', { ...params, rounding })
    expect(chosen.told).toEqual([expect.stringContaining('of 2 weights')])
    expect(chosen.error).toBeLessThan(1.1 * plain.error)
  })
})

test('nearest integers stand where what was seen misleads, and that is told', async () => {
  const half = (from: number): Feeds => {
    const { x } = smooth(1, ROWS)
    return {
      x: f32(
        ROWS,
        floats(x!).map((v, i) => (i % 48 >= from && i % 48 < from + 24 ? v : 0)),
      ),
    }
  }
  const params = { minElements: 1, rounding: 'gptq', exclude: ['two'] }
  const misled = await tried(products(), ROWS, 'quantize/nbits', params, [half(0), half(24)])
  expect(misled.told).toEqual([expect.stringContaining('nearest, which is no worse on held-out samples, for one')])
  const plain = await tried(products(), ROWS, 'quantize/nbits', { minElements: 1, exclude: ['two'] }, [
    half(0),
    half(24),
  ])
  expect(misled.error).toBe(plain.error)
})

test('without samples there is nothing to round by', async () => {
  const steps = [{ transform: 'quantize/nbits', params: { rounding: 'gptq', minElements: 1 } }]
  await expect(applySteps(products(), steps, { engine: async () => engine })).rejects.toThrow(
    expect.objectContaining({
      code: 'CALIBRATION_MISSING',
      message: expect.stringContaining('rounding by what layers do'),
    }),
  )
})

describe('quantize with a rounding', () => {
  const feeds = [1, 2, 3, 4, 5, 6].map((seed) => smooth(seed, ROWS))
  const env = { engine: async () => engine }

  test('loses less than rounding to the nearest, and tells of how many weights it stayed', async () => {
    const told: string[] = []
    const errorOf = async (rounding: Rounding): Promise<number> => {
      const report = (message: string): void => {
        told.push(message)
      }
      const result = await quantize(products(), { to: 'store-int4', rounding, samples: samplesOf(feeds), report }, env)
      const sums = comparison()
      for (const seed of [11, 12, 13]) {
        const feed = smooth(seed, ROWS)
        sums.add(await outputsOf(engine, products(), feed), await outputsOf(engine, result, feed))
      }
      return [...sums.differences().values()][0]!.relativeL2
    }
    expect(await errorOf('gptq')).toBeLessThan(0.9 * (await errorOf('nearest')))
    expect(told.join()).toMatch(/GPTQ.* of \d+ weight/)
  })

  test('needs samples, and a kind with integers', async () => {
    const asked = { rounding: 'gptq', samples: samplesOf(feeds) } as const
    await expect(quantize(products(), { to: 'int4', rounding: 'gptq' }, env)).rejects.toMatchObject({
      code: 'QUANTIZE_ROUNDING',
    })
    await expect(quantize(products(), { ...asked, to: 'f16' }, env)).rejects.toMatchObject({
      code: 'QUANTIZE_ROUNDING',
    })
  })
})
