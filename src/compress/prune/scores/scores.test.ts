import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { weights } from '../../../../test/compress-models.js'
import { LSTM, MLP, modelOfX, RESIDUAL, samplesFor } from '../../../../test/prune-models.js'
import type { Label } from '../../../data/labels.js'
import type { Samples } from '../../../data/samples.js'
import type { Engine } from '../../../engine/engine.js'
import { openEngine } from '../../../engine/node/open.js'
import { f32, i64, numbers } from '../../../ir/tensor.js'
import type { Model, Tensor } from '../../../ir/types.js'
import { encodeModel } from '../../../onnx/codec.js'
import { mutualInformation } from '../../../reduce/select/mutual-information.js'
import { random } from '../../../util/random.js'
import type { TransformEnv } from '../../transform.js'
import { chooseUnits } from '../choose.js'
import { findGroups, type Group } from '../groups.js'
import { scoreUnits } from '../score-units.js'
import { entropyOf } from './entropy.js'
import { SCORES } from './index.js'
import { eachElement } from './score.js'
import { slopesOf } from './slopes.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const MODELS = { MLP, RESIDUAL, LSTM }

const envWith = (samples?: Samples, seed = 0): TransformEnv => ({
  engine: async () => engine,
  seed,
  ...(samples && { samples }),
})

const scored = async (id: string, m: Model, samples?: Samples) => {
  const { groups } = findGroups(m)
  const found = await scoreUnits(id, groups, { model: m, env: envWith(samples) })
  return groups.map((g) => [...found.get(g)!])
}

/** The units of each group in another order: unit i at the place of unit order[i]. */
function permuted(m: Model, orderOf: (group: Group) => readonly number[]): Model {
  const constants = new Map(m.graph.constants)
  for (const group of findGroups(m).groups) {
    const order = orderOf(group)
    const moved = new Map<string, number[]>()
    for (const [i, { slices }] of group.units.entries()) {
      for (const [s, slice] of slices.entries()) {
        const key = `${slice.axis}:${slice.constant}`
        const map = moved.get(key) ?? []
        moved.set(key, map)
        const to = group.units[order[i]!]!.slices[s]!
        for (const [j, k] of slice.indices.entries()) map[to.indices[j]!] = k
      }
    }
    for (const [key, map] of moved) {
      const name = key.slice(key.indexOf(':') + 1)
      constants.set(name, taken(constants.get(name)!, Number(key[0]), map))
    }
  }
  return { ...m, graph: { ...m.graph, constants } }
}

function taken(t: Tensor, axis: number, from: readonly number[]): Tensor {
  const values = numbers(t)
  const next = Float32Array.from(values)
  const positions = (k: number): number[] => {
    const found: number[] = []
    eachElement(t, { constant: '', role: 'output', axis, indices: [k] }, (i) => found.push(i))
    return found
  }
  from.forEach((k, to) => {
    const old = positions(k)
    positions(to).forEach((i, j) => {
      next[i] = values[old[j]!]!
    })
  })
  return f32(t.shape, next)
}

const classOf = (i: number): number => ((i * 7) % 3) % 2

describe.each(SCORES.map((s) => ({ id: s.id })))('$id', ({ id }) => {
  test.each(['MLP', 'RESIDUAL', 'LSTM'] as const)(
    'is finite, and follows the units wherever they stand: %s',
    async (name) => {
      const m = MODELS[name]
      if (id === 'bn-scale' && name !== 'RESIDUAL') {
        await expect(scored(id, m)).rejects.toMatchObject({ code: 'PRUNE_SCORE' })
        return
      }
      const { groups } = findGroups(m)
      const orders = new Map(groups.map((g) => [g.name, random(5).shuffle(g.units.map((_, i) => i))]))
      for (const label of [classOf, undefined]) {
        // Few samples make ties, which go to the unit that comes first.
        const samples = samplesFor(m, id === 'mrmr' ? 24 : 12, label)
        const plain = await scored(id, m, samples)
        expect(plain.map((s) => s.length)).toEqual(groups.map((g) => g.units.length))
        expect(plain.flat().every(Number.isFinite)).toBe(true)
        if (id === 'random') continue
        const moved = await scored(
          id,
          permuted(m, (g) => orders.get(g.name)!),
          samples,
        )
        for (const [g, group] of groups.entries()) {
          const size = Math.max(...plain[g]!.map(Math.abs))
          group.units.forEach((_, i) => {
            expect(moved[g]![orders.get(group.name)![i]!]! / size, `${group.name} ${i}`).toBeCloseTo(
              plain[g]![i]! / size,
              4,
            )
          })
        }
      }
    },
  )

  test('says what it is', () => {
    const score = SCORES.find((s) => s.id === id)!
    expect(score.summary.length).toBeGreaterThan(10)
    expect(score.source).toMatch(/\d{4}|uniform/)
  })

  test('asks for samples where it needs them', async () => {
    const score = SCORES.find((s) => s.id === id)!
    if (score.needs === 'weights') expect(await scored(id, RESIDUAL)).toHaveLength(1)
    else await expect(scored(id, RESIDUAL)).rejects.toMatchObject({ code: 'PRUNE_SAMPLES' })
  })
})

