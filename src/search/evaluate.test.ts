import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fragileModel, rowSamples } from '../../test/search-models.js'
import type { Engine } from '../engine/engine.js'
import { PareError } from '../util/errors.js'
import { sha256 } from '../util/hash.js'
import { type Bench, candidatePath, isRestored, makeTrial, runTrial } from './evaluate.js'
import { type FallbackMemo, fewestExcluded, layerSensitivity } from './fallback.js'
import { layersOf } from './layers.js'
import { openSetup, type Setup } from './setup.js'
import type { Step, TrialResult } from './trial.js'

let folder: string
let opened: Setup
let bench: Bench
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-evaluate-'))
  opened = await openSetup(fragileModel(), { samples: rowSamples(20), threads: 1, rounds: 5, budgetMs: 10 }, folder)
})
afterAll(async () => {
  await opened?.close()
  await rm(folder, { recursive: true })
})
beforeEach(async () => {
  bench = { ...opened, runFolder: await mkdtemp(join(folder, 'run-')) }
})

const stored: Step = { transform: 'store/int8', params: {} }
const half: Step = { transform: 'store/f16', params: {} }
const tried = async (on: Bench, ...steps: readonly Step[]): Promise<TrialResult> =>
  runTrial(on, await makeTrial(on, 'a trial', steps))
const refusing = (error: Error): Bench => ({
  ...bench,
  target: { ...opened.target, load: () => Promise.reject(error) } satisfies Engine,
})
const failure = (code: string) => new PareError(code, 'it failed', { remedy: 'Try again.' })

describe('a candidate’s file', () => {
  test('is whole under its hash, with nothing beside it', async () => {
    const { sha256: hash, bytes } = await tried(bench, stored)
    expect(await readdir(bench.runFolder)).toEqual([`${hash}.onnx`])
    const file = await readFile(candidatePath(bench.runFolder, hash!))
    expect(file.length).toBe(bytes)
    expect(await sha256(new Uint8Array(file))).toBe(hash)
  })

  test('that cannot be written is no fault of the candidate', async () => {
    const nowhere = { ...bench, runFolder: join(bench.runFolder, 'not', 'there') }
    await expect(tried(nowhere, stored)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
    // Its place is taken by a folder.
    const { sha256: hash } = await tried(bench, stored)
    const other = await mkdtemp(join(folder, 'run-'))
    await mkdir(candidatePath(other, hash!))
    await expect(tried({ ...bench, runFolder: other }, stored)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
  })
})

describe('what was measured before holds', () => {
  const untouched = async (): Promise<Bench> => refusing(new Error('nothing is to be loaded'))

  test('while the file is there, and when it is made once more', async () => {
    const result = await tried(bench, stored)
    const path = candidatePath(bench.runFolder, result.sha256!)
    const whole = await readFile(path)
    expect(await isRestored(await untouched(), result)).toBe(true)
    await rm(path)
    expect(await isRestored(await untouched(), result)).toBe(true)
    expect((await readFile(path)).equals(whole)).toBe(true)
  })

  test('and a file that was cut off is made once more', async () => {
    const result = await tried(bench, stored)
    const path = candidatePath(bench.runFolder, result.sha256!)
    const whole = await readFile(path)
    await writeFile(path, whole.subarray(0, 100))
    expect(await isRestored(await untouched(), result)).toBe(true)
    expect((await readFile(path)).equals(whole)).toBe(true)
  })

  test('but not where the same steps come to something else', async () => {
    const result = await tried(bench, stored)
    const other = { ...result, trial: { ...result.trial, steps: [half] } }
    await rm(candidatePath(bench.runFolder, result.sha256!))
    expect(await isRestored(bench, other)).toBe(false)
    const { sha256: _, ...without } = result
    expect(await isRestored(bench, without)).toBe(false)
  })
})

describe('a failure that is no fault of the candidate is no result', () => {
  const { recorded, memo } = (() => {
    const kept: string[] = []
    const empty: FallbackMemo = {
      recall: () => undefined,
      record: async (key) => {
        kept.push(key)
      },
    }
    return { recorded: kept, memo: empty }
  })()

  test('a thread that is lost once is no result, lost twice it was lost to the candidate', async () => {
    let left = 1
    const target = {
      ...bench.target,
      load: (...args: Parameters<typeof bench.target.load>) =>
        left-- > 0 ? Promise.reject(failure('ENGINE_LOST')) : bench.target.load(...args),
    }
    expect(await tried({ ...bench, target }, stored)).toMatchObject({ status: 'ok' })
    left = 2
    expect(await tried({ ...bench, target }, stored)).toMatchObject({ status: 'failed' })
  })

  test.each(['ENGINE_CLOSED', 'TEMP_UNWRITABLE', 'DISK_FULL', 'METRIC_VALUE'])('%s', async (code) => {
    const on = refusing(failure(code))
    const layers = layersOf(bench.prepared)
    await expect(tried(on, stored)).rejects.toMatchObject({ code })
    await expect(layerSensitivity(on, [stored], layers[0]!, layers)).rejects.toMatchObject({ code })
    await expect(fewestExcluded(on, [stored], [['entry']], 'float', memo)).rejects.toMatchObject({ code })
    expect(recorded).toEqual([])
  })

  test.each(['ENGINE_LOAD', 'ENGINE_RUN', 'ENGINE_OUTPUTS'])('but %s is one', async (code) => {
    expect(await tried(refusing(failure(code)), stored)).toMatchObject({ status: 'failed' })
  })
})

describe('what may be handed back', () => {
  /** A target on which candidates take so many times the original's time. */
  const taking = (times: number): Bench => ({
    ...bench,
    maxDrop: 100,
    target: {
      ...opened.target,
      measure: async (models) =>
        models.map((_, i) => ({ loadMs: 1, runs: Array.from({ length: 10 }, () => (i === 0 ? 1 : times)) })),
    } satisfies Engine,
  })

  test('keeps the budget, is no larger, and not slower beyond doubt', async () => {
    expect(await tried(taking(1), stored)).toMatchObject({ status: 'ok', keeps: true })
    expect(await tried(taking(1.1), stored)).toMatchObject({ status: 'ok', keeps: false })
    const small = { ...taking(1), original: new Uint8Array(10) }
    expect(await tried(small, stored)).toMatchObject({ status: 'ok', keeps: false })
    expect(await tried({ ...taking(1), maxDrop: -1 }, stored)).toMatchObject({ status: 'ok', keeps: false })
  })
})
