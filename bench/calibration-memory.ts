/** `npm run bench:memory`: calibrating with 100, 1,000 and 10,000 samples; writes bench/calibration-memory.md. */

import { join } from 'node:path'
import { calibrated } from './calibration.js'
import { table, writeReport } from './markdown.js'
import { median } from './peers/latency.js'
import { megabytes } from './processes.js'
import { requiredPath } from './samples/types.js'

const REPEATS = 3
const model = requiredPath('models/mnist-cntk.onnx')
const digits = requiredPath('mnist/train-images-idx3-ubyte.gz')

const rows: (string | number)[][] = []
for (const detail of ['range', 'histogram'] as const) {
  for (const count of [100, 1_000, 10_000]) {
    const runs = []
    for (let i = 0; i < REPEATS; i++) runs.push(await calibrated(model, digits, { count, detail }))
    const peak = median(runs.map((r) => r.peakBytes))
    rows.push([
      detail === 'range' ? 'min-max' : 'histograms',
      runs[0]!.seen,
      runs[0]!.values,
      median(runs.map((r) => r.seconds)).toFixed(2),
      megabytes(peak),
    ])
    console.log(rows.at(-1)!.join('  '))
  }
}
writeReport(join(import.meta.dirname, 'calibration-memory.md'), {
  title: 'Memory of calibration',
  about: [
    `mnist-cntk on MNIST training images, one thread; a fresh process each time, median of ${REPEATS}. The peak is that of the whole process, engine and runtime included. Min-max ranges keep two numbers a value; percentile, entropy and mean-squared error keep a histogram.`,
  ],
  versions: {},
  sections: [{ table: table(['ranges', 'samples', 'values of the graph', 'seconds', 'peak MiB'], rows) }],
})
