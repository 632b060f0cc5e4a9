import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fragileModel, rowSamples } from '../../test/search-models.js'
import type { Recipe } from '../compress/recipes.js'
import type { Engine, NodeProfile } from '../engine/engine.js'
import { decodeModel } from '../onnx/codec.js'
import { chooseBest, type Objective } from './choose.js'
import { type Exploration, explore, type Found, LONGER, layersAside } from './explore.js'
import { openJournal } from './journal.js'
import { openSetup, type Setup } from './setup.js'
import type { TrialResult } from './trial.js'
import { isSlower } from './verdicts.js'

let base: string
let folder: string
let opened: Setup
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pare-explore-'))
  opened = await openSetup(fragileModel(), { samples: rowSamples(60), threads: 1, rounds: 7 }, base)
})
afterAll(async () => {
  await opened?.close()
  await rm(base, { recursive: true })
})
beforeEach(async () => {
  folder = await mkdtemp(join(base, 'run-'))
})
afterEach(() => rm(folder, { recursive: true }))

const fixed: Recipe = {
  name: 'static',
  steps: [
    { transform: 'quantize/static', params: {} },
    { transform: 'store/int8', params: {} },
  ],
}
const perTensor: Recipe = {
  name: 'static, per tensor',
  steps: [
    { transform: 'quantize/static', params: { perChannel: false } },
    { transform: 'store/int8', params: {} },
  ],
}
const coarse: Recipe = {
  name: 'static, coarse',
  steps: [
    { transform: 'quantize/static', params: {} },
    { transform: 'store/int4', params: {} },
  ],
}
const staticAlone: Recipe = { name: 'static alone', steps: [{ transform: 'quantize/static', params: {} }] }
const dynamic: Recipe = {
  name: 'dynamic',
  steps: [
    { transform: 'quantize/dynamic', params: {} },
    { transform: 'store/int8', params: {} },
  ],
}
const blocks: Recipe = {
  name: 'blocks',
  steps: [
    { transform: 'quantize/nbits', params: {} },
    { transform: 'store/int8', params: {} },
  ],
}
const stored: Recipe = { name: 'stored', steps: [{ transform: 'store/int8', params: {} }] }
const half: Recipe = { name: 'half', steps: [{ transform: 'store/f16', params: {} }] }
const nothing: Recipe = { name: 'nothing', steps: [] }
const wrong: Recipe = { name: 'wrong', steps: [{ transform: 'quantize/static', params: { range: 'by hand' } }] }

/** What a candidate consists of, as its speed is told by it. */
interface Candidate {
  readonly ops: readonly string[]
  readonly bytes: number
  /** Timed for the last time, side by side with others. */
  readonly again: boolean
}

interface World {
  readonly forms?: Exploration['forms']
  readonly recipes: readonly Recipe[]
  readonly objective?: Objective
  readonly maxDrop?: number
  /** How long a candidate takes; the original takes 1. */
  readonly ms?: (candidate: Candidate) => number
  readonly profile?: (integer: boolean) => readonly NodeProfile[]
  readonly judge?: null
  /** Size of the original's file. */
  readonly originalBytes?: number
  readonly signal?: AbortSignal
}

/** By what it computes with. */
const KINDS = { static: 'QuantizeLinear', dynamic: 'DynamicQuantizeLinear', blocks: 'MatMulNBits' } as const
const speeds =
  (of: Partial<Record<keyof typeof KINDS, number>>) =>
  ({ ops }: Candidate): number =>
    Object.entries(of).find(([kind]) => ops.includes(KINDS[kind as keyof typeof KINDS]))?.[1] ?? 1

