/** What the original's answers and the labels are worth: quality is claimed from nothing that cannot carry it. */

import type { Samples } from '../data/samples.js'
import { rowWidth } from '../engine/compare.js'
import { whereNonFinite } from '../engine/finite.js'
import { PareError } from '../util/errors.js'
import type { Measure } from './outcome.js'
import type { MetricRecord, Reference } from './reference.js'

/**
 * What the reader must know of NaN and infinities among the original's answers; they are left out of every comparison.
 * Throws `COMPARE_NAN` where nothing is left of what quality would be taken from.
 */
export function checkAnswers(measure: Measure, reference: Reference): readonly string[] {
  const { outputs, inputs } = reference.nonFinite
  const decides = measure.output === undefined ? [...reference.outputs] : [measure.output]
  const empty = decides.flatMap((name) => {
    const seen = outputs.get(name)
    return seen !== undefined && seen.bad === seen.elements ? [seen] : []
  })
  const causes = [...inputs.values()].map((s) => `input ${s.name} ${whereNonFinite(s)}`)
  if (measure.kind !== 'metric' && empty.length > 0 && empty.length === decides.length) {
    throw new PareError(
      'COMPARE_NAN',
      'the original answers nothing but NaN and infinities: there is no quality to keep',
      {
        where: `output ${empty[0]!.name}`,
        remedy:
          causes.length > 0
            ? `Mend the samples: ${causes.join('; ')}.`
            : 'Look at how the samples are scaled, and for NaN in the weights.',
      },
    )
  }
  const because = causes.length === 0 ? '' : `; ${causes.join('; ')}`
  return [...outputs.values()].map(
    (s) =>
      `The original's output ${s.name} ${whereNonFinite(s)}: these values are left out of the comparison${because}.`,
  )
}

/**
 * Every label must be the index of a class of the output, those of samples that do not judge among them where they can
 * be read alone. Throws `LABEL_RANGE`.
 */
export async function checkClasses(
  { output }: Measure,
  records: AsyncIterable<MetricRecord>,
  { name, labels }: Samples,
  signal?: AbortSignal,
): Promise<void> {
  let width: number | undefined
  for await (const { label, outputs, name: sample } of records) {
    width ??= rowWidth(outputs[output!]!.shape)
    if (labels !== undefined) break
    if (!isClass(label, width)) throw noClass(label, width, output!, `${name}, ${sample}`)
  }
  if (labels === undefined || width === undefined) return
  let row = 0
  for await (const label of labels.read(signal ? { signal } : {})) {
    row++
    if (!isClass(label, width)) throw noClass(label, width, output!, `${labels.name}, label ${row}`)
  }
}

const isClass = (label: unknown, width: number): boolean =>
  typeof label === 'number' && Number.isInteger(label) && label >= 0 && label < width

const noClass = (label: MetricRecord['label'], width: number, output: string, where: string): PareError =>
  new PareError('LABEL_RANGE', `the label is no class of output ${output}, which has the classes 0 to ${width - 1}`, {
    where,
    value: label,
    remedy: `Mend the label. Where labels are no classes, give ${width} target values for each sample, or a metric of your own (--metric).`,
  })

/** Target values must be numbers. Throws `LABEL_NAN`. */
export async function checkTargets(records: AsyncIterable<MetricRecord>, { name }: Samples): Promise<void> {
  for await (const { label, name: sample } of records) {
    if ([label ?? []].flat().every(Number.isFinite)) continue
    throw new PareError('LABEL_NAN', 'a target value is no finite number', {
      where: `${name}, ${sample}`,
      value: label,
      remedy: 'Mend the label, or leave the sample out.',
    })
  }
}

/** An original that is right no more often than by chance has most likely been given the labels of other samples. */
export function checkBaseline({ kind, output }: Measure, baseline: number, width: number): readonly string[] {
  if (kind !== 'accuracy' || baseline > 1 / width) return []
  const percent = Number((100 * baseline).toPrecision(3))
  return [
    `The original itself is right on ${percent} % of the samples, no more than by guessing among the ${width} values of output ${output}: check that the labels belong to these samples, in this order, and that the samples are read as the model wants them. Such an accuracy says nothing of quality.`,
  ]
}
