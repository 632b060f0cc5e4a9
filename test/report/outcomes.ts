/** Made-up outcomes for tests of the report's layout. The numbers are invented and measure nothing. */

import type { LayerSensitivity, Outcome } from '../../src/search/outcome.js'
import type { Latency, TrialResult } from '../../src/search/trial.js'
import { isSlower } from '../../src/search/verdicts.js'

interface Invented {
  readonly id: string
  readonly name: string
  readonly kB: number
  readonly ratio: number
  readonly drop?: number
}

function invented({ id, name, kB, ratio, drop }: Invented): TrialResult {
  const latency: Latency = { p50: 12.4 * ratio, p95: 14.1 * ratio, ratio, interval: [ratio * 0.96, ratio * 1.05] }
  return {
    trial: { id, name, model: 'ab'.repeat(32), steps: [], seed: 0 },
    status: 'ok',
    sha256: id.padEnd(64, '0'),
    bytes: kB * 1000,
    latency,
    ...(drop === undefined
      ? {}
      : {
          quality: {
            value: 0.9892 - drop,
            drop,
            outputs: [
              { name: 'scores', cosine: 1 - drop / 3, relativeError: drop * 2, maxAbsolute: 0.0213, top1: 0.995 },
              { name: 'boxes', cosine: 0.999731, relativeError: 0.0123, maxAbsolute: 1.2 },
            ],
          },
        }),
    keeps: (drop === undefined || drop <= 0.01) && !isSlower(latency),
    seconds: 3.2,
  }
}

const LAYERS: readonly LayerSensitivity[] = Array.from({ length: 34 }, (_, i) => ({
  node:
    i % 7 === 0 ? `/backbone/stage${i}/block/conv_with_a_rather_long_name/depthwise/Conv_${i}` : `/features/${i}/Conv`,
  op: i % 5 === 0 ? 'MatMul' : 'Conv',
  parameters: 512 * (i + 1),
  drop: i < 20 ? 0.02 * 0.75 ** i : 0,
  relativeError: 0.08 * 0.85 ** i,
  keptFloat: i < 3,
}))

/** A search that found a better model. */
export const found: Outcome = {
  schema: 1,
  tool: { name: 'pare', version: '0.1.0' },
  date: '2026-05-01T12:34:56.000Z',
  command: 'pare compress faces.onnx --data faces/ --labels labels.csv --max-drop 0.01 --for latency -o out.onnx',
  machine: {
    cpu: 'Example 9000',
    cores: 8,
    memoryBytes: 16e9,
    features: ['avx2', 'avx512-vnni'],
    platform: 'linux x64',
    runtime: 'Node 20.20.2',
  },
  engine: { name: 'onnxruntime-node', version: '1.30.0', device: 'cpu', threads: 1 },
  model: {
    name: 'faces.onnx',
    sha256: 'ab'.repeat(32),
    isFile: true,
    shapes: {},
    bytes: 1047549,
    parameters: 264000,
    macs: 8.2e7,
    opset: 13,
  },
  data: { name: 'faces/', total: 500, calibration: 100, heldOut: 400, labels: true },
  measure: {
    kind: 'accuracy',
    output: 'scores',
    explanation: 'The share of held-out samples whose class with the highest score is the label.',
    higherIsBetter: true,
    baseline: 0.9892,
  },
  budget: { maxDrop: 0.01, for: 'latency', target: 'node', portable: false },
  baseline: { bytes: 1047549, latency: { p50: 12.4, p95: 14.1, ratio: 1, interval: [1, 1] }, peakMemoryBytes: 9.1e7 },
  trials: [
    invented({ id: 's8pc', name: 'static int8, per channel, min-max', kB: 351, ratio: 0.355, drop: 0.031 }),
    invented({
      id: 's8p',
      name: 'static int8, per channel, percentile',
      kB: 369,
      ratio: 0.372,
      drop: 0.0042,
    }),
    invented({ id: 's8t', name: 'static int8, per tensor, percentile', kB: 352, ratio: 0.36, drop: 0.012 }),
    invented({ id: 's8e', name: 'static int8, per channel, entropy', kB: 369, ratio: 0.374, drop: 0.0061 }),
    invented({ id: 's8m', name: 'static int8, mean squared error', kB: 368, ratio: 0.371, drop: 0.0088 }),
    invented({ id: 's8f2', name: 'static int8, 2 layers in float', kB: 402, ratio: 0.44, drop: 0.0011 }),
    invented({ id: 's8f3', name: 'static int8, 3 layers in float', kB: 455, ratio: 0.49, drop: 0.0003 }),
    invented({ id: 'st8', name: 'stored as int8', kB: 290, ratio: 1.02, drop: 0.0005 }),
    invented({ id: 'st4', name: 'stored as int4', kB: 171, ratio: 1.04, drop: 0.024 }),
    invented({ id: 'dyn', name: 'dynamic int8', kB: 288, ratio: 1.31, drop: 0.0007 }),
    invented({ id: 'f16', name: 'float16', kB: 530, ratio: 1.22, drop: -0.0002 }),
    {
      trial: { id: 'nb4', name: 'int4 blocks', model: 'ab'.repeat(32), steps: [], seed: 0 },
      status: 'failed',
      error: 'no MatMul has a constant weight',
      seconds: 0.1,
    },
  ],
  front: ['s8p', 's8f2', 's8f3', 'st8', 's8m'],
  chosen: 's8p',
  chosenPeakMemoryBytes: 6.2e7,
  verdict:
    'Static int8 per channel with percentile ranges is the fastest candidate within the allowed drop of 1 point of accuracy.',
  sensitivity: LAYERS,
  asked: { recipe: 'static int8, per channel, percentile', isChosen: true, samples: 12, layers: 36 },
  missed: {
    trial: 's8p',
    engine: 'onnxruntime-node',
    isTarget: true,
    kernels: [
      { node: '/features/1/Conv', op: 'Conv', reason: 'depthwise: the float kernel is faster' },
      { node: '/features/4/Conv', op: 'Conv', reason: 'depthwise: the float kernel is faster' },
      { node: '/features/8/Conv', op: 'Conv', reason: 'depthwise: the float kernel is faster' },
      { node: '/features/9/Conv', op: 'Conv', reason: 'depthwise: the float kernel is faster' },
      { node: '/head/Resize', op: 'Resize', reason: 'no integer kernel' },
    ],
  },
  warnings: ['Only 100 samples were there to calibrate; ranges may be too narrow.'],
  seconds: 203,
}

