import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { f32 } from '../ir/tensor.js'
import { readModel, writeModel } from '../onnx/files.js'
import type { Checkpoint } from './checkpoint.js'
import { readCheckpoint, writeCheckpoint } from './checkpoint-file.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-checkpoint-'))
})
afterAll(() => rm(folder, { recursive: true }))

const of = (cost: number): Checkpoint => ({
  digest: 'd',
  history: [{ epoch: 1, learningRate: 0.1, trainingLoss: 2, seconds: 3 }],
  states: new Map([['w', f32([2], [1, 2])]]),
  best: { epoch: 1, cost, states: new Map([['w', f32([2], [3, 4])]]) },
  rate: { factor: 1, since: 0 },
})

test.each([0.5, -0.75, Number.POSITIVE_INFINITY])('what is read is what was written: cost %d', async (cost) => {
  const path = join(folder, 'a.state')
  await writeCheckpoint(path, of(cost))
  const { best, history } = await readCheckpoint(path)
  expect([best.epoch, best.cost, history]).toEqual([1, cost, of(cost).history])
  expect(best.states.get('w')!.bytes()).toEqual(f32([2], [3, 4]).bytes())
})

test('one that does not say what the best weights cost is damaged', async () => {
  const path = join(folder, 'b.state')
  await writeCheckpoint(path, of(1))
  const model = await readModel(path)
  const metadata = new Map([...model.metadata].map(([key, text]) => [key, text.replace('"cost"', '"loss"')]))
  await writeModel({ ...model, metadata }, path)
  await expect(readCheckpoint(path)).rejects.toMatchObject({ code: 'TRAIN_CHECKPOINT' })
})
