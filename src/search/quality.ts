/**
 * Quality: how well a candidate does what the original does, on held-out samples. With labels it is accuracy or
 * error; with the user's own metric, that; otherwise agreement with the original's outputs. Never random inputs.
 */

import type { Samples } from '../data/samples.js'
import { carriedStates } from '../data/state.js'
import { argmax, comparison, type Difference, isIncomparable, rowWidth } from '../engine/compare.js'
import type { Feeds, Session } from '../engine/engine.js'
import { numbers } from '../ir/tensor.js'
import { messageOf, PareError } from '../util/errors.js'
import { checkAnswers, checkBaseline, checkClasses, checkTargets } from './evidence.js'
import { chooseMeasure, type MeasureOptions, type Metric } from './measure.js'
import { BROKEN, type Measure } from './outcome.js'
import { first, type MetricRecord, type Reference, type ReferenceOptions, referenceRun } from './reference.js'
import type { OutputAgreement, Quality } from './trial.js'

export type { Metric } from './measure.js'
export type { MetricRecord } from './reference.js'

export interface JudgeOptions extends MeasureOptions, ReferenceOptions {}

export interface Judge {
  readonly measure: Measure
  /** Held-out samples. */
  readonly samples: number
  /** Every held-out sample has a label. */
  readonly labelled: boolean
  /** SHA-256, in hexadecimal, over the held-out samples: names, labels and the inputs themselves. */
  readonly fingerprint: string
  /** What the reader must know of the samples and labels that judge. */
  readonly warnings: readonly string[]
  /** Runs a candidate over the held-out samples, with `limit` over so many, drawn from all of them. */
  evaluate(candidate: Session, limit?: number): Promise<Quality>
}

/** Runs the original once over the samples and decides how quality will be measured. */
export async function openJudge(original: Session, samples: Samples, options: JudgeOptions = {}): Promise<Judge> {
  const reference = await referenceRun(original, samples, options)
  const measure = await chooseMeasure(reference, options)
  const warnings = checkAnswers(measure, reference)
  if (measure.kind === 'accuracy') await checkClasses(measure, reference.records(), samples, options.signal)
  if (measure.kind === 'rmse') await checkTargets(reference.records(), samples)
  const baseline = await baselineOf(measure, reference, options)
  const shorter = new Map<number, number>()
  /** The original's own value on `limit` samples: what a candidate that saw only these is compared with. */
  const baselineOn = async (limit: number): Promise<number> => {
    if (!usesLabels(measure) || limit >= reference.count) return baseline
    const known = shorter.get(limit) ?? (await score(measure, reference.some(limit), options))
    shorter.set(limit, known)
    return known
  }

  const evaluate = async (candidate: Session, limit: number): Promise<Quality> => {
    const own = await baselineOn(limit)
    // A metric may say nothing of a few samples, of one class alone for instance: then it sees all.
    if (!Number.isFinite(own)) return evaluate(candidate, Number.POSITIVE_INFINITY)
    const answers = agreementOf(measure, reference)
    // A few frames stand alone, on the original's states; all of them run on the candidate's own.
    const states = carriedStates(limit < reference.count ? [] : reference.carry)
    async function* run(): AsyncIterable<MetricRecord> {
      for await (const record of reference.some(limit)) {
        const feeds = states.feeds(record)
        const outputs = await candidate.run(feeds, options.signal ? { signal: options.signal } : {})
        states.remember(outputs)
        answers.add(record.outputs, outputs)
        yield { ...record, feeds, outputs }
      }
    }
    const value = await valueFrom(measure, run(), answers.outputs, options)
    const { output, drop } = worstOf([
      { output: measure.output, drop: dropOf(measure, own, value) },
      ...answers.drops(),
    ])
    return {
      value: Number.isFinite(value) ? value : BROKEN,
      drop,
      ...(output !== undefined && output !== measure.output && { worst: output }),
      outputs: answers.outputs(),
    }
  }

  return {
    measure: { ...measure, baseline },
    samples: reference.count,
    labelled: reference.labelled,
    fingerprint: reference.fingerprint,
    warnings: [...warnings, ...checkBaseline(measure, baseline, await widthOf(measure, reference))],
    evaluate: (candidate, limit = Number.POSITIVE_INFINITY) => evaluate(candidate, limit),
  }
}

