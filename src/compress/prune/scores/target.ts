/** What a unit's answers are held against: the labels, or, where there are none, what the model itself answers. */

import { argmax } from '../../../engine/compare.js'
import type { Model } from '../../../ir/types.js'
import { shapeOf } from '../../../ops/def.js'
import { factFinder } from '../../../passes/facts.js'
import { pca } from '../../../reduce/pca.js'
import type { Target } from '../../../reduce/select/columns.js'
import { scoresOf } from '../../../train/objective.js'
import { PareError } from '../../../util/errors.js'
import type { Readings } from './readings.js'

export interface Aim {
  readonly target: Target
  readonly isClasses: boolean
}

/**
 * Labels that are whole numbers are classes; of labels with several values, and of answers that are no class scores, the
 * first principal component is taken. An output is known for class scores by its Softmax. Throws `PRUNE_SAMPLES` for
 * fewer than two samples.
 */
export async function aimOf(readings: Readings, model: Model): Promise<Aim> {
  const { labels, answers, count } = readings
  if (count < 2) {
    throw new PareError('PRUNE_SAMPLES', 'information is counted over several samples', {
      where: 'prune/channels',
      value: count,
      remedy: 'Give more samples.',
    })
  }
  if (labels.every((label) => typeof label === 'number')) {
    return { target: labels, isClasses: labels.every((label) => Number.isInteger(label)) }
  }
  if (labels.every((label) => typeof label === 'object')) return firstComponent(labels.map((l) => Float64Array.from(l)))
  const names = [...answers.keys()]
  const facts = factFinder(model)
  const classes = names.find((name) => scoresOf(model, name) !== name && shapeOf(facts(name))?.length === 2)
  if (classes !== undefined) return { target: answers.get(classes)!.map((row) => argmax(row)), isClasses: true }
  const rows = Array.from({ length: count }, (_, i) => names.flatMap((name) => [...answers.get(name)![i]!]))
  return firstComponent(rows.map((row) => Float64Array.from(row)))
}

async function firstComponent(rows: readonly Float64Array[]): Promise<Aim> {
  const columns = Math.min(...rows.map((row) => row.length))
  const data = Float64Array.from(
    { length: rows.length * columns },
    (_, i) => rows[Math.floor(i / columns)]![i % columns]!,
  )
  const x = { rows: rows.length, columns, data }
  const { data: target } = await (await pca(x, { nComponents: 1 })).transform(x)
  return { target, isClasses: false }
}
