/**
 * Parts of samples: the first few, a seeded draw of some, and a seeded split into disjoint parts that stand for the
 * whole source. All stream: of a sample only its place is held.
 */

import type { RunOptions } from '../util/env.js'
import { type Random, random } from '../util/random.js'
import { readOf, type Sample, type Samples, someOf } from './samples.js'

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

/** `n` of the samples, each as likely as any other, in order; all where there are no more. Their count must be known. */
export function draw(samples: Samples & { readonly count: number }, n: number, seed = 0): Samples {
  if (samples.count <= n) return samples
  const isDrawn = drawn(samples.count, n, random(seed))
  return part(samples, n, (i) => isDrawn[i] === 1)
}

/** As `draw`; of a source that does not tell its length, or hands states from sample to sample, the first `n`. */
export const drawOrTake = (samples: Samples, n: number, seed = 0): Samples =>
  samples.count === null || samples.carry?.length
    ? take(samples, n)
    : draw({ ...samples, count: samples.count }, n, seed)

/**
 * 1 at `n` of `count` places, 0 at the others, all choices equally likely (selection sampling: Knuth, The Art of
 * Computer Programming 2, algorithm 3.4.2 S).
 */
export function drawn(count: number, n: number, { uniform }: Random): Uint8Array {
  const marks = new Uint8Array(count)
  let need = Math.min(n, count)
  for (let i = 0; i < count; i++) {
    if (uniform() * (count - i) >= need) continue
    marks[i] = 1
    need--
  }
  return marks
}

export interface SplitOptions extends Pick<RunOptions, 'signal' | 'onProgress'> {
  readonly seed?: number
  /** Most samples of each part. */
  readonly calibration?: number
  readonly heldOut?: number
  /** Default: as many as calibrate. */
  readonly training?: number
}

export interface Split {
  readonly calibration: Samples & { readonly count: number }
  readonly heldOut: Samples & { readonly count: number }
  /** Of the half that calibrates, as many as may be learned from. */
  readonly training: Samples & { readonly count: number }
  /** Samples that the source holds. */
  readonly total: number
}

/**
 * Splits in halves: no sample is in both parts, which are the same at each reading and keep the order. Where a limit
 * leaves samples out, those that stay are drawn from the whole source, so that samples sorted by class or by date do
 * no harm.
 *
 * Frames of one recording are much alike and stay together: recordings are split, or, where there are few, each is cut
 * in its middle. Where states are carried, what a limit leaves is stretches of frames, each a recording of its own;
 * where a recording is cut, its state starts afresh.
 *
 * Reads the source once where its length or its recordings are not known. A source without an end counts as far as
 * `LONGEST`.
 */
export async function split(samples: Samples, options: SplitOptions = {}): Promise<Split> {
  const { seed = 0, calibration = Number.POSITIVE_INFINITY, heldOut = Number.POSITIVE_INFINITY } = options
  const { count, starts } = await look(samples, options)
  const generator = random(seed)
  const sides = starts === null ? halves(count, generator) : byRecording(starts, count, generator)
  const isCarried = (samples.carry ?? []).length > 0
  const side = (which: Side, limit: number): Split['calibration'] => {
    const own = generator.fork(which)
    const marks =
      starts !== null && isCarried ? stretches(sides, which, starts, limit, own) : some(sides, which, limit, own)
    const cut = part(
      samples,
      marks.reduce((n, m) => n + m, 0),
      (i) => marks[i] === 1,
    )
    return isCarried ? pieced(cut, marks) : cut
  }
  return {
    calibration: side(CALIBRATION, calibration),
    heldOut: side(HELD_OUT, heldOut),
    training: side(CALIBRATION, options.training ?? calibration),
    total: count,
  }
}

/** Samples of a source that does not tell its length which are counted. */
const LONGEST = 200_000

interface Look {
  readonly count: number
  /** Where recordings begin; null where the samples are of none. */
  readonly starts: readonly number[] | null
}

async function look(samples: Samples, { signal, onProgress }: SplitOptions): Promise<Look> {
  const starts: number[] = []
  let hasRecordings = false
  let last: Pick<Sample, 'sequence'> | null = null
  let count = 0
  for await (const { sequence } of samples.read(signal ? { signal } : {})) {
    // Samples tell by the first of them whether they are of recordings.
    if (count === 0 && sequence === undefined && samples.count !== null) return { count: samples.count, starts: null }
    hasRecordings ||= sequence !== undefined
    if (last === null || sequence === undefined || sequence !== last.sequence) starts.push(count)
    last = { sequence }
    count++
    onProgress?.({ task: 'looking through the samples', done: count })
    if (samples.count === null && count >= LONGEST) break
  }
  return { count, starts: hasRecordings ? starts : null }
}

