/** The benchmark's samples are what the models expect: they run, repeat, do not overlap, and mean something to the originals. */

import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MODEL_SAMPLES, samplesFor } from '../../bench/samples/index.js'
import { npzOf } from '../../bench/samples/npz.js'
import { original } from '../../bench/samples/original.js'
import { npzSamples } from '../../src/data/npz.js'
import type { Sample, Samples } from '../../src/data/samples.js'
import { bytesSource } from '../../src/data/source.js'
import { floats } from '../../src/ir/tensor.js'
import { dataPath } from '../data.js'

const isMissing = dataPath('models/mnist-cntk.onnx') === null

async function take(samples: Samples, count = Number.POSITIVE_INFINITY): Promise<Sample[]> {
  const list: Sample[] = []
  for await (const sample of samples.read()) {
    if (list.length >= count) break
    list.push(sample)
  }
  return list
}

const digest = (sample: Sample): string => {
  const hash = createHash('sha256')
  for (const [name, t] of Object.entries(sample.feeds)) hash.update(name).update(t.bytes())
  return hash.digest('hex')
}

const argmax = (scores: Float32Array): number => scores.indexOf(Math.max(...scores))

describe.skipIf(isMissing)('benchmark samples (needs the data folder)', () => {
  it.each(MODEL_SAMPLES.map((entry) => entry.model))('%s: they run, repeat and keep the sets apart', async (model) => {
    const { calibration, heldout } = samplesFor(model)
    const first = await take(calibration, 5)
    expect((await take(calibration, 5)).map(digest)).toEqual(first.map(digest))
    expect(first.length).toBe(5)
    const seen = new Set(first.map(digest))
    const others = await take(heldout, 40)
    expect(others.some((sample) => seen.has(digest(sample)))).toBe(false)
    const run = await original(model)
    for (const output of Object.values(await run(others[0]!.feeds))) {
      expect(floats(output).every(Number.isFinite)).toBe(true)
    }
  })

  it('photographs hold faces for every detector', async () => {
    const run = await original('ultraface-slim-320')
    for (const { feeds } of await take(samplesFor('ultraface-slim-320').heldout, 4)) {
      const faces = floats((await run(feeds)).scores!).filter((_, i) => i % 2 === 1)
      expect(Math.max(...faces)).toBeGreaterThan(0.9)
    }
    const yunet = await original('yunet-n-320')
    for (const { feeds } of await take(samplesFor('yunet-n-320').heldout, 4)) {
      const outputs = await yunet(feeds)
      const best = [8, 16, 32].map((s) => Math.max(...floats(outputs[`cls_${s}`]!)))
      expect(Math.max(...best)).toBeGreaterThan(0.8)
    }
    const heatmap = await original('openseeface-mnv3-detection')
    for (const { feeds } of await take(samplesFor('openseeface-mnv3-detection').heldout, 4)) {
      expect(Math.max(...floats((await heatmap(feeds)).output!).subarray(0, 56 * 56))).toBeGreaterThan(0.5)
    }
  })

  it('speech is heard as speech, pauses as pauses', async () => {
    const run = await original('silero-vad')
    const heard: number[] = []
    for (const { feeds } of await take(samplesFor('silero-vad').heldout)) {
      heard.push(floats((await run(feeds)).output!)[0]!)
    }
    expect(heard.filter((p) => p > 0.9).length).toBeGreaterThan(heard.length / 3)
    expect(heard.filter((p) => p < 0.1).length).toBeGreaterThan(heard.length / 20)
  })

  it('the quality model rates noise as noise', async () => {
    const run = await original('dnsmos-sig-bak-ovr')
    const ratings = new Map<string, number>()
    for (const { feeds, name } of await take(samplesFor('dnsmos-sig-bak-ovr').heldout)) {
      ratings.set(name.split(', ')[1] ?? 'clean', floats((await run(feeds))['Identity:0']!)[1]!)
    }
    expect(ratings.get('clean')!).toBeGreaterThan(ratings.get('white noise at 10 dB')! + 1)
  })

  it('files of one extension get one label', async () => {
    const run = await original('magika-v3.3')
    const labels = new Map<string, number[]>()
    for (const { feeds, name } of await take(samplesFor('magika-v3.3').heldout)) {
      const label = argmax(floats((await run(feeds)).target_label!))
      labels.set(extname(name), [...(labels.get(extname(name)) ?? []), label])
    }
    for (const extension of ['.jpg', '.gz', '.json', '.mjs', '.proto', '.onnx']) {
      const list = labels.get(extension)!
      const most = Math.max(...list.map((label) => list.filter((other) => other === label).length))
      expect(most / list.length, extension).toBeGreaterThan(0.7)
    }
    expect(new Set([...labels.values()].flat()).size).toBeGreaterThan(10)
  })

  it('digits are read right', async () => {
    const run = await original('mnist-cntk')
    let right = 0
    for (const { feeds, label } of await take(samplesFor('mnist-cntk').heldout, 500)) {
      if (argmax(floats((await run(feeds)).Plus214_Output_0!)) === label) right++
    }
    expect(right).toBeGreaterThan(480)
  })

  it('an archive of samples reads back equal, labels and scalars included', async () => {
    for (const model of ['silero-vad', 'mnist-cntk', 'magika-v3.3']) {
      const samples = await take(samplesFor(model).calibration, 3)
      const bytes = npzOf(samples)
      expect(npzOf(samples)).toEqual(bytes)
      const inputs = Object.keys(samples[0]!.feeds)
      const back = await take(await npzSamples(bytesSource('samples.npz', bytes), { inputs }))
      expect(back.map((sample) => sample.label)).toEqual(samples.map((sample) => sample.label))
      for (const [i, sample] of samples.entries()) {
        for (const name of inputs) {
          expect([...back[i]!.feeds[name]!.bytes()]).toEqual([...sample.feeds[name]!.bytes()])
          expect(back[i]!.feeds[name]!.shape).toEqual(sample.feeds[name]!.shape)
        }
      }
    }
  })
})
