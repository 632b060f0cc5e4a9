/** `pare demo`: the main job on the bundled face detector and photographs. */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Samples } from '../../data/samples.js'
import { defineCommand } from '../command.js'
import { outcomeText } from '../outcome-text.js'

const FOLDER = fileURLToPath(new URL('../../../demo/', import.meta.url))
const MODEL = 'ultraface-slim-320.onnx'

export const demo = defineCommand({
  name: 'demo',
  summary: 'Compress a bundled face detector, in under a minute',
  positionals: { names: [], min: 0, max: 0 },
  options: {
    output: { kind: 'text', short: 'o', value: 'folder', doc: 'where model and report go (default pare-demo)' },
    threads: {
      kind: 'number',
      value: 'n',
      min: 1,
      max: 1024,
      whole: true,
      doc: 'threads inside one operator (default: the physical cores)',
    },
  },
  examples: ['pare demo'],
  notes: ['The model and its 24 photographs are bundled with pare; demo/README.md names their source and licence.'],
  async run(_args, options, context) {
    const [{ mkdir }, { readModel }, { compress }, { renderReport }, { writeFileAtomic }] = await Promise.all([
      import('node:fs/promises'),
      import('../../onnx/files.js'),
      import('../../search/compress.js'),
      import('../../report/render.js'),
      import('../../util/files.js'),
    ])
    const folder = options.output ?? 'pare-demo'
    await mkdir(folder, { recursive: true })
    const { outcome, bytes } = await compress(await readModel(join(FOLDER, MODEL)), {
      samples: await photographs(),
      maxDrop: 0.05,
      for: 'latency',
      runFolder: join(folder, 'run'),
      rounds: 30,
      budgetMs: 800,
      name: MODEL,
      command: context.commandLine,
      signal: context.signal,
      onProgress: context.onProgress,
      onWarning: context.warn,
      ...(options.threads !== undefined && { threads: options.threads }),
    })
    const output = bytes === null ? null : join(folder, 'out.onnx')
    const report = join(folder, 'report.html')
    if (bytes !== null) await writeFileAtomic(output!, bytes)
    await writeFileAtomic(report, renderReport(outcome))
    const written = { output, report }
    return {
      text: outcomeText(outcome, written, context.terminal),
      json: { ...written, outcome },
      exit: bytes === null ? 1 : 0,
    }
  },
})

/** The photographs as the detector takes them: (x − 127) / 128 for x in 0 … 255. */
async function photographs(): Promise<Samples> {
  const [{ npzSamples }, { fileSource }, { elements, f32 }] = await Promise.all([
    import('../../data/npz.js'),
    import('../../data/files.js'),
    import('../../ir/tensor.js'),
  ])
  const raw = await npzSamples(await fileSource(join(FOLDER, 'faces.npz')), { inputs: ['input'] })
  return {
    ...raw,
    name: '24 bundled photographs',
    async *read(options) {
      for await (const sample of raw.read(options)) {
        const pixels = elements(sample.feeds.input!) as Uint8Array
        const values = Float32Array.from(pixels, (x) => (x - 127) / 128)
        yield { ...sample, feeds: { input: f32([1, 3, 240, 320], values) } }
      }
    },
  }
}