/** Explores with the real engine, whose clock alone is replaced, and counts what it is asked. */
async function exploring(world: World): Promise<Found & { readonly calls: Record<string, number> }> {
  const calls = { load: 0, measure: 0, profile: 0, runOff: 0 }
  const opsOf = (bytes: Uint8Array): readonly string[] => decodeModel(bytes).graph.nodes.map((n) => n.op)
  const target: Engine = {
    ...opened.target,
    load(model, options) {
      calls.load++
      return opened.target.load(model, options)
    },
    async measure(models, _, { patience = 1 } = {}) {
      const again = patience > 1
      calls.measure++
      // Every one of them is loaded and timed several times.
      if (again) calls.runOff += (models.length - 1) / LONGER
      return models.map((m) => {
        const bytes = m instanceof Uint8Array ? m : new Uint8Array(readFileSync(m.path))
        const ms = m === models[0] ? 1 : (world.ms?.({ ops: opsOf(bytes), bytes: bytes.length, again }) ?? 1)
        return { runs: Array<number>(9).fill(ms), loadMs: 0 }
      })
    },
    async profile(model) {
      calls.profile++
      return world.profile?.(opsOf(model as Uint8Array).includes('QuantizeLinear')) ?? []
    },
  }
  const setup: Setup = {
    ...opened,
    target,
    runFolder: folder,
    original: world.originalBytes === undefined ? opened.original : new Uint8Array(world.originalBytes),
    maxDrop: world.maxDrop ?? 0.02,
    env: { ...opened.env, ...(world.signal && { signal: world.signal }) },
    judge: world.judge === null ? null : opened.judge,
  }
  const journal = await openJournal(join(folder, 'journal.jsonl'), 'test', true)
  const exploration: Exploration = {
    setup,
    journal,
    objective: world.objective ?? 'latency',
    recipes: world.recipes,
    ...(world.forms && { forms: world.forms }),
  }
  return { ...(await explore(exploration)), calls }
}

const names = ({ results }: Found): readonly string[] => results.map((r) => r.trial.name)
const byName = ({ results }: Found, name: string): TrialResult => results.find((r) => r.trial.name === name)!
const original = (): number => opened.original.byteLength

describe('trying recipes', () => {
  test('gives a result each, in their order, with its size, its latency and what it loses', async () => {
    const found = await exploring({ recipes: [nothing, stored, half], ms: ({ bytes }) => bytes / original() })
    expect(names(found)).toEqual(['nothing', 'stored', 'half'])
    for (const r of found.results) {
      expect(r).toMatchObject({ status: 'ok', keeps: true, trial: { model: opened.sha256, seed: 0 } })
      expect(r.latency!.ratio).toBeCloseTo(r.bytes! / original(), 9)
    }
    expect(byName(found, 'nothing').quality!.drop).toBe(0)
    expect(byName(found, 'stored').bytes).toBeLessThan(byName(found, 'half').bytes!)
    expect(byName(found, 'stored').quality!.drop).toBeGreaterThan(byName(found, 'half').quality!.drop)
    expect(found.baseline.ratio).toBe(1)
  })

  test('lists candidates that came to one file once, by the first name, and measures them once', async () => {
    const same: Recipe = { name: 'stored again', steps: [{ transform: 'store/int8', params: { minElements: 100 } }] }
    const idle: Recipe = { name: 'stored nothing', steps: [{ transform: 'store/f16', params: { minElements: 1e9 } }] }
    const alone = await exploring({ recipes: [nothing, stored] })
    await rm(folder, { recursive: true })
    const { results, calls } = await exploring({ recipes: [nothing, stored, same, idle] })
    expect(results.map((r) => r.trial.name)).toEqual(['nothing', 'stored'])
    expect(calls).toEqual(alone.calls)
  })

  test('goes on where one fails, and says why it did', async () => {
    const found = await exploring({ recipes: [wrong, stored] })
    expect(byName(found, 'wrong')).toMatchObject({ status: 'failed', error: expect.stringContaining('by hand') })
    expect(byName(found, 'stored')).toMatchObject({ status: 'ok', keeps: true })
  })

  test('does not keep what is slower beyond doubt, or loses too much', async () => {
    const found = await exploring({ recipes: [stored, dynamic], ms: speeds({ dynamic: 0.98 }) })
    expect(byName(found, 'dynamic')).toMatchObject({ status: 'ok', keeps: false })
    const slow = await exploring({ recipes: [half], ms: () => 1.5 })
    expect(byName(slow, 'half')).toMatchObject({ status: 'ok', keeps: false })
  })

  test('without a judge measures no quality, falls back nowhere and asks no layer', async () => {
    const found = await exploring({ recipes: [stored, dynamic], judge: null, ms: speeds({ dynamic: 0.5 }) })
    expect(names(found)).toEqual(['stored', 'dynamic'])
    for (const r of found.results) expect(r).toMatchObject({ keeps: true })
    for (const r of found.results) expect(r.quality).toBe(undefined)
    expect(found.sensitivity.size).toBe(0)
    expect(found.calls).toMatchObject({ load: 0, runOff: 2 })
  })
})

