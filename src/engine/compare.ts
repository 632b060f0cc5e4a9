/**
 * How far two sets of outputs are apart. The sums stream: many samples are compared in the memory of one. `a` is
 * always the reference, `b` the candidate.
 */

import { numbers } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { sameBytes } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import type { Feeds } from './engine.js'

/** Sums over all elements seen so far where both sides are finite, and counts of where they are not. */
export interface Sums {
  readonly count: number
  readonly aa: number
  readonly bb: number
  readonly ab: number
  /** Σ(a−b)² */
  readonly dd: number
  readonly maxAbs: number
  /** Elements that are NaN or infinite on both sides alike: they say nothing, and stay out of the sums. */
  readonly sameNonFinite: number
  /** Elements that are NaN or infinite on one side only, or differently. */
  readonly mismatched: number
  /** Those of them that are numbers in `a` alone. */
  readonly lost: number
  /** Elements that are not the same, by however little. */
  readonly unequal: number
  /** Rows of `rowWidth` elements without NaN in the reference, and those whose largest element is at the same place. */
  readonly rows: number
  readonly top1Same: number
}

export interface Difference {
  readonly elements: number
  /** Of these, those that are NaN or infinite on both sides alike: the numbers below leave them out. */
  readonly nonFinite: number
  /** Σab / (‖a‖·‖b‖); 1 where both are zero, 0 where one is, NaN where no element could be compared. */
  readonly cosine: number
  /**
   * ‖a−b‖ / ‖a‖; 0 where both are zero, infinite where only the reference is or where values are non-finite on one side,
   * NaN where no element could be compared.
   */
  readonly relativeL2: number
  readonly maxAbs: number
  /** Share of rows whose largest element is at the same place; null for rows of one element, or all with NaN. */
  readonly top1Agreement: number | null
  readonly mismatched: number
  readonly lost: number
  readonly unequal: number
}

export const NO_SUMS: Sums = {
  count: 0,
  aa: 0,
  bb: 0,
  ab: 0,
  dd: 0,
  maxAbs: 0,
  sameNonFinite: 0,
  mismatched: 0,
  lost: 0,
  unequal: 0,
  rows: 0,
  top1Same: 0,
}

/**
 * Elements in a row of scores: the last axis that is not 1 long, since convolutions leave [n, classes, 1, 1]. The
 * first of several axes counts samples and is none of them.
 */
export const rowWidth = (shape: readonly number[]): number =>
  (shape.length > 1 ? shape.slice(1) : shape).findLast((d) => d !== 1) ?? 1

/** The sums with one more pair of tensors of equal shape. `where` names the pair in errors. */
export function addPair(sums: Sums, a: Tensor, b: Tensor, where = 'output'): Sums {
  if (a.shape.length !== b.shape.length || a.shape.some((d, i) => d !== b.shape[i])) {
    throw new PareError('COMPARE_SHAPE', `the shapes differ: [${a.shape.join(', ')}] and [${b.shape.join(', ')}]`, {
      where,
      remedy: 'Compare models with the same outputs, on the same inputs.',
    })
  }
  if ((a.dtype === 'string') !== (b.dtype === 'string')) {
    throw new PareError('COMPARE_DTYPE', `the element types differ: ${a.dtype} and ${b.dtype}`, {
      where,
      remedy: 'Compare models with the same outputs.',
    })
  }
  return a.dtype === 'string' ? addStrings(sums, a, b) : addNumbers(sums, numbers(a), numbers(b), rowWidth(a.shape))
}

/** Strings are equal or not: each difference counts as a mismatch. */
function addStrings(sums: Sums, a: Tensor, b: Tensor): Sums {
  const [left, right] = [a.strings?.() ?? [], b.strings?.() ?? []]
  const different = left.filter((s, i) => right[i] === undefined || !sameBytes(s, right[i])).length
  return {
    ...sums,
    count: sums.count + left.length,
    mismatched: sums.mismatched + different,
    unequal: sums.unequal + different,
  }
}

