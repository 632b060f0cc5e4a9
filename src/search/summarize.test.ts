import { describe, expect, test } from 'vitest'
import { fragileModel } from '../../test/search-models.js'
import { layersAside } from './explore.js'
import type { Outcome } from './outcome.js'
import type { Setup } from './setup.js'
import { type SummaryInput, summarize } from './summarize.js'
import type { Latency, Step, TrialResult } from './trial.js'
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
  limits: {},
  target: { name: 'onnxruntime-node', version: '1', device: 'cpu', threads: 1 },
  warnings: [],
  data: null,
  judge: null,
} as unknown as Setup

const STEPS = [{ transform: 'store/int8', params: { exclude: ['b'] } }]

const resultOf = (steps: readonly Step[], l: Latency | null): TrialResult => ({
  trial: { id: 'one', name: 'one', model: 'original', steps, seed: 0 },
  status: 'ok',
  sha256: 'one',
  bytes: 400,
  latency: l ?? latency(1, 0.9, 1.1),
  quality: { value: 0.99, drop: 0.001, outputs: [] },
  keeps: l !== null,
  seconds: 1,
})

async function outcomeOf(
  l: Latency | null,
  change: Partial<SummaryInput> = {},
  steps: readonly Step[] = STEPS,
): Promise<Outcome> {
  const result = resultOf(steps, l)
  return summarize({
    setup,
    model,
    options: {},
    results: [result],
    chosen: l === null ? null : result,
    baseline: latency(1, 1, 1),
    sensitivity: new Map(),
    peakMemory: { original: null, chosen: null },
    missed: null,
    date: '2026-01-01T00:00:00.000Z',
    seconds: 1,
    ...change,
  })
}

const verdict = async (l: Latency | null): Promise<string> => (await outcomeOf(l)).verdict

describe('the verdict', () => {
  test.each([
    [0.355, 0.34, 0.37, '2.82× faster'],
    [1 / 1.03, 0.96, 0.98, '1.03× faster'],
    [1.3, 0.99, 1.6, 'speed not told apart (0.99–1.60 of the original’s time)'],
    [1 / 1.4, 0.5, 1.2, 'speed not told apart (0.50–1.20 of the original’s time)'],
    [1.02, 1.01, 1.03, 'the same speed'],
    [0.985, 0.98, 0.99, 'the same speed'],
  ])('says of a ratio of %f [%f, %f]: %s', async (ratio, low, high, said) => {
    const l = latency(ratio, low, high)
    expect(speed(l)).toBe(said)
    expect(await verdict(l)).toBe(`one: 40 % of the size, ${said}, within the budget (drop 0.00100 of at most 0.01).`)
  })

  test('says why nothing was chosen', async () => {
    expect(await verdict(null)).toBe('The original stays: no candidate kept the budget and was smaller or faster.')
  })
})

describe('layers that were asked', () => {
  const row = (node: string, drop: number) => ({ node, op: 'Gemm', parameters: 64, drop, relativeError: drop })
  const rows = [row('a', 0.1), row('b', 0.2)]
  const asked = (steps: readonly Step[]) => new Map([[layersAside(steps), rows]])
  const judge = { measure: { kind: 'relative error' }, samples: 5 } as unknown as Setup['judge']
  const other: TrialResult = {
    trial: {
      id: 'two',
      name: 'two; 1 layer in float',
      model: '',
      steps: [{ transform: 'other', params: {} }],
      seed: 0,
    },
    status: 'failed',
    seconds: 1,
  }

  test('are those of the chosen candidate, the worst first, with what it leaves out', async () => {
    const outcome = await outcomeOf(latency(0.5, 0.4, 0.6), { sensitivity: asked(STEPS), setup: { ...setup, judge } })
    expect(outcome.asked).toEqual({ recipe: 'one', isChosen: true, samples: 5, layers: 3 })
    expect(outcome.sensitivity.map((l) => [l.node, l.keptFloat])).toEqual([
      ['b', true],
      ['a', false],
    ])
  })

  test('that share a weight are kept in float where one of their nodes is left out', async () => {
    const tied = { ...row('b and c (one weight)', 0.3), nodes: ['b', 'c'] }
    const sensitivity = new Map([[layersAside(STEPS), [tied, ...rows.slice(0, 1)]]])
    const outcome = await outcomeOf(latency(0.5, 0.4, 0.6), { sensitivity, setup: { ...setup, judge } })
    expect(outcome.sensitivity.map((l) => [l.node, l.keptFloat])).toEqual([
      ['b and c (one weight)', true],
      ['a', false],
    ])
  })

  test('are kept in float in mixed precision where no step takes them, and not where one of the steps leaves them out', async () => {
    const steps = [
      { transform: 'store/int8', params: { exclude: ['a', 'c'] } },
      { transform: 'store/int4', params: { exclude: ['b', 'c'] } },
      { transform: 'store/f16', params: {} },
    ]
    const sensitivity = new Map([[layersAside(steps), [...rows, row('c', 0.3)]]])
    const change = { setup: { ...setup, judge }, sensitivity }
    const outcome = await outcomeOf(latency(0.5, 0.4, 0.6), change, steps)
    expect(outcome.sensitivity.map((l) => [l.node, l.keptFloat])).toEqual([
      ['c', true],
      ['b', false],
      ['a', false],
    ])
  })

  test('of another recipe are said to be its own: nothing is kept or left out', async () => {
    const { steps } = other.trial
    const results = [other]
    const outcome = await outcomeOf(null, { sensitivity: asked(steps), results })
    expect(outcome.asked).toMatchObject({ recipe: 'two', isChosen: false })
    expect(outcome.sensitivity.map((l) => l.keptFloat)).toEqual([false, false])
    expect((await outcomeOf(null)).asked).toBe(null)
  })
})

test('the date and the seconds are those of the search, and what was hashed is named', async () => {
  const outcome = await outcomeOf(null)
  expect(outcome).toMatchObject({ date: '2026-01-01T00:00:00.000Z', seconds: 1, model: { isFile: false, shapes: {} } })
  const given = await outcomeOf(null, { options: { original: setup.original, shapes: { n: 1 } } })
  expect(given.model).toMatchObject({ isFile: true, shapes: { n: 1 } })
})