describe('layers that integers make slower', () => {
  /** Layers 0, 1 and 2 take 1 in float, and so much in integers. */
  const profile =
    (...integer: readonly number[]) =>
    (is: boolean): readonly NodeProfile[] =>
      integer.map((ms, i) => ({ name: `unit${i}._kernel`, op: 'Gemm', ms: is ? ms : 1 }))
  const slow = profile(3, 0.5, 0.5)

  test.each([
    ['first', [fixed, perTensor]],
    ['last', [perTensor, fixed]],
  ] as const)(
    'are left in float in a trial of their own, of the two fastest static candidates, the faster tried %s',
    async (_, recipes) => {
      const ms = ({ ops, bytes }: Candidate): number => (ops.includes('QuantizeLinear') ? 1e4 / bytes : 1)
      const found = await exploring({ recipes: [...recipes, stored], profile: slow, maxDrop: 2, ms })
      expect(byName(found, 'static').bytes).toBeGreaterThan(byName(found, 'static, per tensor').bytes!)
      expect(names(found).slice(3)).toEqual([
        'static; 1 slow layer in float',
        'static, per tensor; 1 slow layer in float',
      ])
      expect(found.results[3]!.trial.steps).toEqual([
        { transform: 'quantize/static', params: { exclude: ['entry'] } },
        { transform: 'store/int8', params: {} },
      ])
      // The float model once, each candidate once.
      expect(found.calls.profile).toBe(3)
    },
  )

  test('are looked for in the fastest of those that break the budget too', async () => {
    const found = await exploring({ recipes: [fixed, stored], profile: slow, ms: speeds({ static: 0.5 }) })
    expect(names(found)).toContain('static; 1 slow layer in float')
  })

  test('are tried in both ways where they differ', async () => {
    // Slow: the first and the third. The longest run from the input that loses: the first alone.
    const found = await exploring({ recipes: [fixed], profile: profile(3, 0.2, 1.5), maxDrop: 2 })
    expect(names(found)).toEqual(['static', 'static; 2 slow layers in float', 'static; first layer in float'])
    expect(found.results.map((r) => r.trial.steps[0]!.params.exclude)).toEqual([
      undefined,
      ['entry', 'exit'],
      ['entry'],
    ])
  })

  test('that cannot be looked for are none, and the next search looks again', async () => {
    const profile = () => {
      throw new Error('no profile today')
    }
    expect(names(await exploring({ recipes: [fixed], profile, maxDrop: 2 }))).toEqual(['static'])
    expect(await journalKeys()).not.toContainEqual(expect.stringContaining('slow layers'))
    expect(names(await exploring({ recipes: [fixed], profile: slow, maxDrop: 2 }))).toHaveLength(2)
  })

  test('are not looked for where nothing is static, or no static candidate ran', async () => {
    expect((await exploring({ recipes: [dynamic, stored], profile: slow })).calls.profile).toBe(0)
    expect((await exploring({ recipes: [wrong], profile: slow })).calls.profile).toBe(0)
  })
})

