/** A small trained-like network with neurons to spare, samples for it, and a transform that cuts them. */

import type { Transform } from '../src/compress/transform.js'
import { builder, modelOf } from '../src/ir/builder.js'
import { withGraph } from '../src/ir/graphs.js'
import { f32, numbers } from '../src/ir/tensor.js'
import type { Model } from '../src/ir/types.js'
import { weights } from './compress-models.js'
import { value } from './small-models.js'

const [INPUTS, HIDDEN, OUTPUTS] = [64, 96, 8]

/** x [1, 64] → Gemm → Relu → Gemm → y [1, 8]. */
export function spareModel(): Model {
  const b = builder()
  b.input('x', value('float32', [1, INPUTS]))
  const h = b.op('Gemm', [
    'x',
    b.constant(weights([INPUTS, HIDDEN], 1, 0.15), 'a.w'),
    b.constant(weights([HIDDEN], 2, 0.1), 'a.b'),
  ])
  b.ops('Gemm', [b.op('Relu', [h]), b.constant(weights([HIDDEN, OUTPUTS], 3, 0.15), 'b.w')], { outputs: ['y'] })
  b.output('y', value('float32', [1, OUTPUTS]))
  return modelOf(b.graph())
}

const params = {
  ratio: { kind: 'number', default: 0.25, min: 0, max: 0.9, doc: 'share that is cut', search: { low: 0.1, high: 0.8 } },
} as const

/** Cuts the last neurons of the hidden layer of `spareModel`. */
export const cutNeurons: Transform<typeof params> = {
  id: 'prune/neurons',
  summary: 'cuts the last neurons',
  params,
  needsCalibration: false,
  refuses: ({ graph }) => (graph.constants.has('a.w') ? null : 'no layer a'),
  async apply(model, { ratio }) {
    const kept = HIDDEN - Math.round(ratio * HIDDEN)
    const cut = (name: string, shape: readonly number[], isIn: (i: number) => boolean) =>
      [
        name,
        f32(
          shape,
          numbers(model.graph.constants.get(name)!).filter((_, i) => isIn(i)),
        ),
      ] as const
    const constants = new Map([
      ...model.graph.constants,
      cut('a.w', [INPUTS, kept], (i) => i % HIDDEN < kept),
      cut('a.b', [kept], (i) => i < kept),
      cut('b.w', [kept, OUTPUTS], (i) => i < kept * OUTPUTS),
    ])
    return withGraph(model, {
      ...model.graph,
      constants,
      values: new Map([...model.graph.values].filter(([name]) => 'xy'.includes(name))),
    })
  },
}