/** Numbers in a row of the output that is measured; 1 where that is no single one. */
async function widthOf({ output }: Measure, reference: Reference): Promise<number> {
  for await (const { outputs } of first(reference.records(), 1)) {
    if (output !== undefined) return rowWidth(outputs[output]!.shape)
  }
  return 1
}

const usesLabels = (m: Measure): boolean => m.kind === 'accuracy' || m.kind === 'rmse' || m.kind === 'metric'

/** The original's own value. Candidates may break; where the original does, nothing can be measured against it. */
async function baselineOf(measure: Measure, reference: Reference, options: JudgeOptions): Promise<number> {
  if (!usesLabels(measure)) return measure.kind === 'top-1 agreement' ? 1 : 0
  const value = await score(measure, reference.records(), options, lengthOf(measure))
  if (Number.isFinite(value)) return value
  if (measure.kind === 'metric') throw noNumber(value)
  throw new PareError('LABEL_NAN', `the original's error against the labels is not a number`, {
    where: `output ${measure.output}`,
    value,
    remedy: 'Look for NaN in the labels, in the samples and in what the original answers.',
  })
}

async function valueFrom(
  measure: Measure,
  records: AsyncIterable<MetricRecord>,
  outputs: () => readonly OutputAgreement[],
  options: JudgeOptions,
): Promise<number> {
  if (usesLabels(measure)) return score(measure, records, options)
  for await (const _ of records);
  return measure.kind === 'top-1 agreement'
    ? outputs().find((o) => o.name === measure.output)!.top1!
    : Math.max(...outputs().map((o) => o.relativeError))
}

interface Drop {
  readonly output: string | undefined
  readonly drop: number
}

/** The first of the largest. */
const worstOf = (drops: readonly Drop[]): Drop => drops.reduce((a, b) => (b.drop > a.drop ? b : a))

/** No drop is beyond `BROKEN`. */
const bounded = (value: number): number => (Number.isFinite(value) ? Math.min(value, BROKEN) : BROKEN)

/** Errors that are counted as relative to the original's own: an RMSE of 0.20 that grows to 0.21 is a drop of 0.05. */
function dropOf({ kind, higherIsBetter }: Measure, baseline: number, value: number): number {
  if (kind === 'rmse') return bounded(baseline > 0 ? (value - baseline) / baseline : value)
  return bounded(higherIsBetter ? baseline - value : value - baseline)
}

type OnLength = (target: number, values: number, sample: string) => void

/** Of the original: labels that do not fit its output are a mistake of the user's. */
const lengthOf =
  ({ output }: Measure): OnLength =>
  (target, values, where) => {
    throw new PareError('LABEL_SHAPE', `output ${output} has ${values} values a sample`, {
      where,
      value: target,
      remedy: 'Give as many target values a sample, or a metric of your own (--metric).',
    })
  }

/** NaN where the outputs allow no number; `onLength` is told of labels of another length than the output. */
async function score(
  measure: Measure,
  records: AsyncIterable<MetricRecord>,
  { metric }: JudgeOptions,
  onLength?: OnLength,
): Promise<number> {
  if (measure.kind === 'metric') {
    const value = await evaluated(metric!, records)
    if (typeof value !== 'number') throw noNumber(value)
    return value
  }
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
      onLength?.(target.length, values.length, name)
      sum = Number.NaN
    }
    for (let i = 0; i < values.length; i++) sum += (values[i]! - target[i]!) ** 2
    count += values.length
  }
  return measure.kind === 'accuracy' ? sum / count : Math.sqrt(sum / count)
}

