/** The original's answers on the held-out samples: what candidates are judged by. */

import { createHash } from 'node:crypto'
import { type Sample, type Samples, someOf } from '../data/samples.js'
import { drawn } from '../data/split.js'
import { carriedStates, type StateLink } from '../data/state.js'
import type { Feeds, Session } from '../engine/engine.js'
import { finiteness, type NonFinite } from '../engine/finite.js'
import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { random } from '../util/random.js'

export interface MetricRecord {
  readonly feeds: Feeds
  readonly outputs: Readonly<Record<string, Tensor>>
  readonly label?: number | readonly number[]
  readonly name: string
  readonly sequence?: string
}

export interface Reference {
  /** Every sample with the original's outputs and, of a recurrent model, its states, from the first each time. */
  records(): AsyncIterable<MetricRecord>
  /** `limit` of them, always the same, drawn from all. */
  some(limit: number): AsyncIterable<MetricRecord>
  /** States that a candidate carries along the records; none along `some` of them, which stand alone. */
  readonly carry: readonly StateLink[]
  /** Every sample has a label. */
  readonly labelled: boolean
  readonly count: number
  /** Names of all outputs. */
  readonly outputs: readonly string[]
  /** Outputs that are strings: they are the same or not. */
  readonly texts: ReadonlySet<string>
  /** Outputs and inputs in which NaN or infinities were seen, by name. */
  readonly nonFinite: {
    readonly outputs: ReadonlyMap<string, NonFinite>
    readonly inputs: ReadonlyMap<string, NonFinite>
  }
  /** SHA-256 over the samples: names, labels and the inputs themselves. */
  readonly fingerprint: string
}

export interface ReferenceOptions {
  /** Bytes of inputs and original outputs kept; beyond that it runs again for each candidate. Default 256 MB. */
  readonly cacheBytes?: number
  readonly seed?: number
  readonly signal?: AbortSignal
}

const CACHE_BYTES = 256e6

export async function referenceRun(
  original: Session,
  samples: Samples,
  { signal, cacheBytes = CACHE_BYTES, seed = 0 }: ReferenceOptions,
): Promise<Reference> {
  const cached: MetricRecord[] = []
  const seen = fingerprint()
  const texts = new Set<string>()
  let outputs: readonly string[] = []
  const answers = finiteness()
  const inputs = finiteness()
  let bytes = 0
  let count = 0
  let labelled = true
  const { carry = [] } = samples
  const run = signal ? { signal } : {}
  async function* answered(from: AsyncIterable<Sample>): AsyncIterable<MetricRecord> {
    const states = carriedStates(carry)
    for await (const sample of from) {
      const feeds = states.feeds(sample)
      const results = await original.run(feeds, run)
      states.remember(results)
      yield recordOf({ ...sample, feeds }, results)
    }
  }
  async function* hashed(): AsyncIterable<Sample> {
    for await (const sample of samples.read(run)) {
      seen.add(sample)
      yield sample
    }
  }
  const read = () => answered(samples.read(run))
  for await (const r of answered(hashed())) {
    count++
    labelled &&= r.label !== undefined
    outputs = Object.keys(r.outputs)
    answers.add(r.outputs, r.name)
    inputs.add(r.feeds, r.name)
    for (const [name, t] of Object.entries(r.outputs)) if (t.dtype === 'string') texts.add(name)
    bytes += sizeOf(r.feeds) + sizeOf(r.outputs)
    if (bytes <= cacheBytes) cached.push(r)
    else cached.length = 0
  }
  if (count === 0)
    throw new PareError('SAMPLES_EMPTY', 'there are no samples to measure quality with', {
      where: samples.name,
      remedy: 'Check the path given as --data.',
    })
  const whole = cached.length === count
  const records = whole ? () => streamed(cached) : read
  const few = new Map<number, readonly MetricRecord[]>()
  async function* some(limit: number): AsyncIterable<MetricRecord> {
    if (limit >= count) return yield* records()
    const known = few.get(limit)
    if (known) return yield* known
    const marks = drawn(count, limit, random(seed))
    const isDrawn = (i: number): boolean => marks[i] === 1
    // Where states are carried, the way to a frame leads through those before it.
    const isAlone = !whole && carry.length === 0
    const chosen = isAlone ? answered(someOf(samples, isDrawn, run)) : filtered(records(), isDrawn)
    const kept: MetricRecord[] = []
    let size = 0
    for await (const r of chosen) {
      size += sizeOf(r.feeds) + sizeOf(r.outputs)
      if (size <= cacheBytes) kept.push(r)
      yield r
    }
    if (kept.length === limit) few.set(limit, kept)
  }
  return {
    labelled,
    count,
    outputs,
    texts,
    nonFinite: { outputs: answers.found(), inputs: inputs.found() },
    fingerprint: seen.hex(),
    carry,
    records,
    some,
  }
}

async function* streamed<T>(items: Iterable<T>): AsyncIterable<T> {
  yield* items
}

async function* filtered<T>(items: AsyncIterable<T>, isIn: (index: number) => boolean): AsyncIterable<T> {
  let i = 0
  for await (const item of items) if (isIn(i++)) yield item
}

const recordOf = (
  { feeds, label, name, sequence }: Sample,
  outputs: Readonly<Record<string, Tensor>>,
): MetricRecord => ({
  feeds,
  outputs,
  name,
  ...(label !== undefined && { label }),
  ...(sequence !== undefined && { sequence }),
})

const sizeOf = (values: Readonly<Record<string, Tensor>>): number =>
  Object.values(values).reduce((n, t) => n + t.byteLength, 0)

/** Each sample is a line of JSON that tells how many bytes follow, and these: no two lists of samples read alike. */
export function fingerprint() {
  const hash = createHash('sha256')
  return {
    add({ name, label, feeds }: Sample): void {
      const inputs = Object.entries(feeds).toSorted(([a], [b]) => (a < b ? -1 : 1))
      const lengths = (t: Tensor) => t.strings?.().map((s) => s.byteLength) ?? t.byteLength
      const shapes = inputs.map(([input, t]) => [input, t.dtype, t.shape, lengths(t)])
      hash.update(`${JSON.stringify([name, label === undefined ? [] : [label], shapes])}\n`)
      for (const [, t] of inputs) hash.update(t.bytes())
    },
    hex: (): string => hash.digest('hex'),
  }
}

export async function* first<T>(items: AsyncIterable<T>, limit: number): AsyncIterable<T> {
  let seen = 0
  if (limit <= 0) return
  for await (const item of items) {
    yield item
    if (++seen >= limit) return
  }
}
