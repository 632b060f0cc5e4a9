/** All commands, by name, each loaded when it is asked for. A new one is a file in `commands/` and a line here. */

import type { Command } from './command.js'

export interface CommandEntry {
  readonly name: string
  readonly summary: string
  load(): Promise<Command>
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'inspect',
    summary: 'Show what is in a model and what is heavy',
    load: async () => (await import('./commands/inspect.js')).inspect,
  },
  {
    name: 'quantize',
    summary: 'Make one quantized model',
    load: async () => (await import('./commands/quantize.js')).quantize,
  },
  {
    name: 'prune',
    summary: 'Cut out the channels, neurons and heads that matter least',
    load: async () => (await import('./commands/prune.js')).prune,
  },
  {
    name: 'factorize',
    summary: 'Take layers of low rank apart',
    load: async () => (await import('./commands/factorize.js')).factorize,
  },
  {
    name: 'compress',
    summary: 'Find the smallest or fastest model that keeps the quality',
    load: async () => (await import('./commands/compress.js')).compress,
  },
  {
    name: 'apply',
    summary: 'Make the model of a recipe that a search wrote',
    load: async () => (await import('./commands/apply.js')).apply,
  },
  {
    name: 'verify',
    summary: 'Tell whether two models give the same outputs',
    load: async () => (await import('./commands/verify.js')).verify,
  },
  {
    name: 'bench',
    summary: 'Measure models side by side',
    load: async () => (await import('./commands/bench.js')).bench,
  },
  {
    name: 'train',
    summary: 'Train a model on labelled data',
    load: async () => (await import('./commands/train.js')).train,
  },
  {
    name: 'finetune',
    summary: 'Train a model that exists on labelled data',
    load: async () => (await import('./commands/finetune.js')).finetune,
  },
  {
    name: 'distill',
    summary: 'Train a model to answer as another one does, without labels',
    load: async () => (await import('./commands/distill.js')).distill,
  },
  {
    name: 'fit',
    summary: 'Fit a linear model to a table, and choose its strength',
    load: async () => (await import('./commands/fit.js')).fit,
  },
  {
    name: 'reduce',
    summary: 'Bring rows to fewer dimensions: principal components, maps',
    load: async () => (await import('./commands/reduce.js')).reduce,
  },
  {
    name: 'predict',
    summary: 'Apply a fitted model to a table',
    load: async () => (await import('./commands/predict.js')).predict,
  },
  {
    name: 'select',
    summary: 'Keep the columns of a table that say most of another one',
    load: async () => (await import('./commands/select.js')).select,
  },
  {
    name: 'doctor',
    summary: 'Show engines, devices and what is missing here',
    load: async () => (await import('./commands/doctor.js')).doctor,
  },
  {
    name: 'demo',
    summary: 'Compress a bundled face detector, in under a minute',
    load: async () => (await import('./commands/demo.js')).demo,
  },
]
