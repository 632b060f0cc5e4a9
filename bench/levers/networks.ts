/** The networks that levers are shown on: a convolutional one for MNIST and a residual one for CIFAR-10. */

import { type Layer, layers, type Model, sequential } from '../../src/node.js'

const { batchNorm, conv, dense, dropout, flatten, globalAveragePool, inRow, maxPool, relu, reshape, scale } = layers

/** conv32, conv64, pool, fc128, fc10 with 3 x 3 kernels and no padding: 1,199,882 parameters. */
export const mnistCnn = (seed = 0): Model =>
  sequential(
    [
      scale(1 / 255),
      reshape(1, 28, 28),
      conv(32, 3, { padding: 'valid' }),
      relu(),
      conv(64, 3, { padding: 'valid' }),
      relu(),
      maxPool(2),
      dropout(0.25),
      flatten(),
      dense(128),
      relu(),
      dropout(0.5),
      dense(10),
    ],
    { input: [28, 28], seed },
  )

/** Two ways through, added: the second brings the first input to the shape that the first way ends in. */
const sum =
  (body: Layer, shortcut: Layer): Layer =>
  (b, at, name, random) => {
    const left = body(b, at, `${name}.body`, random.fork(0))
    const right = shortcut(b, at, `${name}.shortcut`, random.fork(1))
    return { name: b.op('Add', [left.name, right.name], { name }), shape: left.shape }
  }

const nothing: Layer = (_, at) => at

/** He et al. 2016, section 4.2, with a convolution of 1 x 1 where the shape changes (there option B). */
function block(filters: number, stride: number): Layer {
  const body = inRow(conv(filters, 3, { stride }), batchNorm(), relu(), conv(filters, 3), batchNorm())
  const shortcut = stride === 1 ? nothing : inRow(conv(filters, 1, { stride }), batchNorm())
  return inRow(sum(body, shortcut), relu())
}

/** Three stages of three blocks with 16, 32 and 64 filters: 20 layers. */
export const cifarResNet = (seed = 0): Model =>
  sequential(
    [
      scale(1 / 255),
      conv(16, 3),
      batchNorm(),
      relu(),
      ...[16, 32, 64].flatMap((filters, stage) => [0, 1, 2].map((i) => block(filters, stage > 0 && i === 0 ? 2 : 1))),
      globalAveragePool(),
      flatten(),
      dense(10),
    ],
    { input: [3, 32, 32], seed },
  )
