import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spareModel } from '../../../test/prunable.js'
import { rowSamples } from '../../../test/search-models.js'
import type { Samples } from '../../data/samples.js'
import { comparison } from '../../engine/compare.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { nodeKey } from '../../ir/graphs.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { applySteps } from '../recipes.js'
import { checkParams, type TransformEnv } from '../transform.js'
import { recoverRound } from './round.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const original = spareModel()
const env = (more: Partial<TransformEnv> = {}): TransformEnv => ({
  engine: async () => engine,
  teacher: original,
  samples: rowSamples(400),
  seed: 1,
  ...more,
})
const learned = (given: Readonly<Record<string, unknown>>, more: Partial<TransformEnv> = {}): Promise<Model> =>
  recoverRound.apply(original, checkParams(recoverRound, { steps: 300, ...given }), env(more))
const stored = (model: Model, width: string): Promise<Model> =>
  applySteps(model, [{ transform: `store/${width}`, params: { range: 'absmax' } }], env())

/** ‖model − of‖ ÷ ‖of‖ on samples that nothing was learned from. */
async function errorOf(model: Model, of = original): Promise<number> {
  const sums = comparison()
  const [a, b] = [await engine.load(encodeModel(of).bytes), await engine.load(encodeModel(model).bytes)]
  for await (const { feeds } of rowSamples(100, 99).read()) sums.add(await a.run(feeds), await b.run(feeds))
  await a.close()
  await b.close()
  return sums.differences().get('y')!.relativeL2
}

test.each(['int6', 'int5', 'int4', 'int3', 'int2'])(
  '%s: nearer to the original than each weight at its nearest level, and the store finds the grid again',
  async (width) => {
    const model = await learned({ width })
    expect(await errorOf(model)).toBeLessThan(0.95 * (await errorOf(await stored(original, width))))
    // In float16 stay the bias alone, which loses its last digits.
    expect(await errorOf(await stored(model, width), model)).toBeLessThan(1e-3)
  },
)

test('int8: the store finds its channels again', async () => {
  const model = await learned({ width: 'int8' })
  const again = await applySteps(model, [{ transform: 'store/int8', params: {} }], env())
  expect(await errorOf(again, model)).toBeLessThan(1e-3)
})

test('only the nodes that are named are rounded, each for its store', async () => {
  const [first, second] = original.graph.nodes.filter((n) => n.op === 'Gemm')
  const model = await learned({ width: 'none', int5: [nodeKey(first!)], int3: [nodeKey(second!)] })
  const values = (name: string): number => new Set(model.graph.constants.get(name)!.bytes()).size
  expect(values('a.w')).toBeGreaterThan(values('b.w'))
  const alone = await learned({ width: 'none', int3: [nodeKey(second!)] })
  expect(alone.graph.constants.get('a.w')).toBe(original.graph.constants.get('a.w'))
  expect(alone.graph.constants.get('b.w')).not.toBe(original.graph.constants.get('b.w'))
  expect(await learned({ width: 'none' })).toBe(original)
})

test('one seed makes the same bytes', async () => {
  const bytes = async () => encodeModel(await learned({ width: 'int4', steps: 30 })).bytes
  expect(await bytes()).toEqual(await bytes())
})

describe('where learning begins', () => {
  /** Rows that are nearly one another's multiples: of a layer's errors GPTQ makes most good. */
  const alike: Samples = {
    ...rowSamples(200),
    async *read(options) {
      let i = 0
      for await (const sample of rowSamples(200).read(options)) {
        const feeds = Object.fromEntries(
          Object.entries(sample.feeds).map(([name, t]) => [
            name,
            f32(
              t.shape,
              floats(t).map((v, k) => Math.cos(i) * (1 + k / 8) + 0.01 * v),
            ),
          ]),
        )
        i++
        yield { ...sample, feeds }
      }
    },
  }
  const still = { width: 'int3', steps: 1, travel: 0.01 }

  test('beside what GPTQ chooses, where that is much better', async () => {
    const told: string[] = []
    const model = await learned(still, { samples: alike, report: (line) => void told.push(line) })
    expect(told.join()).toContain('begins beside the choice of GPTQ')
    // Also where one step brings nothing: not the nearest, which any model would get.
    expect(model.graph.constants.get('a.w')).not.toEqual((await learned(still)).graph.constants.get('a.w'))
  })

  test('in both places, where it is a little better, and the nearer end is kept', async () => {
    const told: string[] = []
    const model = await learned({ width: 'int3', steps: 40 }, { report: (line) => void told.push(line) })
    expect(told.join()).toMatch(/with half of the steps each .* nearest is the (first|second)/)
    const gptq = { transform: 'store/int3', params: { range: 'absmax', rounding: 'gptq' } }
    const chosen = await applySteps(original, [gptq], env())
    expect(await errorOf(await stored(model, 'int3'))).toBeLessThan(1.05 * (await errorOf(chosen)))
  })

  test('where the weights are, where nothing tells', async () => {
    const { samples, ...others } = env()
    const alone = await recoverRound.apply(original, checkParams(recoverRound, { ...still, steps: 30 }), {
      ...others,
      training: samples!,
    })
    expect(alone).not.toBe(original)
  })

  test('may be stopped there', async () => {
    await expect(learned(still, { signal: AbortSignal.abort() })).rejects.toThrow()
  })
})

test('refuses without samples', () => {
  const { samples: _, ...none } = env()
  expect(recoverRound.refuses(original, none)).toContain('no samples')
  expect(recoverRound.refuses(original, env())).toBe(null)
})
