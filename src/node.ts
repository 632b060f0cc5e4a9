/** The public library in Node: everything of `index.ts`, and what needs files and the native engine. */

export { quantize } from './compress/quantize/node.js'
export { type OpenOptions, openSamples } from './data/open.js'
export { type LabelOptions, openLabels } from './data/open-labels.js'
export { type BenchOptions, type BenchResult, bench } from './engine/node/bench.js'
export { type NodeEngineOptions, openEngine } from './engine/node/open.js'
export * from './index.js'
export { readModel, type WriteModelOptions, writeModel } from './onnx/files.js'
export { type EnvOptions, type NodeEnv, openEnv } from './passes/node-env.js'
export { type Compressed, type CompressOptions, compress } from './search/compress.js'
export type { Metric, MetricRecord } from './search/quality.js'
export { readCheckpoint, writeCheckpoint } from './train/checkpoint-file.js'
