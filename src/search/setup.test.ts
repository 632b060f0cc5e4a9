import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stream } from '../../test/calibrated.js'
import { collect } from '../../test/collect.js'
import { weights } from '../../test/compress-models.js'
import { fragileModel, rowSamples } from '../../test/search-models.js'
import { openOnlyModel, value } from '../../test/small-models.js'
import { calibrateUnits } from '../compress/quantize/index.js'
import type { Sample, Samples } from '../data/samples.js'
import { split } from '../data/split.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
import { encodeModel } from '../onnx/codec.js'
import { PareError } from '../util/errors.js'
import { type CompressOptions, compress } from './compress.js'
import type { MetricRecord } from './quality.js'
import { openSetup, optional, type Setup } from './setup.js'
import { openWorkshop, reloadable } from './workshop.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-setup-'))
})
afterAll(() => rm(folder, { recursive: true }))

const model = fragileModel()

async function settled<T>(options: CompressOptions, look: (setup: Setup) => T): Promise<T> {
  const setup = await openSetup(model, { threads: 1, ...options }, folder)
  try {
    return look(setup)
  } finally {
    await setup.close()
  }
}

const uncounted = (samples: Samples): Samples => ({ ...samples, count: null })

async function edited(samples: Samples, edit: (sample: Sample, i: number) => Sample): Promise<Samples> {
  const list = (await collect(samples.read())).map(edit)
  return { ...samples, read: () => stream(list) }
}

describe('samples that cannot be split', () => {
  test.each([
    ['one', rowSamples(1), 'SAMPLES_FEW'],
    ['one, not counted', uncounted(rowSamples(1)), 'SAMPLES_FEW'],
    ['none', rowSamples(0), 'SAMPLES_EMPTY'],
    ['none, not counted', uncounted(rowSamples(0)), 'SAMPLES_EMPTY'],
  ] as const)('%s: it is said', async (_, samples, code) => {
    await expect(settled({ samples }, () => {})).rejects.toMatchObject({
      code,
      message: expect.stringContaining('normal rows'),
    })
  })

  test('two are enough, counted or not', async () => {
    for (const samples of [rowSamples(2), uncounted(rowSamples(2))]) {
      expect(await settled({ samples }, ({ data }) => data)).toMatchObject({ total: 2, calibration: 1, heldOut: 1 })
    }
  })
})

describe('options are checked before anything is done', () => {
  test.each<readonly [string, unknown]>([
    ['rounds', Number.NaN],
    ['rounds', 0],
    ['rounds', 2.5],
    ['budgetMs', Number.NaN],
    ['budgetMs', -1],
    ['maxDrop', Number.NaN],
    ['maxDrop', -0.1],
    ['maxDrop', Number.POSITIVE_INFINITY],
    ['for', 'speed'],
    ['target', 'browser'],
  ])('%s: %s', async (name, value) => {
    const options = { [name]: value, threads: 1, runFolder: join(folder, 'run') } as CompressOptions
    await expect(compress(model, options)).rejects.toMatchObject({
      code: 'OPTION_VALUE',
      message: expect.stringContaining(name),
    })
    expect(await readdir(folder)).toEqual([])
  })
})

describe('what is known of the samples', () => {
  const samples = rowSamples(10)
  const facts = ({ data, judge, calibratedBy }: Setup) => ({ data, heldOut: judge!.fingerprint, calibratedBy })

  test('says that there are labels, whatever quality is measured by', async () => {
    const labelled = await edited(samples, (s, i) => ({ ...s, label: i % 16 }))
    const metric = { higherIsBetter: true, evaluate: () => 1 }
    expect((await settled({ samples: labelled, metric }, facts)).data).toMatchObject({ labels: true })
    expect((await settled({ samples, metric }, facts)).data).toMatchObject({ labels: false })
  })

  test('tells samples apart by what they hold, on either half', async () => {
    const before = await settled({ samples }, facts)
    expect(await settled({ samples }, facts)).toEqual(before)
    const calibrating = new Set((await collect((await split(samples)).calibration.read())).map((s) => s.name))
    const negated = (s: Sample): Sample => ({ ...s, feeds: { x: { ...s.feeds.x!, bytes: () => flipped(s) } } })
    const flipped = (s: Sample): Uint8Array => s.feeds.x!.bytes().map((b, i) => (i % 4 === 3 ? b ^ 0x80 : b))
    const one = await edited(samples, (s) => (calibrating.has(s.name) ? negated(s) : s))
    const other = await edited(samples, (s) => (calibrating.has(s.name) ? s : negated(s)))
    const [calibration, heldOut] = [await settled({ samples: one }, facts), await settled({ samples: other }, facts)]
    expect(calibration.heldOut).toBe(before.heldOut)
    expect(calibration.calibratedBy).not.toBe(before.calibratedBy)
    expect(heldOut.heldOut).not.toBe(before.heldOut)
    expect(heldOut.calibratedBy).toBe(before.calibratedBy)
  })
})

