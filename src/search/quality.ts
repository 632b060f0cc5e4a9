/**
 * Quality: how well a candidate does what the original does, on held-out samples. With labels it is accuracy or
 * error; with the user's own metric, that; otherwise agreement with the original's outputs. Never random inputs.
 */

import type { Sample, Samples } from '../data/samples.js'
import { comparison } from '../engine/compare.js'
import type { Feeds, Session } from '../engine/engine.js'
import { numbers } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { Measure } from './outcome.js'
import type { OutputAgreement, Quality } from './trial.js'

/** A metric of the user's own: sees every held-out sample with the model's outputs and gives one number. */
export interface Metric {
  readonly name?: string
  readonly higherIsBetter: boolean
  evaluate(results: AsyncIterable<MetricRecord>): Promise<number> | number
}

export interface MetricRecord {
  readonly feeds: Feeds
  readonly outputs: Readonly<Record<string, Tensor>>
  readonly label?: number | readonly number[]
  readonly name: string
}

export interface JudgeOptions {
  readonly metric?: Metric
  /** Output that holds class scores. Default: the one whose rows are found to be probabilities. */
  readonly scores?: string
  /** Bytes of inputs and of the original's outputs kept; beyond that it runs again for each candidate. Default 256 MB. */
  readonly cacheBytes?: number
  readonly signal?: AbortSignal
}

export interface Judge {
  readonly measure: Measure
  /** Held-out samples. */
  readonly samples: number
  /** Runs a candidate over the held-out samples (the first `limit` of them). */
  evaluate(candidate: Session, limit?: number): Promise<Quality>
}

const CACHE_BYTES = 256e6

/** Runs the original once over the samples and decides how quality will be measured. */
export async function openJudge(original: Session, samples: Samples, options: JudgeOptions = {}): Promise<Judge> {
  const reference = await referenceRun(original, samples, options)
  const measure = await chooseMeasure(reference, options)
  const value = (records: AsyncIterable<MetricRecord>): Promise<number> => score(measure, records, options.metric)
  const baseline = usesLabels(measure) ? await value(reference.records()) : measure.kind === 'top-1 agreement' ? 1 : 0
  const settled: Measure = { ...measure, baseline }
  const shorter = new Map<number, number>()
  /** The original's own value on the first `limit` samples: what a candidate that saw only these is compared with. */
  const baselineOf = async (limit: number): Promise<number> => {
    if (!usesLabels(measure) || limit >= reference.count) return baseline
    const known = shorter.get(limit) ?? (await value(first(reference.records(), limit)))
    shorter.set(limit, known)
    return known
  }

  return {
    measure: settled,
    samples: reference.count,
    async evaluate(candidate, limit = Number.POSITIVE_INFINITY) {
      const sums = comparison()
      const outputs = (): readonly OutputAgreement[] => agreements(sums, measure)
      async function* run(): AsyncIterable<MetricRecord> {
        for await (const record of first(reference.records(), limit)) {
          const got = await candidate.run(record.feeds, options.signal ? { signal: options.signal } : {})
          sums.add(floatOnly(record.outputs), floatOnly(got))
          yield { ...record, outputs: got }
        }
      }
      if (usesLabels(measure)) {
        const own = await value(run())
        return { value: finite(own), drop: dropOf(settled, await baselineOf(limit), own), outputs: outputs() }
      }
      for await (const _ of run());
      const all = outputs()
      const own =
        measure.kind === 'top-1 agreement'
          ? all.find((o) => o.name === measure.output)!.top1!
          : Math.max(...all.map((o) => o.relativeError))
      return { value: own, drop: dropOf(settled, baseline, own), outputs: all }
    },
  }
}

async function* first<T>(items: AsyncIterable<T>, limit: number): AsyncIterable<T> {
  let seen = 0
  if (limit <= 0) return
  for await (const item of items) {
    yield item
    if (++seen >= limit) return
  }
}

/** Stands for errors that are not numbers, and for the drop of a candidate that does not run: JSON has no infinity. */
export const BROKEN = 1e9

const finite = (value: number): number => (Number.isFinite(value) ? value : BROKEN)

const usesLabels = (m: Measure): boolean => m.kind === 'accuracy' || m.kind === 'rmse' || m.kind === 'metric'

