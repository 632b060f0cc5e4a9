/** Calibrating mnist-cntk in a process of its own, on the built package: what a number of samples costs in memory. */

import { runScript } from './processes.js'

/** A transpiler's own memory would blur the picture: plain JavaScript. */
const SCRIPT = `
import { readFileSync } from 'node:fs'
import { prepareModel } from './dist/compress/prepare.js'
import { calibrateUnits } from './dist/compress/quantize/index.js'
import { openSamples } from './dist/data/open.js'
import { take } from './dist/data/split.js'
import { openEngine } from './dist/engine/node/open.js'
import { decodeModel } from './dist/onnx/codec.js'
const [model, data, count, detail] = process.argv.slice(1)
const engine = await openEngine({ threads: 1 })
const env = { engine: async () => engine }
const prepared = await prepareModel(decodeModel(readFileSync(model)), env)
const session = await engine.load(readFileSync(model))
const some = take(await openSamples(data, { inputs: session.inputs }), Number(count))
const samples = {
  ...some,
  async *read(options) {
    let read = 0
    for await (const sample of some.read(options)) {
      if (++read % 100 === 0) globalThis.gc?.()
      yield sample
    }
  },
}
await session.close()
const start = performance.now()
const { samples: seen, histograms } = await calibrateUnits(prepared, samples, env, detail)
const seconds = (performance.now() - start) / 1000
await engine.close()
// What the process forked from was larger: the kernel's mark is the process's own, maxRSS is not.
const mark = () => /^VmHWM:\\s*(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]
const peakBytes = 1024 * (process.platform === 'linux' ? Number(mark()) : process.resourceUsage().maxRSS)
console.log(JSON.stringify({ seen, values: histograms.size, seconds, peakBytes }))
`

export interface Calibrated {
  /** Samples run. */
  readonly seen: number
  /** Values of the graph whose range was taken. */
  readonly values: number
  readonly seconds: number
  readonly peakBytes: number
}

interface Measuring {
  readonly count: number
  /** Exact ends alone, or a histogram of every value. */
  readonly detail: 'range' | 'histogram'
  /** Garbage is collected every 100 samples: the peak is then that of what is held, not of when the collector ran. */
  readonly isCollected?: boolean
}

export async function calibrated(
  model: string,
  data: string,
  { count, detail, isCollected = false }: Measuring,
): Promise<Calibrated> {
  const { stdout } = await runScript(SCRIPT, [model, data, String(count), detail], isCollected ? ['--expose-gc'] : [])
  return JSON.parse(stdout) as Calibrated
}
