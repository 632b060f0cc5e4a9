/** Mixup in training (Zhang et al. 2018): each sample is mixed with its partner in the reversed batch. */

import { preceded } from '../autodiff/gradient.js'
import { builder, type FloatType } from '../ir/builder.js'
import { isFloat } from '../ir/dtypes.js'
import { renameReads } from '../ir/edits.js'
import { allNames } from '../ir/graphs.js'
import type { Model } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { Random } from '../util/random.js'
import { mixed, reversed } from './objective.js'

/** The model with a new input `mix`, the share λ of each sample in its mixture. Throws `TRAIN_MIXUP`. */
export function withMixup(model: Model, float: FloatType): { readonly model: Model; readonly mix: string } {
  const { graph } = model
  const b = builder(allNames(graph), float)
  const mix = b.fresh('mix')
  const to = new Map(
    graph.inputs.map((name) => {
      const value = graph.values.get(name)
      if (value?.kind !== 'tensor' || !isFloat(value.dtype)) throw notMixable(name)
      return [name, mixed(b, name, reversed(b, name), mix)]
    }),
  )
  const nodes = graph.nodes.map((node) => renameReads(node, to))
  const input = [mix, { kind: 'tensor', dtype: float, shape: [] }] as const
  return { model: { ...model, graph: preceded(graph, b.graph(), nodes, input) }, mix }
}

/** λ from Beta(α, α), as X/(X + Y) of two draws from Gamma(α). */
export function mixingShare({ uniform, normal }: Random, alpha: number): number {
  const [x, y] = [gamma(alpha), gamma(alpha)]
  return x + y === 0 ? 0.5 : x / (x + y)

  /** Marsaglia and Tsang 2000; below 1 by U^(1/α) of a draw for α + 1. */
  function gamma(shape: number): number {
    if (shape < 1) return gamma(shape + 1) * (1 - uniform()) ** (1 / shape)
    const d = shape - 1 / 3
    for (;;) {
      const z = normal()
      const v = (1 + z / Math.sqrt(9 * d)) ** 3
      if (v > 0 && Math.log(1 - uniform()) < (z * z) / 2 + d - d * v + d * Math.log(v)) return d * v
    }
  }
}

const notMixable = (name: string): PareError =>
  new PareError('TRAIN_MIXUP', 'only floats can be mixed', {
    where: `input ${name}`,
    remedy: 'Leave mixup off for this model.',
  })
