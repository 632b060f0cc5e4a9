/** MNIST end to end, as a user would: a third of the bytes, and the accuracy of the 10,000 test images stays. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  compress,
  type Engine,
  encodeModel,
  type Model,
  openEngine,
  openLabels,
  openSamples,
  quantize,
  readModel,
  type Samples,
  take,
  withLabels,
} from '../../src/node.js'
import { dataPath } from '../data.js'
import { handsBackWhatKeeps, leastBytes } from '../least-bytes.js'

const path = dataPath('models/mnist-cntk.onnx')
const POINT = 0.001

describe.skipIf(path === null)('mnist-cntk on the 10,000 test images (needs the data folder)', () => {
  let engine: Engine
  let model: Model
  let bytes: number
  let accuracy: number
  let training: Samples

  beforeAll(async () => {
    engine = await openEngine({ threads: 1 })
    model = await readModel(path!)
    bytes = encodeModel(model).bytes.length
    training = await digits('train')
    accuracy = await accuracyOf(encodeModel(model).bytes)
  }, 120_000)
  afterAll(() => engine?.close())

  async function digits(set: 'train' | 't10k'): Promise<Samples> {
    const file = (what: string): string => dataPath(`mnist/${set}-${what}-ubyte.gz`)!
    const images = await openSamples(file('images-idx3'), {
      inputs: [{ name: 'Input3', dtype: 'float32', shape: [1, 1, 28, 28] }],
    })
    return withLabels(images, await openLabels(file('labels-idx1')))
  }

  async function accuracyOf(candidate: Uint8Array): Promise<number> {
    const session = await engine.load(candidate)
    let seen = 0
    let right = 0
    for await (const { feeds, label } of (await digits('t10k')).read()) {
      const scores = new Float32Array((await session.run(feeds)).Plus214_Output_0!.bytes().slice().buffer)
      seen++
      if (scores.indexOf(Math.max(...scores)) === label) right++
    }
    await session.close()
    expect(seen).toBe(10_000)
    return right / seen
  }

  test('the original is as accurate as published', () => {
    expect(accuracy).toBeGreaterThan(0.988)
  })

  test.each(['without samples', 'with 200 training images'])(
    'quantize to int8 %s',
    async (how) => {
      const small = encodeModel(
        await quantize(model, { to: 'int8', ...(how.startsWith('with ') && { samples: take(training, 200) }) }),
      ).bytes
      expect(small.length).toBeLessThanOrEqual(bytes / 3)
      expect(await accuracyOf(small)).toBeGreaterThanOrEqual(accuracy - POINT)
    },
    120_000,
  )

  test('compress for size with labels', async () => {
    const { outcome, bytes: small } = await compress(model, {
      samples: take(training, 2000),
      maxDrop: POINT,
      for: 'size',
      threads: 1,
      rounds: 5,
      budgetMs: 200,
    })
    expect(outcome.measure.kind).toBe('accuracy')
    expect(leastBytes(outcome)).toBeLessThanOrEqual(bytes / 3)
    expect(handsBackWhatKeeps(outcome)).toBe(true)
    if (small !== null) expect(await accuracyOf(small)).toBeGreaterThanOrEqual(accuracy - POINT)
  }, 180_000)
})
