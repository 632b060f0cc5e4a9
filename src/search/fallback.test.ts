import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fragileModel, rowSamples } from '../../test/search-models.js'
import { applySteps } from '../compress/recipes.js'
import type { Engine } from '../engine/engine.js'
import { encodeModel } from '../onnx/codec.js'
import { PareError } from '../util/errors.js'
import type { Bench } from './evaluate.js'
import {
  cautious,
  excludedBy,
  type FallbackMemo,
  type FallbackMode,
  fallbackModes,
  fallbackOrder,
  fallenBack,
  fewestExcluded,
  layerSensitivity,
  type Sensitivity,
} from './fallback.js'
import { type Layer, layersOf } from './layers.js'
import { BROKEN } from './outcome.js'
import { openSetup, type Setup } from './setup.js'
import type { Step } from './trial.js'

let folder: string
let bench: Setup
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-fallback-'))
  bench = await openSetup(fragileModel(), { samples: rowSamples(60), threads: 1 }, folder)
})
afterAll(async () => {
  await bench?.close()
  await rm(folder, { recursive: true })
})

const fixed: Step = { transform: 'quantize/static', params: { range: 'percentile' } }
const dynamic: Step = { transform: 'quantize/dynamic', params: { exclude: ['head'] } }
const store: Step = { transform: 'store/int8', params: {} }
const half: Step = { transform: 'store/f16', params: {} }

describe('the layers that a step leaves out', () => {
  test('are those of its parameter, or none', () => {
    expect(excludedBy(dynamic)).toEqual(['head'])
    expect(excludedBy(fixed)).toEqual([])
  })
})

describe('falling back', () => {
  test('to stored takes layers from the steps that compute in integers, and stores them after', () => {
    expect(fallenBack([fixed, store, dynamic], ['a', 'b'], 'stored')).toEqual([
      { transform: 'quantize/static', params: { range: 'percentile', exclude: ['a', 'b'] } },
      { transform: 'quantize/dynamic', params: { exclude: ['head', 'a', 'b'] } },
      store,
    ])
  })

  test('to float takes layers from every step, and keeps their weights in 16 bits', () => {
    expect(fallenBack([fixed, store], ['a'], 'float')).toEqual([
      { transform: 'quantize/static', params: { range: 'percentile', exclude: ['a'] } },
      { transform: 'store/int8', params: { exclude: ['a'] } },
      half,
    ])
  })

  test('from weights in 16 bits to float leaves them as they are: stored in 16 bits once more they would not change', () => {
    expect(fallenBack([half], ['a'], 'float')).toEqual([{ transform: 'store/f16', params: { exclude: ['a'] } }])
    expect(fallenBack([store, half], ['a'], 'float').at(-1)).toEqual(half)
  })

  test('again adds to what fell back before', () => {
    const once = fallenBack([fixed, store], ['a'], 'stored')
    expect(fallenBack(once, ['b'], 'stored').map(excludedBy)).toEqual([['a', 'b'], []])
  })

  test('leaves the given steps as they were', () => {
    const before = structuredClone([fixed, dynamic, store])
    fallenBack([fixed, dynamic, store], ['a'], 'float')
    expect([fixed, dynamic, store]).toEqual(before)
  })

  test.each([
    ['integers, then storing', [fixed, store], ['stored', 'float']],
    ['integers alone', [fixed, dynamic], ['float']],
    ['storing alone', [store], ['float']],
    ['nothing', [], ['float']],
  ] as const)('of %s has its modes, the mildest first', (_, steps, modes) => {
    expect(fallbackModes(steps)).toEqual(modes)
  })

  test('is what a step does with the layer: stored it computes in float, its weights in 8 bits; in float in 16', async () => {
    const typesOf = async (mode: FallbackMode) => {
      const { graph } = await applySteps(bench.prepared, fallenBack([fixed, store], ['fragile'], mode), bench.env)
      return [...graph.constants].filter(([name]) => name.startsWith('fragile.w')).map(([, t]) => t.dtype)
    }
    expect((await typesOf('stored')).toSorted()).toEqual(['float32', 'int8'])
    expect(await typesOf('float')).toEqual(['float16'])
  })
})

