/**
 * Cross-layer equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
 * section 4.1). Between two layers with nothing but a positive-homogeneous function, f(s·x) = s·f(x), the channels can
 * be scaled: W₁ becomes S⁻¹W₁ and W₂ becomes W₂S. Scales that give both layers the same range in each channel,
 *
 *   sᵢ = √(r₁ᵢ · r₂ᵢ) / r₂ᵢ   (eq. 11),   rᵢ = the largest |w| of channel i,
 *
 * leave no channel that one grid for the whole weight loses. Chains of layers settle by repetition, as in the paper. A
 * value that several layers read has one scale for all of them.
 */

import { nodeKey } from '../../ir/graphs.js'
import type { Model } from '../../ir/types.js'
import type { Params, Transform } from '../transform.js'
import { absorbBiases } from './absorb.js'
import { type Flow, findFlows } from './flows.js'
import { powerOfTwo, rangesOf, type Slot, scaleFlow, slotOf, slotsOf, withSlots } from './rescale.js'

const params = {
  powersOfTwo: {
    kind: 'flag',
    default: false,
    doc: 'scale by powers of two only, which changes no bit of the outputs',
  },
  absorb: {
    kind: 'flag',
    default: true,
    doc: 'move what a channel never falls below into the next bias (needs samples)',
  },
  exclude: { kind: 'names', default: [], doc: 'nodes whose constants stay as they are' },
} as const

type EqualizeParams = Params<typeof params>

export const equalizeWeights: Transform<typeof params> = {
  id: 'equalize/weights',
  summary: 'ranges of weights evened out between layers, the outputs kept',
  params,
  needsCalibration: false,
  role: 'prepares',
  refuses: (model) =>
    layerFlows(model, []).length > 0 ? null : 'no two layers with nothing but Relu and the like between them',
  async apply(model: Model, p: EqualizeParams, env) {
    const flows = layerFlows(model, p.exclude)
    const scaled = scaledBy(model, flows, equalizingScales(flows, p.powersOfTwo))
    if (!p.absorb || env.samples === undefined) return scaled
    return absorbBiases(scaled, layerFlows(scaled, p.exclude), env.samples, env)
  },
}

/** Flows that begin at layers and touch no excluded node. */
function layerFlows(model: Model, exclude: readonly string[]): readonly Flow[] {
  const excluded = new Set(exclude)
  return findFlows(model).filter(
    ({ source, made, read }) => source.isLayer && ![...made, ...read].some(({ node }) => excluded.has(nodeKey(node))),
  )
}

/** Rounds over all flows, at most, and the change of a scale below which they have settled. */
const ROUNDS = 40
const SETTLED = 1e-3
/** No channel is scaled by more in all: one that hardly exists must not swell beyond float32's digits. */
const MOST = 2 ** 16

/** A scale for each channel of each flow. */
function equalizingScales(flows: readonly Flow[], powersOfTwo: boolean): readonly Float64Array[] {
  const slots = slotsOf(flows)
  const totals = flows.map((flow) => new Float64Array(flow.channels).fill(1))
  for (let round = 0; round < ROUNDS; round++) {
    let change = 0
    for (const [f, flow] of flows.entries()) {
      const total = totals[f]!
      const scales = pairScales(slots, flow).map((s, c) => {
        const next = Math.min(MOST, Math.max(1 / MOST, total[c]! * s))
        const step = next / total[c]!
        change = Math.max(change, Math.abs(Math.log(step)))
        total[c] = next
        return step
      })
      scaleFlow(slots, flow, scales)
    }
    if (change < SETTLED) break
  }
  return powersOfTwo ? totals.map((scales) => scales.map(powerOfTwo)) : totals
}

/** Eq. 11; 1 for a channel that one of the sides does not have. */
function pairScales(slots: ReadonlyMap<string, Slot>, { made, read, channels }: Flow): Float64Array {
  const [first, second] = [rangesOf(slots, made, channels), rangesOf(slots, read, channels)]
  return first.map((r, c) => (r > 0 && second[c]! > 0 ? Math.sqrt(r / second[c]!) : 1))
}

/** The model with each flow's channels scaled; the same model where all scales are 1. */
export function scaledBy(model: Model, flows: readonly Flow[], scales: readonly Float64Array[]): Model {
  const slots = slotsOf(flows)
  const touched = flows.filter((_, f) => scales[f]!.some((s) => s !== 1))
  for (const [f, flow] of flows.entries()) if (touched.includes(flow)) scaleFlow(slots, flow, scales[f]!)
  const changed = new Set(touched.flatMap(({ made, read }) => [...made, ...read].map((part) => slotOf(slots, part))))
  return withSlots(model, changed)
}