/** What the metric answers. What it throws itself is a fault of it; what running the model throws is not. */
async function evaluated(metric: Metric, records: AsyncIterable<MetricRecord>): Promise<unknown> {
  let failed: { readonly error: unknown } | undefined
  async function* watched(): AsyncIterable<MetricRecord> {
    try {
      yield* records
    } catch (error) {
      failed = { error }
      throw error
    }
  }
  try {
    return await metric.evaluate(watched())
  } catch (error) {
    if (failed !== undefined) throw failed.error
    throw new PareError('METRIC_RUN', `the metric failed: ${messageOf(error)}`, {
      ...(metric.name !== undefined && { where: metric.name }),
      remedy: 'Mend its evaluate(): it is given every held-out sample with the outputs of the model.',
      cause: error,
    })
  }
}

const noNumber = (value: unknown) =>
  new PareError('METRIC_VALUE', 'the metric must give a number', {
    value,
    remedy: 'Return a finite number from evaluate().',
  })

/**
 * How far outputs are apart, over all samples. Where the shape of one depends on the data and comes out otherwise, it
 * is left out, unless quality is taken from it.
 */
function agreementOf(measure: Measure, { texts }: Reference) {
  const sums = comparison()
  const apart = new Set<string>()
  const whole = new Set<string>()
  const scores = new Set(measure.scores ?? (measure.output === undefined ? [] : [measure.output]))
  const decides = (name: string): boolean =>
    measure.kind === 'relative error' || (measure.kind === 'top-1 agreement' && name === measure.output)
  const compared = () => [...sums.differences()].filter(([name, d]) => !apart.has(name) && !isIncomparable(d))
  const relativeError = (name: string, d: Difference): number => bounded(texts.has(name) ? changed(d) : d.relativeL2)
  const together = (values: Feeds): Feeds => Object.fromEntries(Object.entries(values).filter(([n]) => !apart.has(n)))
  return {
    add(reference: Feeds, candidate: Feeds): void {
      for (const [name, { dtype, shape }] of Object.entries(reference)) {
        if (dtype !== 'string' && !dtype.includes('float')) whole.add(name)
        const other = candidate[name]?.shape
        if (other === undefined || other.join() === shape.join()) continue
        if (decides(name)) throw otherShape(name, shape, other)
        apart.add(name)
      }
      sums.add(together(reference), together(candidate))
    },
    outputs: (): readonly OutputAgreement[] =>
      compared().map(([name, d]) => ({
        name,
        cosine: d.cosine,
        relativeError: relativeError(name, d),
        maxAbsolute: Number.isFinite(d.maxAbs) ? d.maxAbs : BROKEN,
        ...(d.top1Agreement !== null && scores.has(name) && { top1: d.top1Agreement }),
      })),
    /** Of outputs that quality is not taken from, where they count beside it. */
    drops: (): readonly Drop[] => compared().map(([output, d]) => ({ output, drop: dropIn(output, d) })),
  }
  /** Whatever quality is measured by, an output that stops being a number is broken. */
  function dropIn(name: string, d: Difference): number {
    if (d.lost > 0) return BROKEN
    if (measure.kind !== 'top-1 agreement' || name === measure.output) return Number.NEGATIVE_INFINITY
    if (scores.has(name) && d.top1Agreement !== null) return 1 - d.top1Agreement
    return whole.has(name) ? changed(d) : relativeError(name, d)
  }
}

/** The share of elements that are not the same. */
const changed = ({ unequal, elements }: Difference): number => unequal / Math.max(1, elements)

const otherShape = (output: string, [...shape]: readonly number[], [...other]: readonly number[]) =>
  new PareError('COMPARE_SHAPE', `the shapes differ: [${shape.join(', ')}] and [${other.join(', ')}]`, {
    where: `output ${output}`,
    remedy: 'Where a shape depends on the values, measure quality with labels or a metric of your own (--metric).',
  })
