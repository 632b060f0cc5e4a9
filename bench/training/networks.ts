/** The networks that are trained side by side, each with random data of its size; the peers build the same. */

import { type Dataset, layers, type Model, sequential } from '../../src/node.js'
import { random } from '../../src/util/random.js'

const { conv, dense, embedding, flatten, layerNorm, maxPool, positions, relu, transformerBlock } = layers

export interface Network {
  readonly name: string
  readonly about: string
  readonly batch: number
  /** Steps of an epoch: what is timed at once. */
  readonly steps: number
  readonly model: () => Model
  readonly data: (count: number, output: string) => Dataset
}

const pictures =
  (shape: readonly number[]) =>
  (count: number, output: string): Dataset => {
    const { normal, integer } = random(1)
    const width = shape.reduce((n, d) => n * d, 1)
    return {
      count,
      inputs: new Map([
        ['input', { dtype: 'float32', shape, data: Float32Array.from({ length: count * width }, () => normal()) }],
      ]),
      targets: new Map([
        [output, { dtype: 'int64', shape: [], data: BigInt64Array.from({ length: count }, () => BigInt(integer(10))) }],
      ]),
    }
  }

const texts = (count: number, output: string): Dataset => {
  const { integer } = random(1)
  const column = () =>
    ({
      dtype: 'int64',
      shape: [128],
      data: BigInt64Array.from({ length: count * 128 }, () => BigInt(integer(65))),
    }) as const
  return { count, inputs: new Map([['input', column()]]), targets: new Map([[output, column()]]) }
}

export const NETWORKS: readonly Network[] = [
  {
    name: 'mlp',
    about: 'MLP 784-512-256-10, batch 128',
    batch: 128,
    steps: 200,
    model: () => sequential([dense(512), relu(), dense(256), relu(), dense(10)], { input: [784] }),
    data: pictures([784]),
  },
  {
    name: 'cnn',
    about: 'CNN on 28 x 28: two 3 x 3 convolutions of 16 and 32 filters, each with a pool, then 128-10; batch 64',
    batch: 64,
    steps: 100,
    model: () =>
      sequential(
        [conv(16, 3), relu(), maxPool(2), conv(32, 3), relu(), maxPool(2), flatten(), dense(128), relu(), dense(10)],
        { input: [1, 28, 28] },
      ),
    data: pictures([1, 28, 28]),
  },
  {
    name: 'transformer',
    about: 'Transformer block of width 128, 4 heads, 128 places, 65 letters; batch 16',
    batch: 16,
    steps: 50,
    model: () =>
      sequential([embedding(65, 128), positions(), transformerBlock({ heads: 4 }), layerNorm(), dense(65)], {
        input: [128],
        inputType: 'int64',
      }),
    data: texts,
  },
]
