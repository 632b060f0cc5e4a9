import { describe, expect, test } from 'vitest'
import { weights } from '../../test/compress-models.js'
import { spareModel } from '../../test/prunable.js'
import { rowSamples } from '../../test/search-models.js'
import { value } from '../../test/small-models.js'
import type { Samples } from '../data/samples.js'
import { openEngine } from '../engine/node/open.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, floats } from '../ir/tensor.js'
import { encodeModel } from '../onnx/codec.js'
import { calibrateUnits } from './quantize/calibrate-units.js'
import { applySteps, planRecipes } from './recipes.js'

const b = builder()
b.input('x', value('float32', [4, 64]))
b.output(b.op('MatMul', ['x', b.constant(weights([64, 64], 1), 'w')]), value('float32', null))
const model = modelOf(b.graph())
const rest = { calibrated: true, portable: false, objective: 'size', activations: 'uint8' } as const

describe('weights of 4 bits', () => {
  test('are tried where quality can be measured', () => {
    const names = planRecipes(model, { ...rest, judged: true }).map((r) => r.name)
    expect(names).toEqual(expect.arrayContaining(['stored int4', 'int4 blocks']))
  })

  test('and nowhere else', () => {
    const recipes = planRecipes(model, { ...rest, judged: false })
    expect(recipes.map((r) => r.name)).toContain('dynamic int8')
    const steps = recipes.flatMap((r) => r.steps.map((s) => s.transform))
    expect(steps.filter((id) => id === 'quantize/nbits' || id === 'store/int4')).toEqual([])
  })
})

test('weights of two values are stored as bits, other weights never are', () => {
  const names = (m: typeof model) => planRecipes(m, { ...rest, judged: false }).map((r) => r.name)
  const signs = f32(
    [64, 64],
    Float32Array.from({ length: 4096 }, (_, i) => (i % 3 === 0 ? 1 : -1)),
  )
  const rounded = { ...model, graph: { ...model.graph, constants: new Map([['w', signs]]) } }
  expect(names(rounded)).toEqual(expect.arrayContaining(['stored binary', 'stored ternary']))
  expect(names(model)).not.toContain('stored binary')
})

describe('ranges that a step made stale', () => {
  const sized = spareModel()
  const step = (transform: string, params = {}) => ({ transform, params })
  /** Rows with far ends. */
  const samples: Samples = {
    ...rowSamples(60),
    async *read() {
      for await (const { feeds, name } of rowSamples(60).read()) {
        yield {
          feeds: {
            x: f32(
              [1, 64],
              floats(feeds.x!).map((v) => v ** 3),
            ),
          },
          name,
        }
      }
    },
  }
  /** Steps on them, and how often they were looked through for ranges. */
  async function applied(steps: readonly ReturnType<typeof step>[], start = sized) {
    const engine = await openEngine({ threads: 1 })
    let looked = 0
    const onProgress = ({ task, done }: { task: string; done: number }) => {
      if (task === 'calibrating' && done === 1) looked++
    }
    const env = { engine: async () => engine, samples, teacher: sized, onProgress }
    try {
      const calibration = await calibrateUnits(start, env.samples, env)
      looked = 0
      const made = await applySteps(start, steps, { ...env, ...(calibration && { calibration }) })
      return { model: made, bytes: encodeModel(made).bytes, looked }
    } finally {
      await engine.close()
    }
  }

  test('are found whole where one of the steps behind it needs more than their ends', async () => {
    const fixed = (range: string, exclude: readonly string[] = []) => step('quantize/static', { range, exclude })
    const equalized = await applied([step('equalize/weights')])
    const steps = [fixed('min-max', ['Gemm_1']), fixed('mse')]
    const { bytes, looked } = await applied([step('equalize/weights'), ...steps])
    expect(bytes).toEqual((await applied(steps, equalized.model)).bytes)
    expect(bytes).not.toEqual((await applied([steps[0]!, fixed('min-max')], equalized.model)).bytes)
    expect(looked).toBe(1)
  })

  test('are not looked for where nothing behind it reads them', async () => {
    const [pruned, recovered] = [step('sparsify/magnitude'), step('recover/distill', { steps: 20 })]
    expect((await applied([pruned, recovered, step('store/int8')])).looked).toBe(0)
    expect((await applied([pruned, recovered, step('quantize/static')])).looked).toBe(1)
  })
})
