import { describe, expect, test } from 'vitest'
import { fragileModel } from '../../test/search-models.js'
import type { Setup } from './setup.js'
import { summarize } from './summarize.js'
import type { Latency, TrialResult } from './trial.js'
import { speed } from './verdicts.js'

const model = fragileModel()
const latency = (ratio: number, low: number, high: number): Latency => ({
  p50: 1,
  p95: 1,
  ratio,
  interval: [low, high],
})

/** What summarizing reads of a setup; nothing runs. */
const setup = {
  original: new Uint8Array(1000),
  prepared: model,
  sha256: 'original',
  maxDrop: 0.01,
  target: { name: 'onnxruntime-node', version: '1', device: 'cpu', threads: 1 },
  warnings: [],
  data: null,
  judge: null,
} as unknown as Setup

async function verdict(l: Latency | null): Promise<string> {
  const result: TrialResult = {
    trial: { id: 'one', name: 'one', model: 'original', steps: [], seed: 0 },
    status: 'ok',
    sha256: 'one',
    bytes: 400,
    latency: l ?? latency(1, 0.9, 1.1),
    quality: { value: 0.99, drop: 0.001, outputs: [] },
    keeps: l !== null,
    seconds: 1,
  }
  const outcome = await summarize({
    setup,
    model,
    options: {},
    results: [result],
    chosen: l === null ? null : result,
    baseline: latency(1, 1, 1),
    sensitivity: new Map(),
    peakMemory: { original: null, chosen: null },
    seconds: 1,
  })
  return outcome.verdict
}

describe('the verdict', () => {
  test.each([
    [0.355, 0.34, 0.37, '2.82× faster'],
    [1 / 1.03, 0.96, 0.98, '1.03× faster'],
    [1.3, 0.99, 1.6, 'the same speed'],
    [1 / 1.4, 0.5, 1.2, 'the same speed'],
    [1.02, 1.01, 1.03, 'the same speed'],
    [0.985, 0.98, 0.99, 'the same speed'],
  ])('says of a ratio of %f [%f, %f]: %s', async (ratio, low, high, said) => {
    const l = latency(ratio, low, high)
    expect(speed(l)).toBe(said)
    expect(await verdict(l)).toBe(`one: 40 % of the size, ${said}, within the budget (drop 0.0010 of at most 0.01).`)
  })

  test('says why nothing was chosen', async () => {
    expect(await verdict(null)).toBe('The original stays: no candidate kept the budget and was smaller or faster.')
  })
})
