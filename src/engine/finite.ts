/** NaN and infinities among values: where they stand nothing can be compared, and no quality be claimed. */

import { elementCount, numbers } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import type { Feeds } from './engine.js'

/** What was seen of one name over all samples. */
export interface NonFinite {
  readonly name: string
  /** Elements seen, and those that are NaN or infinite. */
  readonly elements: number
  readonly bad: number
  /** Samples seen, those with such an element, and what the first of these is called. */
  readonly samples: number
  readonly badSamples: number
  readonly first: string
}

const FLOATS: ReadonlySet<string> = new Set(['float32', 'float64', 'float16', 'bfloat16'])

/** How many elements are NaN or infinite; of what is no float, none. */
export function countNonFinite(t: Tensor): number {
  if (!FLOATS.has(t.dtype)) return 0
  const values = numbers(t)
  let count = 0
  // The difference of a finite number with itself is 0, of all others NaN.
  for (let i = 0; i < values.length; i++) if (values[i]! - values[i]! !== 0) count++
  return count
}

/** Counts over samples: memory does not grow with their number. */
export function finiteness() {
  const seen = new Map<string, NonFinite>()
  return {
    /** Whether all is finite. */
    add(values: Feeds, sample: string): boolean {
      let allFinite = true
      for (const [name, t] of Object.entries(values)) {
        const bad = countNonFinite(t)
        if (bad > 0) allFinite = false
        const old = seen.get(name) ?? { name, elements: 0, bad: 0, samples: 0, badSamples: 0, first: '' }
        seen.set(name, {
          name,
          elements: old.elements + elementCount(t.shape),
          bad: old.bad + bad,
          samples: old.samples + 1,
          badSamples: old.badSamples + (bad > 0 ? 1 : 0),
          first: bad > 0 && old.badSamples === 0 ? sample : old.first,
        })
      }
      return allFinite
    },
    /** By name, those alone that have a NaN or an infinity. */
    found: (): ReadonlyMap<string, NonFinite> => new Map([...seen].filter(([, s]) => s.bad > 0)),
  }
}

/** `is NaN or infinite in 3 of the 20 samples, first in row 7`. */
export const whereNonFinite = ({ samples, badSamples, first }: NonFinite): string =>
  badSamples === samples
    ? `is NaN or infinite in ${samples === 1 ? `the only sample, ${first}` : `all ${samples} samples, first in ${first}`}`
    : `is NaN or infinite in ${badSamples} of ${samples} samples, first in ${first}`