test('with forms that layers may take, their mixture is one more candidate, and within the budget', async () => {
  const forms = [
    { transform: 'store/int8', params: {} },
    { transform: 'store/int4', params: { range: 'mse' } },
  ]
  const found = await exploring({ recipes: [stored], maxDrop: 0.12, objective: 'size', forms })
  expect(names(found)).toEqual(['stored', expect.stringMatching(/^mixed precision: \d store\/int\d, \d store\/int\d$/)])
  const mixed = found.results[1]!
  expect(mixed.bytes).toBeLessThan(found.results[0]!.bytes!)
  expect(mixed.quality!.drop).toBeLessThanOrEqual(0.12)
  const asked = (await journalKeys()).filter((key) => key.startsWith('form '))
  expect(asked).toHaveLength(6)
  // Each layer answers for the form that it has: one of 4 bits errs much more than one of 8.
  const answers = found.sensitivity.get(layersAside(mixed.trial.steps))!
  const errorsIn = (form: string) => {
    const without = mixed.trial.steps.find((s) => s.transform === form)!.params.exclude as readonly string[]
    return answers.filter(({ node }) => !without.includes(node)).map((s) => s.relativeError)
  }
  expect(Math.min(...errorsIn('store/int4'))).toBeGreaterThan(4 * Math.max(...errorsIn('store/int8')))
})

describe('falling back', () => {
  test('brings a fast candidate back into the budget by the one layer that breaks it', async () => {
    const found = await exploring({ recipes: [stored, fixed], maxDrop: 0.1, ms: speeds({ static: 0.5 }) })
    expect(byName(found, 'static')).toMatchObject({ keeps: false })
    const fallen = byName(found, 'static; 1 layer only stored')
    expect(fallen).toMatchObject({ status: 'ok', keeps: true })
    expect(fallen.quality!.drop).toBeLessThanOrEqual(0.1)
    expect(fallen.trial.steps[0]!.params).toEqual({ exclude: ['fragile'] })
    const asked = found.sensitivity.get(layersAside(fixed.steps))!
    expect(asked.map((s) => s.node)).toEqual(['entry', 'fragile', 'exit'])
    expect(chooseBest(found.results, 'latency', original())!.trial.name).toBe(fallen.trial.name)
  })

  test('returns layers to float where storing them is no way', async () => {
    const found = await exploring({ recipes: [staticAlone], maxDrop: 0.1, ms: speeds({ static: 0.5 }) })
    expect(names(found)).toEqual(['static alone', 'static alone; 1 layer in float'])
    expect(found.results[1]).toMatchObject({ keeps: true })
    expect(found.results[1]!.trial.steps.at(-1)).toEqual({ transform: 'store/f16', params: {} })
  })

  test('goes on to float where storing all is not enough', async () => {
    // All weights in 4 bits lose far more than 5 percent; the one layer that breaks it in 16 bits, the others in integers, less.
    const found = await exploring({ recipes: [coarse], maxDrop: 0.05, ms: speeds({ static: 0.5 }) })
    expect(names(found)).toEqual(['static, coarse', 'static, coarse; 1 layer in float'])
    expect(found.results[1]).toMatchObject({ keeps: true })
    const { id } = found.results[0]!.trial
    const tried = (await journalKeys()).filter((key) => key.startsWith(`fallback ${id}`))
    expect(tried.map((key) => key.replace(`fallback ${id} `, ''))).toEqual(['stored 3', 'float 3', 'float 1'])
  })

  test('of all layers to float is no trial: it would be the float16 recipe', async () => {
    const found = await exploring({ recipes: [staticAlone], maxDrop: 0.001, ms: speeds({ static: 0.5 }) })
    expect(names(found)).toEqual(['static alone'])
    expect(await journalKeys()).toContain(`fallback ${found.results[0]!.trial.id} float 3`)
  })

  test('of all layers to stored is one', async () => {
    const found = await exploring({ recipes: [fixed], maxDrop: 0.011, ms: speeds({ static: 0.5 }) })
    expect(names(found)).toEqual(['static', 'static; 3 layers only stored'])
  })

  describe('is only for candidates that would be the best', () => {
    const kept = { recipes: [stored, fixed], maxDrop: 0.1 }
    test.each([
      ['slower beyond doubt than the original', 'latency', speeds({ static: 1.1 })],
      ['as fast as what is kept', 'latency', speeds({ static: 0.99 })],
      ['larger than what is kept, for size', 'size', speeds({ static: 0.1 })],
    ] as const)('not where it is %s', async (_, objective, ms) => {
      const found = await exploring({ ...kept, objective, ms })
      expect(names(found)).toEqual(['stored', 'static'])
      expect(found.sensitivity.has(layersAside(fixed.steps))).toBe(false)
    })

    test('not where it is larger than the original', async () => {
      const world = { recipes: [fixed], maxDrop: 0.1, ms: speeds({ static: 0.5 }) }
      const { bytes } = byName(await exploring(world), 'static')
      expect(names(await exploring({ ...world, originalBytes: bytes! - 1 }))).toEqual(['static'])
      expect(names(await exploring({ ...world, originalBytes: bytes! }))).toHaveLength(2)
    })

    test('where it is faster by more than 2 percent', async () => {
      const found = await exploring({ ...kept, ms: speeds({ static: 0.97 }) })
      expect(names(found)).toHaveLength(3)
    })

    test('for size where it is smaller, and not larger than the original', async () => {
      const found = await exploring({ recipes: [half, fixed], maxDrop: 0.1, objective: 'size' })
      expect(names(found)).toEqual(['half', 'static', 'static; 1 layer only stored'])
    })

    test('not where it keeps the budget', async () => {
      const found = await exploring({ recipes: [fixed], maxDrop: 2, ms: speeds({ static: 0.5 }) })
      expect(names(found)).toEqual(['static'])
    })
  })

  test('takes of recipes of one kind the one that is nearest to the budget', async () => {
    for (const recipes of [
      [fixed, perTensor],
      [perTensor, fixed],
    ]) {
      const found = await exploring({ recipes, maxDrop: 0.1, ms: speeds({ static: 0.5 }) })
      expect(byName(found, 'static').quality!.drop).toBeLessThan(byName(found, 'static, per tensor').quality!.drop)
      expect(names(found).slice(2)).toEqual([expect.stringMatching(/^static; \d layers? only stored$/)])
    }
  })

  test('takes the two kinds that promise most, the best first', async () => {
    const ms = speeds({ dynamic: 0.5, blocks: 0.4, static: 0.6 })
    const found = await exploring({ recipes: [fixed, dynamic, blocks], maxDrop: 0.1, ms })
    expect(found.results.every((r) => r.status === 'ok')).toBe(true)
    const fallen = names(found).slice(3)
    expect(fallen).toHaveLength(2)
    expect(fallen[0]).toMatch(/^blocks; /)
    expect(fallen[1]).toMatch(/^dynamic; /)
    // What is known of layers is known of one kind: in blocks of 4 bits they lose something else.
    const [inBlocks, dynamically] = [blocks, dynamic].map((r) => found.sensitivity.get(layersAside(r.steps))!)
    expect(inBlocks!.map((s) => s.node)).toEqual(dynamically!.map((s) => s.node))
    for (const [i, s] of inBlocks!.entries()) expect(s.drop).not.toBe(dynamically![i]!.drop)
  })
})

