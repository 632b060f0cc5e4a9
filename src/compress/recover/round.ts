/**
 * Rounding learned by the whole model: each weight goes to the lower or the upper level of its grid, whichever brings the
 * outputs nearer to the original's. AdaRound (Nagel et al. 2020) asks that layer by layer; here a staircase that grows sharp
 * (`train/grids/soft.ts`) is trained through all layers at once. The stores that follow find the grids again.
 */

import { fitsHalf } from '../../grids/block-ranges.js'
import { blockLayout, quantizeBlocks } from '../../grids/blocks.js'
import { channelsAlong, forEachChannel } from '../../grids/channels.js'
import { LEAST_INTEGER } from '../../grids/least.js'
import { elementCount, elements, f32, floats, floatToHalf, halfToFloat } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import type { Levels } from '../../train/grids/soft.js'
import { parametersOf, withParameters } from '../../train/parameters.js'
import { bestAxis } from '../store/axis.js'
import type { Params, Transform } from '../transform.js'
import { aim, batch, learnable, noSamples, weightsOf, whyNotTrained } from './lessons.js'
import { taught } from './taught.js'

const WIDTHS = ['int8', 'int6', 'int5', 'int4', 'int3', 'int2'] as const
type Width = (typeof WIDTHS)[number]

const nodesOf = (width: Width) =>
  ({ kind: 'names', default: [] as readonly string[], doc: `nodes whose weights store/${width} will take` }) as const

const params = {
  width: {
    kind: 'choice',
    choices: ['none', ...WIDTHS],
    default: 'int4',
    doc: 'the store that takes the weights of all other nodes',
    search: { values: [] },
  },
  int8: nodesOf('int8'),
  int6: nodesOf('int6'),
  int5: nodesOf('int5'),
  int4: nodesOf('int4'),
  int3: nodesOf('int3'),
  int2: nodesOf('int2'),
  aim,
  steps: {
    kind: 'number',
    default: 500,
    min: 1,
    max: 1e6,
    whole: true,
    doc: 'steps of the optimizer (Adam), along half a cosine',
  },
  travel: {
    kind: 'number',
    default: 2,
    min: 0.01,
    max: 1000,
    doc: 'levels of its grid that a weight may travel in all steps together',
    search: { low: 0.5, high: 8, log: true },
  },
  batch,
  exclude: { kind: 'names', default: [], doc: 'nodes whose weights stay as they are' },
} as const

export const recoverRound: Transform<typeof params> = {
  id: 'recover/round',
  summary: 'whether weights go up or down on their grid, learned from what the original answers',
  params,
  needsCalibration: false,
  refuses: whyNotTrained,
  async apply(model, p, env) {
    if (env.teacher === undefined || learnable(env) === undefined) throw noSamples()
    const grids = gridsOf(model, p)
    if (grids.size === 0) return model
    const weights = new Map([...grids].map(([name, { levels }]) => [name, levels]))
    const begun = withParameters(model, new Map([...grids].map(([name, { start }]) => [name, start])))
    const options = {
      freeze: parametersOf(model).filter((name) => !grids.has(name)),
      grid: { weights, travel: p.travel },
    }
    // Where nothing was better than rounding to the nearest, what follows may round better still.
    return (await taught(model, begun, p, env, { ...options, task: 'learning how to round' })) ?? model
  },
}

interface Grid {
  readonly levels: Levels
  /** Where each weight is before, in levels. */
  readonly start: Tensor
}

/** Of each weight that will be stored as integers, by its name. One that nodes of two widths read no store takes. */
function gridsOf(model: Model, p: Params<typeof params>): ReadonlyMap<string, Grid> {
  const named = new Map<string, Width | 'none'>()
  for (const width of WIDTHS)
    for (const name of weightsOf(model, p[width])) named.set(name, named.has(name) ? 'none' : width)
  for (const name of weightsOf(model, p.exclude)) named.set(name, 'none')
  return new Map(
    parametersOf(model).flatMap((name) => {
      const t = model.graph.constants.get(name)!
      const width = named.get(name) ?? p.width
      const isStored = t.dtype === 'float32' && elementCount(t.shape) >= LEAST_INTEGER
      return width === 'none' || !isStored ? [] : [[name, gridOf(t, width as Width)] as const]
    }),
  )
}

function gridOf(t: Tensor, width: Width): Grid {
  const bits = Number(width.slice('int'.length))
  const { steps, q } = bits === 8 ? onChannels(t) : inBlocks(t, bits)
  const [low, high] = bits === 8 ? [-127, 127] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
  const data = floats(t)
  // The largest of a block or channel stays, by which the store finds the grid again, and so do zeros.
  const isPeak = (v: number, i: number): boolean =>
    v === 0 || steps[i] === 0 || v / steps[i]! < low + NEAR || (bits === 8 && v / steps[i]! > high - NEAR)
  const pinned = Uint8Array.from(data, (v, i) => Number(isPeak(v, i)))
  const start = Float32Array.from(data, (v, i) => (pinned[i] ? q[i]! : v / steps[i]!))
  return { levels: { steps, low, high, pinned }, start: f32(t.shape, start) }
}

/** Levels between the largest weight and the end of its grid, for the digits that a float16 scale has. */
const NEAR = 0.02

interface Rounded {
  /** Of each element. */
  readonly steps: Float32Array
  readonly q: Int8Array
}

function onChannels(t: Tensor): Rounded {
  const { values, scale, axis } = bestAxis(floats(t), t.shape)
  const { channelOf } = channelsAlong(t.shape, axis)
  const [scales, steps] = [floats(scale), new Float32Array(elementCount(t.shape))]
  let i = 0
  forEachChannel(steps, channelOf, (_, c) => {
    steps[i++] = scales[c]!
  })
  return { steps, q: elements(values) as Int8Array }
}

/** The default size of a block. */
const BLOCK = 32

function inBlocks(t: Tensor, bits: number): Rounded {
  const data = floats(t)
  const { rows, depth, block } = blockLayout(t.shape, BLOCK)
  const round = fitsHalf(data) ? (s: number) => halfToFloat(floatToHalf(s)) : Math.fround
  const { values, scales, blocksPerRow } = quantizeBlocks(data, rows, depth, block, bits, round)
  const [steps, q] = [new Float32Array(data.length), new Int8Array(data.length)]
  for (let i = 0; i < data.length; i++) {
    const [row, column] = [Math.floor(i / depth), i % depth]
    steps[i] = scales[row * blocksPerRow + Math.floor(column / block)]!
    q[i] = values[row * blocksPerRow * block + column]!
  }
  return { steps, q }
}