describe('the order in which layers return to float', () => {
  const layer = (key: string, parameters: number, costShare: number): Layer => ({
    key,
    nodes: [key],
    op: 'Conv',
    parameters,
    costShare,
  })
  const asked = (node: string, drop: number, relativeError: number): Sensitivity => ({
    node,
    op: 'Conv',
    parameters: 1,
    drop,
    relativeError,
  })
  const alike = ['a', 'b', 'c'].map((key) => layer(key, 100, 0.25))

  test('adds errors as squares', () => {
    // 0.3² + 0.4² = 0.25 < 0.26 = 0.5² + 0.1², though 0.3 + 0.4 > 0.5 + 0.1.
    const rows = [asked('a', 0.3, 0.4), asked('b', 0.5, 0.1), asked('c', 0, 0.51)]
    expect(fallbackOrder(rows, alike, 'latency')).toEqual([['c'], ['b'], ['a']])
    expect(fallbackOrder(rows, alike, 'size')).toEqual([['c'], ['b'], ['a']])
  })

  test('does not take a gain of quality for a loss', () => {
    expect(fallbackOrder([asked('a', 0.1, 0.1), asked('b', -5, 0.1)], alike, 'size')).toEqual([['a'], ['b']])
  })

  test('for size weighs what a layer costs by its parameters alone', () => {
    // Losses 0.02 and 0.5 for gains of 0.01 and 0.99; half of them for the work, it would be 0.455 and 0.545.
    const layers = [layer('small', 10, 0.9), layer('large', 990, 0.1)]
    const rows = [asked('large', 0.5, 0.5), asked('small', 0.1, 0.1)]
    expect(fallbackOrder(rows, layers, 'size')).toEqual([['small'], ['large']])
    expect(fallbackOrder(rows, layers, 'latency')).toEqual([['large'], ['small']])
  })

  test('for latency weighs it by its share of the work and its parameters, half and half', () => {
    // Gains: 0.5 · 0.9 + 0.5 · 0.01 = 0.455 and 0.5 · 0.1 + 0.5 · 0.99 = 0.545.
    const layers = [layer('busy', 10, 0.9), layer('large', 990, 0.1)]
    const order = (busy: number) =>
      fallbackOrder([asked('large', 0, 0.1), asked('busy', 0, 0.1 * busy)], layers, 'latency')
    const even = Math.sqrt(0.456 / 0.546)
    expect(order(even * 1.001)).toEqual([['busy'], ['large']])
    expect(order(even * 0.999)).toEqual([['large'], ['busy']])
  })

  test('puts layers whose quantization gains nothing first, the worst of them in front', () => {
    const layers = [layer('free', 0, 0), layer('gratis', 0, 0), layer('large', 100, 1)]
    const rows = [asked('large', 0.1, 0.1), asked('free', 0.05, 0.05), asked('gratis', 0.06, 0.06)]
    expect(fallbackOrder(rows, layers, 'latency')).toEqual([['gratis'], ['free'], ['large']])
  })

  test('names all nodes of a layer', () => {
    const layers = [{ ...layer('a and b (one weight)', 100, 1), nodes: ['a', 'b'] }]
    const row = { ...asked('a and b (one weight)', 0.1, 0.1), nodes: ['a', 'b'] }
    expect(fallbackOrder([row], layers, 'size')).toEqual([['a', 'b']])
  })

  test('takes a layer that is not known for one that gains nothing', () => {
    const rows = [asked('large', 0.1, 0.1), asked('unknown', 0.05, 0.05)]
    expect(fallbackOrder(rows, [layer('large', 100, 1)], 'latency')).toEqual([['unknown'], ['large']])
  })
})

/** A memo that keeps what it is told, and what it was asked for. */
function memoOf(known: Readonly<Record<string, number>> = {}) {
  const values = new Map(Object.entries(known))
  const asked: string[] = []
  const recorded: string[] = []
  const memo: FallbackMemo = {
    recall(key) {
      asked.push(key)
      return values.get(key)
    },
    async record(key, drop) {
      recorded.push(key)
      values.set(key, drop)
    },
  }
  return { memo, values, asked, recorded }
}