describe('timing the best once more', () => {
  const candidates = [nothing, half, stored, dynamic, fixed, blocks]

  test('takes the four fastest that are kept, side by side, and believes what it sees then', async () => {
    // The larger, the faster, and all twice as fast when timed again.
    const ms = ({ bytes, again }: Candidate): number => (again ? 0.5 : 1) * (1 - (0.5 * bytes) / original())
    const found = await exploring({ recipes: candidates, ms, maxDrop: 2 })
    expect(found.calls.runOff).toBe(4)
    const fastest = found.results.toSorted((a, b) => b.bytes! - a.bytes!).slice(0, 4)
    expect(await ranOff()).toEqual(fastest.map(fileOf))
    for (const r of found.results) {
      const again = fastest.includes(r)
      expect(r.latency!.ratio).toBeCloseTo(ms({ ops: [], bytes: r.bytes!, again }), 9)
    }
  })

  test('for size takes the smallest', async () => {
    const found = await exploring({ recipes: candidates, maxDrop: 2, objective: 'size' })
    const smallest = found.results.toSorted((a, b) => a.bytes! - b.bytes!).slice(0, 4)
    expect(await ranOff()).toEqual(smallest.map(fileOf))
  })

  test('takes the one that would be handed back, where it is not among them', async () => {
    // All as fast as each other within 3 percent, the larger a little faster: the smaller file wins.
    const ms = ({ bytes }: Candidate): number => 1 - (0.02 * bytes) / original()
    const found = await exploring({ recipes: candidates, ms, maxDrop: 2 })
    const bySize = found.results.toSorted((a, b) => b.bytes! - a.bytes!)
    expect(await ranOff()).toEqual([...bySize.slice(0, 3), bySize.at(-1)!].map(fileOf))
  })

  test('goes on until the winner was among them', async () => {
    // What is timed again turns out slow: the rest, timed once, would win.
    const ms = ({ bytes, again }: Candidate): number => (again ? 0.99 : 1 - (0.5 * bytes) / original())
    const found = await exploring({ recipes: candidates, ms, maxDrop: 2 })
    const best = chooseBest(found.results, 'latency', original())!
    expect(best.latency.ratio).toBe(0.99)
    const rounds = (await journalKeys()).filter((key) => key.startsWith('run-off'))
    expect(rounds).toHaveLength(2)
    expect(rounds.some((key) => key.includes(fileOf(best)))).toBe(true)
  })

  test('may show that one is faster after all', async () => {
    const { bytes } = byName(await exploring({ recipes: [nothing] }), 'nothing')
    await rm(join(folder, 'journal.jsonl'))
    // No smaller, and at first not faster by enough.
    const ms = ({ again }: Candidate): number => (again ? 0.9 : 0.99)
    const found = await exploring({ recipes: [nothing], originalBytes: bytes!, ms })
    expect(chooseBest(found.results, 'latency', bytes!)?.latency.ratio).toBe(0.9)
  })

  test('drops what turns out slower, and keeps nothing that broke the budget before', async () => {
    const ms = ({ ops, again }: Candidate): number => (again && ops.includes('Cast') ? 1.2 : 0.9)
    const found = await exploring({ recipes: [nothing, stored, dynamic], ms })
    expect(byName(found, 'stored')).toMatchObject({ keeps: false, latency: { ratio: 1.2 } })
    expect(byName(found, 'nothing')).toMatchObject({ keeps: true, latency: { ratio: 0.9 } })
    expect(byName(found, 'dynamic')).toMatchObject({ keeps: false })
    expect(chooseBest(found.results, 'size', original())!.trial.name).toBe('nothing')
    for (const r of found.results) if (r.keeps) expect(isSlower(r.latency!)).toBe(false)
  })

  test('is nothing where nothing is kept', async () => {
    const found = await exploring({ recipes: [stored], maxDrop: 1e-9 })
    expect(found.calls).toMatchObject({ measure: 2, runOff: 0 })
    expect(await journalKeys()).not.toContainEqual(expect.stringContaining('run-off'))
    expect(byName(found, 'stored').keeps).toBe(false)
  })
})

