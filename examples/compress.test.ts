/** The README's example, run on the bundled face detector. */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compress, openSamples, PareError, quantize, readModel } from '../src/node.js'
import { repositoryRoot } from '../test/data.js'
import { handsBackWhatKeeps, leastBytes } from '../test/least-bytes.js'

const demo = (file: string): string => join(repositoryRoot, 'demo', file)

test('quantize, then search for the best', async () => {
  const model = await readModel(demo('ultraface-slim-320.onnx'))
  const small = await quantize(model, { to: 'store-int8' })
  expect(small.graph.outputs).toEqual(model.graph.outputs)

  const samples = await openSamples(demo('samples.mjs'), {
    inputs: [{ name: 'input', dtype: 'float32', shape: [1, 3, 240, 320] }],
  })
  const { outcome } = await compress(model, {
    samples,
    maxDrop: 0.01,
    for: 'latency',
    threads: 1,
    rounds: 5,
    budgetMs: 60,
  })
  expect(leastBytes(outcome)).toBeLessThan(0.51 * outcome.baseline.bytes)
  expect(handsBackWhatKeeps(outcome)).toBe(true)
}, 180_000)

test('an unknown kind is refused with its remedy', async () => {
  const model = await readModel(demo('ultraface-slim-320.onnx'))
  await expect(quantize(model, { to: 'int3' as 'int4' })).rejects.toThrow(PareError)
})
