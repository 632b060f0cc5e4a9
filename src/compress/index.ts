/** All transforms, by id. A new one is a file of its own and a line here. */

import { PareError } from '../util/errors.js'
import { equalizeWeights } from './equalize/weights.js'
import { biasCorrection } from './quantize/bias-correction.js'
import { quantizeDynamic } from './quantize/dynamic.js'
import { quantizeNBits } from './quantize/nbits.js'
import { quantizeStatic } from './quantize/static.js'

import { sparsifyMagnitude } from './sparsify/magnitude.js'
import { sparsifySparseGpt } from './sparsify/sparsegpt.js'
import { sparsifyWanda } from './sparsify/wanda.js'

import { storeInt2, storeInt3 } from './store/blocks.js'

import { storeCodebook } from './store/codebook.js'
import { storeSparse } from './store/sparse.js'
import { storeBinary, storeF16, storeInt4, storeInt8, storeTernary } from './store/store.js'
import type { Transform } from './transform.js'

export const TRANSFORMS: readonly Transform[] = [
  equalizeWeights,
  quantizeStatic,
  quantizeDynamic,
  quantizeNBits,
  storeInt8,
  storeInt4,
  storeF16,
  storeBinary,
  storeTernary,
  sparsifyMagnitude,
  sparsifyWanda,
  sparsifySparseGpt,
  storeInt3,
  storeInt2,
  storeCodebook,
  storeSparse,
  biasCorrection,
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
