import { expect, test } from 'vitest'
import type { Dataset } from '../train/dataset.js'
import { dense } from '../train/layers/index.js'
import { sequential } from '../train/layers/sequential.js'
import { squaredError } from '../train/losses/squared.js'
import { mae } from '../train/metrics/index.js'
import { withBatchSize } from '../train/training-form.js'
import type { Context } from './command.js'
import { runTraining } from './training.js'
import type { TrainingChoices } from './training-options.js'

const model = withBatchSize(sequential([dense(1)], { input: [2] }), 8)
const samples = (count: number, input = 'input'): Dataset => ({
  count,
  inputs: new Map([[input, { dtype: 'float32', shape: [2], data: new Float32Array(2 * count) }]]),
  targets: new Map([[model.graph.outputs[0]!, { dtype: 'float32', shape: [1], data: new Float32Array(count) }]]),
})

test.each([
  ['fewer than a fixed batch', samples(3), 'TRAIN_EMPTY'],
  ['of another input', samples(8, 'other'), 'TRAIN_INPUT'],
])('samples that judge and do not fit are found before an engine is opened: %s', async (_, wrong, code) => {
  const loss = squaredError()
  const training = { model, loss, data: samples(16), metrics: [mae()], how: loss.name, name: 'm' }
  for (const [what, sets] of Object.entries({
    validation: { validation: wrong, test: null },
    test: { validation: samples(8), test: wrong },
  })) {
    const ran = runTraining({ ...training, ...sets }, {} as TrainingChoices, {} as Context)
    await expect(ran).rejects.toMatchObject({ code, detail: { where: what } })
  }
})
