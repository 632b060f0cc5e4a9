/** `tsx bench/samples/write.ts OUTDIR [MODEL…]`: each model's samples as `<model>.calibration.npz` and `<model>.heldout.npz`. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sample, Samples } from '../../src/data/samples.js'
import { MODEL_SAMPLES, samplesFor } from './index.js'
import { npzOf } from './npz.js'

const [folder, ...models] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: tsx bench/samples/write.ts OUTDIR [MODEL…]')
  process.exit(2)
}

mkdirSync(folder, { recursive: true })
for (const entry of models.length > 0 ? models.map(samplesFor) : MODEL_SAMPLES) {
  for (const part of ['calibration', 'heldout'] as const) {
    const samples = await all(entry[part])
    const path = join(folder, `${entry.model}.${part}`)
    writeFileSync(`${path}.npz`, npzOf(samples))
    writeFileSync(`${path}.names.txt`, `${samples.map((sample) => sample.name).join('\n')}\n`)
    console.log(`${path}.npz: ${samples.length} samples`)
  }
}

async function all(samples: Samples): Promise<Sample[]> {
  const list: Sample[] = []
  for await (const sample of samples.read()) list.push(sample)
  return list
}
