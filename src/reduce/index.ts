/** Fewer dimensions: before, inside or instead of a model. */

export type { TransformOptions } from './tsne/transform.js'
export { type Tsne, type TsneOptions, tsne } from './tsne/tsne.js'