describe('what is known of layers', () => {
  test('is asked of the best, where its layers were not asked before', async () => {
    const found = await exploring({ recipes: [stored] })
    expect([...found.sensitivity.keys()]).toEqual([layersAside(stored.steps)])
    expect([...found.sensitivity.values()][0]!.map((s) => s.node)).toEqual(['entry', 'fragile', 'exit'])
  })

  test('is asked once of trials that differ in the layers that they leave out', async () => {
    const found = await exploring({ recipes: [fixed], maxDrop: 0.1, ms: speeds({ static: 0.5 }) })
    expect(chooseBest(found.results, 'latency', original())!.trial.name).toBe('static; 1 layer only stored')
    expect([...found.sensitivity.keys()]).toEqual([layersAside(fixed.steps)])
    expect((await journalKeys()).filter((k) => k.startsWith('sensitivity'))).toHaveLength(3)
  })

  test('is asked of the layers that the best leaves in float too', async () => {
    const profile = (is: boolean): readonly NodeProfile[] =>
      [3, 1, 1].map((ms, i) => ({ name: `unit${i}.`, op: 'Gemm', ms: is ? ms : 1 }))
    const ms = ({ ops, bytes }: Candidate): number => (ops.includes('QuantizeLinear') ? bytes / original() : 1)
    const whole = await exploring({ recipes: [fixed], maxDrop: 2, ms })
    await rm(join(folder, 'journal.jsonl'))
    const found = await exploring({ recipes: [fixed], maxDrop: 2, profile, ms })
    expect(chooseBest(found.results, 'latency', original())!.trial.name).toBe('static; 1 slow layer in float')
    // As in integers, though this one leaves it in float: what it would cost is what a reader wants to know.
    expect(found.sensitivity).toEqual(whole.sensitivity)
    expect([...found.sensitivity.values()][0]!.map((s) => s.node)).toEqual(['entry', 'fragile', 'exit'])
  })

  test('leaves out layers that the steps do not touch', async () => {
    const half: Recipe = {
      name: 'half',
      steps: [{ transform: 'store/f16', params: { minElements: 2000 } }],
    }
    const found = await exploring({ recipes: [half] })
    expect([...found.sensitivity.values()][0]!.map((s) => s.node)).toEqual(['entry', 'fragile'])
  })

  test('is nothing where the original stays', async () => {
    expect((await exploring({ recipes: [stored], maxDrop: 1e-9, ms: () => 1.5 })).sensitivity.size).toBe(0)
  })
})

