/** Parts of samples: the first few, and seeded splits into disjoint parts. All stream: nothing is held. */

import { PareError } from '../util/errors.js'
import { random } from '../util/random.js'
import type { Samples } from './samples.js'

/** The first `n` samples, or all where there are fewer. */
export function take(samples: Samples, n: number): Samples {
  return {
    ...samples,
    count: samples.count === null ? null : Math.min(n, samples.count),
    async *read(options) {
      let i = 0
      if (n <= 0) return
      for await (const sample of samples.read(options)) {
        yield sample
        if (++i >= n) return
      }
    },
  }
}

export interface SplitOptions {
  readonly seed?: number
  /** Part of the samples that goes to calibration, in (0, 1). Default 0.5. */
  readonly fraction?: number
}

export interface Split {
  readonly calibration: Samples
  readonly heldOut: Samples
}

/**
 * Splits by index: every sample is in exactly one part, the same one at each reading, and the order is kept. Where the
 * count is known the sizes are exact (selection sampling: Knuth, The Art of Computer Programming 2, algorithm 3.4.2 S),
 * and neither part of two or more samples is empty; else each sample falls to calibration with probability `fraction`.
 * A single sample goes to calibration. Throws `SPLIT_FRACTION`.
 */
export function split(samples: Samples, { seed = 0, fraction = 0.5 }: SplitOptions = {}): Split {
  if (!(fraction > 0 && fraction < 1)) {
    throw new PareError('SPLIT_FRACTION', 'the fraction for calibration lies between 0 and 1', {
      value: fraction,
      remedy: 'Give e.g. 0.5.',
    })
  }
  const { count } = samples
  const wanted = count === null ? null : sizeOf(count, fraction)

  /** Decides index after index, in order. */
  const chooser = (): (() => boolean) => {
    const generator = random(seed)
    let left = count ?? 0
    let need = wanted ?? 0
    return () => {
      const u = generator.uniform()
      if (wanted === null) return u < fraction
      const chosen = u * left < need
      left--
      if (chosen) need--
      return chosen
    }
  }

  const part = (side: boolean, size: number | null): Samples => ({
    ...samples,
    count: size,
    async *read(options) {
      const choose = chooser()
      for await (const sample of samples.read(options)) if (choose() === side) yield sample
    },
  })
  return {
    calibration: part(true, wanted),
    heldOut: part(false, wanted === null ? null : count! - wanted),
  }
}

const sizeOf = (count: number, fraction: number): number =>
  count < 2 ? count : Math.min(Math.max(Math.round(fraction * count), 1), count - 1)
