/** What principal components do with rows: scores, rows back from scores, and a graph for both engines and files. */

import type { Engine } from '../engine/engine.js'
import { int } from '../ir/attrs.js'
import { builder, type FloatType, modelOf } from '../ir/builder.js'
import type { Model } from '../ir/types.js'
import { multiplied, transposed } from '../linalg/products.js'
import { checkDesign, type DenseMatrix, type DesignMatrix } from '../linear/design.js'
import { PareError } from '../util/errors.js'
import { centredOperator, type Frame } from './centred-operator.js'

export interface PcaGraphOptions {
  /** Of inputs and outputs. Default `float32`. */
  readonly precision?: FloatType
  /** One name, or p of inputs [N, 1], one a column, as models of tables have them (in float64). Default `input`. */
  readonly input?: string | readonly string[]
  /** One name, or k of outputs [N, 1]. Default `scores`. */
  readonly output?: string | readonly string[]
}

/** What scores are made with. */
export interface Projection extends Frame {
  /** [k, p] */
  readonly components: Float64Array
  /** What a score is multiplied by; 0 where there is no variance to be brought to 1. */
  readonly factors: Float64Array
}

export async function scoresOf(
  x: DesignMatrix,
  projection: Projection,
  engine: Engine | undefined,
): Promise<DenseMatrix> {
  const p = projection.means.length
  checkDesign(x, null)
  if (x.columns !== p) throw otherWidth('X', x.columns, `${p} columns, as the components have`)
  const k = projection.factors.length
  const operator = centredOperator(x, projection, engine)
  try {
    return { rows: x.rows, columns: k, data: await operator.multiply(weightsOf(projection), k) }
  } finally {
    await operator.close()
  }
}

export async function rowsOf(
  scores: DenseMatrix,
  { means, scales, components, factors }: Projection,
  engine: Engine | undefined,
): Promise<DenseMatrix> {
  const [p, k] = [means.length, factors.length]
  const { rows } = scores
  checkDesign(scores, null)
  if (scores.columns !== k) throw otherWidth('scores', scores.columns, `${k} columns, one a component`)
  const given = Float64Array.from(scores.data)
  const own = scores.order === 'column-major' ? transposed(given, k, rows) : given
  const back = factors.map((f) => (f === 0 ? 0 : 1 / f))
  const data = await multiplied(
    own.map((v, at) => v * back[at % k]!),
    components,
    { m: rows, k, n: p },
    engine,
  )
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < p; j++, at++) data[at] = data[at]! * scales[j]! + means[j]!
  return { rows, columns: p, data }
}

/** Scores as a graph: means come off before the product, since afterwards digits would have gone. Throws `PCA_SHAPE`. */
export function pcaGraph(
  projection: Projection,
  { precision = 'float32', input = 'input', output = 'scores' }: PcaGraphOptions,
): Model {
  const { means, scales, factors } = projection
  const [p, k] = [means.length, factors.length]
  if (typeof input !== 'string' && input.length !== p)
    throw otherWidth('input', input.length, `${p} names, one a column`)
  if (typeof output !== 'string' && output.length !== k)
    throw otherWidth('output', output.length, `${k} names, one a component`)
  const weights = weightsOf(projection).map((v, at) => v / scales[Math.floor(at / k)]!)
  const b = builder([input, output].flat(), precision)
  const value = (width: number) => ({ kind: 'tensor', dtype: precision, shape: ['N', width] }) as const
  const parts = [input].flat().map((name) => b.input(name, value(typeof input === 'string' ? p : 1)))
  const rows = parts.length === 1 ? parts[0]! : b.op('Concat', parts, { attrs: { axis: int(1) } })
  const centred = b.op('Sub', [rows, b.constant(b.tensor([p], means), 'mean')])
  const inputs = [centred, b.constant(b.tensor([p, k], weights), 'components')]
  if (typeof output === 'string' || k === 1) b.ops('MatMul', inputs, { outputs: [output].flat() })
  else b.ops('Split', [b.op('MatMul', inputs)], { attrs: { axis: int(1), num_outputs: int(k) }, outputs: output })
  for (const name of [output].flat()) b.output(name, value(typeof output === 'string' ? k : 1))
  return modelOf(b.graph('pca'))
}

/** Of centred and scaled rows: [p, k]. */
function weightsOf({ components, factors, means }: Projection): Float64Array {
  const k = factors.length
  return transposed(components, k, means.length).map((v, at) => v * factors[at % k]!)
}

const otherWidth = (where: string, value: number, wanted: string): PareError =>
  new PareError('PCA_SHAPE', 'there are other columns than the components were found for', {
    where,
    value,
    remedy: `Give ${wanted}.`,
  })
