/**
 * `npm run bench:training-memory`: the memory of a process while it trains an MLP for 10,000 steps; writes
 * bench/training-memory.md.
 */

import { join } from 'node:path'
import { losses, openEngine, train } from '../src/node.js'
import { table, writeReport } from './markdown.js'
import { NETWORKS } from './training/networks.js'

const EPOCHS = 20
const STEPS = 500

const { model, data, batch, about } = NETWORKS.find((n) => n.name === 'mlp')!
const made = model()
const engine = await openEngine()
const rows: string[][] = []
await train(made, {
  engine,
  data: data(batch * STEPS, made.graph.outputs[0]!),
  validation: null,
  loss: losses.crossEntropy(),
  batchSize: batch,
  epochs: EPOCHS,
  onEpoch: ({ epoch }) => {
    if (epoch % 2 === 0) rows.push([String(epoch * STEPS), (process.memoryUsage.rss() / 2 ** 20).toFixed(0)])
  },
})
const { name, version } = engine
await engine.close()
writeReport(join(import.meta.dirname, 'training-memory.md'), {
  title: 'Memory of training',
  about: [
    `${about}; ${(batch * STEPS).toLocaleString('en')} samples in memory. Resident memory of the whole process after so many steps.`,
  ],
  versions: { [name]: version },
  sections: [{ table: table(['steps', 'MiB'], rows) }],
})
console.log(rows.map((r) => r.join(': ')).join('  '))
