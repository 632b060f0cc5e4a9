/**
 * What every pass promises, on every model: same outputs, nothing left to do the second time, a file that is no
 * larger and still loads. A pass listed in src/passes/index.ts is tested here because it is listed.
 */

import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Engine, Feeds } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import type { Model } from '../../src/ir/types.js'
import { decodeModel, encodeModel } from '../../src/onnx/codec.js'
import { cleanModel } from '../../src/passes/clean.js'
import { PASSES } from '../../src/passes/index.js'
import type { Env, Pass } from '../../src/passes/pass.js'
import { dataPath } from '../data.js'
import { difference } from '../difference.js'
import { type FeedOptions, randomFeeds } from '../random-feeds.js'

/** Passes that make the file larger on purpose: the format or their task demands it. */
const MAY_GROW = new Set(['infer-shapes', 'unfuse-conv', 'upgrade-opset'])
/** Passes that change the order of arithmetic; a weight that became constant is packed, and multiplied another way. */
const TOLERANCE: Readonly<Record<string, number>> = { 'fold-batch-norm': 1e-5, 'fold-constants': 1e-6, clean: 1e-5 }

const MODELS: Readonly<Record<string, FeedOptions>> = {
  'dnsmos-sig-bak-ovr': {},
  'dtln-1': {},
  'go1-policy': {},
  gtcrn: {},
  'magika-v3.3': {},
  'mnist-cntk': {},
  'openseeface-mnv3-detection': {},
  'silero-vad': { shapes: { input: [1, 512], state: [2, 1, 128] }, integers: { sr: 16000 } },
  'ultraface-rfb-320': {},
  'ultraface-slim-320': {},
  'yunet-n-320': {},
}

const clean: Pass = { name: 'clean', run: (model, e) => cleanModel(model, e) }

let engine: Engine
let env: Env
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
  env = { engine: async () => engine }
})
afterAll(() => engine.close())

const run = async (model: Model, feeds: (inputs: Parameters<typeof randomFeeds>[0]) => Feeds) => {
  const session = await engine.load(encodeModel(model).bytes, { optimization: 'off' })
  try {
    return await session.run(feeds(session.inputs))
  } finally {
    await session.close()
  }
}

describe.each(Object.entries(MODELS))('%s', (name, options) => {
  const path = dataPath(`models/${name}.onnx`)
  let model: Model
  let bytes: number
  let before: Awaited<ReturnType<typeof run>>
  const feeds = (inputs: Parameters<typeof randomFeeds>[0]) => randomFeeds(inputs, options)

  beforeAll(async () => {
    if (path === null) return
    model = decodeModel(await readFile(path))
    bytes = encodeModel(model).bytes.byteLength
    before = await run(model, feeds)
  })

  it.skipIf(path === null).each([...PASSES.values(), clean])('$name', async (pass) => {
    const next = await pass.run(model, env)
    if (next === model) return
    const size = encodeModel(next).bytes.byteLength
    if (!MAY_GROW.has(pass.name)) expect(size).toBeLessThanOrEqual(bytes)
    const after = await run(next, feeds)
    expect(Object.keys(after)).toEqual(Object.keys(before))
    const worst = Math.max(...Object.keys(before).map((out) => difference(before[out]!, after[out]!)))
    expect(worst).toBeLessThanOrEqual(TOLERANCE[pass.name] ?? 0)
    expect(await pass.run(next, env)).toBe(next)
  })
})
