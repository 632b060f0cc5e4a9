/**
 * Trains the networks that levers are shown on: `npx tsx bench/levers/train.ts cnn|resnet FILE [EPOCHS] [binary|ternary]`.
 * MNIST takes some minutes, CIFAR-10 half an hour. With a grid of signs the file holds the weights as bits.
 */

import { join } from 'node:path'
import { readMnist } from '../../examples/mnist.js'
import {
  augmentations,
  cleanModel,
  type Dataset,
  encodeModel,
  losses,
  type Model,
  openEngine,
  optimizers,
  quantize,
  schedules,
  scoreOf,
  train,
  writeModel,
} from '../../src/node.js'
import { requiredPath } from '../samples/types.js'
import { readCifar } from './cifar.js'
import { cifarResNet, mnistCnn } from './networks.js'

/** Of 20,000 images the last ones, which nothing is trained on. */
const CIFAR_TEST = 2000

const isSigns = (grid: string | undefined): grid is 'binary' | 'ternary' => grid === 'binary' || grid === 'ternary'

interface Task {
  readonly model: Model
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
  readonly augment: ReturnType<typeof augmentations.shift>
  readonly data: Dataset
  readonly test: Dataset
}

export async function mnistTask(): Promise<Task> {
  const model = mnistCnn()
  const folder = requiredPath('mnist')
  return {
    model,
    epochs: 8,
    batchSize: 64,
    learningRate: 2e-3,
    augment: augmentations.shift(1),
    data: await readMnist(folder, 'train', 60_000, model),
    test: await readMnist(folder, 't10k', 10_000, model),
  }
}

export async function cifarTask(): Promise<Task> {
  const model = cifarResNet()
  const path = join(requiredPath('cifar10'), 'train-20k.bin.gz')
  const [output] = model.graph.outputs as [string]
  return {
    model,
    epochs: 24,
    batchSize: 64,
    learningRate: 5e-3,
    augment: augmentations.inTurn(augmentations.shift(4), augmentations.mirror()),
    data: readCifar(path, 0, 20_000 - CIFAR_TEST, output),
    test: readCifar(path, 20_000 - CIFAR_TEST, 20_000, output),
  }
}

if (process.argv[1]?.endsWith('levers/train.ts')) {
  const [kind, file, given, grid] = process.argv.slice(2)
  const task = kind === 'resnet' ? await cifarTask() : await mnistTask()
  const { model, epochs, batchSize, learningRate, augment, data, test } = task
  const engine = await openEngine()
  const loss = losses.crossEntropy()
  const begin = performance.now()
  const { model: trained } = await train(model, {
    engine,
    data,
    loss,
    epochs: given === undefined ? epochs : Number(given),
    batchSize,
    learningRate,
    augment,
    ...(isSigns(grid) && { grid }),
    optimizer: optimizers.adam({ weightDecay: 1e-2 }),
    schedule: schedules.oneCycle(),
    onEpoch: (e) =>
      console.log(
        `epoch ${e.epoch}: loss ${e.trainingLoss.toFixed(4)}, validation ${e.validation!.accuracy}, ${e.seconds.toFixed(1)} s`,
      ),
  })
  const env = { engine: async () => engine }
  const whole = encodeModel(await cleanModel(trained, env)).byteLength
  const result = isSigns(grid) ? await quantize(trained, { to: grid }, env) : trained
  const { accuracy } = await scoreOf(result, { engine, data: test, loss })
  await writeModel(result, file!)
  const bytes = encodeModel(result).byteLength
  const seconds = (performance.now() - begin) / 1000
  console.log(`test accuracy ${accuracy}, ${bytes} bytes (${whole} in float32), ${seconds.toFixed(0)} s`)
  await engine.close()
}
