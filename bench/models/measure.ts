/** Measuring the files of one model: do they run, natively and in WebAssembly; how far are they off; how fast are they. */

import { readFileSync } from 'node:fs'
import type { Samples } from '../../src/data/samples.js'
import type { Engine, Feeds } from '../../src/engine/engine.js'
import { floats } from '../../src/ir/tensor.js'
import { messageOf } from '../../src/util/errors.js'
import { type Agreement, agreement, type Outputs } from '../peers/agreement.js'
import type { ClassScores } from '../samples/scores.js'

export interface Subject {
  readonly id: string
  readonly path: string
}

/** Outputs of one file on the held-out samples against the original's; or why it does not run. */
export interface Judged {
  readonly id: string
  readonly agreement: Agreement | null
  /** The same file natively and in WebAssembly: the worst output's relative L2 distance on the first few samples. */
  readonly wasm: number | null
  readonly error?: string
}

export interface Judging {
  readonly native: Engine
  readonly wasm: Engine
  readonly heldOut: Samples
  readonly scores: ClassScores | null
}

/** Held-out samples that run in WebAssembly too. */
const WASM_SAMPLES = 4

/** The reference is the original with the engine's rewriting off. */
export async function judge(
  original: string,
  subjects: readonly Subject[],
  { native, wasm, heldOut, scores }: Judging,
) {
  const feeds: Feeds[] = []
  const labels: number[] = []
  for await (const sample of heldOut.read()) {
    feeds.push(sample.feeds)
    if (typeof sample.label === 'number') labels.push(sample.label)
  }
  const known = labels.length === feeds.length ? labels : null
  const exact = await outputsOf(native, original, feeds, 'off')
  const judged: Judged[] = []
  for (const { id, path } of subjects) {
    try {
      const outputs = await outputsOf(native, path, feeds)
      const first = Object.fromEntries(
        Object.entries(outputs).map(([name, list]) => [name, list.slice(0, WASM_SAMPLES)]),
      )
      const inWasm = await outputsOf(wasm, path, feeds.slice(0, WASM_SAMPLES))
      judged.push({
        id,
        agreement: agreement(outputs, exact, scores, known),
        wasm: agreement(inWasm, first, null, null).worst,
      })
    } catch (error) {
      judged.push({ id, agreement: null, wasm: null, error: messageOf(error).slice(0, 300) })
    }
  }
  return judged
}

async function outputsOf(
  engine: Engine,
  path: string,
  feeds: readonly Feeds[],
  optimization: 'off' | 'all' = 'all',
): Promise<Outputs> {
  const session = await engine.load(new Uint8Array(readFileSync(path)), { optimization })
  try {
    const outputs: Record<string, Float32Array[]> = {}
    for (const feed of feeds) {
      for (const [name, t] of Object.entries(await session.run(feed))) {
        const list = outputs[name] ?? []
        list.push(floats(t).slice())
        outputs[name] = list
      }
    }
    return outputs
  } finally {
    await session.close()
  }
}

export interface Timed {
  readonly id: string
  /** Milliseconds of each round; reading i of all subjects was taken in the same round. */
  readonly runs: readonly number[]
}

/** Different inputs that the timing cycles through. */
const TIMING_SAMPLES = 3
const MAX_ROUNDS = 2000

/** All subjects interleaved in one thread of one process. */
export async function timeTogether(
  engine: Engine,
  subjects: readonly Subject[],
  samples: Samples,
  budgetMs: number,
): Promise<readonly Timed[]> {
  const feeds: Feeds[] = []
  for await (const sample of samples.read()) {
    feeds.push(sample.feeds)
    if (feeds.length >= TIMING_SAMPLES) break
  }
  const files = subjects.map(({ path }) => new Uint8Array(readFileSync(path)))
  const timings = await engine.measure(files, feeds, { rounds: MAX_ROUNDS, budgetMs })
  return subjects.map(({ id }, i) => ({ id, runs: timings[i]!.runs.map((ms) => Number(ms.toPrecision(5))) }))
}
