import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { stream } from '../../test/calibrated.js'
import { collect } from '../../test/collect.js'
import { fragileModel, rowSamples } from '../../test/search-models.js'
import type { Sample, Samples } from '../data/samples.js'
import { split } from '../data/split.js'
import type { Engine } from '../engine/engine.js'
import { f32, numbers } from '../ir/tensor.js'
import { encodeModel } from '../onnx/codec.js'
import { inLockedFolder } from '../util/lock.js'
import { type CompressOptions, compress, missedIn, planCompression } from './compress.js'
import { openJournal } from './journal.js'
import type { Metric } from './quality.js'
import { openSetup } from './setup.js'

let folder: string
let run: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-resume-'))
  run = join(folder, 'run')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const model = fragileModel()
const QUICK = { threads: 1, rounds: 5, budgetMs: 10 } as const
const FEW = { ...QUICK, for: 'size' } as const satisfies CompressOptions
const JUDGED = { ...FEW, samples: rowSamples(12), maxDrop: 0.15 } as const satisfies CompressOptions

const journalText = (at = run): string => {
  const path = join(at, 'journal.jsonl')
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** Cancels a search as soon as its journal has so many lines. */
async function cutShort(lines: number, options: CompressOptions, at = run): Promise<void> {
  const stop = new AbortController()
  const onProgress = (): void => {
    if (journalText(at).split('\n').length > lines) stop.abort(new Error('cut short'))
  }
  const search = compress(model, { ...options, runFolder: at, signal: stop.signal, onProgress })
  await expect(search).rejects.toMatchObject({ code: 'ABORTED' })
}

describe('a finished search', () => {
  test.each([
    ['without samples', FEW],
    ['with samples', JUDGED],
  ] as const)('%s, asked again measures nothing, and hands back the same', async (_, options) => {
    const first = await compress(model, { ...options, runFolder: run })
    const text = journalText()
    expect((await readdir(run)).toSorted()).toEqual(['journal.jsonl'])
    const second = await compress(model, { ...options, runFolder: run, resume: true })
    expect(journalText()).toBe(text)
    expect(second.bytes).toEqual(first.bytes)
    // Date and seconds too: they are those of the measurements.
    expect(second.outcome).toEqual(first.outcome)
    expect((await readdir(run)).toSorted()).toEqual(['journal.jsonl'])
  })
})

describe('a journal is refused', () => {
  const labelled = (label: (i: number) => number) => edited((s, i) => ({ ...s, label: label(i) }))
  const metric = (value: number, name = 'mine', higherIsBetter = true): Metric => ({
    name,
    higherIsBetter,
    evaluate: () => value,
  })
  const base = { ...QUICK, samples: rowSamples(12) }
  let kept: string
  beforeAll(async () => {
    kept = await mkdtemp(join(tmpdir(), 'pare-identity-'))
  })
  afterAll(() => rm(kept, { recursive: true }))

  test.each<readonly [string, CompressOptions, CompressOptions]>([
    ['value of a sample that calibrates', base, { samples: doubled('calibration') }],
    ['value of a sample held out', base, { samples: doubled('heldOut') }],
    ['labels', { ...base, samples: labelled((i) => i % 16) }, { samples: labelled((i) => (i + 1) % 16) }],
    ['absence of labels', { ...base, samples: labelled((i) => i % 16) }, { samples: base.samples }],
    ['metric', { ...base, metric: metric(1) }, { metric: metric(7) }],
    ['name of the metric', { ...base, metric: metric(1) }, { metric: metric(1, 'other') }],
    ['sense of the metric', { ...base, metric: metric(1) }, { metric: metric(1, 'mine', false) }],
    ['output with scores', { ...base, scores: 'y' }, { scores: undefined as never }],
    ['number of rounds', QUICK, { rounds: 6 }],
    ['time', QUICK, { budgetMs: 11 }],
    ['size of an input', QUICK, { shapes: { x: [1, 64] } }],
  ])('with another %s', async (what, options, other) => {
    const at = join(kept, what)
    await cutShort(1, options, at)
    const before = journalText(at)
    const resumed = compress(model, { ...options, ...other, runFolder: at, resume: true })
    await expect(resumed).rejects.toMatchObject({ code: 'JOURNAL_OTHER' })
    expect(journalText(at)).toBe(before)
  })

  test('of another machine, whose times are not this one’s', async () => {
    const at = join(kept, 'machine')
    await cutShort(1, base, at)
    const path = join(at, 'journal.jsonl')
    const [first, ...rest] = journalText(at).split('\n')
    const line = JSON.parse(first!)
    expect(line.value.machine).toEqual([cpus()[0]!.model.trim(), expect.any(Array)])
    line.value.machine[0] = 'another processor'
    await writeFile(path, [JSON.stringify(line), ...rest].join('\n'))
    await expect(compress(model, { ...base, runFolder: at, resume: true })).rejects.toMatchObject({
      code: 'JOURNAL_OTHER',
      message: expect.stringContaining('machine'),
    })
  })

  test('before the samples are read, where that is known before', async () => {
    const at = join(kept, 'early')
    await cutShort(1, base, at)
    let reads = 0
    const counted: Samples = {
      ...base.samples,
      read(...asked) {
        reads++
        return base.samples.read(...asked)
      },
    }
    for (const other of [{ maxDrop: 0.5 }, { rounds: 9 }, { original: encodeModel({ ...model, doc: 'x' }).bytes }]) {
      const resumed = compress(model, { ...base, samples: counted, ...other, runFolder: at, resume: true })
      await expect(resumed).rejects.toMatchObject({ code: 'JOURNAL_OTHER' })
    }
    expect(reads).toBe(0)
  })
})

describe('an interrupted search', () => {
  test('is not thrown away by a search that does not go on with it, unless that is asked for', async () => {
    await cutShort(4, JUDGED)
    const before = journalText()
    for (const options of [JUDGED, { ...JUDGED, seed: 1 }]) {
      const search = compress(model, { ...options, runFolder: run })
      await expect(search).rejects.toMatchObject({
        code: 'JOURNAL_UNFINISHED',
        message: expect.stringMatching(/--resume.*--restart.*--run-folder/),
      })
      expect(journalText()).toBe(before)
    }
    await compress(model, { ...FEW, runFolder: run, restart: true })
    expect(journalText()).not.toContain(before.split('\n')[1])
    // Finished now.
    await compress(model, { ...FEW, runFolder: run })
  })

  test('cannot both go on and start over', async () => {
    const search = compress(model, { ...FEW, runFolder: run, resume: true, restart: true })
    await expect(search).rejects.toMatchObject({ code: 'OPTION_VALUE' })
  })

  test('that is not there is said to begin', async () => {
    const warnings: string[] = []
    const options = { ...FEW, runFolder: run, resume: true, onWarning: (w: string) => warnings.push(w) }
    await compress(model, options)
    const said = (): number => warnings.filter((w) => w.includes(`There is no journal in ${run}`)).length
    expect(said()).toBe(1)
    await compress(model, options)
    expect(said()).toBe(1)
  })
})

describe('the run folder', () => {
  const foreign = `${'ab'.repeat(32)}.onnx`

  test('keeps what is not ours, and loses what a search left whose journal was replaced', async () => {
    await mkdir(run)
    await writeFile(join(run, foreign), 'mine')
    // Among what it tried by then are candidates that the next search does not come to.
    await cutShort(10, JUDGED)
    expect((await readdir(run)).filter((f) => f.endsWith('.onnx')).length).toBeGreaterThan(2)
    const [half] = (await readdir(run)).filter((f) => f.endsWith('.onnx') && f !== foreign)
    await writeFile(join(run, `.${half}.0123456789ab.tmp`), 'cut off')
    await compress(model, { ...FEW, seed: 1, portable: true, runFolder: run, restart: true })
    expect((await readdir(run)).toSorted()).toEqual([foreign, 'journal.jsonl'])
  })

  test('is for one search at a time', async () => {
    await mkdir(run)
    await inLockedFolder(run, async () => {
      const second = compress(model, { ...FEW, runFolder: run })
      await expect(second).rejects.toMatchObject({ code: 'FOLDER_BUSY' })
      expect(journalText()).toBe('')
    })
  })

  test('that cannot be made is said', async () => {
    await writeFile(join(folder, 'file'), '')
    for (const runFolder of [join(folder, 'file'), join(folder, 'file', 'run')]) {
      await expect(compress(model, { ...FEW, runFolder })).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
    }
  })
})

describe.skipIf(process.platform === 'win32')('without a place for temporary files', () => {
  test('a search without a run folder says so', async () => {
    vi.stubEnv('TMPDIR', join(folder, 'nowhere'))
    await expect(compress(model, FEW)).rejects.toMatchObject({ code: 'TEMP_UNWRITABLE' })
  })

  test('a search that is as good as done gives its answer without what it cannot measure', async () => {
    const onProgress = (): void => {
      vi.stubEnv('TMPDIR', join(folder, 'nowhere'))
    }
    const { outcome } = await compress(model, { ...JUDGED, runFolder: run, onProgress })
    expect(outcome.trials.length).toBeGreaterThan(2)
    expect(outcome.baseline.peakMemoryBytes).toBe(null)
    const lost = outcome.warnings.filter((w) => w.includes('no temporary folder'))
    expect(lost).toContainEqual(expect.stringMatching(/^memory was not measured: /))
    expect(lost).toContainEqual(expect.stringMatching(/^operators that miss /))
    expect(outcome.missed).toBe(null)
    // Another run may have better luck.
    vi.unstubAllEnvs()
    const again = await compress(model, { ...JUDGED, runFolder: run, resume: true })
    expect(again.outcome.baseline.peakMemoryBytes).toBeGreaterThan(0)
    expect(again.outcome.missed?.engine).toBe('onnxruntime-node')
  })
})

test.each([1, 2, 3, 10, 17, 30])('cancelled at its %d. sign of progress, a search rejects with ABORTED', async (n) => {
  const stop = new AbortController()
  const reason = new Error('enough')
  let seen = 0
  const onProgress = (): void => {
    if (++seen === n) stop.abort(reason)
  }
  const search = compress(model, { ...JUDGED, onProgress, signal: stop.signal })
  await expect(search).rejects.toMatchObject({ code: 'ABORTED', cause: reason })
})

test('cancelled before it begins, a plan rejects with ABORTED', async () => {
  const plan = planCompression(model, { ...JUDGED, signal: AbortSignal.abort() })
  await expect(plan).rejects.toMatchObject({ code: 'ABORTED' })
})

test('kernels are not said to be missed by an engine that was not looked at', async () => {
  const setup = await openSetup(model, FEW, folder)
  const journal = await openJournal(join(folder, 'journal.jsonl'), {}, false)
  const trial = { name: '', model: '', steps: [{ transform: 'store/int8', params: {} }], seed: 0 }
  const on = (target: Partial<Engine>, native: Partial<Engine>, id: string) => {
    const cpu = { ...setup.target, ...native }
    const env = { ...setup.env, engine: async () => cpu }
    return missedIn({ ...setup, env, target: { ...cpu, ...target } }, journal, { ...trial, id })
  }
  const web = { name: 'onnxruntime-web', device: 'wasm' } as const
  const native = { engine: 'onnxruntime-node', kernels: [] }
  expect(await on({}, {}, 'a')).toEqual({ trial: 'a', ...native, isTarget: true })
  expect(await on(web, {}, 'b')).toEqual({ trial: 'b', ...native, isTarget: false })
  expect(await on({ device: 'webgpu' }, {}, 'c')).toEqual({ trial: 'c', ...native, isTarget: false })
  expect(await on({}, web, 'd')).toEqual({ trial: 'd', engine: null, isTarget: false, kernels: [] })
  await setup.close()
})

/** The same samples, but for the values of one half. */
const doubled = (half: 'calibration' | 'heldOut'): Samples => {
  const samples = rowSamples(12)
  const twice = ({ feeds: { x }, ...sample }: Sample): Sample => ({
    ...sample,
    feeds: {
      x: f32(
        x!.shape,
        numbers(x!).map((v) => 2 * v),
      ),
    },
  })
  return {
    ...samples,
    async *read() {
      const names = new Set((await collect((await split(samples))[half].read())).map((s) => s.name))
      for await (const s of samples.read()) yield names.has(s.name) ? twice(s) : s
    },
  }
}

function edited(edit: (sample: Sample, i: number) => Sample): Samples {
  const samples = rowSamples(12)
  return {
    ...samples,
    async *read() {
      yield* stream((await collect(samples.read())).map(edit))
    },
  }
}
