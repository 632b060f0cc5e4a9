/** How much goes, where that is not given: by a criterion along the path of cuts, or by a budget. */

import { throwIfAborted } from '../../engine/failures.js'
import type { Model } from '../../ir/types.js'
import { inspectModel } from '../../passes/inspect.js'
import type { RunOptions } from '../../util/env.js'
import { PareError } from '../../util/errors.js'
import type { DevianceMeter } from './deviance.js'

export const CRITERIA = ['bic', 'aic', 'cv'] as const
export type Criterion = (typeof CRITERIA)[number]

/** One cut of the path, without recovery. */
export interface PathPoint {
  readonly ratio: number
  readonly parameters: number
  /** −2 ln L on the samples that choose. */
  readonly deviance: number
  /** −2 ln L + 2 k, and + k ln n, k being the remaining parameters. */
  readonly aic: number
  readonly bic: number
  /** Mean loss of a sample, and the standard error of its difference from the least of the path. */
  readonly loss: number
  readonly standardError: number
}

export interface Path {
  readonly points: readonly PathPoint[]
  readonly chosen: number
  /** n of the criteria. */
  readonly observations: number
}

const RATIOS: readonly number[] = Array.from({ length: 20 }, (_, i) => i / 20)

/**
 * Cuts at 0, 0.05 … 0.95 and takes the least AIC (Akaike 1974) or BIC (Schwarz 1978) with the remaining parameters as
 * degrees of freedom; by `cv` the most that loses no more than one standard error against the best (Breiman, Friedman,
 * Olshen and Stone 1984, section 3.4.3), on samples that neither scores nor training have seen.
 */
export async function pathOf(
  cutAt: (ratio: number) => Model,
  meter: DevianceMeter,
  select: Criterion,
  { signal, onProgress, onWarning }: Pick<RunOptions, 'signal' | 'onProgress' | 'onWarning'> = {},
): Promise<Path> {
  const found: { ratio: number; parameters: number; deviance: number; losses: Float64Array }[] = []
  for (const ratio of RATIOS) {
    throwIfAborted(signal)
    const model = cutAt(ratio)
    const { parameters } = inspectModel(model)
    if (found.at(-1)?.parameters === parameters) continue
    const { total, losses } = await meter.of(model)
    found.push({ ratio, parameters, deviance: total, losses })
    onProgress?.({ task: 'trying cuts', done: found.length, total: RATIOS.length })
  }
  const n = meter.observations
  const meanLosses = found.map(({ losses }) => meanOf(losses))
  const best = found[meanLosses.indexOf(Math.min(...meanLosses))]!
  const points = found.map(
    ({ losses, ratio, parameters, deviance }, i): PathPoint => ({
      ratio,
      parameters,
      deviance,
      aic: deviance + 2 * parameters,
      bic: deviance + Math.log(n) * parameters,
      loss: meanLosses[i]!,
      standardError: errorOf(losses.map((v, s) => v - best.losses[s]!)),
    }),
  )
  if (select !== 'cv' && points[0]!.parameters > n) {
    onWarning?.(
      `The model has ${points[0]!.parameters} parameters and there are ${n} observations: ${select.toUpperCase()} then weighs parameters more than answers, and cuts as much as it may. --select cv does not.`,
    )
  }
  return { points, chosen: chosenBy(select, points), observations: n }
}

function chosenBy(select: Criterion, points: readonly PathPoint[]): number {
  if (select !== 'cv') {
    const values = points.map((p) => p[select])
    return values.indexOf(Math.min(...values))
  }
  const least = Math.min(...points.map((p) => p.loss))
  return points.findLastIndex(({ loss, standardError }) => loss - standardError <= least)
}

const meanOf = (values: Float64Array): number => values.reduce((a, b) => a + b, 0) / values.length

/** Of a mean. */
function errorOf(values: Float64Array): number {
  const mean = meanOf(values)
  const n = values.length
  return n < 2 ? 0 : Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1) / n)
}

const STEPS = 190
const MOST = 0.95

/** The least of 191 ratios from 0 to 0.95 whose cut fits. Throws `PRUNE_BUDGET` where none does. */
export function ratioThatFits(cutAt: (ratio: number) => Model, fits: (model: Model) => boolean): number {
  const ratioOf = (step: number): number => (MOST * step) / STEPS
  if (!fits(cutAt(MOST))) {
    throw new PareError('PRUNE_BUDGET', `the model is above the budget even without ${MOST * 100} % of its units`, {
      value: MOST,
      remedy: 'Give a larger budget; pare compress and pare quantize make weights smaller in other ways.',
    })
  }
  let [low, high] = [-1, STEPS]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (fits(cutAt(ratioOf(middle)))) high = middle
    else low = middle
  }
  return ratioOf(high)
}
