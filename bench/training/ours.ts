/**
 * Trains one network and prints the milliseconds of a step:
 * `npx tsx bench/training/ours.ts NAME THREADS EPOCHS [WORKERS [isolated]]`.
 */

import { losses, openEngine, optimizers, train } from '../../src/node.js'
import { NETWORKS } from './networks.js'

const [name, threads, epochs, workers = '1', where] = process.argv.slice(2)
const isolated = where === 'isolated'
const { model, data, batch, steps } = NETWORKS.find((n) => n.name === name)!
const engines = await Promise.all(
  Array.from({ length: Number(workers) }, () => openEngine({ threads: Number(threads), isolated })),
)
const made = model()
const { epochs: rows } = await train(made, {
  engine: engines[0]!,
  workers: engines.slice(1),
  data: data(batch * steps, made.graph.outputs[0]!),
  validation: null,
  loss: losses.crossEntropy(),
  optimizer: optimizers.adam(),
  batchSize: batch,
  epochs: Number(epochs) + 1,
})
for (const engine of engines) await engine.close()
console.log(JSON.stringify({ ms: rows.slice(1).map(({ seconds }) => (1000 * seconds) / steps) }))
