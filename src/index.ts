/**
 * The public library, for types and for bundlers that know neither Node nor browsers: what works anywhere. Node and
 * browsers get more from `node.ts` and `browser.ts`, which package.json's exports choose by themselves.
 */

export { type Gradient, type GradientOptions, gradient } from './autodiff/gradient.js'
export {
  type Factorized,
  type FactorizedLayer,
  type FactorizeOptions,
  factorize,
} from './compress/factorize/index.js'
export {
  type Amount,
  type Pruned,
  type PrunedGroup,
  type PruneOptions,
  prune,
} from './compress/prune/index.js'
export { rewind } from './compress/prune/rewind.js'

export { type QuantizeOptions, quantize } from './compress/quantize/index.js'
export { type SharedWeights, type ShareOptions, sharedWeights } from './compress/shared-weights.js'
export { type Label, type Labels, withLabels } from './data/labels.js'
export type { Sample, Samples } from './data/samples.js'
export { take } from './data/split.js'
export type {
  Device,
  Engine,
  EngineOptions,
  Feeds,
  MeasureOptions,
  ModelSource,
  Session,
  SessionOptions,
  Timing,
  ValueInfo,
} from './engine/engine.js'
export type { Attr, DType, Graph, Model, Node, Tensor, Value } from './ir/types.js'
export * as linear from './linear/index.js'
export { type DecodeOptions, decodeModel, type EncodeOptions, encodeModel } from './onnx/codec.js'
export { type ChainOptions, chain } from './passes/chain.js'
export { type CleanOptions, cleanModel } from './passes/clean.js'
export { type Inspection, type InspectOptions, inspectModel } from './passes/inspect.js'
export type { Env, Pass } from './passes/pass.js'
export { type InputShapes, withShapes } from './passes/with-shapes.js'
export * as penalties from './penalties/index.js'
export type { Penalty } from './penalties/penalty.js'
export * as reduce from './reduce/index.js'
export * as select from './reduce/select/index.js'
export { type MapReport, renderMap } from './report/reduce/map-page.js'
export { type PcaReport, renderPca } from './report/reduce/pca-page.js'
export { mapSvg } from './report/reduce/picture-svg.js'
export type { PointMap } from './report/reduce/point-map.js'
export { renderReport } from './report/render.js'
export type { Outcome } from './search/outcome.js'
export * as augmentations from './train/augment.js'
export type { Checkpoint } from './train/checkpoint.js'
export type { Column } from './train/columns.js'
export type { DataFacts } from './train/data-facts.js'
export { type Dataset, type DatasetOptions, readDataset } from './train/dataset.js'
export { type Distillation, type DistillOptions, distillation } from './train/distill.js'
export { type Score, type ScoreOptions, scoreOf } from './train/evaluate.js'
export type { TrainedGrid } from './train/fake-quantize.js'
export { type FullBatchOptions, type FullBatchResult, trainFullBatch } from './train/full-batch.js'
export * as layers from './train/layers/index.js'
export type { Layer } from './train/layers/layer.js'
export { type SequentialOptions, sequential } from './train/layers/sequential.js'
export type { Epoch, Plateau } from './train/loop.js'
export * as losses from './train/losses/index.js'
export type { Loss } from './train/losses/loss.js'
export * as metrics from './train/metrics/index.js'
export type { Answers, TrainMetric } from './train/metrics/metric.js'
export type { Objective } from './train/objective.js'
export * as optimizers from './train/optimizers/index.js'
export type { Optimizer } from './train/optimizers/optimizer.js'
export {
  type PathOptions,
  type PathPoint,
  type PathSelection,
  type TrainedPath,
  trainPath,
} from './train/path.js'
export type { PenaltyChoice } from './train/penalized.js'
export type { PresetOptions } from './train/presets.js'
export * as schedules from './train/schedules.js'
export { type Trained, type TrainOptions, train } from './train/train.js'
export type { Progress, RunOptions } from './util/env.js'
export { PareError } from './util/errors.js'
export { VERSION } from './util/version.js'
