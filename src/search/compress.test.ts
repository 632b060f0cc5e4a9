import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { outputsOf } from '../../test/calibrated.js'
import { repositoryRoot } from '../../test/data.js'
import { fragileModel, rowSamples } from '../../test/search-models.js'
import { linearModel, value } from '../../test/small-models.js'
import { split } from '../data/split.js'
import { comparison } from '../engine/compare.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, tensor } from '../ir/tensor.js'
import { decodeModel, encodeModel } from '../onnx/codec.js'
import { sha256 } from '../util/hash.js'
import { unseenRisk } from './choose.js'
import { type Compressed, type CompressOptions, compress, planCompression } from './compress.js'
import type { TrialResult } from './trial.js'
import { isFaster, isSlower, maybeSlower } from './verdicts.js'

let engine: Engine
let folder: string
let run: string
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-compress-'))
  run = join(folder, 'run')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const model = fragileModel()
const file = encodeModel(model).bytes
const samples = rowSamples(60)
/** Timed just enough to be timed: nothing here depends on what the clock says. */
const QUICK = { threads: 1, rounds: 5, budgetMs: 10 } as const
const SMALL = { ...QUICK, samples, maxDrop: 0.15, for: 'size' } as const satisfies CompressOptions

/** Relative L2 error of the worst output on the held-out samples, as the outcome counts it. */
async function errorOn(bytes: Uint8Array): Promise<number> {
  const sums = comparison()
  for await (const { feeds } of (await split(samples)).heldOut.read())
    sums.add(await outputsOf(engine, model, feeds), await outputsOf(engine, decodeModel(bytes), feeds))
  return Math.max(...[...sums.differences().values()].map((d) => d.relativeL2))
}

/** What must be true of every answer, whatever the machine's mood. */
async function isSound({ outcome, bytes }: Compressed): Promise<void> {
  const good = outcome.trials.filter((t) => t.keeps && (t.bytes! < outcome.baseline.bytes || isFaster(t.latency!)))
  expect(outcome.chosen === null).toBe(good.length === 0)
  expect(bytes === null).toBe(outcome.chosen === null)
  expect(new Set(outcome.trials.map((t) => t.trial.id)).size).toBe(outcome.trials.length)
  for (const id of outcome.front) if (id !== 'original') expect(outcome.trials.map((t) => t.trial.id)).toContain(id)
  const chosen = outcome.trials.find((t) => t.trial.id === outcome.chosen) ?? null
  const isStatic = (t: TrialResult): boolean => t.trial.steps.some((s) => s.transform === 'quantize/static')
  const fastest = outcome.trials.filter(isStatic).toSorted((a, b) => a.latency!.ratio - b.latency!.ratio)[0]
  // Why integers did not win is asked above all where they did not.
  const explained = chosen !== null && isStatic(chosen) ? chosen : fastest
  expect(outcome.missed?.trial).toBe(explained?.trial.id)
  if (explained !== undefined) expect(outcome.missed).toMatchObject({ engine: 'onnxruntime-node', isTarget: true })
  expect(outcome.asked === null).toBe(outcome.sensitivity.length === 0)
  if (outcome.asked !== null) {
    expect(outcome.trials.map((t) => t.trial.name)).toContain(outcome.asked.recipe)
    expect(outcome.asked).toMatchObject({ samples: 12, layers: 3, isChosen: chosen !== null })
  }
  if (chosen === null || bytes === null) return
  expect(await sha256(bytes)).toBe(chosen.sha256)
  expect(bytes.length).toBe(chosen.bytes)
  expect(bytes.length).toBeLessThanOrEqual(outcome.baseline.bytes)
  expect(isSlower(chosen.latency!)).toBe(false)
  const session = await engine.load(bytes)
  expect(session.inputs.map((v) => v.name)).toEqual(['x'])
  expect(session.outputs.map((v) => v.name)).toEqual(['y'])
  await session.close()
}

