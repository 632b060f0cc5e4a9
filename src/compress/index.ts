/** All transforms, by id. A new one is a file of its own and a line here. */

import { PareError } from '../util/errors.js'
import { equalizeSmooth } from './equalize/smooth.js'
import { equalizeWeights } from './equalize/weights.js'
import { factorizeFewest } from './factorize/fewest.js'
import { factorizeSlice } from './factorize/slice/slice.js'
import { factorizeSvd } from './factorize/svd.js'
import { factorizeTucker } from './factorize/tucker.js'
import { pruneChannels } from './prune/channels.js'
import { biasCorrection } from './quantize/bias-correction.js'
import { quantizeDynamic } from './quantize/dynamic.js'
import { quantizeNBits } from './quantize/nbits.js'
import { quantizeStatic } from './quantize/static.js'
import { recoverDistill } from './recover/distill.js'
import { recoverRound } from './recover/round.js'
import { sparsifyFisher } from './sparsify/fisher.js'
import { sparsifyMagnitude } from './sparsify/magnitude.js'
import { sparsifySparseGpt } from './sparsify/sparsegpt.js'
import { sparsifyTaylor } from './sparsify/taylor.js'
import { sparsifyWanda } from './sparsify/wanda.js'
import { storeInt2, storeInt3, storeInt4, storeInt5, storeInt6 } from './store/blocks.js'
import { storeCodebook } from './store/codebook.js'
import { storeSparse } from './store/sparse.js'
import { storeBinary, storeF16, storeInt8, storeTernary } from './store/store.js'
import type { Transform } from './transform.js'

export const TRANSFORMS: readonly Transform[] = [
  equalizeWeights,
  equalizeSmooth,
  factorizeSvd,
  factorizeTucker,
  factorizeFewest,
  factorizeSlice,
  pruneChannels,
  sparsifyMagnitude,
  sparsifyWanda,
  sparsifyTaylor,
  sparsifyFisher,
  sparsifySparseGpt,
  recoverDistill,
  recoverRound,
  quantizeStatic,
  quantizeDynamic,
  quantizeNBits,
  biasCorrection,
  storeInt8,
  storeInt6,
  storeInt5,
  storeInt4,
  storeInt3,
  storeInt2,
  storeF16,
  storeBinary,
  storeTernary,
  storeCodebook,
  storeSparse,
].map((t) => t as unknown as Transform)

export function findTransform(id: string): Transform {
  const found = TRANSFORMS.find((t) => t.id === id)
  if (found === undefined) {
    throw new PareError('TRANSFORM_UNKNOWN', 'there is no such transform', {
      value: id,
      remedy: `There are: ${TRANSFORMS.map((t) => t.id).join(', ')}.`,
    })
  }
  return found
}
