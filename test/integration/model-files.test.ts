/** Real models through ir and back: equal in ir, valid for the engine, bit for bit equal in what they compute. */

import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { parseModel, printModel } from '../../src/ir/text.js'
import { decodeModel, encodeModel } from '../../src/onnx/codec.js'
import { dataPath } from '../data.js'
import { plainModel } from '../plain.js'
import { randomFeeds } from '../random-feeds.js'

const folder = dataPath('models')
const models = folder === null ? [] : readdirSync(folder).filter((name) => name.endsWith('.onnx'))

/** What the graphs do not say of their own inputs. */
const FEEDS: Readonly<Record<string, Parameters<typeof randomFeeds>[1]>> = {
  'silero-vad.onnx': { shapes: { input: [1, 576], state: [2, 1, 128] }, integers: { sr: 16000 } },
  'magika-v3.3.onnx': { shapes: { bytes: [1, 2048] } },
  'dnsmos-sig-bak-ovr.onnx': { shapes: { input_1: [1, 144160] } },
  'dtln-1.onnx': { shapes: { input_2: [1, 1, 257], input_3: [1, 2, 128, 2] } },
  'go1-policy.onnx': { shapes: { obs: [1, 48] } },
}

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

describe.skipIf(models.length === 0)('shared data: real models', () => {
  test.each(models)('%s is the same after decoding and encoding', async (name) => {
    const bytes = readFileSync(join(folder!, name))
    const model = decodeModel(bytes, { where: basename(name) })
    const again = encodeModel(model).bytes
    expect(plainModel(decodeModel(again))).toEqual(plainModel(model))

    const before = await engine.load(bytes, { optimization: 'off' })
    const after = await engine.load(again, { optimization: 'off' })
    const feeds = randomFeeds(before.inputs, FEEDS[name])
    const [a, b] = [await before.run(feeds), await after.run(feeds)]
    expect(Object.keys(b)).toEqual(Object.keys(a))
    for (const [output, t] of Object.entries(a)) expect(Buffer.compare(b[output]!.bytes(), t.bytes())).toBe(0)
    expect(Object.values(a).some((t) => t.byteLength > 0)).toBe(true)
    await before.close()
    await after.close()
  })

  test.each(models)('%s survives the text form', (name) => {
    const model = decodeModel(readFileSync(join(folder!, name)))
    const text = printModel(model)
    const parsed = parseModel(text)
    expect(plainModel(parsed)).toEqual(plainModel(model))
    expect(printModel(parsed) === text).toBe(true)
  })
})
