/** A linear model as an ONNX graph that takes the columns of a table as they are. */

import { int } from '../ir/attrs.js'
import { type Builder, builder, modelOf } from '../ir/builder.js'
import { codeOfDType } from '../ir/dtypes.js'
import { floatTensor, stringTensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { CLASSES } from './classes.js'
import type { Feature } from './encode.js'
import type { GlmModel, GlmPath } from './glm-path.js'
import type { LinearModel } from './path.js'

const utf8 = new TextEncoder()

const COLUMN = { kind: 'tensor', dtype: 'float64', shape: ['N', 1] } as const

/**
 * One input a column, [N, 1]: float64, or strings for categories, of which an unknown one counts as none. Missing
 * numbers (NaN) become what stood for them in training. One output, `prediction` [N, 1], under another name where a column
 * has this one. Computed in float64.
 */
export function linearGraph(features: readonly Feature[], { coefficients, intercept }: LinearModel): Model {
  const b = builder(namesIn(features), 'float64')
  const prediction = b.fresh('prediction')
  addPredictors(b, features, { coefficients: [coefficients], intercepts: [intercept] }, prediction)
  b.output(prediction, COLUMN)
  return modelOf(b.graph('linear'))
}

/**
 * The same inputs, and the inverse link at the end: `prediction` [N, 1] is the mean, for classes the likeliest label, and
 * then `probability` [N, K] holds those of all classes in the order of the metadata. `offset` names one more input
 * [N, 1], which is added to the linear predictor.
 */
export function glmGraph(
  features: readonly Feature[],
  model: Pick<GlmModel, 'coefficients' | 'intercepts'>,
  { family, classes }: Pick<GlmPath, 'family' | 'classes'>,
  offset?: string,
): Model {
  const b = builder([...namesIn(features), ...(offset === undefined ? [] : [offset])], 'float64')
  const prediction = b.fresh('prediction')
  if (classes === null) {
    const isLog = family === 'poisson'
    const sum = addPredictors(b, features, model, isLog ? b.fresh('predictor') : prediction, offset)
    if (isLog) b.ops('Exp', [sum], { outputs: [prediction] })
    b.output(prediction, COLUMN)
    return modelOf(b.graph(family))
  }
  const probability = b.fresh('probability')
  const sum = addPredictors(b, features, model, b.fresh('predictor'), offset)
  if (family === 'binomial') {
    // 1 − p would lose the small ones.
    const parts = [b.op('Sigmoid', [b.op('Neg', [sum])]), b.op('Sigmoid', [sum])]
    b.ops('Concat', parts, { attrs: { axis: int(1) }, outputs: [probability] })
  } else b.ops('Softmax', [sum], { attrs: { axis: int(1) }, outputs: [probability] })
  const isText = classes.some((label) => typeof label === 'string')
  const labels = isText
    ? stringTensor(
        [classes.length],
        classes.map((label) => utf8.encode(String(label))),
      )
    : floatTensor('float64', [classes.length], classes.map(Number))
  const best = b.op('ArgMax', [probability], { attrs: { axis: int(1), keepdims: int(1) } })
  b.ops('Gather', [b.constant(labels, 'classes'), best], { attrs: { axis: int(0) }, outputs: [prediction] })
  b.output(prediction, { ...COLUMN, dtype: labels.dtype })
  b.output(probability, { kind: 'tensor', dtype: 'float64', shape: ['N', classes.length] })
  return { ...modelOf(b.graph(family)), metadata: new Map([[CLASSES, JSON.stringify(classes)]]) }
}

const namesIn = (features: readonly Feature[]): readonly string[] => features.map(({ name }) => name)

/** Inputs, and their linear predictors [N, K] under a name. */
function addPredictors(
  b: Builder,
  features: readonly Feature[],
  {
    coefficients,
    intercepts,
  }: { readonly coefficients: readonly Float64Array[]; readonly intercepts: ArrayLike<number> },
  output: string,
  offset?: string,
): string {
  const parts = features.map((feature) => columnsOf(b, feature))
  const all = parts.length === 1 ? parts[0]! : b.op('Concat', parts, { attrs: { axis: int(1) } })
  const [rows, outputs] = [coefficients[0]!.length, coefficients.length]
  const weight = Float64Array.from(
    { length: rows * outputs },
    (_, i) => coefficients[i % outputs]![Math.floor(i / outputs)]!,
  )
  const sum = b.op('MatMul', [all, b.constant(floatTensor('float64', [rows, outputs], weight), 'coefficients')])
  const base = b.constant(floatTensor('float64', [outputs], intercepts), 'intercept')
  const added = offset === undefined ? base : b.op('Add', [b.input(offset, COLUMN), base])
  b.ops('Add', [sum, added], { outputs: [output] })
  return output
}

/** An input, as columns of X. */
function columnsOf(b: Builder, feature: Feature): string {
  const isNumber = feature.kind === 'number'
  const x = b.input(feature.name, isNumber ? COLUMN : { ...COLUMN, dtype: 'string' })
  if (!isNumber) {
    const levels = stringTensor(
      [1, feature.levels.length],
      feature.levels.map((l) => utf8.encode(l)),
    )
    const isLevel = b.op('Equal', [x, b.constant(levels, 'levels')])
    return b.op('Cast', [isLevel], { attrs: { to: int(codeOfDType('float64')) } })
  }
  if (feature.fill === null) return x
  return b.op('Where', [b.op('IsNaN', [x]), b.number(feature.fill, 'fill'), x])
}
