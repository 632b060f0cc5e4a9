/** What `quantize` makes, by name: light, for the command line lists it whenever it starts. */

import { STORED_GRIDS } from '../../train/grids/names.js'

export const QUANTIZE_KINDS = [
  'int8',
  'int4',
  'ternary',
  'binary',
  'f16',
  ...STORED_GRIDS,
  'codebook',
  'sparse',
] as const
export type QuantizeKind = (typeof QUANTIZE_KINDS)[number]
