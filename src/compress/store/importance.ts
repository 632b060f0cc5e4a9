/**
 * What an error at each weight costs: the mean square of the input that it meets, which is the diagonal of the Hessian of
 * the layer's squared output error (Choi et al. 2017, Towards the Limit of Network Quantization, section 3).
 */

import type { Model, Tensor } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import { findLayers, type Layer } from '../layers/layer.js'
import { inputMoments } from '../layers/moments.js'
import type { TransformEnv } from '../transform.js'

/** Share of the mean that inputs count for which are always zero: their weights are not left to chance. */
const LEAST = 1e-6

/**
 * By weight of the main graph's layers, one number an element; of a weight that several layers read, the sum. Weights that
 * nothing was seen of are absent. Throws `CALIBRATION_MISSING` without samples.
 */
export async function importanceOf(model: Model, env: TransformEnv): Promise<ReadonlyMap<Tensor, Float64Array>> {
  if (env.samples === undefined)
    throw new PareError('CALIBRATION_MISSING', 'weighing weights by what they meet needs samples', {
      remedy: 'Give --data.',
    })
  const { graph } = model
  const layers = findLayers(graph)
  const { of } = await inputMoments(model, layers, env)
  const found = new Map<Tensor, Float64Array>()
  for (const layer of layers) {
    const moments = of.get(layer)
    const weight = graph.constants.get(layer.weight)!
    if (moments === undefined) continue
    const own = alongInputs(layer, moments.h)
    found.set(weight, found.get(weight)?.map((v, i) => v + own[i]!) ?? own)
  }
  return found
}

/** The diagonals of [groups, depth, depth], spread over a weight as it lies in the file. */
function alongInputs({ groups, rows, depth, isTransposed }: Layer, h: Float64Array): Float64Array {
  const diagonal = Float64Array.from({ length: groups * depth }, (_, i) => h[i * depth + (i % depth)]!)
  const floor = (LEAST * diagonal.reduce((sum, v) => sum + v, 0)) / diagonal.length || LEAST
  const outputs = groups * rows
  return Float64Array.from({ length: outputs * depth }, (_, i) => {
    const [output, at] = isTransposed ? [i % outputs, Math.floor(i / outputs)] : [Math.floor(i / depth), i % depth]
    return diagonal[Math.floor(output / rows) * depth + at]! + floor
  })
}