describe('what calibrates and what judges', () => {
  test('is drawn from all of sorted samples, counted or not', async () => {
    const count = 4000
    const sorted: Samples = {
      name: 'sorted',
      count,
      async *read() {
        for (let i = 0; i < count; i++) {
          yield { feeds: { x: f32([1, 64], new Float32Array(64).fill(i / count)) }, name: `${i}`, label: i % 16 }
        }
      },
    }
    const judged: number[] = []
    const metric = {
      higherIsBetter: true,
      async evaluate(records: AsyncIterable<MetricRecord>) {
        for await (const { name } of records) judged.push(Number(name))
        return 1
      },
    }
    for (const samples of [sorted, uncounted(sorted)]) {
      judged.length = 0
      const { data, range } = await settled({ samples, metric }, ({ data, env }) => ({
        data,
        range: env.calibration!.histograms.get('x')!,
      }))
      expect(data).toMatchObject({ total: count, calibration: 256, heldOut: 2000 })
      expect(range.min).toBeLessThan(0.03)
      expect(range.max).toBeGreaterThan(0.97)
      expect(Math.min(...judged)).toBeLessThan(0.01 * count)
      expect(Math.max(...judged)).toBeGreaterThan(0.99 * count)
    }
  })

  /** hn = x·w + h, which grows along a recording of ones. */
  const sums = (() => {
    const b = builder()
    for (const name of ['x', 'h']) b.input(name, value('float32', [1, 16]))
    const eye = Float32Array.from({ length: 256 }, (_, i) => (i % 17 === 0 ? 1 : 0))
    b.ops('Add', [b.op('MatMul', ['x', b.constant(f32([16, 16], eye), 'w')]), 'h'], { outputs: ['hn'] })
    b.ops('MatMul', ['hn', b.constant(f32([16, 16], eye), 'v')], { outputs: ['y'] })
    for (const name of ['hn', 'y']) b.output(name, value('float32', [1, 16]))
    return modelOf(b.graph())
  })()
  const frames = (sequenceOf: (i: number) => string | undefined, count = 40): Samples => ({
    name: 'frames',
    count,
    carry: [{ output: 'hn', input: 'h' }],
    async *read() {
      for (let i = 0; i < count; i++) {
        const sequence = sequenceOf(i)
        const feeds = { x: f32([1, 16], new Float32Array(16).fill(1)), h: f32([1, 16], new Float32Array(16)) }
        yield { feeds, name: `${i}`, ...(sequence !== undefined && { sequence }) }
      }
    },
  })
  const largest = ({ env }: Setup) => env.calibration!.histograms.get('hn')!.max
  const opened = async (samples: Samples, look: (setup: Setup) => unknown) => {
    const setup = await openSetup(sums, { samples, threads: 1 }, folder)
    try {
      return look(setup)
    } finally {
      await setup.close()
    }
  }

  test('carries the states of a recurrent model, so that ranges are those of its use', async () => {
    expect(
      await opened(
        frames(() => 'clip'),
        largest,
      ),
    ).toBe(20)
    expect(
      await opened(
        frames((i) => `clip ${Math.floor(i / 4)}`),
        largest,
      ),
    ).toBe(4)
    // Of 400 frames 256 are counted, and all run.
    expect(
      await opened(
        frames(() => 'clip', 800),
        largest,
      ),
    ).toBeGreaterThan(380)
  })

  test('made by the cpu wherever the model will run, so that a recipe gives the same bytes', async () => {
    const b = builder()
    for (const name of ['x', 'h']) b.input(name, value('float32', [1, 16]))
    const mixed = b.op('MatMul', ['x', b.constant(weights([16, 16], 1), 'w')])
    b.ops('Tanh', [b.op('Add', [mixed, 'h'])], { outputs: ['hn'] })
    b.ops('MatMul', ['hn', b.constant(weights([16, 16], 2), 'v')], { outputs: ['y'] })
    for (const name of ['hn', 'y']) b.output(name, value('float32', [1, 16]))
    const recurrent = modelOf(b.graph())
    const samples = frames(() => 'clip')
    const states: (readonly number[])[] = []
    for (const device of ['cpu', 'wasm']) {
      const original = encodeModel(recurrent).bytes
      const workshop = await openWorkshop(recurrent, { original, samples, threads: 1, device })
      const { env } = await workshop.learned()
      states.push((await collect(env.samples!.read())).flatMap(({ feeds }) => [...feeds.h!.bytes()]))
      await workshop.close()
    }
    expect(states[1]).toEqual(states[0])
    expect(new Set(states[0]).size).toBeGreaterThan(50)
  })

  test('says so where the samples name no recordings', async () => {
    const warned = ({ warnings }: Setup) => warnings.filter((w) => w.includes('sequence'))
    expect(
      await opened(
        frames(() => undefined),
        warned,
      ),
    ).toEqual([expect.stringContaining('so h starts as zeros at each')])
    expect(
      await opened(
        frames(() => 'clip'),
        warned,
      ),
    ).toEqual([])
    const given = await edited(
      frames(() => undefined),
      (s) => ({ ...s, feeds: { ...s.feeds, h: s.feeds.x! } }),
    )
    expect(await opened(given, warned)).toEqual([])
  })

  test('carries them where a model is quantized, too', async () => {
    const engine = await openEngine({ threads: 1 })
    const env = { engine: async () => engine }
    const { histograms } = (await calibrateUnits(
      sums,
      frames(() => 'clip'),
      env,
    ))!
    expect(histograms.get('hn')!.max).toBe(40)
    await engine.close()
  })
})

