/** Options that the commands which train share. */

import { TRAINED_GRIDS } from '../train/grids/names.js'
import type { OptionSpecs, OptionValues } from './command.js'
import { DATA_OPTIONS, ENGINE_OPTIONS, SEED_OPTION } from './inputs.js'

const OPTIMIZERS = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw', 'rmsprop', 'adagrad', 'lion', 'lbfgs'] as const
const SCHEDULES = ['constant', 'cosine', 'one-cycle', 'step', 'warm-up-cosine'] as const

const epochs = { kind: 'number', value: 'n', min: 1, max: 1e6, whole: true } as const

export const TRAINING_OPTIONS = {
  ...DATA_OPTIONS,
  optimizer: { kind: 'choice', choices: OPTIMIZERS, default: 'adam', doc: 'how steps follow from gradients' },
  learningRate: {
    kind: 'number',
    value: 'rate',
    min: 1e-12,
    max: 1e3,
    doc: 'the largest learning rate (default: what suits the optimizer)',
  },
  schedule: {
    kind: 'choice',
    choices: SCHEDULES,
    doc: 'the learning rate over time (default one-cycle; constant with --plateau)',
  },
  epochs: { ...epochs, doc: 'passes over the data (default 5); with lbfgs, iterations at most (default 500)' },
  batch: { ...epochs, doc: 'samples a step (default 32, or what the model is fixed to)' },
  accumulate: { ...epochs, doc: 'batches whose gradients are averaged for one step (default 1)' },
  penalty: {
    kind: 'texts',
    value: 'name:strength',
    doc: 'l1, l2, elastic-net, group-lasso, mcp or scad: l2:1e-4, or l1:auto for a strength that --select finds',
  },
  select: {
    kind: 'choice',
    choices: ['cv', 'aic', 'bic'],
    doc: 'what chooses the strength of a penalty that is auto (default cv)',
  },
  folds: { kind: 'number', value: 'n', min: 2, max: 1000, whole: true, doc: 'parts of cv (default 5)' },
  freeze: { kind: 'texts', value: 'pattern', doc: 'weights, or nodes that read them, to leave alone: conv*' },
  keepZeros: { kind: 'flag', doc: 'zeros in weights stay zeros, as pruning leaves them' },
  clip: { kind: 'number', value: 'norm', min: 1e-9, max: 1e9, doc: 'scale gradients down to this norm' },
  averaging: {
    kind: 'number',
    value: 'share',
    min: 1e-6,
    max: 0.999999,
    doc: 'judge and keep a moving mean of the weights: 0.999',
  },
  mixup: { kind: 'number', value: 'alpha', min: 1e-6, max: 100, doc: 'mix samples and targets in pairs: 0.2' },
  augment: {
    kind: 'texts',
    value: 'change',
    doc: 'change samples at random, in turn: shift:1, mirror, cutout:8 of pictures, noise:0.05 of any floats',
  },
  roundTo: {
    kind: 'choice',
    choices: TRAINED_GRIDS,
    doc: 'round to this grid while training, so that pare quantize costs less',
  },
  workers: { ...epochs, max: 256, doc: 'engines that train side by side, averaged (default 1)' },
  patience: { ...epochs, doc: 'stop after so many epochs without progress' },
  plateau: { ...epochs, doc: 'a tenth of the learning rate after so many epochs without progress' },
  checkpoint: {
    kind: 'text',
    value: 'file',
    doc: 'keep the state after each epoch there, and go on from it where it exists',
  },
  output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the file to write' },
  force: { kind: 'flag', doc: 'let --output replace the model itself' },
  report: { kind: 'text', value: 'file', doc: 'write the curves of the training as an HTML page' },
  ...ENGINE_OPTIONS,
  ...SEED_OPTION,
} as const satisfies OptionSpecs

export type TrainingChoices = OptionValues<typeof TRAINING_OPTIONS>

const LOSS_NAMES = ['cross-entropy', 'squared', 'absolute', 'huber', 'binary-cross-entropy', 'hinge'] as const

export const LABEL_OPTIONS = {
  labels: { kind: 'text', value: 'path', doc: 'labels of the samples, where --data does not hold them' },
  validation: { kind: 'text', value: 'path', doc: 'samples to judge by (default: a tenth of --data; with lbfgs none)' },
  validationLabels: { kind: 'text', value: 'path', doc: 'their labels' },
  test: { kind: 'text', value: 'path', doc: 'samples to judge the result by, once, in the end' },
  testLabels: { kind: 'text', value: 'path', doc: 'their labels' },
  loss: {
    kind: 'choice',
    choices: LOSS_NAMES,
    doc: 'what to make small (default: cross-entropy for classes, else squared)',
  },
  metric: {
    kind: 'texts',
    value: 'name',
    doc: 'what to tell beside the loss: top-5, macro-f1, balanced-accuracy; f1, auc; mae, rmse, r2',
  },
  bestBy: { kind: 'text', value: 'name', doc: 'the metric that decides which weights to keep (default: the loss)' },
} as const satisfies OptionSpecs

export type LossName = (typeof LOSS_NAMES)[number]

export type LabelChoices = OptionValues<typeof LABEL_OPTIONS>

/** What some of the commands that train understand beside what all do, and what may get into the way of an optimizer. */
export type OtherChoices = { readonly bestBy?: string | undefined; readonly batchStatistics?: boolean }
