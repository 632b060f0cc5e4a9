/** All layers. */

export { gelu, relu, sigmoid, softmax, tanh } from './activation.js'
export { embedding, positions, selfAttention, transformerBlock } from './attention.js'
export { averagePool, conv, globalAveragePool, maxPool } from './conv.js'
export { dense } from './dense.js'
export { dropout } from './dropout.js'
export { batchNorm, layerNorm } from './norm.js'
export { inRow, residual } from './sequential.js'
export { flatten, reshape, scale } from './shape.js'
