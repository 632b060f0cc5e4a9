import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Samples } from '../data/samples.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, numbers } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { random } from '../util/random.js'
import { distillation } from './distill.js'
import { train } from './train.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** A frame and a state: state' = tanh(x w + state), and the index of its largest element. */
function stepper(noise: number, names = { state: 'state', next: 'next' }): Model {
  const { normal } = random(3)
  const b = builder()
  const value = { kind: 'tensor', dtype: 'float32', shape: [1, 3] } as const
  b.input('x', value)
  b.input(names.state, value)
  const values = Array.from({ length: 9 }, (_, i) => Math.sin(i) + noise * normal())
  const sum = b.op('Add', [b.op('MatMul', ['x', b.constant(f32([3, 3], values), 'w')]), names.state])
  b.output(b.op('Tanh', [sum], { outputs: [names.next] }), value)
  b.output(b.op('ArgMax', [names.next], { attrs: { axis: int(1) } }), { kind: 'tensor', dtype: 'int64', shape: [1, 1] })
  return modelOf(b.graph())
}

const frames: Samples = {
  name: 'frames',
  count: 60,
  async *read() {
    const { normal } = random(5)
    for (let i = 0; i < 60; i++) {
      const x = f32([1, 3], [normal(), normal(), normal()])
      yield { feeds: { x, state: f32([1, 3], [0, 0, 0]) }, name: `frame ${i}`, sequence: i < 30 ? 'first' : 'second' }
    }
  },
}
const links = [{ output: 'next', input: 'state' }]

test('a student learns frame after frame, with the states of its teacher; whole numbers are left out', async () => {
  const [teacher, student] = [stepper(0), stepper(0.1)]
  const { data, objectives } = await distillation(student, teacher, frames, { engine, links })
  expect(objectives.map((o) => o.output)).toEqual(['next'])
  // The second frame begins where the first one ended.
  const [states, targets] = [data.inputs.get('state')!.data, data.targets.get('next')!.data]
  expect([...states.subarray(3, 6)]).toEqual([...targets.subarray(0, 3)])
  expect([...states.subarray(90, 93)]).toEqual([0, 0, 0])
  const { model, before, epochs, best } = await train(student, {
    engine,
    data,
    loss: objectives,
    epochs: 60,
    learningRate: 0.01,
  })
  expect(epochs[best - 1]!.validation!.loss).toBeLessThan(before!.loss / 100)
  const [wanted, got] = [teacher, model].map(({ graph }) => numbers(graph.constants.get('w')!))
  for (const [i, v] of wanted!.entries()) expect(got![i]).toBeCloseTo(v, 1)
})

test('models that cannot be paired are refused', async () => {
  const other = stepper(0, { state: 'memory', next: 'next' })
  await expect(distillation(stepper(0), other, frames, { engine, links })).rejects.toMatchObject({
    code: 'DISTILL_INPUTS',
  })
  const teacher = stepper(0)
  const one = { ...teacher, graph: { ...teacher.graph, outputs: ['next'] } }
  const renamed = stepper(0, { state: 'state', next: 'after' })
  await expect(distillation(renamed, one, frames, { engine, links: [] })).rejects.toMatchObject({
    code: 'DISTILL_OUTPUTS',
  })
})
