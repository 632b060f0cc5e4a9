/**
 * MNIST from nothing: `npx tsx examples/mnist.ts mlp|cnn FOLDER`, where the folder holds the four idx files. The MLP
 * reaches 98.2 % of the test images, the CNN 99.2 %.
 */

import { join } from 'node:path'
import {
  augmentations,
  type Dataset,
  layers,
  losses,
  type Model,
  openEngine,
  openLabels,
  openSamples,
  optimizers,
  readDataset,
  schedules,
  scoreOf,
  sequential,
  take,
  train,
  withLabels,
} from '../src/node.js'

const { batchNorm, conv, dense, dropout, flatten, maxPool, relu, reshape, scale } = layers

export const mlp = (): Model =>
  sequential([scale(1 / 255), flatten(), dense(256), relu(), dropout(0.2), dense(128), relu(), dense(10)], {
    input: [28, 28],
  })

export function cnn(): Model {
  const stage = (filters: number) => [conv(filters, 3), batchNorm(), relu(), maxPool(2)]
  return sequential(
    [
      scale(1 / 255),
      reshape(1, 28, 28),
      ...stage(16),
      ...stage(32),
      flatten(),
      dropout(0.3),
      dense(64),
      relu(),
      dense(10),
    ],
    { input: [28, 28] },
  )
}

export interface Options {
  readonly folder: string
  readonly epochs: number
  /** Training images; the rest is left out. */
  readonly limit?: number
  readonly onLine?: (line: string) => void
}

/** Images and labels of one of the two sets, `train` and `t10k`. */
export async function readMnist(folder: string, set: string, count: number, model: Model): Promise<Dataset> {
  const inputs = [{ name: 'input', dtype: 'float32', shape: [1, 28, 28] }] as const
  const images = await openSamples(join(folder, `${set}-images-idx3-ubyte.gz`), { inputs })
  const labels = await openLabels(join(folder, `${set}-labels-idx1-ubyte.gz`))
  return readDataset(take(withLabels(images, labels), count), { model, loss: losses.crossEntropy() })
}

/** Trains, and returns the accuracy on the test images. */
export async function mnist(
  model: Model,
  { folder, epochs, limit = 60_000, onLine = () => {} }: Options,
): Promise<number> {
  const loss = losses.crossEntropy()
  const data = await readMnist(folder, 'train', limit, model)
  const test = await readMnist(folder, 't10k', 10_000, model)
  const engine = await openEngine()
  try {
    const { model: trained, best } = await train(model, {
      engine,
      data,
      loss,
      epochs,
      batchSize: 64,
      optimizer: optimizers.adam(),
      learningRate: 3e-3,
      schedule: schedules.oneCycle(),
      augment: augmentations.shift(1),
      onEpoch: ({ epoch, trainingLoss, validation, seconds }) =>
        onLine(
          `epoch ${epoch}: loss ${trainingLoss.toFixed(4)}, validation ${validation!.accuracy}, ${seconds.toFixed(1)} s`,
        ),
    })
    const { accuracy } = await scoreOf(trained, { engine, data: test, loss })
    onLine(`test accuracy ${accuracy}, weights of epoch ${best}`)
    return accuracy!
  } finally {
    await engine.close()
  }
}

if (process.argv[1]?.endsWith('mnist.ts')) {
  const [name = 'mlp', folder = '../shared/data/mnist'] = process.argv.slice(2)
  await mnist(name === 'cnn' ? cnn() : mlp(), { folder, epochs: name === 'cnn' ? 10 : 12, onLine: console.log })
}
