import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { floats } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { l1 } from '../penalties/l1.js'
import { l2 } from '../penalties/l2.js'
import { random } from '../util/random.js'
import type { Dataset } from './dataset.js'
import { scoreOf } from './evaluate.js'
import { dense } from './layers/index.js'
import { sequential } from './layers/sequential.js'
import { huber } from './losses/absolute.js'
import { squaredError } from './losses/squared.js'
import { type PathOptions, trainPath } from './path.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** Three of 20 inputs say something. */
const INPUTS = 20
const TRUE = [2, -1.5, 1]
const model = sequential([dense(1)], { input: [INPUTS], seed: 3 })
const [output] = model.graph.outputs as [string]

function rows(count: number, seed: number): Dataset {
  const { normal } = random(seed)
  const x = Float32Array.from({ length: count * INPUTS }, () => normal())
  const y = Float32Array.from(
    { length: count },
    (_, i) => TRUE.reduce((sum, w, j) => sum + w * x[i * INPUTS + j]!, 0) + 0.5 * normal(),
  )
  return {
    count,
    inputs: new Map([['input', { dtype: 'float32', shape: [INPUTS], data: x }]]),
    targets: new Map([[output, { dtype: 'float32', shape: [1], data: y }]]),
  }
}

const options = (more: Partial<PathOptions> = {}): PathOptions => ({
  engine,
  data: rows(120, 1),
  loss: squaredError(),
  penalty: (strength) => ({ penalty: l1(strength) }),
  strengths: [0.003, 0.03, 0.1, 0.3, 1, 3],
  epochs: 40,
  batchSize: 24,
  learningRate: 0.02,
  ...more,
})

const weights = (m: Model): readonly number[] =>
  [...m.graph.constants.values()].filter((t) => t.shape.length === 2).flatMap((t) => [...floats(t)])

test.each(['cv', 'aic', 'bic'] as const)(
  '%s keeps the inputs that say something, and zeros most others',
  async (select) => {
    const { points, chosen, trained } = await trainPath(model, options({ select }))
    const own = weights(trained.model)
    expect(own.slice(0, 3).every((w) => Math.abs(w) > 0.5)).toBe(true)
    expect(own.slice(3).filter((w) => w === 0).length).toBeGreaterThan(5)
    expect(points.map((p) => p.strength)).toEqual(options().strengths)
    expect(points[chosen]!.parameters).toBe([...own, 1].filter((w) => w !== 0).length)
    // Nothing is left at the strongest.
    if (select !== 'cv') expect(points.at(-1)!.parameters).toBeLessThanOrEqual(2)
    // A choice is worth something: better on other rows than nearly no penalty, and than far too much.
    const lossOf = async (strengths: readonly number[]): Promise<number> => {
      const only = await trainPath(model, options({ strengths, select: 'aic' }))
      return (await scoreOf(only.trained.model, { engine, data: rows(2000, 9), loss: squaredError() })).loss
    }
    const { loss } = await scoreOf(trained.model, { engine, data: rows(2000, 9), loss: squaredError() })
    expect(loss).toBeLessThan(await lossOf([3]))
    expect(loss).toBeLessThan(1.05 * (await lossOf([1e-6])))
  },
)

test('strengths follow the scale of the loss where none are given', async () => {
  const scaled = rows(60, 1)
  const target = scaled.targets.get(output)!
  const data = {
    ...scaled,
    targets: new Map([
      [output, { ...target, data: target.data.map(((v: number) => 100 * v) as never) as Float32Array }],
    ]),
  }
  const strengthsOf = async (given: Dataset) =>
    (
      await trainPath(model, options({ data: given, epochs: 1, select: 'bic', strengths: undefined as never }))
    ).points.map((p) => p.strength)
  const [plain, large] = [await strengthsOf(scaled), await strengthsOf(data)]
  expect(plain).toHaveLength(10)
  // Slopes of squared errors grow as the targets do.
  expect(large[0]! / plain[0]!).toBeGreaterThan(50)
  expect(large[0]! / plain[0]!).toBeLessThan(200)
})

test('a criterion counts all outputs of all samples', async () => {
  const wide = sequential([dense(4)], { input: [INPUTS], seed: 3 })
  const [name] = wide.graph.outputs as [string]
  const own = rows(40, 1)
  const data: Dataset = {
    ...own,
    targets: new Map([
      [name, { dtype: 'float32', shape: [4], data: Float32Array.from({ length: 160 }, (_, i) => Math.sin(i)) }],
    ]),
  }
  const { points } = await trainPath(wide, options({ data, epochs: 1, strengths: [0.1], select: 'bic' }))
  const { loss, parameters, criterion } = points[0]!
  expect(criterion).toBeCloseTo(160 * Math.log(loss) + Math.log(160) * parameters!, 6)
})

test.each([[[]], [[0.1, 0.1]], [[0, 1]], [[1, Number.NaN]]])('strengths %j are an error', async (strengths) => {
  await expect(trainPath(model, options({ strengths }))).rejects.toMatchObject({ code: 'TRAIN_OPTION' })
})

test('what cannot be chosen by is an error that says so', async () => {
  await expect(trainPath(model, options({ loss: huber(1), select: 'bic' }))).rejects.toMatchObject({
    code: 'TRAIN_SELECT',
  })
  const ridge = (strength: number) => ({ penalty: l2(strength) })
  await expect(trainPath(model, options({ penalty: ridge, select: 'aic' }))).rejects.toMatchObject({
    code: 'TRAIN_SELECT',
  })
  await expect(trainPath(model, options({ folds: 121 }))).rejects.toMatchObject({ code: 'TRAIN_OPTION' })
  await expect(trainPath(model, options({ folds: 1 }))).rejects.toMatchObject({ code: 'TRAIN_OPTION' })
})
