/** The peer's best files of a model, taken from what bench/peers measured, and measured anew beside ours. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERROR_BOUNDS, isUsable, type Measured, type ModelResult } from '../peers/results.js'
import { loss } from './duels.js'

/** One of the peer's files and what it is best at. */
export interface Rival {
  readonly variant: string
  readonly path: string
  readonly objective: 'latency' | 'size'
  /** Bounds of the worst output's relative error under which it is the best. */
  readonly bounds: readonly number[]
  /** What it loses in the unit of the budget. */
  readonly drop: number
}

/**
 * The fastest and the smallest at each bound, each file once for each objective; null where `root` holds no
 * measurements of the model.
 */
export function rivalsOf(root: string, model: string): readonly Rival[] | null {
  const folder = join(root, model)
  const results = join(folder, 'measured.json')
  if (!existsSync(results)) return null
  const { bytes, measured } = JSON.parse(readFileSync(results, 'utf8')) as ModelResult
  const rivals = new Map<string, Rival>()
  for (const bound of ERROR_BOUNDS) {
    const usable = measured.filter((m) => isUsable(m, bytes, bound))
    for (const objective of ['latency', 'size'] as const) {
      // A few coarse readings flatter somebody: the fastest is chosen among those that were timed at length.
      const best = objective === 'latency' ? usable.filter(({ fine }) => fine).sort(byTime)[0] : usable.sort(byBytes)[0]
      if (best === undefined) continue
      const { variant, agreement } = best
      const key = `${objective} ${variant}`
      rivals.set(key, {
        variant,
        path: join(folder, `${variant}.onnx`),
        objective,
        bounds: [...(rivals.get(key)?.bounds ?? []), bound],
        drop: loss(agreement),
      })
    }
  }
  return [...rivals.values()]
}

const byTime = (a: Measured, b: Measured): number => a.latency.ratio - b.latency.ratio
const byBytes = (a: Measured, b: Measured): number => a.bytes - b.bytes || byTime(a, b)
