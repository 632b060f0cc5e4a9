/** Where the points of a map begin. */

import type { Engine } from '../../engine/engine.js'
import type { DenseMatrix } from '../../linear/design.js'
import { random } from '../../util/random.js'
import { pca } from '../pca.js'
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
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { normal } = random(seed)
  if (typeof init !== 'string') return Float64Array.from(init)
  const length = x.rows * nComponents
  if (init === 'random') return Float64Array.from({ length }, () => normal(0, SMALL))
  const k = Math.min(nComponents, x.columns)
  const { transform, explainedVariance } = await pca(x, {
    nComponents: k,
    ...(engine && { engine }),
    ...(signal && { signal }),
  })
  const scores = (await transform(x)).data
  const unit = SMALL / (Math.sqrt(explainedVariance[0]!) || 1)
  // Equal rows would pull at each other with no direction to part in; missing dimensions have that alone.
  return Float64Array.from({ length }, (_, at) => {
    const [i, c] = [Math.floor(at / nComponents), at % nComponents]
    return (c < k ? scores[i * k + c]! * unit : 0) + normal(0, NOISE * SMALL)
  })
}
