import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { fragileModel, rowSamples } from '../../test/search-models.js'
import type { Recipe } from '../compress/recipes.js'
import type { Engine } from '../engine/engine.js'
import { PareError } from '../util/errors.js'
import { sha256 } from '../util/hash.js'
import { chooseBest, type Objective } from './choose.js'
import { explore, type Found, LONGER } from './explore.js'
import { openJournal } from './journal.js'
import { openSetup, type Setup } from './setup.js'

let base: string
let folder: string
let opened: Setup
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pare-run-off-'))
  opened = await openSetup(fragileModel(), { samples: rowSamples(20), threads: 1, rounds: 5, maxDrop: 2 }, base)
})
afterAll(async () => {
  await opened?.close()
  await rm(base, { recursive: true })
})
beforeEach(async () => {
  folder = await mkdtemp(join(base, 'run-'))
})
afterEach(() => rm(folder, { recursive: true }))

const recipe = (transform: string, params: Recipe['steps'][number]['params'] = {}): Recipe => ({
  name: `${transform} ${JSON.stringify(params)}`,
  steps: [{ transform, params }],
})
const RECIPES = [
  recipe('store/int8'),
  recipe('store/int8', { minElements: 2000 }),
  recipe('store/f16'),
  recipe('quantize/dynamic'),
  recipe('quantize/dynamic', { exclude: ['exit'] }),
  recipe('quantize/dynamic', { exclude: ['entry', 'exit'] }),
]

/** How long candidates take, the original 1: in their order at first, and by bytes when timed once more. */
interface Times {
  readonly first: readonly number[]
  readonly again: number
  /** When timed once more, rounds differ much. */
  readonly isRough?: boolean
  readonly objective?: Objective
  readonly profile?: Engine['profile']
  readonly recipes?: readonly Recipe[]
}

async function exploring({ first, again, objective = 'latency', profile, recipes = RECIPES, isRough = false }: Times) {
  const timed: string[][] = []
  const warnings: string[] = []
  let next = -1
  let loads = 0
  const target: Engine = {
    ...opened.target,
    profile: profile ?? (async () => []),
    async measure(models, _, { patience = 1 } = {}) {
      const isAgain = patience > 1
      const candidates = models.slice(1)
      // Everything is loaded and timed several times, one after the other.
      if (isAgain && loads++ % LONGER === 0)
        timed.push(await Promise.all(candidates.map((m) => hashOf(m as { readonly path: string }))))
      // The first of all times the original against itself.
      const ms = isAgain ? again : (first[next++] ?? 1)
      // Rough: two rounds of ten far off on either side.
      const shape = isAgain && isRough ? [0.7, 0.8, 1, 1, 1, 1, 1, 1.2, 1.3] : Array<number>(9).fill(1)
      return [1, ...candidates.map(() => ms)].map((v, i) => ({
        runs: shape.map((f) => (i === 0 ? v : v * f)),
        loadMs: 0,
      }))
    },
  }
  const setup: Setup = { ...opened, target, runFolder: folder, warn: (w) => warnings.push(w) }
  const journal = await openJournal(join(folder, 'journal.jsonl'), 'test', true)
  const found: Found = await explore({ setup, journal, objective, recipes })
  expect(loads).toBe(timed.length * LONGER)
  return { found, timed, warnings, best: chooseBest(found.results, objective, opened.original.byteLength) }
}

/** Large models are handed over as files: nothing is copied. */
const hashOf = async ({ path }: { readonly path: string }): Promise<string> =>
  sha256(new Uint8Array(readFileSync(path)))

test('goes on until the winner is among those that were timed once more', async () => {
  const { found, timed, best } = await exploring({ first: [0.4, 0.45, 0.5, 0.55, 0.6, 0.65], again: 0.7 })
  const hashes = found.results.map((r) => r.sha256!)
  expect(timed[0]).toEqual(hashes.slice(0, 4))
  expect(timed).toHaveLength(2)
  expect(timed[1]).toContain(hashes[4])
  expect(timed.flat()).toContain(best!.sha256)
  expect(best!.latency.ratio).toBeCloseTo(0.7, 9)
})

test('for size too: where the smallest turn out slower, the next is timed before it is handed back', async () => {
  const { found, timed, best } = await exploring({ first: [], again: 1.5, objective: 'size' })
  expect(timed).toHaveLength(2)
  expect(new Set(timed.flat())).toEqual(new Set(found.results.map((r) => r.sha256)))
  expect(best).toBe(null)
})

test('what may well be slower, by measurements too rough to tell, is not handed back', async () => {
  expect((await exploring({ first: [], again: 1.05, objective: 'size', isRough: true })).best).toBe(null)
})

test('what is as fast, by measurements as rough, is', async () => {
  const { best } = await exploring({ first: [], again: 0.98, objective: 'size', isRough: true })
  expect(best!.latency.ratio).toBeCloseTo(0.98, 9)
})

test('is over after one round where the winner was in it', async () => {
  const { timed, best } = await exploring({ first: [0.4, 0.45, 0.5, 0.55, 0.6, 0.65], again: 0.5 })
  expect(timed).toHaveLength(1)
  expect(timed[0]).toContain(best!.sha256)
})

test('takes the winner along where a tie makes it the fifth in line', async () => {
  // All as fast as each other to a user: the smallest wins, though four are faster on paper.
  const { found, timed, best } = await exploring({ first: [0.5, 0.496, 0.497, 0.498, 0.499, 0.495], again: 0.5 })
  const smallest = found.results.toSorted((a, b) => a.bytes! - b.bytes!)[0]!
  expect(best!.sha256).toBe(smallest.sha256)
  expect(timed).toHaveLength(1)
  expect(timed[0]).toContain(smallest.sha256)
})

test('a profile that cannot be read is a warning, and is tried again next time', async () => {
  const unreadable = new PareError('ENGINE_PROFILE', 'the profile cannot be read', { remedy: 'Try again.' })
  const times: Times = {
    first: [0.5],
    again: 0.5,
    recipes: [recipe('quantize/static')],
    profile: () => Promise.reject(unreadable),
  }
  const { found, warnings } = await exploring(times)
  expect(found.results).toMatchObject([{ status: 'ok', keeps: true }])
  expect(warnings).toEqual([`slow layers were not looked for: ${unreadable.message}`])
  expect(await readFile(join(folder, 'journal.jsonl'), 'utf8')).not.toContain('slow layers')
  expect((await exploring(times)).warnings).toHaveLength(1)
})