function addNumbers(sums: Sums, a: ArrayLike<number>, b: ArrayLike<number>, width: number): Sums {
  let { aa, bb, ab, dd, maxAbs, sameNonFinite, mismatched, lost, unequal, top1Same } = sums
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!
    const y = b[i]!
    const d = x - y
    // The difference of finite numbers is finite but for overflow; one test serves the common case.
    if (!Number.isFinite(d) && !(Number.isFinite(x) && Number.isFinite(y))) {
      if (Object.is(x, y)) sameNonFinite++
      else {
        mismatched++
        unequal++
        if (Number.isFinite(x)) lost++
      }
      continue
    }
    if (d !== 0) unequal++
    aa += x * x
    bb += y * y
    ab += x * y
    dd += d * d
    const abs = Math.abs(d)
    if (abs > maxAbs) maxAbs = abs
  }
  let rows = 0
  for (let at = 0; width > 1 && at < a.length; at += width) {
    const best = argmax(a, at, width)
    if (best < 0) continue
    rows++
    if (best === argmax(b, at, width)) top1Same++
  }
  return {
    count: sums.count + a.length,
    aa,
    bb,
    ab,
    dd,
    maxAbs,
    sameNonFinite,
    mismatched,
    lost,
    unequal,
    rows: sums.rows + rows,
    top1Same,
  }
}

/** The first largest element; a row with NaN has none (-1). */
export function argmax(values: ArrayLike<number>, from = 0, width = values.length): number {
  let best = 0
  for (let i = 0; i < width; i++) {
    const v = values[from + i]!
    if (Number.isNaN(v)) return -1
    if (v > values[from + best]!) best = i
  }
  return best
}

export function differenceOf(sums: Sums): Difference {
  const { count, aa, bb, ab, dd, maxAbs, sameNonFinite, mismatched, lost, unequal, rows, top1Same } = sums
  if (isIncomparable({ elements: count, nonFinite: sameNonFinite })) {
    const none = { cosine: Number.NaN, relativeL2: Number.NaN, maxAbs: Number.NaN, top1Agreement: null }
    return { elements: count, nonFinite: count, mismatched, lost, unequal, ...none }
  }
  const norms = Math.sqrt(aa) * Math.sqrt(bb)
  const bothZero = aa === bb && mismatched === 0
  const error = aa > 0 ? Math.sqrt(dd / aa) : dd === 0 ? 0 : Number.POSITIVE_INFINITY
  return {
    elements: count,
    nonFinite: sameNonFinite,
    cosine: norms > 0 ? Math.max(-1, Math.min(1, ab / norms)) : bothZero ? 1 : 0,
    relativeL2: mismatched > 0 ? Number.POSITIVE_INFINITY : error,
    maxAbs: mismatched > 0 ? Number.POSITIVE_INFINITY : maxAbs,
    top1Agreement: rows === 0 ? null : top1Same / rows,
    mismatched,
    lost,
    unequal,
  }
}

/** Both sides are NaN or infinite alike, everywhere: that is no agreement. */
export const isIncomparable = ({ elements, nonFinite }: Pick<Difference, 'elements' | 'nonFinite'>): boolean =>
  elements > 0 && nonFinite === elements

/** Streams pairs of output sets: `add` each sample's outputs, then read the differences by output name. */
export function comparison() {
  const sums = new Map<string, Sums>()
  return {
    /** Outputs that only one side has are an error: `COMPARE_OUTPUTS`. */
    add(reference: Feeds, candidate: Feeds): void {
      const [left, right] = [Object.keys(reference), Object.keys(candidate)]
      const missing = [...left.filter((n) => !right.includes(n)), ...right.filter((n) => !left.includes(n))]
      if (missing.length > 0) {
        throw new PareError('COMPARE_OUTPUTS', 'only one of the two models has these outputs', {
          value: missing,
          remedy: 'Compare models with the same outputs.',
        })
      }
      for (const name of left) {
        sums.set(name, addPair(sums.get(name) ?? NO_SUMS, reference[name]!, candidate[name]!, `output ${name}`))
      }
    },
    differences: (): ReadonlyMap<string, Difference> => new Map([...sums].map(([name, s]) => [name, differenceOf(s)])),
  }
}
