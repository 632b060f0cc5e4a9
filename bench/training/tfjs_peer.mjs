/**
 * The peer: the same network in TensorFlow.js. `node tfjs_peer.mjs FOLDER NAME BACKEND EPOCHS`, where FOLDER holds
 * node_modules with @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm. Prints milliseconds a step, the first ones
 * left out.
 */

import { createRequire } from 'node:module'
import { join } from 'node:path'

const [folder, name, backend, epochs] = process.argv.slice(2)
const require = createRequire(join(folder, 'package.json'))
const tf = require('@tensorflow/tfjs')
const onWasm = backend === 'wasm'
if (onWasm) {
  const wasm = require('@tensorflow/tfjs-backend-wasm')
  wasm.setWasmPaths(join(folder, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/'))
}
await tf.setBackend(backend)
await tf.ready()

const dense = (units, activation) => tf.layers.dense({ units, activation })
const projection = (units) => tf.layers.dense({ units, useBias: false })
const table = (count, width) => tf.variable(tf.randomNormal([count, width], 0, 0.02))

/** WebAssembly has a gradient of the kernel of 3-D convolutions alone: there, pictures have a depth of 1. */
const conv = (filters) => {
  const options = { filters, padding: 'same', activation: 'relu' }
  return onWasm
    ? tf.layers.conv3d({ ...options, kernelSize: [1, 3, 3] })
    : tf.layers.conv2d({ ...options, kernelSize: 3 })
}
const pool = () => (onWasm ? tf.layers.maxPooling3d({ poolSize: [1, 2, 2] }) : tf.layers.maxPooling2d({ poolSize: 2 }))

/** Of moments: on WebAssembly the gradient of `tf.layers.layerNormalization` takes several times as long as the rest. */
function norm(width) {
  const [scale, shift] = [tf.variable(tf.ones([width])), tf.variable(tf.zeros([width]))]
  return (x) => {
    const { mean, variance } = tf.moments(x, -1, true)
    return x.sub(mean).mul(variance.add(1e-5).rsqrt()).mul(scale).add(shift)
  }
}

/** A product with one-hot rows: the gradient of `tf.gather` is missing on WebAssembly, and slow on the CPU. */
const lookedUp = (rows, x) => {
  const [count, width] = rows.shape
  return tf
    .oneHot(x.flatten(), count)
    .toFloat()
    .matMul(rows)
    .reshape([...x.shape, width])
}

const inRow = (layers) => (x) => layers.reduce((h, layer) => layer.apply(h), x)

function attention(places, width, heads) {
  const [qkv, out] = [projection(3 * width), projection(width)]
  const size = width / heads
  const mask = tf.sub(1, tf.linalg.bandPart(tf.ones([places, places]), -1, 0)).mul(-1e9)
  return (x) => {
    const [n] = x.shape
    const parts = tf.split(qkv.apply(x), 3, -1)
    const [q, k, v] = parts.map((part) => part.reshape([n, places, heads, size]).transpose([0, 2, 1, 3]))
    const shares = tf.softmax(tf.matMul(q.mul(1 / Math.sqrt(size)), k, false, true).add(mask))
    return out.apply(tf.matMul(shares, v).transpose([0, 2, 1, 3]).reshape([n, places, width]))
  }
}

function transformer() {
  const [letters, places] = [table(65, 128), table(128, 128)]
  const [first, second, last] = [norm(128), norm(128), norm(128)]
  const [attend, widen, score] = [attention(128, 128, 4), inRow([dense(512, 'gelu'), dense(128)]), dense(65)]
  return (x) => {
    const put = lookedUp(letters, x).add(places)
    const seen = put.add(attend(first(put)))
    return score.apply(last(seen.add(widen(second(seen)))))
  }
}

const pictures = (shape) => (batch) => [tf.randomNormal([batch, ...shape]), classes([batch], 10)]
const classes = (shape, count) => tf.oneHot(indices(shape, count), count).toFloat()
const indices = (shape, count) => tf.randomUniform(shape, 0, count, 'int32')

const NETWORKS = {
  mlp: {
    batch: 128,
    scores: () => inRow([dense(512, 'relu'), dense(256, 'relu'), dense(10)]),
    data: pictures([784]),
  },
  cnn: {
    batch: 64,
    scores: () => inRow([conv(16), pool(), conv(32), pool(), tf.layers.flatten(), dense(128, 'relu'), dense(10)]),
    data: pictures(onWasm ? [1, 28, 28, 1] : [28, 28, 1]),
  },
  transformer: {
    batch: 16,
    scores: transformer,
    data: (batch) => [indices([batch, 128], 65), classes([batch, 128], 65)],
  },
}

const steps = onWasm ? 5 : 1
const { batch, scores, data } = NETWORKS[name]
const forward = scores()
const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8)
const [x, y] = data(batch)
// Makes the layers' variables: the optimizer moves those alone that there are before a step.
tf.dispose(forward(x))
const times = []
for (let epoch = 0; epoch <= Number(epochs); epoch++) {
  const begin = performance.now()
  for (let i = 0; i < steps; i++) {
    const cost = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, forward(x)), true)
    await cost.data()
    cost.dispose()
  }
  times.push((performance.now() - begin) / steps)
}
console.log(JSON.stringify({ ms: times.slice(1), version: tf.version.tfjs }))