test('a session that was closed loads the model again when it is to run, and not before', async () => {
  const engine = await openEngine({ threads: 1 })
  let [loads, open] = [0, 0]
  const counting: Engine = {
    ...engine,
    async load(...asked) {
      const session = await engine.load(...asked)
      loads++
      open++
      return {
        ...session,
        close() {
          open--
          return session.close()
        },
      }
    },
  }
  const [sample] = await collect(rowSamples(1).read())
  const session = await reloadable(counting, encodeModel(model).bytes, undefined)
  const answer = async () => (await session.run(sample!.feeds)).y!.bytes()
  const first = await answer()
  await session.close()
  await session.close()
  expect([loads, open]).toEqual([1, 0])
  expect(await answer()).toEqual(first)
  expect(await answer()).toEqual(first)
  expect([loads, open]).toEqual([2, 1])
  await session.close()
  expect(open).toBe(0)
  await engine.close()
})

describe('what a search can do without', () => {
  const lost = new PareError('ENGINE_LOST', 'the process died', { remedy: 'Try again.' })
  const told = (signal?: AbortSignal) => {
    const warnings: string[] = []
    const env = { engine: () => Promise.reject(new Error('none')), ...(signal && { signal }) }
    return { warnings, env, warn: (w: string) => warnings.push(w) }
  }

  test('is a warning where it fails', async () => {
    const setup = told()
    expect(await optional(setup, 'memory was not measured', null, () => Promise.reject(lost))).toBe(null)
    expect(setup.warnings).toEqual([`memory was not measured: ${lost.message}`])
    expect(await optional(setup, 'x', null, async () => 1)).toBe(1)
    expect(setup.warnings).toHaveLength(1)
  })

  test('ends by cancelling all the same', async () => {
    const setup = told(AbortSignal.abort(new Error('enough')))
    await expect(optional(setup, 'x', null, () => Promise.reject(lost))).rejects.toThrow('enough')
    expect(setup.warnings).toEqual([])
  })
})

test('random inputs have the sizes that were given, whether the model can be fixed to them or not', async () => {
  for (const [shapes, size] of [
    [{ n: 2, t: 3 }, 2],
    [{ n: 1, t: 3 }, 'n'],
  ] as const) {
    const setup = await openSetup(openOnlyModel(), { threads: 1, shapes }, folder)
    expect(setup.feeds[0]!.x!.shape).toEqual([shapes.n, 3, 8])
    expect(setup.prepared.graph.values.get('x')).toMatchObject({ shape: [size, size === 'n' ? 't' : 3, 8] })
    await setup.close()
  }
})
