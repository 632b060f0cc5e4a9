/**
 * Weights that share few values: a codebook found by k-means, and the place of each weight in it (Han et al. 2016, Deep
 * Compression, section 3). Zeros stay zeros; where there are many, only the others are listed.
 */

import { elementCount, floats } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { DIGITS_OPSET } from './digits.js'
import { type Expand, fileBytes, oneByOne } from './expand.js'
import { importanceOf } from './importance.js'
import { around, finished, sparsely } from './sparse.js'
import { storeTransform } from './transform.js'
import { exactly, onCodebook } from './values.js'

export const storeCodebook = storeTransform({
  id: 'store/codebook',
  summary: 'weights stored as places in a codebook of few values, found by k-means, computed in float32',
  opset: DIGITS_OPSET,
  params: {
    bits: {
      kind: 'number',
      default: 5,
      min: 1,
      max: 8,
      whole: true,
      doc: 'of a place in the codebook, which has 2^bits entries',
      search: { values: [2, 3, 4, 5, 6] },
    },
    weighted: {
      kind: 'flag',
      default: false,
      doc: 'errors count by the mean square of the input that a weight meets on samples, not all alike',
    },
  },
  // Smaller ones gain little, and biases of a layer count for more than single weights.
  minElements: 512,
  expand: async ({ bits, weighted }, _, { model, env }) =>
    oneByOne(expandCodebook(bits, weighted ? await importanceOf(model, env) : new Map())),
})

const expandCodebook =
  (bits: number, importance: ReadonlyMap<Tensor, Float64Array>): Expand =>
  (r, name, t) => {
    const values = onCodebook(floats(t), bits, importance.get(t))
    const code = (list: ArrayLike<number>) => exactly(list, name)
    const tried = [code(values), sparsely({ values, code }, elementCount(t.shape))]
    const size = (part: (typeof tried)[number]): number => fileBytes(name, [part, ...around({ scale: null })])
    const stored = tried.reduce((best, part) => (size(part) < size(best) ? part : best))
    return size(stored) < t.byteLength ? finished(r, name, t.shape, stored, null) : null
  }
