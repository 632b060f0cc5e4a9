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
if (backend === 'wasm') {
  const wasm = require('@tensorflow/tfjs-backend-wasm')
  wasm.setWasmPaths(join(folder, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/'))
}
await tf.setBackend(backend)
await tf.ready()

const NETWORKS = {
  mlp: {
    batch: 128,
    steps: backend === 'cpu' ? 1 : 5,
    shape: [784],
    layers: () => [
      tf.layers.dense({ units: 512, activation: 'relu', inputShape: [784] }),
      tf.layers.dense({ units: 256, activation: 'relu' }),
      tf.layers.dense({ units: 10 }),
    ],
  },
  cnn: {
    batch: 64,
    steps: 1,
    shape: [28, 28, 1],
    layers: () => [
      tf.layers.conv2d({ filters: 16, kernelSize: 3, padding: 'same', activation: 'relu', inputShape: [28, 28, 1] }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 32, kernelSize: 3, padding: 'same', activation: 'relu' }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 128, activation: 'relu' }),
      tf.layers.dense({ units: 10 }),
    ],
  },
}

const { batch, steps, shape, layers } = NETWORKS[name]
const model = tf.sequential({ layers: layers() })
const optimizer = tf.train.adam(1e-3)
const x = tf.randomNormal([batch, ...shape])
const y = tf.oneHot(tf.randomUniform([batch], 0, 10, 'int32'), 10).toFloat()
const times = []
for (let epoch = 0; epoch <= Number(epochs); epoch++) {
  const begin = performance.now()
  for (let i = 0; i < steps; i++) {
    const cost = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, model.predict(x)), true)
    await cost.data()
    cost.dispose()
  }
  times.push((performance.now() - begin) / steps)
}
console.log(JSON.stringify({ ms: times.slice(1), version: tf.version.tfjs }))
