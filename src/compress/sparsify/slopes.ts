/** Single weights by what the loss says of them: the mean over samples of its slope by each, or of that squared. */

import { subgraphs } from '../../ir/attrs.js'
import { withGraph } from '../../ir/graphs.js'
import { elementCount, f32, numbers } from '../../ir/tensor.js'
import type { Graph, Model, Tensor } from '../../ir/types.js'
import { withoutDropout } from '../../train/dropout.js'
import { parametersOf } from '../../train/parameters.js'
import { prepared } from '../../train/prepare.js'
import { type Layer, weightMatrix, withWeightMatrix } from '../layers/layer.js'
import { areSlopes, walkSlopes } from '../prune/scores/walk-slopes.js'
import type { Transform, TransformEnv } from '../transform.js'
import { leastOfAll, leastOfEach } from './least.js'
import { prunable, refusesSparse, scopeParam, sparseParams } from './sparsify.js'

const params = { ...sparseParams, scope: { ...scopeParam, default: 'global' } } as const

/** What one weight is worth, of its value and the sums over n samples of |g| and g², g = ∂L/∂w. */
export type Worth = (w: number, size: number, square: number) => number

/** Worths lie on one scale, that of the loss, so that layers can be compared. */
export function sparsifyBySlopes(id: string, summary: string, worth: Worth): Transform<typeof params> {
  return {
    id,
    summary,
    params,
    needsCalibration: false,
    role: 'prepares',
    refuses(model, { samples }) {
      if (samples === undefined) return `${id} needs samples`
      if (model.graph.nodes.some((n) => subgraphs(n).length > 0))
        return 'there are branches or loops, which have no gradient'
      return refusesSparse(model)
    },
    async apply(model, p, env) {
      const byWeight = prunable(model.graph, p)
      const known = new Set(parametersOf(model))
      // Of weights that are all zero none is left to choose.
      const hasValues = (weight: string): boolean => numbers(model.graph.constants.get(weight)!).some((w) => w !== 0)
      const weights = [...byWeight].filter(([weight]) => known.has(weight) && hasValues(weight))
      if (weights.length === 0) return model
      const slopes = await meansOf(
        model,
        weights.map(([weight]) => weight),
        env,
      )
      const layers = weights.map(([, [layer]]) => layer!)
      const matrices = layers.map((layer) => weightMatrix(layer, model.graph))
      const worths = weights.map(([weight], i) => {
        const { sizes, squares } = slopes.get(weight)!
        const of = (values: Float32Array): Float32Array => inMatrix(layers[i]!, model.graph, weight, values)
        const [size, square] = [of(sizes), of(squares)]
        return Float64Array.from(matrices[i]!, (w, k) => worth(w, size[k]!, square[k]!))
      })
      const sparse =
        p.scope === 'global' && p.pattern === 'free'
          ? leastOfAll(matrices, worths, p.ratio)
          : matrices.map((matrix, i) => leastOfEach(matrix, worths[i]!, layers[i]!.depth, p))
      return withGraph(
        model,
        layers.reduce((g, layer, i) => withWeightMatrix(g, layer, sparse[i]!), model.graph),
      )
    },
  }
}

interface Means {
  readonly sizes: Float32Array
  readonly squares: Float32Array
}

/** Of each weight, element by element in its own layout; zeros where the loss does not depend on it. */
async function meansOf(
  model: Model,
  trainable: readonly string[],
  env: TransformEnv,
): Promise<ReadonlyMap<string, Means>> {
  const plain = withoutDropout(await prepared(model))
  const sums = new Map(
    trainable.map((name) => {
      const count = elementCount(model.graph.constants.get(name)!.shape)
      return [name, { sizes: new Float64Array(count), squares: new Float64Array(count) }]
    }),
  )
  const count = await walkSlopes<ReadonlyMap<string, Tensor>>(
    { plain, trainable, task: 'slopes by weights' },
    { model, env },
    (_, gradients) => ({
      outputs: [...gradients.values()],
      read: (results) => new Map([...gradients].map(([weight, output]) => [weight, results[output]!])),
    }),
    (slopes) => {
      if (!areSlopes([...slopes.values()].map(numbers))) return false
      for (const [weight, t] of slopes) {
        const { sizes, squares } = sums.get(weight)!
        for (const [i, g] of numbers(t).entries()) {
          sizes[i]! += Math.abs(g)
          squares[i]! += g * g
        }
      }
      return true
    },
  )
  const mean = (values: Float64Array): Float32Array => Float32Array.from(values, (v) => v / count)
  return new Map([...sums].map(([name, { sizes, squares }]) => [name, { sizes: mean(sizes), squares: mean(squares) }]))
}

/** Numbers in the layout of a weight as rows of its layer. */
function inMatrix(layer: Layer, graph: Graph, weight: string, values: Float32Array): Float32Array {
  const { shape } = graph.constants.get(weight)!
  const constants = new Map([...graph.constants, [weight, f32(shape, values)]])
  return weightMatrix(layer, { ...graph, constants })
}
