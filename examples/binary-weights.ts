/**
 * Weights of one bit: `npx tsx examples/binary-weights.ts FOLDER`, where the folder holds the four idx files of MNIST. A
 * network is trained in float and with binary weights: 98.3 % and 98.1 % of the test images. Stored, the second is the
 * very same model in 226 kB for 542, of which 201 kB are the first layer.
 */

import {
  cleanModel,
  encodeModel,
  layers,
  losses,
  type Model,
  openEngine,
  quantize,
  schedules,
  scoreOf,
  sequential,
  train,
} from '../src/node.js'
import { readMnist } from './mnist.js'

const { batchNorm, dense, flatten, relu, scale } = layers

/** The first and the last layer keep their weights; those between have one bit each. */
const network = (): Model =>
  sequential(
    [
      scale(1 / 255),
      flatten(),
      dense(64),
      ...[256, 256].flatMap((width) => [batchNorm(), relu(), dense(width)]),
      batchNorm(),
      relu(),
      dense(10),
    ],
    { input: [28, 28] },
  )

export interface Compared {
  /** Shares of the test images that are told right. */
  readonly float: number
  readonly binary: number
  readonly stored: number
  /** Of the model with binary weights, in float and stored. */
  readonly bytes: number
  readonly storedBytes: number
}

export async function binaryWeights(folder: string, epochs: number, limit = 60_000): Promise<Compared> {
  const [model, loss] = [network(), losses.crossEntropy()]
  const data = await readMnist(folder, 'train', limit, model)
  const test = await readMnist(folder, 't10k', 10_000, model)
  const engine = await openEngine()
  try {
    const settings = { engine, data, loss, epochs, batchSize: 64, learningRate: 3e-3, schedule: schedules.oneCycle() }
    const accuracy = async (m: Model): Promise<number> => (await scoreOf(m, { engine, data: test, loss })).accuracy!
    const float = await train(model, settings)
    const binary = await train(model, { ...settings, grid: 'binary' })
    const env = { engine: async () => engine }
    const cleaned = await cleanModel(binary.model, env)
    const stored = await quantize(binary.model, { to: 'binary' }, env)
    return {
      float: await accuracy(float.model),
      binary: await accuracy(binary.model),
      stored: await accuracy(stored),
      bytes: encodeModel(cleaned).byteLength,
      storedBytes: encodeModel(stored).byteLength,
    }
  } finally {
    await engine.close()
  }
}

if (process.argv[1]?.endsWith('binary-weights.ts'))
  console.log(await binaryWeights(process.argv[2] ?? '../shared/data/mnist', 12))
