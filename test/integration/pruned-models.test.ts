/**
 * Structured pruning on models that were trained elsewhere, and real samples: a third of every group cut is what
 * zeros in its place give. Which layers have groups, and why the others have none, is written down.
 */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MODEL_SAMPLES, samplesFor } from '../../bench/samples/index.js'
import { prepareModel } from '../../src/compress/prepare.js'
import { cutUnits } from '../../src/compress/prune/cut.js'
import { findGroups } from '../../src/compress/prune/groups.js'
import { maskUnits } from '../../src/compress/prune/mask.js'
import type { Engine, Feeds } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { numbers } from '../../src/ir/tensor.js'
import type { Model } from '../../src/ir/types.js'
import { decodeModel, encodeModel } from '../../src/onnx/codec.js'
import { inspectModel } from '../../src/passes/inspect.js'
import { dataPath } from '../data.js'

/** How many groups there are, and why the first layers that have none keep their outputs. */
const EXPECTED: Readonly<Record<string, { readonly groups: number; readonly held: readonly RegExp[] }>> = {
  'mnist-cntk': { groups: 2, held: [/an output of the model/] },
  'go1-policy': { groups: 4, held: [] },
  'ultraface-slim-320': { groups: 15, held: [/Softmax/, /an output of the model/] },
  'ultraface-rfb-320': { groups: 25, held: [/Softmax/, /an output of the model/] },
  'yunet-n-320': { groups: 16, held: [/one unit alone/, /an output of the model/] },
  'openseeface-mnv3-detection': { groups: 32, held: [/an output of the model/] },
  'dnsmos-sig-bak-ovr': { groups: 9, held: [/an output of the model/] },
  // The states of its LSTMs come in and go out.
  'dtln-1': { groups: 0, held: [/an input of the model/, /an output of the model/] },
  gtcrn: { groups: 2, held: [/an input of the model/, /ScatterND/, /ReduceMean/] },
  // A normalization over the channels of its convolution is written out; the width of its embedding is free.
  'magika-v3.3': { groups: 1, held: [/ReduceSum/] },
  'silero-vad': { groups: 0, held: [/inside of it/] },
}

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

async function outputs(model: Model, feeds: Feeds) {
  const session = await engine.load(encodeModel(model).bytes, { optimization: 'off' })
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}

/** Largest difference, relative to the largest element, or to 0.1: the engine's Sigmoid errs by some 1e-7 near 0. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [most, scale] = [0, 0.1]
  for (let i = 0; i < b.length; i++) {
    most = Math.max(most, Math.abs(a[i]! - b[i]!))
    scale = Math.max(scale, Math.abs(b[i]!))
  }
  return most / scale
}

async function firstSample(model: string): Promise<Feeds> {
  for await (const { feeds } of samplesFor(model).heldout.read()) return feeds
  throw new Error(`no samples for ${model}`)
}

describe.skipIf(dataPath('models/mnist-cntk.onnx') === null)('real models (need the data folder)', () => {
  test.each(MODEL_SAMPLES.map((entry) => entry.model))('%s', async (name) => {
    const given = decodeModel(readFileSync(dataPath(`models/${name}.onnx`)!))
    const model = await prepareModel(given, { engine: async () => engine })
    const { groups, held } = findGroups(model)
    expect(groups.length).toBe(EXPECTED[name]!.groups)
    for (const why of EXPECTED[name]!.held) expect([...held.values()].join('\n')).toMatch(why)
    const units = groups.flatMap((group) => group.units.filter((_, i) => i % 3 === 1))
    if (units.length === 0) return
    const cut = cutUnits(model, units)
    const feeds = await firstSample(name)
    const [got, wanted] = [await outputs(cut, feeds), await outputs(maskUnits(model, units), feeds)]
    for (const [output, t] of Object.entries(wanted)) {
      expect(got[output]!.shape).toEqual(t.shape)
      expect(difference(numbers(got[output]!), numbers(t)), output).toBeLessThan(1e-5)
    }
    const [before, after] = [inspectModel(model), inspectModel(cut)]
    expect(after.parameters).toBeLessThan(before.parameters)
    expect(after.macs).toBeLessThan(before.macs)
  })
})
