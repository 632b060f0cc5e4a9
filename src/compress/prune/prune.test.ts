import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LSTM, MLP, modelOfX, RESIDUAL, samplesFor } from '../../../test/prune-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { numbers } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { inspectModel } from '../../passes/inspect.js'
import type { Env } from '../../passes/pass.js'
import { chooseUnits } from './choose.js'
import { pathOf } from './choose-ratio.js'
import { cutUnits } from './cut.js'
import { openDeviance } from './deviance.js'
import { findGroups } from './groups.js'
import { prune } from './index.js'
import { rewind } from './rewind.js'
import { pruneInRounds } from './rounds.js'
import { ratiosOf } from './schedules.js'
import { scoreUnits } from './score-units.js'
import { ratiosBySensitivity, sensitivitiesOf } from './sensitivity.js'

let engine: Engine
let env: Env
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
  env = { engine: async () => engine, seed: 0 }
})
afterAll(() => engine.close())

const parametersOf = (m: Model): number => inspectModel(m).parameters
const constantsOf = (m: Model) => [...m.graph.constants].map(([name, t]) => [name, t.shape, [...numbers(t)]])

describe('schedules', () => {
  test('one shot, the same part of what is left, or a cube', () => {
    expect(ratiosOf('one-shot', 0.6, 1)).toEqual([0.6])
    const iterative = ratiosOf('iterative', 0.488, 3)
    expect(iterative).toEqual([0.2, 0.36, 0.488].map((v) => expect.closeTo(v, 12)))
    expect(ratiosOf('gradual', 0.8, 2)).toEqual([0.8 * (1 - 0.125), 0.8])
  })

  test.each([
    ['iterative', 0],
    ['gradual', 1.5],
    ['one-shot', 2],
  ] as const)('%s in %d rounds is refused', (schedule, rounds) => {
    expect(() => ratiosOf(schedule, 0.5, rounds)).toThrow(expect.objectContaining({ code: 'PRUNE_SCHEDULE' }))
  })
})

describe('in rounds', () => {
  const rounds = async (model: Model, recover?: (m: Model, round: number) => Promise<Model>) => {
    const scores = await scoreUnits('l1', findGroups(model).groups, { model, env })
    const options = { score: 'l1', scores, ratios: ratiosOf('iterative', 0.6, 3), isOpen: () => true } as const
    return pruneInRounds(model, { ...options, scope: 'layer', multiple: 1, ...(recover && { recover }) }, env)
  }

  test('the part that was asked for is gone in the end, of what was there at first', async () => {
    const { model, gone } = await rounds(MLP)
    expect(findGroups(model).groups.map((g) => g.units.length)).toEqual([7 - 4, 6 - 3])
    expect([...gone.values()]).toEqual([4, 3])
  })

  test('each round is recovered, and the last cut is handed back without', async () => {
    const seen: number[] = []
    const { model, cut } = await rounds(MLP, async (m, round) => {
      seen.push(round)
      return { ...m, producer: { name: `round ${round}`, version: '' } }
    })
    expect(seen).toEqual([0, 1, 2])
    expect([model.producer.name, cut.producer.name]).toEqual(['round 2', 'round 1'])
  })

  test.each([
    ['MLP', MLP],
    ['RESIDUAL', RESIDUAL],
    ['LSTM', LSTM],
  ])('a ticket: the early weights of the units that remain, %s', async (_, model) => {
    const doubled = (m: Model): Model => {
      const constants = new Map([...m.graph.constants].map(([name, t]) => [name, t.dtype === 'float32' ? twice(t) : t]))
      return { ...m, graph: { ...m.graph, constants } }
    }
    const { model: pruned, cuts } = await rounds(model, async (m) => m)
    expect(constantsOf(rewind(model, cuts))).toEqual(constantsOf(pruned))
    expect(constantsOf(rewind(doubled(model), cuts))).toEqual(constantsOf(doubled(pruned)))
    const other = modelOfX(['n', 3], (b) => b.op('Relu', ['x']))
    expect(() => rewind(other, cuts)).toThrow(expect.objectContaining({ code: 'PRUNE_REWIND' }))
  })
})

const twice = (t: Parameters<typeof numbers>[0]) => {
  const data = Float32Array.from(numbers(t), (v) => 2 * v)
  return { ...t, bytes: () => new Uint8Array(data.buffer) }
}

