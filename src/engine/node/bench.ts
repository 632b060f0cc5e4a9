/** Models side by side: interleaved latency, load time, and memory in processes of their own. */

import type { RunOptions } from '../../util/env.js'
import type { Engine, Feeds, ModelSource } from '../engine.js'
import { ratio, summary } from '../timing.js'
import { modelMemory } from './memory.js'

export interface BenchOptions extends Omit<RunOptions, 'seed'> {
  /** Interleaved rounds, each of which runs every model once. Default 100. */
  readonly rounds?: number
  /** Upper bound on the time for latency, in ms. Default 20,000. */
  readonly budgetMs?: number
}

export interface BenchResult {
  readonly loadMs: number
  /** Milliseconds a run. */
  readonly p50: number
  readonly p95: number
  /** Median of this model's time over the first one's, with its 95 % interval; null for the first. */
  readonly ratio: { readonly ratio: number; readonly low: number; readonly high: number } | null
  /** Above an idle runtime. */
  readonly peakMemoryBytes: number
}

/** Measures models on the same inputs, with the engine's device and threads. Throws what the engine throws. */
export async function bench(
  engine: Engine,
  models: readonly ModelSource[],
  feeds: readonly Feeds[],
  { rounds = 100, budgetMs = 20_000, signal, onProgress }: BenchOptions = {},
): Promise<readonly BenchResult[]> {
  const total = models.length + 1
  const abort = signal ? { signal } : {}
  onProgress?.({ task: 'measuring latency', done: 0, total })
  const timings = await engine.measure(models, feeds, { rounds, budgetMs, ...abort })
  const results: BenchResult[] = []
  for (const [i, { runs, loadMs }] of timings.entries()) {
    onProgress?.({ task: 'measuring memory', done: i + 1, total })
    const { device, threads } = engine
    const { peakGrowth } = await modelMemory(models[i]!, feeds[0]!, { device, threads, ...abort })
    const { p50, p95 } = summary(runs)
    const against = i === 0 ? null : ratio(timings[0]!.runs, runs)
    results.push({
      loadMs,
      p50,
      p95,
      ratio: against && { ratio: against.ratio, low: against.low, high: against.high },
      peakMemoryBytes: peakGrowth,
    })
  }
  return results
}