describe('the model that is handed back', () => {
  test.each([
    ['size', 0.15],
    ['latency', 0.02],
  ] as const)('for %s runs, is not larger and not slower, and keeps the budget of %d', async (goal, maxDrop) => {
    const result = await compress(model, { ...SMALL, for: goal, maxDrop })
    await isSound(result)
    const { outcome, bytes } = result
    expect(outcome.budget).toMatchObject({ for: goal, maxDrop })
    expect(outcome.measure.kind).toBe('relative error')
    expect(outcome.data).toEqual({ name: 'normal rows', total: 60, calibration: 30, heldOut: 30, labels: false })
    for (const t of outcome.trials) {
      expect(t.status).toBe('ok')
      const within = t.quality!.drop <= maxDrop && t.bytes! <= file.length && !isSlower(t.latency!)
      // What was timed too roughly may be refused for the doubt alone.
      expect(t.keeps).toBe(within && (t.keeps === true || !maybeSlower(t.latency!)))
    }
    if (bytes === null) return
    const { drop } = outcome.trials.find((t) => t.trial.id === outcome.chosen)!.quality!
    expect(await errorOn(bytes)).toBeCloseTo(drop, 5)
    expect(await errorOn(bytes)).toBeLessThanOrEqual(maxDrop)
  })

  test('is none where nothing smaller or faster keeps the budget', async () => {
    const tiny = decodeModel(linearModel(2, 2), { where: 'tiny' })
    const x = rowSamples(8, 1, 2)
    const original = encodeModel(tiny).bytes
    const { outcome, bytes } = await compress(tiny, { ...QUICK, samples: x, maxDrop: 0 })
    if (bytes !== null) expect(bytes.length).toBeLessThanOrEqual(original.length)
    for (const t of outcome.trials) if (t.bytes! > original.length) expect(t.keeps).toBe(false)
  })

  test.each([
    ['NaN', 'Its weights hold NaN or infinities (first: w)'],
    ['int8', 'Its weights are int8 already (first: w)'],
  ])('is none where the weights are %s, and no candidate goes by a name of what it is not', async (kind, why) => {
    const b = builder()
    b.input('x', value('float32', [1, 64]))
    const data = Float32Array.from({ length: 1024 }, (_, i) => (i % 7) - 3)
    const w =
      kind === 'NaN'
        ? b.constant(f32([64, 16], data.with(5, Number.NaN)), 'w')
        : b.op('DequantizeLinear', [
            b.constant(tensor('int8', [64, 16], Int8Array.from(data)), 'w'),
            b.constant(f32([], [0.1]), 's'),
          ])
    b.ops('MatMul', ['x', w], { outputs: ['a'] })
    b.ops('Identity', ['x'], { outputs: ['y'] })
    b.output('a', value('float32', [1, 16]))
    b.output('y', value('float32', [1, 64]))
    const { outcome } = await compress(modelOf(b.graph()), SMALL)
    expect(outcome.trials.filter((t) => t.trial.steps.length > 0)).toEqual([])
    expect(outcome.verdict).toContain(`There is nothing to quantize. ${why}`)
  })

  test('is measured against the file that was read, not against a new encoding of it', async () => {
    const padded = encodeModel({ ...model, metadata: new Map([['notes', 'x'.repeat(50_000)]]) }).bytes
    const { outcome } = await compress(model, { ...QUICK, original: padded })
    expect(outcome.baseline.bytes).toBe(padded.length)
    expect(outcome.model).toMatchObject({ bytes: padded.length, sha256: await sha256(padded) })
  })
})

describe('without samples', () => {
  test('only recipes are tried that need none, and the outcome says that quality was not measured', async () => {
    const heard: string[] = []
    const result = await compress(model, { ...QUICK, for: 'size', onWarning: (w) => heard.push(w) })
    await isSound(result)
    const { outcome } = result
    const used = new Set(outcome.trials.flatMap((t) => t.trial.steps.map((s) => s.transform)))
    expect(used).not.toContain('quantize/static')
    expect(used).not.toContain('store/int4')
    expect(used).toContain('store/int8')
    for (const t of outcome.trials) expect(t).not.toHaveProperty('quality')
    expect(outcome.measure).toMatchObject({ kind: 'none', baseline: null })
    expect(outcome.measure.explanation).toContain('not measured')
    expect(outcome.verdict).toContain(outcome.chosen === null ? 'The original stays' : 'quality not measured')
    expect(outcome).toMatchObject({ data: null, sensitivity: [] })
    const risk = unseenRisk(outcome.trials.find((t) => t.trial.id === outcome.chosen) ?? null)
    const promise = expect.stringContaining('nothing is promised about quality')
    expect(outcome.warnings).toEqual([promise, ...(risk === null ? [] : [risk])])
    expect(heard).toEqual(outcome.warnings)
  })

  test('few of them are worth a warning', async () => {
    const { warnings } = (await compress(model, { ...QUICK, samples: rowSamples(10) })).outcome
    expect(warnings).toEqual([expect.stringContaining('5 held-out samples')])
  })
})