describe('sensitivity', () => {
  test('all groups lose alike, and the part that was asked for goes', () => {
    const groups = findGroups(MLP).groups
    const curve = (group: (typeof groups)[number], slope: number) => ({
      group,
      drops: [0.25, 0.5, 0.75, 0.9].map((ratio) => ({ ratio, drop: slope * ratio ** 2 })),
    })
    const found = [curve(groups[0]!, 1), curve(groups[1]!, 4)]
    const ratios = ratiosBySensitivity(found, 0.4)
    const [a, b] = groups.map((g) => ratios.get(g)!) as [number, number]
    expect((7 * a + 6 * b) / 13).toBeCloseTo(0.4, 6)
    const between = (slope: number, r: number): number => {
      const at = [0, 0.25, 0.5, 0.75, 0.9]
      const i = at.findLastIndex((v) => v <= r)
      const [lo, hi] = [at[i]!, at[i + 1]!]
      return slope * (lo ** 2 + ((r - lo) / (hi - lo)) * (hi ** 2 - lo ** 2))
    }
    expect(between(1, a)).toBeCloseTo(between(4, b), 6)
  })

  test('what loses nothing goes first, and a part of it where all is not needed', async () => {
    const groups = findGroups(MLP).groups
    const scores = await scoreUnits('l2', groups, { model: MLP, env })
    const before = parametersOf(MLP)
    const drop = async (m: Model): Promise<number> => Number(m.graph.constants.get('first_w')!.shape[1]! < 7)
    const found = await sensitivitiesOf(MLP, groups, scores, { drop })
    expect(found.map(({ drops }) => drops.map((d) => d.drop))).toEqual([
      [1, 1, 1, 1],
      [0, 0, 0, 0],
    ])
    const ratios = [...ratiosBySensitivity(found, 0.3).values()]
    expect(ratios[0]).toBeCloseTo(0, 6)
    expect((6 * ratios[1]!) / 13).toBeCloseTo(0.3, 6)
    expect(parametersOf(MLP)).toBe(before)
  })
})

describe('deviance', () => {
  const answers = async (m: Model, samples: ReturnType<typeof samplesFor>) => {
    const session = await engine.load(encodeModel(m).bytes)
    const rows: number[][] = []
    for await (const { feeds } of samples.read()) rows.push([...numbers(Object.values(await session.run(feeds))[0]!)])
    await session.close()
    return rows
  }

  test('of classes: twice the cross-entropy of all samples', async () => {
    const samples = samplesFor(MLP, 9, (i) => i % 3)
    const rows = await answers(MLP, samples)
    const meter = await openDeviance(MLP, samples, env)
    const { total } = await meter.of(MLP)
    expect(meter).toMatchObject({ observations: 9, kind: 'labelled classes' })
    expect(total).toBeCloseTo(-2 * rows.reduce((sum, p, i) => sum + Math.log(p[i % 3]!), 0), 4)
  })

  test('of values: n ln of the mean squared error', async () => {
    const labelOf = (i: number) => [i / 2, 0.5, -i]
    const samples = samplesFor(RESIDUAL, 5, labelOf)
    const rows = await answers(RESIDUAL, samples)
    const squares = rows.flatMap((y, i) => y.map((v, o) => (v - labelOf(i)[o]!) ** 2))
    const meter = await openDeviance(RESIDUAL, samples, env)
    expect(meter).toMatchObject({ observations: 15, kind: 'labelled values' })
    expect((await meter.of(RESIDUAL)).total).toBeCloseTo(15 * Math.log(squares.reduce((a, b) => a + b, 0) / 15), 4)
  })

  test("of the original's answers: least for the original", async () => {
    for (const model of [MLP, RESIDUAL]) {
      const meter = await openDeviance(model, samplesFor(model, 6), env)
      const { groups } = findGroups(model)
      const cut = cutUnits(model, [groups[0]!.units[0]!])
      expect((await meter.of(cut)).total).toBeGreaterThan((await meter.of(model)).total)
    }
  })

  test('labels of another size are refused', async () => {
    const samples = samplesFor(RESIDUAL, 2, () => [1, 2])
    await expect(openDeviance(RESIDUAL, samples, env)).rejects.toMatchObject({ code: 'PRUNE_LABELS' })
  })
})

