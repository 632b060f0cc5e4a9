/** Fewer dimensions: before, inside or instead of a model. */

export { type Pca, type PcaOptions, pca, pcaOfBlocks, pcaOfMoments } from './pca.js'
export type { TransformOptions } from './tsne/transform.js'
export { type Tsne, type TsneOptions, tsne } from './tsne/tsne.js'