test('a plan names the recipes that a search then tries first, and tries none', async () => {
  const { recipes, seconds } = await planCompression(model, QUICK)
  expect(seconds).toBeGreaterThan(0)
  await cutShort(2 + recipes.length, QUICK)
  const trials = linesOf(journalText()).filter((l) => l.key.startsWith('trial '))
  const names = trials.map((l) => (l.value as TrialResult).trial.name)
  expect(names.slice(0, recipes.length)).toEqual(recipes.map((r) => r.name))
})

test('a portable search plans no step that leaves the ONNX standard', async () => {
  const used = async (portable: boolean) => {
    const { recipes } = await planCompression(model, { ...SMALL, portable })
    return new Set(recipes.flatMap((r) => r.steps.map((s) => s.transform)))
  }
  expect(await used(false)).toContain('quantize/nbits')
  expect(await used(true)).not.toContain('quantize/nbits')
})

interface JournalLine {
  readonly key: string
  readonly value: unknown
}
const journalText = (at = run): string => {
  const path = join(at, 'journal.jsonl')
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
const linesOf = (text: string): readonly JournalLine[] =>
  text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((l) => l !== '')
    .map((l) => JSON.parse(l) as JournalLine)

/** Cancels a search in the folder as soon as its journal has so many lines. */
async function cutShort(lines: number, options: CompressOptions, at = run): Promise<void> {
  const stop = new AbortController()
  const onProgress = (): void => {
    if (linesOf(journalText(at)).length >= lines) stop.abort(new Error('cut short'))
  }
  await expect(compress(model, { ...options, runFolder: at, signal: stop.signal, onProgress })).rejects.toThrow()
}

/** Goes on in the folder and checks that nothing is measured twice, and that the whole journal gives the same answer. */
async function goesOn(options: CompressOptions): Promise<void> {
  const before = linesOf(journalText())
  const resumed = { ...options, runFolder: run, resume: true }
  const first = await compress(model, resumed)
  await isSound(first)
  const after = linesOf(journalText())
  expect(after.slice(0, before.length)).toEqual(before)
  expect(after.length).toBeGreaterThan(before.length)
  const keys = after.map((l) => l.key)
  expect(keys.filter((k, i) => keys.indexOf(k) !== i)).toEqual([])
  for (const { key, value } of before.filter((l) => l.key.startsWith('trial '))) {
    const id = key.slice('trial '.length)
    const known = value as { readonly seconds: number; readonly quality: unknown; readonly sha256: string }
    // The run-off times finalists anew; everything else is what the journal says. Of trials with one file the first stays.
    const own = first.outcome.trials.find((t) => t.trial.id === id)
    expect(own ?? first.outcome.trials.find((t) => t.sha256 === known.sha256)).toMatchObject({
      ...(own && { seconds: known.seconds }),
      quality: known.quality,
      sha256: known.sha256,
    })
  }

  // A search that came to its end is gone on with in the same way, though it removed its candidates.
  const text = journalText()
  const second = await compress(model, resumed)
  expect(journalText()).toBe(text)
  // Date and seconds too: they are those of the measurements.
  expect(second.outcome).toEqual(first.outcome)
  expect(second.bytes).toEqual(first.bytes)
}

describe('a search that was stopped goes on', () => {
  test.each([6, 18])('cancelled after %d lines of its journal', async (lines) => {
    await cutShort(lines, SMALL)
    const cut = linesOf(journalText()).length
    expect(cut).toBeGreaterThanOrEqual(lines)
    expect(cut).toBeLessThanOrEqual(lines + 1)
    await goesOn(SMALL)
  })

  test('killed, and with its last line cut short', async () => {
    const child = searchingChild(run)
    const ended = new Promise<NodeJS.Signals | null>((done) => child.once('exit', (_, signal) => done(signal)))
    while (linesOf(journalText()).length < 8 && child.exitCode === null) await pause(1)
    child.kill('SIGKILL')
    expect(await ended).toBe('SIGKILL')
    expect(linesOf(journalText()).length).toBeGreaterThanOrEqual(8)
    if (journalText().endsWith('\n')) await appendFile(join(run, 'journal.jsonl'), '{"key":"trial 0123","value":{"tri')
    await goesOn(SMALL)
  }, 30_000)
})

describe('a journal about something else is refused', () => {
  let kept: string
  beforeAll(async () => {
    kept = await mkdtemp(join(tmpdir(), 'pare-journal-'))
    await cutShort(3, SMALL, kept)
  })
  afterAll(() => rm(kept, { recursive: true }))

  test.each<readonly [string, Partial<CompressOptions>]>([
    ['budget', { maxDrop: 0.1 }],
    ['objective', { for: 'latency' }],
    ['portability', { portable: true }],
    ['seed', { seed: 1 }],
    ['number of samples', { samples: rowSamples(50) }],
    ['name of samples', { samples: { ...samples, name: 'other rows' } }],
    ['threads', { threads: 2 }],
    ['content of samples', { samples: rowSamples(60, 8) }],
    ['metric', { metric: { higherIsBetter: true, evaluate: () => 1 } }],
    ['output of scores', { scores: 'y' }],
    ['rounds', { rounds: 6 }],
    ['file', { original: encodeModel({ ...model, doc: 'another' }).bytes }],
  ])('with another %s', async (_, other) => {
    const before = journalText(kept)
    const resumed = compress(model, { ...SMALL, ...other, runFolder: kept, resume: true })
    await expect(resumed).rejects.toMatchObject({ code: 'JOURNAL_OTHER' })
    expect(journalText(kept)).toBe(before)
  })

  test('but started anew where that is asked for', async () => {
    const before = journalText(kept)
    const stop = new AbortController()
    const onProgress = (): void => {
      if (!before.startsWith(journalText(kept).slice(0, before.length))) stop.abort(new Error('cut short'))
    }
    const other = { ...SMALL, maxDrop: 0.1, runFolder: kept, restart: true }
    const anew = compress(model, { ...other, signal: stop.signal, onProgress })
    await expect(anew).rejects.toThrow()
    expect(linesOf(journalText(kept))[0]).toMatchObject({ key: 'identity', value: { maxDrop: 0.1 } })
  })
})

describe('what is left behind', () => {
  test('in the run folder is the journal, beside what was there', async () => {
    await mkdir(run, { recursive: true })
    // One of them is called as candidates are, but no candidate of this search.
    const alike = `${'0'.repeat(64)}.onnx`
    for (const name of ['mine.onnx', alike]) await writeFile(join(run, name), 'mine')
    await compress(model, { ...QUICK, runFolder: run })
    expect((await readdir(run)).toSorted()).toEqual([alike, 'journal.jsonl', 'mine.onnx'])
    expect(await readFile(join(run, 'mine.onnx'), 'utf8')).toBe('mine')
  })

  test('without a run folder is nothing, also where the search fails', async () => {
    const temporary = join(folder, 'temporary')
    await mkdir(temporary)
    vi.stubEnv('TMPDIR', temporary)
    await compress(model, { ...QUICK, resume: true })
    const own = async () => (await readdir(temporary)).filter((name) => name.startsWith('pare'))
    expect(await own()).toEqual([])
    const stop = new AbortController()
    let seen = 0
    const onProgress = (): void => {
      if (++seen === 3) stop.abort(new Error('enough'))
    }
    await expect(compress(model, { ...QUICK, onProgress, signal: stop.signal })).rejects.toThrow()
    expect(await own()).toEqual([])
  })
})

/** The same search in a process of its own. */
function searchingChild(runFolder: string): ChildProcess {
  const script = `
    import { compress } from './src/search/compress.ts'
    import { fragileModel, rowSamples } from './test/search-models.ts'
    const { samples, ...options } = ${JSON.stringify({ ...SMALL, samples: null, runFolder })}
    await compress(fragileModel(), { ...options, samples: rowSamples(60) })
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
  return spawn(process.execPath, args, { cwd: repositoryRoot, stdio: 'ignore' })
}