describe('how much', () => {
  const chooser = async () => {
    const { groups } = findGroups(MLP)
    const scores = await scoreUnits('l2', groups, { model: MLP, env })
    return (ratio: number): Model => cutUnits(MLP, chooseUnits(groups, scores, { ratio, scope: 'layer', multiple: 1 }))
  }

  test('criteria are the deviance and their price of a parameter', async () => {
    const cutAt = await chooser()
    const meter = await openDeviance(
      MLP,
      samplesFor(MLP, 30, (i) => i % 3),
      env,
    )
    const warnings: string[] = []
    const { points, observations } = await pathOf(cutAt, meter, 'bic', { onWarning: (w) => warnings.push(w) })
    expect(observations).toBe(30)
    for (const p of points) {
      expect(p.parameters).toBe(parametersOf(cutAt(p.ratio)))
      expect(p.aic).toBeCloseTo(p.deviance + 2 * p.parameters, 8)
      expect(p.bic).toBeCloseTo(p.deviance + Math.log(30) * p.parameters, 8)
    }
    expect(warnings.join()).toMatch(/111 parameters and there are 30 observations/)
    const { chosen, points: again } = await pathOf(cutAt, meter, 'cv')
    const least = Math.min(...again.map((p) => p.loss))
    const within = again.map((p) => p.loss - p.standardError <= least)
    expect(chosen).toBe(within.lastIndexOf(true))
  })

  test('a budget takes the least that fits', async () => {
    const budget = 300
    const { model, groups } = await prune(
      MLP,
      { amount: { maxBytes: encodeModel(MLP).byteLength - budget }, multiple: 1 },
      env,
    )
    expect(encodeModel(model).byteLength).toBeLessThanOrEqual(encodeModel(MLP).byteLength - budget)
    const gone = groups.reduce((sum, g) => sum + g.units - g.kept, 0)
    expect(gone).toBeGreaterThan(0)
    expect(gone).toBeLessThan(9)
    const macs = await prune(RESIDUAL, { amount: { maxMacs: 4000 }, multiple: 1 }, env)
    expect(inspectModel(macs.model).macs).toBeLessThanOrEqual(4000)
    await expect(prune(MLP, { amount: { maxBytes: 100 } }, env)).rejects.toMatchObject({ code: 'PRUNE_BUDGET' })
  })

  test('by BIC, by cross-validation, by sensitivity', async () => {
    const samples = samplesFor(RESIDUAL, 20)
    for (const amount of [{ select: 'bic' }, { select: 'cv' }, { ratio: 0.5 }] as const) {
      const options = { amount, samples, score: 'fisher', scope: 'sensitivity', multiple: 1 } as const
      const { model, path, ratio, groups } = await prune(RESIDUAL, options, env)
      if (path) expect(ratio).toBe(path.points[path.chosen]!.ratio)
      expect(groups).toEqual([{ name: 'a + b', layers: ['a', 'b'], units: 6, kept: expect.any(Number) }])
      expect(parametersOf(model)).toBeLessThanOrEqual(parametersOf(RESIDUAL))
    }
  })
})

describe('prune', () => {
  test('normalizations stay until they have scored, and are folded then', async () => {
    const { model } = await prune(RESIDUAL, { amount: { ratio: 0.5 }, score: 'bn-scale', multiple: 1 }, env)
    expect(model.graph.nodes.map((n) => n.op)).not.toContain('BatchNormalization')
    const cut = model.graph.nodes.find((n) => n.op === 'Conv')!
    expect(model.graph.constants.get(cut.inputs[1]!)!.shape).toEqual([3, 2, 3, 3])
  })

  test('what cannot be done is said', async () => {
    const half = { amount: { ratio: 0.5 } }
    const nothing = modelOfX(['n', 3], (b) => b.op('Relu', ['x']))
    await expect(prune(nothing, half, env)).rejects.toMatchObject({ code: 'PRUNE_NOTHING' })
    await expect(prune(RESIDUAL, { ...half, exclude: ['a'] }, env)).rejects.toMatchObject({ code: 'PRUNE_NOTHING' })
    await expect(prune(MLP, { amount: { ratio: 1 } }, env)).rejects.toMatchObject({ code: 'PRUNE_RATIO' })
    await expect(prune(MLP, { amount: { select: 'bic' } }, env)).rejects.toMatchObject({ code: 'PRUNE_SAMPLES' })
    await expect(prune(MLP, { ...half, exclude: ['nobody'] }, env)).rejects.toMatchObject({ code: 'PARAM_INVALID' })
  })

  test('layers that stay are told, with the reason', async () => {
    const { held, groups } = await prune(MLP, { amount: { ratio: 0.5 }, exclude: ['first'] }, env)
    expect(groups.map((g) => [g.name, g.kept])).toEqual([
      ['first', 7],
      ['second', 4],
    ])
    expect(held.get('first')).toMatch(/excluded/)
    expect(held.get('last')).toMatch(/Softmax/)
  })
})
