/** What is pruned: a network of `bench/levers/train.ts` with its data, or a small one that is trained here in seconds. */

import { readMnist } from '../../examples/mnist.js'
import type { Samples } from '../../src/data/samples.js'
import {
  type augmentations,
  type Dataset,
  type Engine,
  layers,
  losses,
  type Model,
  readModel,
  sequential,
  train,
} from '../../src/node.js'
import { gather, part } from '../../src/train/dataset.js'
import { cifarTask, mnistTask } from '../levers/train.js'
import { requiredPath } from '../samples/types.js'

export interface PruningTask {
  readonly name: string
  readonly model: Model
  readonly data: Dataset
  readonly test: Dataset
  /** What recovery does to images. */
  readonly augment?: ReturnType<typeof augmentations.shift>
}

/** Of the test images. */
const JUDGED = 2000

export async function pruningTask(kind: string, file: string | undefined, engine: Engine): Promise<PruningTask> {
  if (kind === 'tiny') return tinyTask(engine)
  const { data, test, augment } = kind === 'resnet' ? await cifarTask() : await mnistTask()
  const name =
    kind === 'resnet' ? 'the residual network of 20 layers on CIFAR-10' : 'the convolutional network on MNIST'
  return { name, model: await readModel(file!), data, test: part(test, 0, Math.min(test.count, JUDGED)), augment }
}

const { batchNorm, conv, dense, flatten, maxPool, relu, reshape, scale } = layers

/** Two convolutions of 8 and 16 channels and a layer of 32, 4,000 images, six epochs. */
async function tinyTask(engine: Engine): Promise<PruningTask> {
  const stage = (filters: number) => [conv(filters, 3), batchNorm(), relu(), maxPool(2)]
  const early = sequential(
    [scale(1 / 255), reshape(1, 28, 28), ...stage(8), ...stage(16), flatten(), dense(32), relu(), dense(10)],
    { input: [28, 28] },
  )
  const folder = requiredPath('mnist')
  const data = await readMnist(folder, 'train', 4000, early)
  const { model } = await train(early, { engine, data, loss: losses.crossEntropy(), epochs: 6 })
  const name = 'a small convolutional network on 4,000 images of MNIST'
  return { name, model, data, test: await readMnist(folder, 't10k', JUDGED, model) }
}

/** Rows of a data set of classes as samples. */
export function samplesOf({ count, inputs, targets }: Dataset, limit: number): Samples {
  const [labels] = [...targets.values()]
  const most = Math.min(limit, count)
  return {
    name: 'training images',
    count: most,
    async *read() {
      for (let i = 0; i < most; i++) {
        const feeds = Object.fromEntries([...inputs].map(([name, column]) => [name, gather(column, [i])]))
        yield { name: `image ${i}`, feeds, label: Number(labels!.data[i]) }
      }
    },
  }
}
