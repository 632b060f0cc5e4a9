/** Interleaved latency: each round times every model in a short burst, in an order that rotates, on one sample. */

export type Run = (sample: number) => Promise<unknown>

export interface LatencyOptions {
  readonly samples: number
  readonly budgetMs: number
  /** A burst runs a model until this time has passed, and at least twice; the first run warms the caches. */
  readonly burstMs?: number
  readonly minRounds?: number
  readonly maxRounds?: number
}

export interface Latency {
  /** Median of the bursts' medians, ms. */
  readonly ms: number
  /** Median over the rounds of this model's time divided by the first model's: noise of a whole round cancels. */
  readonly ratio: number
  readonly rounds: number
}

/** Times the models; the first is what the others are compared with. */
export async function interleaved(models: readonly Run[], options: LatencyOptions): Promise<Latency[]> {
  const { samples, budgetMs, burstMs = 4, minRounds = 5, maxRounds = 200 } = options
  const times: number[][] = models.map(() => [])
  const start = performance.now()
  for (let round = 0; round < maxRounds; round++) {
    if (round >= minRounds && performance.now() - start > budgetMs) break
    for (let k = 0; k < models.length; k++) {
      const index = (k + round) % models.length
      times[index]!.push(await burst(models[index]!, round % samples, burstMs))
    }
  }
  return times.map((list) => ({
    ms: median(list),
    ratio: median(list.map((time, round) => time / times[0]![round]!)),
    rounds: list.length,
  }))
}

async function burst(run: Run, sample: number, burstMs: number): Promise<number> {
  await run(sample)
  const runs: number[] = []
  const start = performance.now()
  let before = start
  do {
    await run(sample)
    const now = performance.now()
    runs.push(now - before)
    before = now
  } while (before - start < burstMs)
  return median(runs)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
