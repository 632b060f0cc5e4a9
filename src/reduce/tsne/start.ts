/** Where the points of a map begin. */

import type { Engine } from '../../engine/engine.js'
import { symmetricEigen } from '../../linalg/symmetric-eigen.js'
import type { DenseMatrix } from '../../linear/design.js'
import { stridesOf } from '../../linear/design.js'
import { gatherMoments } from '../../linear/gather-moments.js'
import { random } from '../../util/random.js'
import type { Settings } from './check.js'

/** Standard deviation of the first dimension (Kobak and Berens 2019). */
const SMALL = 1e-4

/** Of what keeps equal rows apart, in units of that. */
const NOISE = 1e-3

/** [rows, nComponents] */
export async function startOfMap(
  x: DenseMatrix,
  { init, seed, nComponents }: Pick<Settings, 'init' | 'seed' | 'nComponents'>,
  engine: Engine | undefined,
): Promise<Float64Array> {
  const { normal } = random(seed)
  if (typeof init !== 'string') return Float64Array.from(init)
  const length = x.rows * nComponents
  if (init === 'random') return Float64Array.from({ length }, () => normal(0, SMALL))
  const scores = await principalScores(x, nComponents, engine)
  const unit = SMALL / (Math.sqrt(scores.variance) || 1)
  // Equal rows would pull at each other with no direction to part in.
  return scores.values.map((v) => v * unit + normal(0, NOISE * SMALL))
}

/** Of the rows, [rows, k], and the variance of the first. */
async function principalScores(
  x: DenseMatrix,
  k: number,
  engine: Engine | undefined,
): Promise<{ readonly values: Float64Array; readonly variance: number }> {
  const p = x.columns
  const moments = await gatherMoments(x, new Float64Array(x.rows), { engine })
  const gram = new Float64Array(p * p)
  for (let j = 0; j < p; j++) for (let i = 0; i < p; i++) gram[j * p + i] = moments.scatter[j * (p + 1) + i]!
  const { values, vectors } = await symmetricEigen(gram, p, { engine })
  const [byRow, byColumn] = stridesOf(x)
  const out = new Float64Array(x.rows * k)
  for (let c = 0; c < Math.min(k, p); c++) {
    const own = vectors.subarray((p - 1 - c) * p, (p - c) * p)
    const sign = Math.sign(own.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0)) || 1
    for (let i = 0; i < x.rows; i++) {
      let sum = 0
      for (let j = 0; j < p; j++) sum += (x.data[i * byRow + j * byColumn]! - moments.means[j]!) * own[j]!
      out[i * k + c] = sign * sum
    }
  }
  return { values: out, variance: values[p - 1]! / x.rows }
}
