/** Normalizations. */

import { float, int } from '../../ir/attrs.js'
import { filled, type Layer } from './layer.js'

/** Each channel of [C, …] to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and Szegedy 2015). */
export const batchNorm =
  ({ momentum = 0.9, epsilon = 1e-5 }: { readonly momentum?: number; readonly epsilon?: number } = {}): Layer =>
  (b, { name: x, shape }, name) => {
    const channels = [shape[0] ?? 1]
    const values = [1, 0, 0, 1].map((v, i) =>
      b.constant(filled(b, channels, v), `${name}.${['scale', 'bias', 'mean', 'variance'][i]}`),
    )
    const attrs = { momentum: float(momentum), epsilon: float(epsilon) }
    return { name: b.op('BatchNormalization', [x, ...values], { name, attrs }), shape }
  }

/** The last axis to mean 0 and variance 1, then scaled and shifted (Ba et al. 2016). */
export const layerNorm =
  (): Layer =>
  (b, { name: x, shape }, name) => {
    const width = [shape.at(-1) ?? 1]
    const values = [1, 0].map((v, i) => b.constant(filled(b, width, v), `${name}.${['scale', 'bias'][i]}`))
    return { name: b.op('LayerNormalization', [x, ...values], { name, attrs: { axis: int(-1) } }), shape }
  }