/** A search without samples that kept the original. */
export const kept: Outcome = {
  ...found,
  command: 'pare compress policy.onnx -o out.onnx',
  data: null,
  measure: {
    kind: 'none',
    explanation: 'Without samples nothing can be said about quality, so only recipes that need none were tried.',
    higherIsBetter: true,
    baseline: null,
  },
  trials: [
    invented({ id: 'st8', name: 'stored as int8', kB: 290, ratio: 1.12 }),
    invented({ id: 'dyn', name: 'dynamic int8', kB: 288, ratio: 1.31 }),
  ],
  front: ['original', 'st8', 'dyn'],
  chosen: null,
  chosenPeakMemoryBytes: null,
  baseline: { ...found.baseline, peakMemoryBytes: null },
  verdict: 'No candidate is smaller without being slower; the original stays as it is.',
  sensitivity: [],
  asked: null,
  missed: null,
  warnings: [],
}

const LEVERS: Readonly<Record<string, readonly string[]>> = {
  s8pc: ['quantize/static'],
  s8p: ['prune/channels', 'recover/distill', 'quantize/static'],
  s8t: ['prune/channels', 'quantize/static'],
  s8e: ['equalize/weights', 'quantize/static'],
  s8m: ['factorize/svd', 'recover/distill', 'quantize/static'],
  s8f2: ['sparsify/wanda', 'store/sparse'],
  s8f3: ['factorize/tucker', 'quantize/static'],
  st8: ['store/int8'],
}

/** The same as what a search of every lever found. */
export const searched: Outcome = {
  ...found,
  trials: found.trials.map((t) => ({
    ...t,
    trial: { ...t.trial, steps: (LEVERS[t.trial.id] ?? []).map((transform) => ({ transform, params: {} })) },
    ...(LEVERS[t.trial.id]?.includes('recover/distill') && { losses: [0.4, 0.2, 0.13, 0.1, 0.09] }),
  })),
  search: {
    drawn: 84,
    screened: [
      { name: 'prune channels (ratio 0.7)', rung: 0, bytes: 300_000, ratio: 0.4, drop: 0.2 },
      { name: 'factorize svd', rung: 0, error: 'no layer is worth taking apart' },
    ],
    refused: [{ transform: 'store/binary', reason: 'no weight has two values a channel' }],
    recoverySteps: 1200,
    growth: [0.2, 0.9, 0.9, 1.4],
  },
}
