/** Layers of low rank taken apart, on the bundled face detector: what each keeps, and what is left of the file. */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeModel, factorize, openSamples, readModel, take } from '../src/node.js'
import { repositoryRoot } from '../test/data.js'

const demo = (file: string): string => join(repositoryRoot, 'demo', file)

test('half the parameters of its layers, chosen on pictures', async () => {
  const whole = await readModel(demo('ultraface-slim-320.onnx'))
  const samples = await openSamples(demo('samples.mjs'), {
    inputs: [{ name: 'input', dtype: 'float32', shape: [1, 3, 240, 320] }],
  })
  const { model, layers } = await factorize(whole, { rank: 'ratio', ratio: 0.5, samples: take(samples, 2) })
  const left = layers.reduce((sum, l) => sum + (l.isSplit ? l.parametersInParts : l.parameters), 0)
  const before = layers.reduce((sum, l) => sum + l.parameters, 0)
  expect(left / before).toBeLessThan(0.51)
  expect(layers.filter(({ isSplit }) => isSplit).every(({ energy }) => energy > 0.9)).toBe(true)
  expect(encodeModel(model).byteLength).toBeLessThan(0.6 * encodeModel(whole).byteLength)
}, 120_000)