type Side = 1 | 2
const CALIBRATION: Side = 1
const HELD_OUT: Side = 2

/** The side of each sample. A single one calibrates. */
function halves(count: number, generator: Random): Uint8Array {
  const isFirst = drawn(count, Math.round(count / 2), generator)
  return isFirst.map((is) => (is === 1 ? CALIBRATION : HELD_OUT))
}

interface Piece {
  readonly from: number
  readonly to: number
}

const piecesOf = (starts: readonly number[], count: number): readonly Piece[] =>
  starts.map((from, i) => ({ from, to: starts[i + 1] ?? count }))

const lengthOf = ({ from, to }: Piece): number => to - from

/** Of fewer recordings than this, half is not like the other half: each is cut in two instead. */
const MANY = 8

function byRecording(starts: readonly number[], count: number, { shuffle }: Random): Uint8Array {
  const recordings = piecesOf(starts, count)
  const sides = new Uint8Array(count)
  const sizes: Record<Side, number> = { 1: 0, 2: 0 }
  const lesser = (): Side => (sizes[CALIBRATION] <= sizes[HELD_OUT] ? CALIBRATION : HELD_OUT)
  const give = (piece: Piece, side: Side): void => {
    sides.fill(side, piece.from, piece.to)
    sizes[side] += lengthOf(piece)
  }
  for (const piece of shuffle([...recordings])) {
    const first = lesser()
    if (recordings.length >= MANY || lengthOf(piece) === 1) {
      give(piece, first)
      continue
    }
    const middle = piece.from + Math.ceil(lengthOf(piece) / 2)
    give({ from: piece.from, to: middle }, first)
    give({ from: middle, to: piece.to }, first === CALIBRATION ? HELD_OUT : CALIBRATION)
  }
  return sides
}

/** 1 at `limit` samples of a side, drawn from all of it. */
function some(sides: Uint8Array, side: Side, limit: number, generator: Random): Uint8Array {
  const total = sides.reduce((n, s) => n + (s === side ? 1 : 0), 0)
  const isDrawn = drawn(total, limit, generator)
  let at = 0
  return sides.map((s) => (s === side ? isDrawn[at++]! : 0))
}

/** Frames of a stretch, at least; and stretches that a limit is spread over. */
const SHORTEST = 16
const STRETCHES = 8

/** The same in stretches of frames that follow each other. */
function stretches(
  sides: Uint8Array,
  side: Side,
  starts: readonly number[],
  limit: number,
  { shuffle }: Random,
): Uint8Array {
  const isStart = new Set(starts)
  const own: Piece[] = []
  const longest = Math.max(SHORTEST, Math.ceil(limit / STRETCHES))
  for (let i = 0; i < sides.length; i++) {
    if (sides[i] !== side) continue
    const last = own.at(-1)
    const goesOn = last?.to === i && !isStart.has(i) && lengthOf(last) < longest
    if (goesOn) own[own.length - 1] = { from: last.from, to: i + 1 }
    else own.push({ from: i, to: i + 1 })
  }
  const marks = new Uint8Array(sides.length)
  let left = limit
  for (const { from, to } of shuffle(own)) {
    const end = Math.min(to, from + left)
    marks.fill(1, from, end)
    left -= end - from
  }
  return marks
}

/** The samples at some places; reading ends with the last of them. */
const part = (samples: Samples, count: number, isIn: (index: number) => boolean): Split['calibration'] => ({
  ...samples,
  count,
  read: readOf(async function* (isWanted, options) {
    let asked = 0
    let due = 0
    const ask = (index: number): boolean => {
      const isDue = isIn(index) && isWanted(asked++)
      if (isDue) due++
      return isDue
    }
    if (count === 0) return
    for await (const sample of someOf(samples, ask, options)) {
      yield sample
      if (--due === 0 && asked === count) return
    }
  }),
})

/** Frames with the name of their stretch: the state starts afresh where frames were left out. */
const pieced = (samples: Split['calibration'], marks: Uint8Array): Split['calibration'] => ({
  ...samples,
  async *read(options) {
    let at = -1
    let first = 0
    for await (const sample of samples.read(options)) {
      const index = marks.indexOf(1, at + 1)
      if (index !== at + 1) first = index
      at = index
      yield sample.sequence === undefined ? sample : { ...sample, sequence: `${sample.sequence}, from frame ${first}` }
    }
  },
})
