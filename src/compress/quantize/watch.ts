/**
 * What calibration rests on: samples with NaN or infinities are set aside, for one of them would take the grid from
 * every value it reaches; and ranges that say nothing of real inputs are told.
 */

import type { Samples } from '../../data/samples.js'
import type { Feeds } from '../../engine/engine.js'
import { finiteness, whereNonFinite } from '../../engine/finite.js'
import type { Histogram } from '../../grids/histogram.js'
import { nodeKey } from '../../ir/graphs.js'
import { PareError } from '../../util/errors.js'
import type { Calibration } from '../transform.js'
import type { Unit } from './units.js'

type Calibrate = (feeds: AsyncIterable<Feeds>) => Promise<Calibration>

/**
 * Calibrates on the samples that are finite. Where most are not, infinities are what the model is used to, as in a mask,
 * and all are taken. Throws `SAMPLE_NAN` where no layer has a range then.
 */
export async function calibrateFinite(
  samples: Samples,
  units: readonly Unit[],
  calibrate: Calibrate,
  { signal, onWarning }: { readonly signal?: AbortSignal; readonly onWarning?: (message: string) => void },
): Promise<Calibration> {
  const inputs = finiteness()
  let kept = 0
  let aside = 0
  async function* finite(): AsyncIterable<Feeds> {
    for await (const { feeds, name } of samples.read(signal ? { signal } : {})) {
      if (inputs.add(feeds, name)) {
        kept++
        yield feeds
      } else aside++
    }
  }
  const first = await calibrate(finite()).catch((error: unknown) => {
    if (kept === 0 && aside > 0) return null
    throw error
  })
  const bad = [...inputs.found().values()].map((s) => `input ${s.name} ${whereNonFinite(s)}`).join('; ')
  if (first !== null && aside <= kept) {
    if (aside > 0) onWarning?.(`Samples with NaN or infinities are left out of the calibration: ${bad}.`)
    if (!units.some((u) => hasGrid(u, first))) onWarning?.(noRange(units, first))
    return first
  }
  const calibration = await calibrate(feedsOf(samples, signal))
  if (units.some((u) => hasGrid(u, calibration))) return calibration
  throw new PareError('SAMPLE_NAN', `no ranges can be found: ${bad}`, {
    where: samples.name,
    remedy: 'Leave these samples out, or mend them.',
  })
}

async function* feedsOf(samples: Samples, signal?: AbortSignal): AsyncIterable<Feeds> {
  for await (const sample of samples.read(signal ? { signal } : {})) yield sample.feeds
}

/** A value that was infinite or NaN, such as a mask, has no grid. */
export const hasRange = (h: Histogram | undefined): h is Histogram =>
  h !== undefined && h.count > 0 && h.nonFinite === 0

/** The unit is a layer, and what enters and leaves it has a range. */
const hasGrid = ({ weight, data, output }: Unit, { histograms }: Calibration): boolean =>
  weight !== undefined && [...data, output].every((name) => hasRange(histograms.get(name)))

function noRange(units: readonly Unit[], { histograms }: Calibration): string {
  const layers = units.filter((u) => u.weight !== undefined)
  const infinite = layers.find((u) => [...u.data, u.output].some((name) => (histograms.get(name)?.nonFinite ?? 0) > 0))
  const at = infinite === undefined ? '' : ` (first at ${nodeKey(infinite.node)})`
  return `No layer can be made static: what enters or leaves them is NaN or infinite on the samples${at}. Look at how the samples are scaled, and for NaN in the weights.`
}

/** Steps of a grid of 8 bits. */
const STEPS = 255

/** All that was seen lies within one step of a grid that reaches from zero to it. */
const isConstant = ({ min, max }: Histogram): boolean => max - min <= Math.max(Math.abs(min), Math.abs(max)) / STEPS

/** Layers whose input did not vary over the samples; null where there is none, or one sample cannot tell. */
export function constantRanges(units: readonly Unit[], { histograms, samples }: Calibration): string | null {
  const layers = units.filter((u) => u.weight !== undefined)
  const constant = layers.filter((u) => {
    const h = histograms.get(u.data[0]!)
    return hasRange(h) && isConstant(h)
  })
  const first = constant[0]
  if (samples < 2 || first === undefined) return null
  const { min } = histograms.get(first.data[0]!)!
  const some = constant.length === 1 ? 'one layer' : `${constant.length} layers`
  return `What enters ${some} of ${layers.length} did not vary over the ${samples} samples that calibrate (first ${nodeKey(first.node)}: ${first.data[0]} is ${Number(min.toPrecision(3))} throughout). Ranges from such samples do not fit others: check what the samples hold and how they are read.`
}