/** The bench with an engine that loads nothing. */
const loadingNothing = (own: Partial<Bench> = {}): Bench => ({
  ...bench,
  ...own,
  target: { ...bench.target, load: () => Promise.reject(new Error('does not load')) } satisfies Engine,
})

describe('the fewest layers that must return', () => {
  test('are found by bisection of drops that fall, none measured that the memo knows', async () => {
    const falling = fc
      .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 })
      .map((drops) => drops.toSorted((a, b) => b - a))
    await fc.assert(
      fc.asyncProperty(falling, fc.double({ min: 0, max: 1, noNaN: true }), async (drops, maxDrop) => {
        const order = drops.map((_, i) => [`layer ${i}`])
        const { memo, asked, recorded } = memoOf(Object.fromEntries(drops.map((d, i) => [`stored ${i + 1}`, d])))
        const count = await fewestExcluded(loadingNothing({ maxDrop }), [fixed], order, 'stored', memo)
        const fewest = drops.findIndex((d) => d <= cautious(maxDrop, bench.judge!.samples))
        expect(count).toBe(fewest >= 0 ? fewest + 1 : drops.at(-1)! <= maxDrop ? drops.length : null)
        expect(recorded).toEqual([])
        expect(asked.length).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(drops.length)))
      }),
    )
  })

  describe('of a model with one fragile layer', () => {
    const order = [['fragile'], ['entry'], ['exit']]

    test('are those in front of which the engine measures what the budget allows', async () => {
      const drops = await Promise.all(
        [0, 1, 2, 3].map((n) => dropOf(fallenBack([fixed, store], order.slice(0, n).flat(), 'stored'))),
      )
      // The layer alone makes the difference; what it leaves is only the others' rounding.
      expect(drops[0]).toBeGreaterThan(0.3)
      expect(drops[1]).toBeLessThan(0.1)
      expect(drops.toSorted((a, b) => b - a)).toEqual(drops)
      for (const [fewest, maxDrop] of [1, 2, 3].map((n) => [n, withRoom(drops[n]!)] as const)) {
        const { memo, values } = memoOf()
        expect(await fewestExcluded({ ...bench, maxDrop }, [fixed, store], order, 'stored', memo)).toBe(fewest)
        for (const [key, drop] of values) expect(drop, key).toBe(drops[Number(key.replace('stored ', ''))])
      }
    })

    test('are null where even all do not help', async () => {
      const { memo, recorded } = memoOf()
      expect(await fewestExcluded({ ...bench, maxDrop: 1e-4 }, [fixed, store], order, 'stored', memo)).toBe(null)
      expect(recorded).toEqual(['stored 3'])
    })

    test('are none where nothing can return and the budget is kept all the same', async () => {
      const { memo } = memoOf()
      expect(await fewestExcluded({ ...bench, maxDrop: 2 }, [fixed], [], 'float', memo)).toBe(0)
    })

    test('are told apart by mode', async () => {
      const { memo, recorded } = memoOf({ 'stored 3': 1, 'stored 1': 1, 'stored 2': 1 })
      expect(await fewestExcluded({ ...bench, maxDrop: 0.1 }, [fixed, store], order, 'float', memo)).toBe(1)
      expect(recorded).toEqual(['float 3', 'float 1'])
    })

    test('have some room under the budget, more where fewer samples judge', async () => {
      expect([4, 25, 10_000].map((n) => cautious(0.02, n))).toEqual([0.01, 0.016, 0.0198])
      expect(cautious(0.02, 1)).toBe(0.01)
      const drops = { 'stored 1': 0.0195, 'stored 2': 0.015, 'stored 3': 0.014 }
      const fewest = (samples: number, own: Readonly<Record<string, number>> = drops) => {
        const judge = { ...bench.judge!, samples }
        return fewestExcluded(loadingNothing({ maxDrop: 0.02, judge }), [fixed], order, 'stored', memoOf(own).memo)
      }
      expect(await fewest(10_000)).toBe(1)
      expect(await fewest(30)).toBe(2)
      // All of them are the most that can be done.
      expect(await fewest(4)).toBe(3)
      expect(await fewest(4, { 'stored 1': 1, 'stored 2': 1, 'stored 3': 0.021 })).toBe(null)
    })

    /** A budget of which just this much may be used. */
    const withRoom = (drop: number): number => (drop / cautious(1, bench.judge!.samples)) * (1 + 1e-9)

    const dropOf = async (steps: readonly Step[]): Promise<number> => {
      const session = await bench.target.load(encodeModel(await applySteps(bench.prepared, steps, bench.env)).bytes)
      try {
        return (await bench.judge!.evaluate(session)).drop
      } finally {
        await session.close()
      }
    }
  })

  test('a candidate that does not run breaks every budget, and that is recorded', async () => {
    const { memo, values } = memoOf()
    expect(await fewestExcluded(loadingNothing({ maxDrop: 1e6 }), [fixed], [['fragile']], 'float', memo)).toBe(null)
    expect([...values]).toEqual([['float 1', BROKEN]])
  })

  test('what is no fault of the candidate is thrown, and nothing is recorded', async () => {
    const lost = new PareError('ENGINE_LOST', 'the engine died', { remedy: 'Start again.' })
    const target: Engine = { ...bench.target, load: () => Promise.reject(lost) }
    const { memo, recorded } = memoOf()
    await expect(fewestExcluded({ ...bench, target }, [fixed], [['fragile']], 'float', memo)).rejects.toBe(lost)
    expect(recorded).toEqual([])
  })

  test('cancelling is no result', async () => {
    const stop = new AbortController()
    const target: Engine = {
      ...bench.target,
      load: () => {
        stop.abort(new Error('enough'))
        return Promise.reject(new Error('cancelled'))
      },
    }
    const { memo, recorded } = memoOf()
    const env = { ...bench.env, signal: stop.signal }
    await expect(fewestExcluded({ ...bench, env, target }, [fixed], [['fragile']], 'float', memo)).rejects.toThrow(
      'enough',
    )
    expect(recorded).toEqual([])
  })
})

