/** The grids that weights can be rounded to while they are trained, by name. */

/** Those of stores, the finest first. */
export const STORED_GRIDS = [
  'store-int8',
  'store-int6',
  'store-int5',
  'store-int4',
  'store-int3',
  'store-int2',
] as const

/**
 * `int8`: weights a channel, activations by their running range. `int4`: weights of products in blocks, other weights as
 * int8. `binary`, `ternary`: weights of all layers but the first and the last have two or three values a channel.
 * `store-int8` (a scale a channel), `store-int6` to `store-int2` (a scale a block): weights of at least 512
 * elements, whatever reads them.
 */
export const TRAINED_GRIDS = ['int8', 'int4', ...STORED_GRIDS, 'ternary', 'binary'] as const
export type TrainedGrid = (typeof TRAINED_GRIDS)[number]