/** Errors that are counted as relative to the original's own: an RMSE of 0.20 that grows to 0.21 is a drop of 0.05. */
function dropOf({ kind, higherIsBetter }: Measure, baseline: number, value: number): number {
  if (kind === 'rmse') return finite(baseline > 0 ? (value - baseline) / baseline : value)
  return finite(higherIsBetter ? baseline - value : value - baseline)
}

interface Reference {
  records(): AsyncIterable<MetricRecord>
  readonly labelled: boolean
  readonly count: number
}

async function referenceRun(
  original: Session,
  samples: Samples,
  { signal, cacheBytes = CACHE_BYTES }: JudgeOptions,
): Promise<Reference> {
  const cached: MetricRecord[] = []
  let bytes = 0
  let count = 0
  let labelled = true
  const read = async function* (): AsyncIterable<MetricRecord> {
    for await (const sample of samples.read(signal ? { signal } : {}))
      yield record(sample, await original.run(sample.feeds, signal ? { signal } : {}))
  }
  for await (const r of read()) {
    count++
    labelled &&= r.label !== undefined
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
  return {
    labelled,
    count,
    records: whole
      ? async function* () {
          yield* cached
        }
      : read,
  }
}

const record = ({ feeds, label, name }: Sample, outputs: Readonly<Record<string, Tensor>>): MetricRecord => ({
  feeds,
  outputs,
  name,
  ...(label !== undefined && { label }),
})

const sizeOf = (values: Readonly<Record<string, Tensor>>): number =>
  Object.values(values).reduce((n, t) => n + t.byteLength, 0)

const floatOnly = (values: Readonly<Record<string, Tensor>>): Feeds =>
  Object.fromEntries(Object.entries(values).filter(([, t]) => t.dtype !== 'string'))

async function chooseMeasure(reference: Reference, { metric, scores }: JudgeOptions): Promise<Measure> {
  if (metric !== undefined) {
    return {
      kind: 'metric',
      explanation: `Quality is ${metric.name ?? "the user's own metric"} on held-out samples.`,
      higherIsBetter: metric.higherIsBetter,
      baseline: null,
    }
  }
  const seen = await lookAtOutputs(reference, scores)
  if (reference.labelled) return labelMeasure(seen)
  if (seen.scores !== undefined) {
    return {
      kind: 'top-1 agreement',
      output: seen.scores,
      explanation: `No labels were given: quality is how often the candidate and the original put the same class first in output ${seen.scores}. It says nothing about how often either is right.`,
      higherIsBetter: true,
      baseline: null,
    }
  }
  return {
    kind: 'relative error',
    explanation:
      'No labels were given: quality is the relative L2 error ‖candidate − original‖ / ‖original‖ of the worst output on held-out samples. It says nothing about how good the original is.',
    higherIsBetter: false,
    baseline: null,
  }
}

interface Seen {
  /** The output that holds class scores, declared or detected. */
  readonly scores?: string
  /** The output that labels speak of: the scores, else the first float output; absent where there is none. */
  readonly output?: string
  /** Every label seen is the index of an element in rows of `output`. */
  readonly classes: boolean
}

/** Samples looked at to tell what outputs and labels are. */
const LOOKED_AT = 32

/** Class scores are rows of two or more numbers, none negative, that add up to 1. */
async function lookAtOutputs(reference: Reference, declared: string | undefined): Promise<Seen> {
  const widths = new Map<string, number>()
  const probabilities = new Set<string>()
  const labels: (MetricRecord['label'] | undefined)[] = []
  for await (const { outputs, label } of first(reference.records(), LOOKED_AT)) {
    const numeric = Object.entries(outputs).filter(([, t]) => t.dtype.includes('float'))
    if (labels.length === 0) {
      if (declared !== undefined) checkScores(outputs, declared)
      for (const [name, t] of Object.entries(outputs)) widths.set(name, t.shape.at(-1) ?? 1)
      for (const [name] of numeric) probabilities.add(name)
    }
    for (const [name, t] of numeric) if (!isProbability(t)) probabilities.delete(name)
    labels.push(label)
  }
  const scores = declared ?? [...probabilities][0]
  const output = scores ?? (await firstFloat(reference))
  const width = output === undefined ? 1 : widths.get(output)!
  const isClass = (label: MetricRecord['label']): boolean =>
    label === undefined || (typeof label === 'number' && Number.isInteger(label) && label >= 0 && label < width)
  return {
    ...(scores !== undefined && { scores }),
    ...(output !== undefined && { output }),
    classes: width > 1 && labels.every(isClass),
  }
}

function checkScores(outputs: Readonly<Record<string, Tensor>>, declared: string): void {
  if (outputs[declared] !== undefined) return
  throw new PareError('SCORES_UNKNOWN', 'the model has no such output', {
    value: declared,
    remedy: `It has: ${Object.keys(outputs).join(', ')}.`,
  })
}

async function firstFloat(reference: Reference): Promise<string | undefined> {
  for await (const { outputs } of first(reference.records(), 1)) {
    return Object.entries(outputs).find(([, t]) => t.dtype.includes('float'))?.[0]
  }
  return undefined
}

function isProbability(t: Tensor): boolean {
  const width = t.shape.at(-1) ?? 1
  if (width < 2) return false
  const values = numbers(t)
  for (let at = 0; at < values.length; at += width) {
    let sum = 0
    for (let i = at; i < at + width; i++) {
      if (!(values[i]! >= -1e-6)) return false
      sum += values[i]!
    }
    if (Math.abs(sum - 1) > 1e-3) return false
  }
  return values.length > 0
}

function labelMeasure({ output, classes }: Seen): Measure {
  if (output === undefined) {
    throw new PareError(
      'LABEL_OUTPUT',
      'labels were given, but the model has no output of numbers to compare them with',
      {
        remedy: 'Name it with --scores, or measure quality with a metric of your own (--metric).',
      },
    )
  }
  return classes
    ? {
        kind: 'accuracy',
        output,
        explanation: `Quality is accuracy: how often the largest value of output ${output} is at the label, on held-out samples.`,
        higherIsBetter: true,
        baseline: null,
      }
    : {
        kind: 'rmse',
        output,
        explanation: `Quality is the root mean squared error of output ${output} against the labels, on held-out samples; the drop is its growth relative to the original's.`,
        higherIsBetter: false,
        baseline: null,
      }
}

async function score(
  measure: Measure,
  records: AsyncIterable<MetricRecord>,
  metric: Metric | undefined,
): Promise<number> {
  if (measure.kind === 'metric') return checkedMetric(await metric!.evaluate(records))
  let sum = 0
  let count = 0
  for await (const { outputs, label, name } of records) {
    const values = numbers(outputs[measure.output!]!)
    if (measure.kind === 'accuracy') {
      sum += argmax(values) === label ? 1 : 0
      count++
      continue
    }
    const target = typeof label === 'number' ? [label] : label!
    if (target.length !== values.length) {
      throw new PareError('LABEL_SHAPE', `output ${measure.output} has ${values.length} values a sample`, {
        where: name,
        value: target.length,
        remedy: 'Give as many target values a sample.',
      })
    }
    for (let i = 0; i < values.length; i++) sum += (values[i]! - target[i]!) ** 2
    count += values.length
  }
  return measure.kind === 'accuracy' ? sum / count : Math.sqrt(sum / count)
}

function checkedMetric(value: number): number {
  if (typeof value === 'number' && !Number.isNaN(value)) return value
  throw new PareError('METRIC_VALUE', 'the metric must give a number', {
    value,
    remedy: 'Return a finite number from evaluate().',
  })
}

/** NaN is never the largest; -1 where there is nothing else. */
function argmax(values: ArrayLike<number>): number {
  let best = -1
  for (let i = 0; i < values.length; i++) if (values[i]! > (values[best] ?? Number.NEGATIVE_INFINITY)) best = i
  return best
}

const agreements = (sums: ReturnType<typeof comparison>, measure: Measure): readonly OutputAgreement[] =>
  [...sums.differences()].map(([name, d]) => ({
    name,
    cosine: d.cosine,
    relativeError: finite(d.relativeL2),
    maxAbsolute: finite(d.maxAbs),
    ...(d.top1Agreement !== null && name === measure.output && { top1: d.top1Agreement }),
  }))
