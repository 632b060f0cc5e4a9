/** Values and drops of a measure as people read them, the same in the terminal, the verdict and the report. */

import { percent, significant } from '../util/format.js'
import { BROKEN, isBroken, type Measure } from './outcome.js'

/** A share of the samples, and nothing but that. */
export const isShare = (measure: Measure): boolean => measure.kind === 'accuracy' || measure.kind === 'top-1 agreement'

/** A value of the measure: accuracy and agreement as percent, errors as numbers. */
export function measureValue(measure: Measure, value: number): string {
  return isShare(measure) && value !== BROKEN ? percent(value) : errorText(value)
}

/** An error, or a metric's value: these may be of any size. */
export const errorText = (value: number): string =>
  value === BROKEN || !Number.isFinite(value) ? 'broken' : significant(value)

/** A drop in the measure: points of percent for accuracy and agreement, where nothing but that is judged. */
export function measureDrop(measure: Measure, drop: number): string {
  if (isBroken(drop)) return 'broken'
  if (!isShare(measure) || measure.judgesOthers) return significant(drop)
  const points = drop * 100
  const shown = Math.abs(points) < 0.005 ? '0' : Math.abs(points) < 1 ? points.toFixed(2) : significant(points)
  return `${shown.replace('-', '−')} points`
}

/** The drop that is allowed: in the unit of drops, a plain number as it was given. */
export const budgetText = (measure: Measure, maxDrop: number): string =>
  isShare(measure) && !measure.judgesOthers ? measureDrop(measure, maxDrop) : String(Number(maxDrop.toPrecision(12)))
