/** Equalized and smoothed, real models answer as before; what they hold is written once. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFlows } from '../../src/compress/equalize/flows.js'
import { prepareModel } from '../../src/compress/prepare.js'
import { applySteps } from '../../src/compress/recipes.js'
import { comparison } from '../../src/engine/compare.js'
import type { Engine } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { decodeModel } from '../../src/onnx/codec.js'
import { feedsOf, outputsOf } from '../calibrated.js'
import { dataPath } from '../data.js'
import { samplesOf } from '../samples-of.js'

/** Models, and the flows that they must have at least. */
const MODELS = [
  ['yunet-n-320', 30],
  ['openseeface-mnv3-detection', 10],
  ['mnist-cntk', 1],
] as const

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

describe.each(MODELS)('%s', (name, least) => {
  const path = dataPath(`models/${name}.onnx`)
  test.skipIf(path === null)('answers as before', async () => {
    const model = await prepareModel(decodeModel(readFileSync(path!)), { engine: async () => engine })
    expect(findFlows(model).length).toBeGreaterThanOrEqual(least)
    const feeds = await feedsOf(engine, model, [1])
    const env = { engine: async () => engine, samples: samplesOf(feeds) }
    const exact = { powersOfTwo: true, absorb: false }
    for (const [transform, params] of [
      ['equalize/weights', {}],
      ['equalize/weights', exact],
      ['equalize/smooth', {}],
    ] as const) {
      const result = await applySteps(model, [{ transform, params }], env)
      if (params !== exact) expect(result).not.toBe(model)
      expect(result.graph.nodes.length).toBe(model.graph.nodes.length)
      const sums = comparison()
      for (const feed of feeds) {
        sums.add(await outputsOf(engine, model, feed, 'off'), await outputsOf(engine, result, feed, 'off'))
      }
      for (const [output, d] of sums.differences()) {
        const what = `${transform}: ${output}`
        if (params === exact) expect(d.unequal, what).toBe(0)
        // Scores that are zero but for rounding have no relative error that says anything.
        else expect(Math.min(d.relativeL2, 10 * d.maxAbs), what).toBeLessThan(1e-5)
      }
    }
  })
})
