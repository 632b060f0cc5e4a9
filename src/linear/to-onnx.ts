/** A linear model as an ONNX graph that takes the columns of a table as they are. */

import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { codeOfDType } from '../ir/dtypes.js'
import { floatTensor, stringTensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import type { Feature } from './encode.js'
import type { LinearModel } from './path.js'

const utf8 = new TextEncoder()

/**
 * One input a column, [N, 1]: float64, or strings for categories, of which an unknown one counts as none. Missing
 * numbers (NaN) become what stood for them in training. One output, `prediction` [N, 1]. Computed in float64.
 */
export function linearGraph(features: readonly Feature[], { coefficients, intercept }: LinearModel): Model {
  const b = builder([], 'float64')
  const parts = features.map((feature) => {
    const isNumber = feature.kind === 'number'
    const x = b.input(feature.name, { kind: 'tensor', dtype: isNumber ? 'float64' : 'string', shape: ['N', 1] })
    if (!isNumber) {
      const levels = b.constant(
        stringTensor(
          [1, feature.levels.length],
          feature.levels.map((l) => utf8.encode(l)),
        ),
        'levels',
      )
      return b.op('Cast', [b.op('Equal', [x, levels])], { attrs: { to: int(codeOfDType('float64')) } })
    }
    if (feature.fill === null) return x
    return b.op('Where', [b.op('IsNaN', [x]), b.number(feature.fill, 'fill'), x])
  })
  const all = parts.length === 1 ? parts[0]! : b.op('Concat', parts, { attrs: { axis: int(1) } })
  const weight = b.constant(floatTensor('float64', [coefficients.length, 1], coefficients), 'coefficients')
  const sum = b.op('MatMul', [all, weight])
  b.ops('Add', [sum, b.constant(floatTensor('float64', [1], [intercept]), 'intercept')], { outputs: ['prediction'] })
  b.output('prediction', { kind: 'tensor', dtype: 'float64', shape: ['N', 1] })
  return modelOf(b.graph('linear'))
}
