import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { builder, modelOf } from '../ir/builder.js'
import { numbers } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { l1 } from '../penalties/l1.js'
import { l2 } from '../penalties/l2.js'
import { random } from '../util/random.js'
import type { Dataset } from './dataset.js'
import { trainFullBatch } from './full-batch.js'
import { dense, tanh } from './layers/index.js'
import { sequential } from './layers/sequential.js'
import { crossEntropy } from './losses/cross-entropy.js'
import { squaredError } from './losses/squared.js'
import { withBatchSize } from './training-form.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const [count, width] = [60, 4]
const { normal } = random(6)
const x = Float64Array.from({ length: count * width }, () => normal())
const y = Float64Array.from({ length: count }, (_, i) => 3 * x[i * width]! - x[i * width + 2]! + 0.5 + 0.3 * normal())

const data = (output: string): Dataset => ({
  count,
  inputs: new Map([['input', { dtype: 'float64', shape: [width], data: x }]]),
  targets: new Map([[output, { dtype: 'float64', shape: [1], data: y }]]),
})

/** Solves A b = c by elimination. */
function solve(a: number[][], c: number[]): number[] {
  const rows = a.map((row, i) => [...row, c[i]!])
  for (let k = 0; k < rows.length; k++) {
    for (let i = k + 1; i < rows.length; i++) {
      const factor = rows[i]![k]! / rows[k]![k]!
      for (let j = k; j <= rows.length; j++) rows[i]![j]! -= factor * rows[k]![j]!
    }
  }
  const b = new Array<number>(rows.length).fill(0)
  for (let k = rows.length - 1; k >= 0; k--) {
    let sum = rows[k]![rows.length]!
    for (let j = k + 1; j < rows.length; j++) sum -= rows[k]![j]! * b[j]!
    b[k] = sum / rows[k]![k]!
  }
  return b
}

describe('L-BFGS', () => {
  test('finds the ridge solution of the normal equations, to ten digits', async () => {
    const lambda = 0.1
    const model = sequential([dense(1)], { input: [width], float: 'float64' })
    const [output] = model.graph.outputs
    const result = await trainFullBatch(model, {
      engine,
      data: data(output!),
      loss: squaredError(),
      penalties: [{ penalty: l2(lambda) }],
    })
    expect(result.isConverged).toBe(true)
    // d/dw of mean (x w + b − y)² + λ/2 ‖w‖²: (2/n) Xᵀ(X w + b − y) + λ w = 0; the intercept is free.
    const column = (j: number) => Array.from({ length: count }, (_, i) => (j === width ? 1 : x[i * width + j]!))
    const all = Array.from({ length: width + 1 }, (_, j) => column(j))
    const dot = (a: readonly number[], b: ArrayLike<number>) => a.reduce((sum, v, i) => sum + v * b[i]!, 0)
    const gram = all.map((a, j) => all.map((b, k) => (2 / count) * dot(a, b) + (j === k && j < width ? lambda : 0)))
    const wanted = solve(
      gram,
      all.map((a) => (2 / count) * dot(a, y)),
    )
    const got = [
      ...numbers(result.model.graph.constants.get('layer0.weight')!),
      ...numbers(result.model.graph.constants.get('layer0.bias')!),
    ]
    for (const [j, v] of wanted.entries()) expect(got[j]).toBeCloseTo(v, 10)
    expect(result.losses.length).toBeLessThan(40)
  })

  test('a network: the loss falls at every step, and the gradient is small in the end', async () => {
    const model = sequential([dense(5), tanh(), dense(2)], { input: [width], float: 'float64', seed: 1 })
    const [output] = model.graph.outputs
    const classes = BigInt64Array.from(y, (v) => (v > 0 ? 1n : 0n))
    const result = await trainFullBatch(model, {
      engine,
      data: { ...data(output!), targets: new Map([[output!, { dtype: 'int64', shape: [], data: classes }]]) },
      loss: crossEntropy(),
      penalties: [{ penalty: l2(0.01) }],
      tolerance: 1e-7,
    })
    expect(result.losses.every((v, i) => i === 0 || v < result.losses[i - 1]!)).toBe(true)
    expect(result.gradient).toBeLessThan(1e-6)
  })

  test('a weight that no loss depends on stays', async () => {
    const b = builder([], 'float64')
    b.input('input', { kind: 'tensor', dtype: 'float64', shape: ['N', width] })
    const heads = ['own', 'other'].map((name) =>
      b.op('MatMul', ['input', b.constant(b.tensor([width, 1], [1, 2, 3, 4]), name)]),
    )
    for (const head of heads) b.output(head, { kind: 'tensor', dtype: 'float64', shape: ['N', 1] })
    const model = modelOf(b.graph())
    const loss = [{ output: heads[0]!, loss: squaredError() }]
    const result = await trainFullBatch(model, { engine, data: data(heads[0]!), loss })
    expect([...numbers(result.model.graph.constants.get('other')!)]).toEqual([1, 2, 3, 4])
    expect(result.isConverged).toBe(true)
  })

  test('a batch that is fixed at 1 is opened for training, and handed back as it was', async () => {
    const open = sequential([dense(1)], { input: [width], float: 'float64' })
    const options = { engine, data: data(open.graph.outputs[0]!), loss: squaredError() }
    const free = await trainFullBatch(open, options)
    const fixed = await trainFullBatch(withBatchSize(open, 1), options)
    expect(fixed.losses).toEqual(free.losses)
    const weight = (model: Model) => numbers(model.graph.constants.get('layer0.weight')!)
    expect(weight(fixed.model)).toEqual(weight(free.model))
    expect(fixed.model.graph.values.get('input')).toMatchObject({ shape: [1, width] })
  })

  test('a fixed batch of another size, and numbers out of range, are refused', async () => {
    const model = withBatchSize(sequential([dense(1)], { input: [width], float: 'float64' }), 8)
    const options = { engine, data: data(model.graph.outputs[0]!), loss: squaredError() }
    await expect(trainFullBatch(model, options)).rejects.toMatchObject({ code: 'TRAIN_BATCH' })
    const open = sequential([dense(1)], { input: [width], float: 'float64' })
    const wrong = { ...options, data: data(open.graph.outputs[0]!), tolerance: Number.NaN }
    await expect(trainFullBatch(open, wrong)).rejects.toMatchObject({ code: 'TRAIN_OPTION' })
  })

  test('a penalty without a gradient at zero is refused', async () => {
    const model = sequential([dense(1)], { input: [width], float: 'float64' })
    const [output] = model.graph.outputs
    const options = { engine, data: data(output!), loss: squaredError(), penalties: [{ penalty: l1(0.1) }] }
    await expect(trainFullBatch(model, options)).rejects.toMatchObject({ code: 'TRAIN_PENALTY' })
  })
})
