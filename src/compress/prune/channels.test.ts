import { describe, expect, test } from 'vitest'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import { ints } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, numbers } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { applySteps } from '../recipes.js'
import { pruneChannels } from './channels.js'
import { chooseUnits } from './choose.js'
import { findGroups, type Group } from './groups.js'
import { l2 } from './scores/l2.js'

const env = {
  engine: () => {
    throw new Error('pruning by weights needs no engine')
  },
}

/** x [1, 3, 6, 6] → a (20 channels) → b (12) → out (2). */
function chain(): Model {
  const b = builder()
  b.input('x', value('float32', [1, 3, 6, 6]))
  const layer = (x: string, name: string, shape: readonly number[], seed: number) =>
    b.op(
      'Conv',
      [x, b.constant(weights(shape, seed), `${name}_w`), b.constant(weights([shape[0]!], seed + 9), `${name}_b`)],
      {
        name,
        attrs: { kernel_shape: ints(shape.slice(2)) },
      },
    )
  const a = b.op('Relu', [layer('x', 'a', [20, 3, 3, 3], 1)])
  b.output(layer(layer(a, 'b', [12, 20, 1, 1], 2), 'out', [2, 12, 1, 1], 3))
  return modelOf(b.graph())
}

const prune = (model: Model, given: Readonly<Record<string, unknown>>): Promise<Model> =>
  applySteps(model, [{ transform: 'prune/channels', params: given }], env)

const widths = ({ graph }: Model): readonly number[] => ['a_w', 'b_w'].map((w) => graph.constants.get(w)!.shape[0]!)

describe('prune/channels', () => {
  test('cuts the given part of each layer, rounded up to what stays', async () => {
    expect(widths(await prune(chain(), { ratio: 0.5, multiple: 1 }))).toEqual([10, 6])
    expect(widths(await prune(chain(), { ratio: 0.5 }))).toEqual([12, 8])
    expect(widths(await prune(chain(), { ratio: 0.95, multiple: 1 }))).toEqual([1, 1])
    expect(widths(await prune(chain(), { ratio: 0.5, multiple: 16 }))).toEqual([16, 6])
  })

  test('refuses a multiple that is no whole number', async () => {
    const given = prune(chain(), { multiple: 2.5 })
    await expect(given).rejects.toThrow(expect.objectContaining({ code: 'PARAM_INVALID' }))
  })

  test('leaves the model as it is for a part of nothing', async () => {
    const model = chain()
    expect(await prune(model, { ratio: 0 })).toBe(model)
  })

  test('keeps the weights of excluded nodes, and so the layers around them', async () => {
    expect(widths(await prune(chain(), { ratio: 0.5, exclude: ['out'] }))).toEqual([12, 12])
    expect(widths(await prune(chain(), { ratio: 0.5, exclude: ['b'] }))).toEqual([20, 12])
  })

  test('cuts most where units are worth least, of all layers together', async () => {
    const model = chain()
    const small = f32(
      [20, 3, 3, 3],
      numbers(model.graph.constants.get('a_w')!).map((v, i) => (i < 270 ? v / 1000 : v)),
    )
    const reads = numbers(model.graph.constants.get('b_w')!).map((v, i) => (i % 20 < 10 ? v / 1000 : v))
    const bias = numbers(model.graph.constants.get('a_b')!).map((v, i) => (i < 10 ? v / 1000 : v))
    const constants = new Map([
      ...model.graph.constants,
      ['a_w', small],
      ['b_w', f32([12, 20, 1, 1], reads)],
      ['a_b', f32([20], bias)],
    ])
    const uneven = { ...model, graph: { ...model.graph, constants } }
    const [a, b] = widths(await prune(uneven, { ratio: 0.3, scope: 'global', multiple: 1 }))
    expect(a).toBeLessThan(12)
    expect(b).toBe(12)
    expect(32 - a! - b!).toBe(9)
  })

  test('says why a model has nothing to cut', () => {
    const b = builder()
    b.input('x', value('float32', [1, 8]))
    b.output(b.op('MatMul', ['x', b.constant(weights([8, 4], 1))], { name: 'only' }))
    expect(pruneChannels.refuses(modelOf(b.graph()), {})).toBe(
      'no layer can lose units (only: an output of the model has it)',
    )
    expect(pruneChannels.refuses(chain(), {})).toBeNull()
  })
})

test('the score l2 is the sum of squares of rows, biases and the columns that read them', async () => {
  const model = chain()
  const { groups } = findGroups(model)
  const scores = await l2.score(groups, { model, env })
  const [w, bias, next] = ['a_w', 'a_b', 'b_w'].map((name) => numbers(model.graph.constants.get(name)!))
  const expected = Array.from({ length: 20 }, (_, c) => {
    const row = w!.slice(c * 27, (c + 1) * 27)
    const column = Array.from({ length: 12 }, (_, m) => next![m * 20 + c]!)
    return [...row, bias![c]!, ...column].reduce((total, v) => total + v * v, 0)
  })
  const got = scores.get(groups[0]!)!
  expected.forEach((v, i) => {
    expect(got[i]).toBeCloseTo(v, 6)
  })
})

describe('the choice of units', () => {
  const unit = { slices: [], places: new Map() }
  const group = (count: number, width = 1): Group => ({
    name: 'g',
    layers: ['g'],
    touches: [],
    madeAt: [],
    readAt: [],
    units: Array.from({ length: count }, () => ({ ...unit })),
    width,
  })

  test('takes the cheapest, the first of equals', () => {
    const g = group(4)
    const chosen = chooseUnits([g], new Map([[g, Float64Array.of(3, 1, 2, 1)]]), {
      ratio: 0.5,
      scope: 'layer',
      multiple: 1,
    })
    expect(chosen.map((u) => g.units.indexOf(u))).toEqual([1, 3])
  })

  test('counts indices, not heads, where it rounds', () => {
    const g = group(8, 24)
    const count = (ratio: number) =>
      8 - chooseUnits([g], new Map([[g, new Float64Array(8)]]), { ratio, scope: 'layer', multiple: 32 }).length
    // Heads of 24: four of them are three times 32.
    expect([0.1, 0.5, 0.6].map(count)).toEqual([8, 4, 4])
  })
})
