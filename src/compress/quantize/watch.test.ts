import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stream } from '../../../test/calibrated.js'
import { fragileModel, rowSamples } from '../../../test/search-models.js'
import { value } from '../../../test/small-models.js'
import type { Sample, Samples } from '../../data/samples.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32 } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { quantize } from './index.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

async function quantized(model: Model, samples: Samples, to: 'int8' | 'store-int8' = 'int8') {
  const warnings: string[] = []
  const env = { engine: async () => engine, onWarning: (message: string) => void warnings.push(message) }
  const result = await quantize(model, { to, samples }, env)
  const isStatic = result.graph.nodes.some((n) => n.op === 'QuantizeLinear')
  return { isStatic, warnings, result }
}

const rows = (count: number, row: (i: number) => Float32Array): Samples => {
  const list = Array.from(
    { length: count },
    (_, i): Sample => ({ feeds: { x: f32([1, 64], row(i)) }, name: `row ${i}` }),
  )
  return { name: 'rows.npy', count, read: () => stream(list) }
}
const wave = (i: number) => Float32Array.from({ length: 64 }, (_, k) => Math.sin(k + i))

describe('samples with NaN or infinities', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY])('one with %s is set aside, and named', async (bad) => {
    const good = await quantized(fragileModel(), rows(9, wave))
    const samples = rows(10, (i) => (i < 9 ? wave(i) : wave(i).fill(bad, 3, 4)))
    const { isStatic, warnings, result } = await quantized(fragileModel(), samples)
    expect([good.isStatic, isStatic]).toEqual([true, true])
    expect(warnings[0]).toMatch(
      /left out of the calibration: input x is NaN or infinite in 1 of 10 samples, first in row 9/,
    )
    // As if it had not been there.
    expect(encodeModel(result).bytes).toEqual(encodeModel(good.result).bytes)
  })

  test('are all there is: an error that names them', async () => {
    const samples = rows(4, () => new Float32Array(64).fill(Number.NaN))
    await expect(quantized(fragileModel(), samples)).rejects.toMatchObject({
      code: 'SAMPLE_NAN',
      message: expect.stringMatching(/^rows\.npy: .* input x is NaN or infinite in all 4 samples, first in row 0/),
    })
  })

  test('are what a mask is made of: they calibrate like others', async () => {
    const b = builder()
    b.input('x', value('float32', [1, 64]))
    // −∞ becomes 0, as after a softmax.
    b.ops('Exp', ['x'], { outputs: ['e'] })
    b.ops(
      'MatMul',
      [
        'e',
        b.constant(
          f32(
            [64, 64],
            Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i)),
          ),
          'w',
        ),
      ],
      {
        outputs: ['y'],
      },
    )
    b.output('y', value('float32', [1, 64]))
    const masked = rows(6, (i) => wave(i).fill(Number.NEGATIVE_INFINITY, i, i + 2))
    expect(await quantized(modelOf(b.graph()), masked)).toMatchObject({ isStatic: true, warnings: [] })
  })

  test('values that overflow inside the model are told, with the layer', async () => {
    const { isStatic, warnings } = await quantized(
      fragileModel(),
      rows(4, (i) => wave(i).map((v) => v * 3e38)),
    )
    expect(isStatic).toBe(false)
    expect(warnings[0]).toMatch(/No layer can be made static: .*\(first at entry\)/)
  })
})

describe('ranges that say nothing', () => {
  test.each([
    ['zero', () => new Float32Array(64), 0],
    ['nearly one value', (i: number) => new Float32Array(64).fill(5 + i / 1000), 5],
  ])('%s throughout', async (_, row, shown) => {
    const { warnings } = await quantized(fragileModel(), rows(4, row))
    expect(warnings[0]).toMatch(new RegExp(`did not vary over the 4 samples .*first entry: x is ${shown} throughout`))
  })

  test('nothing is said of samples that vary', async () => {
    expect((await quantized(fragileModel(), rowSamples(8))).warnings.filter((w) => w.includes('vary'))).toEqual([])
  })
})

describe('the result is tried on samples', () => {
  test('and a broken one is told', async () => {
    const { warnings } = await quantized(fragileModel(), rowSamples(8))
    expect(warnings).toEqual([
      expect.stringMatching(/^Tried on 4 of the samples, output y of the result has a relative error of [\d.]+\. /),
    ])
  })

  test('and a good one is not; samples serve every kind', async () => {
    expect((await quantized(fragileModel(), rowSamples(8), 'store-int8')).warnings).toEqual([])
  })
})