describe('going on with a journal', () => {
  const world: World = {
    recipes: [wrong, stored, fixed],
    maxDrop: 0.1,
    ms: speeds({ static: 0.5 }),
    profile: (is) => [0, 1, 2].map((i) => ({ name: `unit${i}.`, op: 'Gemm', ms: is && i === 0 ? 3 : 1 })),
  }
  const nothingAsked = { load: 0, measure: 0, profile: 0, runOff: 0 }

  test('measures nothing again, and comes to the same', async () => {
    const { calls, ...first } = await exploring(world)
    expect(calls).toMatchObject({ profile: 2 })
    const keys = await journalKeys()
    const { calls: again, ...second } = await exploring(world)
    expect(again).toEqual(nothingAsked)
    expect(second).toEqual(first)
    expect(await journalKeys()).toEqual(keys)
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('makes a candidate whose file is gone or cut short once more, without measuring it again', async () => {
    const { calls: _, ...first } = await exploring(world)
    const path = join(folder, `${byName(first, 'stored').sha256}.onnx`)
    const whole = await readFile(path)
    for (const damage of [() => rm(path), () => truncate(path, 100)]) {
      await damage()
      const { calls, ...second } = await exploring(world)
      expect(calls).toEqual(nothingAsked)
      expect(second).toEqual(first)
      expect(Buffer.compare(await readFile(path), whole)).toBe(0)
    }
  })

  test('does not make a candidate once more that will not be handed back', async () => {
    const { calls: _, ...first } = await exploring(world)
    const path = join(folder, `${byName(first, 'static').sha256}.onnx`)
    await rm(path)
    expect((await exploring(world)).calls).toEqual(nothingAsked)
    expect(existsSync(path)).toBe(false)
  })

  test('stops when cancelled, and keeps what was measured by then', async () => {
    const stop = new AbortController()
    let asked = 0
    const ms = (): number => {
      asked++
      if (asked === 2) stop.abort(new Error('enough'))
      return 1
    }
    await expect(exploring({ recipes: [nothing, half, stored], ms, signal: stop.signal })).rejects.toThrow('enough')
    expect((await journalKeys()).filter((k) => k.startsWith('trial'))).toHaveLength(2)
  })
})

const fileOf = ({ sha256 }: TrialResult): string => sha256!.slice(0, 12)

/** The beginnings of the hashes of the files that were timed once more. */
const ranOff = async (): Promise<readonly string[]> =>
  (await journalKeys())
    .find((key) => key.startsWith('run-off'))!
    .split(' ')
    .slice(1)

async function journalKeys(): Promise<readonly string[]> {
  const text = await readFile(join(folder, 'journal.jsonl'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).key)
}