test('a score that is none is said', async () => {
  await expect(scored('beauty', MLP)).rejects.toMatchObject({ code: 'PRUNE_SCORE' })
})

/** x -> W1 -> h -> W2 -> y, without anything between: all by hand. */
const W1 = [1, -2, 0.5, 3, 0, 1]
const W2 = [2, 1, -1, 0.5, 0.25, -3]
const LINEAR = modelOfX([1, 2], (b) => {
  const h = b.op('MatMul', ['x', b.constant(f32([2, 3], W1), 'w1')], { name: 'hidden' })
  return b.op('MatMul', [h, b.constant(f32([3, 2], W2), 'w2')], { name: 'out' })
})
const XS = [
  [1, 0.5],
  [-1, 2],
  [0.25, -1],
]
const linearSamples = (label?: (i: number) => Label, count = XS.length): Samples => ({
  name: 'three',
  count,
  async *read() {
    for (let i = 0; i < count; i++)
      yield { name: `${i}`, feeds: { x: f32([1, 2], XS[i % XS.length]!) }, ...(label && { label: label(i) }) }
  },
})
const hiddenOf = ([a, b]: readonly number[]): readonly number[] => [0, 1, 2].map((u) => a! * W1[u]! + b! * W1[3 + u]!)
const outputOf = (h: readonly number[]): readonly number[] =>
  [0, 1].map((o) => h.reduce((sum, v, u) => sum + v * W2[2 * u + o]!, 0))
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
/** ∂L/∂z of each unit and sample: Σ over outputs of h w ∂L/∂y. */
const gates = (slopes: (y: readonly number[], i: number) => readonly number[]) =>
  XS.map((x, i) => {
    const h = hiddenOf(x)
    const dy = slopes(outputOf(h), i)
    return h.map((v, u) => v * dy.reduce((sum, d, o) => sum + d * W2[2 * u + o]!, 0))
  })
const closeTo = (values: readonly number[]) => values.map((v) => expect.closeTo(v, 4))