describe('what one layer alone costs', () => {
  const ask = async (steps: readonly Step[], key: string, on: Bench = bench) => {
    const layers = layersOf(bench.prepared)
    return layerSensitivity(on, steps, layers.find((l) => l.key === key)!, layers)
  }

  test('is much where the layer is fragile, and little elsewhere', async () => {
    const [entry, fragile, exit] = await Promise.all(['entry', 'fragile', 'exit'].map((key) => ask([fixed], key)))
    expect(fragile).toMatchObject({ node: 'fragile', op: 'Gemm', parameters: 64 * 64 + 64 })
    expect(fragile!.drop).toBeGreaterThan(10 * Math.max(entry!.drop, exit!.drop))
    expect(fragile!.relativeError).toBeGreaterThan(10 * Math.max(entry!.relativeError, exit!.relativeError))
    expect(entry!.drop).toBeGreaterThan(0)
    expect(exit!.drop).toBeGreaterThan(0)
  })

  test('is null where the steps do not touch the layer', async () => {
    expect(await ask([{ transform: 'quantize/static', params: { matmul: false } }], 'entry')).toBe(null)
    const withoutEntry: Step = { ...fixed, params: { exclude: ['entry'] } }
    expect(await ask([withoutEntry], 'entry')).toBe(null)
    expect(await ask([withoutEntry], 'exit')).not.toBe(null)
  })

  test('is everything where the candidate does not run', async () => {
    expect(await ask([fixed], 'exit', loadingNothing())).toMatchObject({
      node: 'exit',
      drop: BROKEN,
      relativeError: BROKEN,
    })
  })

  test('is the error of the worst output, measured on a few samples', async () => {
    const limits: (number | undefined)[] = []
    const judge = {
      ...bench.judge!,
      evaluate: async (_: unknown, limit?: number) => {
        limits.push(limit)
        const output = (name: string, relativeError: number) => ({ name, cosine: 1, relativeError, maxAbsolute: 0 })
        return { value: 0, drop: 0.25, outputs: [output('y', 0.1), output('z', 0.5), output('v', 0.2)] }
      },
    }
    expect(await ask([fixed], 'exit', { ...bench, judge })).toMatchObject({ drop: 0.25, relativeError: 0.5 })
    expect(limits[0]).toBeLessThan(bench.judge!.samples)
  })
})