describe('by hand', () => {
  test('weights', async () => {
    const filters = [0, 1, 2].map((u) => [W1[u]!, W1[3 + u]!])
    expect((await scored('l1', LINEAR))[0]).toEqual(closeTo(filters.map(([a, b]) => Math.abs(a!) + Math.abs(b!))))
    const distances = filters.map(([a, b]) => filters.reduce((sum, [c, d]) => sum + Math.hypot(a! - c!, b! - d!), 0))
    expect((await scored('geometric-median', LINEAR))[0]).toEqual(closeTo(distances))
    const squares = filters.map(([a, b], u) => a! ** 2 + b! ** 2 + W2[2 * u]! ** 2 + W2[2 * u + 1]! ** 2)
    expect((await scored('l2', LINEAR))[0]).toEqual(closeTo(squares))
  })

  test('normalization: the scales of both that the residual sum joins', async () => {
    const scales = [20, 30].map((seed) => numbers(weights([6], seed)))
    const wanted = Array.from({ length: 6 }, (_, u) => mean(scales.map((s) => Math.abs(s[u]!))))
    expect((await scored('bn-scale', RESIDUAL))[0]).toEqual(closeTo(wanted))
  })

  test('normalization: layers without one are left out, and keep all units', async () => {
    const half = modelOfX(['n', 2, 6, 6], (b) => {
      const w = [
        weights([4, 2, 1, 1], 1),
        weights([4], 2),
        weights([4], 3),
        weights([5, 4, 1, 1], 4),
        weights([3, 5, 1, 1], 5),
      ]
      const [a, one, zero, c, d] = w.map((t) => b.constant(t, 'w'))
      const norm = b.op('BatchNormalization', [b.op('Conv', ['x', a!], { name: 'a' }), one!, zero!, zero!, one!])
      return b.op('Conv', [b.op('Conv', [norm, c!], { name: 'c' }), d!], { name: 'd' })
    })
    const { groups } = findGroups(half)
    const found = await scoreUnits('bn-scale', groups, { model: half, env: envWith() })
    expect([...found.keys()].map((g) => g.name)).toEqual(['a'])
    for (const scope of ['layer', 'global'] as const)
      expect(chooseUnits(groups, found, { ratio: 0.5, scope, multiple: 1 })).toHaveLength(2)
  })

  test('what nothing reads is worth nothing', async () => {
    const part = modelOfX(['n', 4], (b) => {
      const y = b.op('MatMul', ['x', b.constant(weights([4, 6], 1), 'w')], { name: 'wide' })
      const [zero, three, one] = [0, 3, 1].map((v) => b.constant(i64([1], [v]), 'at'))
      return b.op('Slice', [y, zero!, three!, one!])
    })
    const { groups } = findGroups(part)
    expect(groups.map((g) => [g.units.length, g.readAt])).toEqual([[3, []]])
    expect((await scored('taylor', part, samplesFor(part, 3))).flat()).toEqual(
      groups.flatMap((g) => g.units.map(() => 0)),
    )
  })

  test('classes: slopes of the cross-entropy', async () => {
    const classOf = (i: number): number => i % 2
    const s = gates((y, i) => {
      const e = y.map(Math.exp)
      return e.map((v, o) => v / (e[0]! + e[1]!) - Number(o === classOf(i)))
    })
    const samples = linearSamples(classOf)
    expect((await scored('taylor', LINEAR, samples))[0]).toEqual(
      closeTo([0, 1, 2].map((u) => mean(s.map((r) => Math.abs(r[u]!))))),
    )
    expect((await scored('fisher', LINEAR, samples))[0]).toEqual(
      closeTo([0, 1, 2].map((u) => mean(s.map((r) => r[u]! ** 2)) / 2)),
    )
  })

  test('values: slopes of the squared error', async () => {
    const s = gates((y, i) => y.map((v, o) => v - (i + o / 2)))
    const samples = linearSamples((i) => [i, i + 0.5])
    expect((await scored('taylor', LINEAR, samples))[0]).toEqual(
      closeTo([0, 1, 2].map((u) => mean(s.map((r) => Math.abs(r[u]!))))),
    )
  })

  test('no labels: answers drawn from the model itself give the squares of all slopes of its outputs', async () => {
    const found = (await scored('fisher', LINEAR, linearSamples(undefined, 390)))[0]!
    const outputs = XS.map((x) => outputOf(hiddenOf(x)))
    const power = mean(outputs.flat().map((v) => v ** 2))
    const exact = [0, 1, 2].map(
      (u) => mean(XS.map((x) => hiddenOf(x)[u]! ** 2 * (W2[2 * u]! ** 2 + W2[2 * u + 1]! ** 2))) / power / 2,
    )
    // The square of a normal deviation has a deviation of √2 of its mean: four of them over 390 samples.
    for (const [u, v] of exact.entries()) expect(Math.abs(found[u]! / v - 1)).toBeLessThan(0.45)
  })

  test('activations', async () => {
    const wanted = [0, 1, 2].map((u) => mean(XS.map((x) => Math.abs(hiddenOf(x)[u]!))))
    expect((await scored('activation', LINEAR, linearSamples()))[0]).toEqual(closeTo(wanted))
    expect(entropyOf(Float64Array.of(1, 1, 1, 1))).toBe(0)
    expect(entropyOf(Float64Array.of(0, 0, 1, 1))).toBeCloseTo(Math.LN2, 12)
    expect(entropyOf(Float64Array.from({ length: 160 }, (_, i) => i % 16))).toBeCloseTo(Math.log(16), 12)
  })

  test('information with the labels is that of the selection of columns', async () => {
    const samples = samplesFor(MLP, 40, classOf)
    const first: number[] = []
    const session = await engine.load(
      encodeModel({
        ...MLP,
        graph: { ...MLP.graph, outputs: [MLP.graph.nodes.find((n) => n.op === 'Tanh')!.outputs[0]!] },
      }).bytes,
    )
    for await (const { feeds } of samples.read()) first.push(...numbers(Object.values(await session.run(feeds))[0]!))
    await session.close()
    const x = { rows: 40, columns: 7, data: Float64Array.from(first) }
    const { scores } = await mutualInformation(
      x,
      Array.from({ length: 40 }, (_, i) => classOf(i)),
      { isClasses: true },
    )
    expect((await scored('mutual-information', MLP, samples))[0]).toEqual([...scores])
  })
})

describe('slopes are those of the loss by a factor on what reads the unit', () => {
  test.each(['RESIDUAL', 'LSTM'] as const)('%s', async (name) => {
    const m = MODELS[name]
    const { groups } = findGroups(m)
    const samples = samplesFor(m, 1, () => 1)
    const { sizes } = await slopesOf(groups, { model: m, env: envWith(samples) })
    const loss = async (factor: number, group: Group, u: number): Promise<number> => {
      const constants = new Map(m.graph.constants)
      for (const slice of group.units[u]!.slices.filter((s) => s.role === 'contraction')) {
        const t = constants.get(slice.constant)!
        const next = Float32Array.from(numbers(t))
        eachElement(t, slice, (i) => {
          next[i]! *= factor
        })
        constants.set(slice.constant, f32(t.shape, next))
      }
      const session = await engine.load(encodeModel({ ...m, graph: { ...m.graph, constants } }).bytes)
      let found = 0
      for await (const { feeds } of samples.read()) {
        const y = [...numbers(Object.values(await session.run(feeds))[0]!)]
        found = Math.log(y.reduce((sum, v) => sum + Math.exp(v), 0)) - y[1]!
      }
      await session.close()
      return found
    }
    for (const group of groups) {
      for (const u of [0, group.units.length - 1]) {
        const slope = ((await loss(1.02, group, u)) - (await loss(0.98, group, u))) / 0.04
        expect(sizes.get(group)![u]).toBeCloseTo(Math.abs(slope), 3)
      }
    }
  })
})
