/** Pools, their inverses, regions of interest and sampling grids. X is [N, C, …]. */

import { intAttr, intsAttr } from '../ir/attrs.js'
import type { Dim } from '../ir/types.js'
import { channelAxes, gridSampleAxes, maxPoolAxes } from './axes/tools.js'
import { type Call, dtypeOf, type OpDef, shapeOf } from './def.js'
import { averagePoolGrad, globalAveragePoolGrad, globalMaxPoolGrad, maxPoolGrad } from './gradients/pool.js'
import { def, fact, map, move } from './make.js'
import { contentOf, hasInput, malformed, rankOf, unify, unknownDims, whereOf } from './shapes.js'
import { kernelShape, slideShape, unslideSize, WINDOW_ATTRS, windowsOf } from './windows.js'

/** [N, C, …] with the spatial axes slid over. */
function poolShape(call: Call): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  const spatial = slideShape(call, x)
  return x && spatial && [...x.slice(0, 2), ...spatial]
}

/** [N, C, 1, …]. */
function globalShape(call: Call): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  return x && [...x.slice(0, 2), ...x.slice(2).map(() => 1)]
}

const globalPool = (op: string, attrs: OpDef['schema']['attrs'], quant: OpDef['quant'], grad: OpDef['grad']): OpDef =>
  def(op, 1, {
    inputs: ['X'],
    outputs: ['Y'],
    attrs,
    infer: (call) => [fact(dtypeOf(call.inputs[0]), globalShape(call))],
    quant,
    grad,
    axes: channelAxes,
  })

/** The given output shape, else the size that the pool would have come from. */
function unpoolShape(call: Call): readonly Dim[] | null {
  const x = shapeOf(call.inputs[0])
  if (hasInput(call, 2)) return contentOf(call, 2) ?? lengthOnly(call, 2) ?? (x && unknownDims(x.length))
  if (x === null) return null
  const windows = windowsOf(call, x.length - 2, kernelShape(call, x.length - 2))
  return [...x.slice(0, 2), ...windows.map((w, i) => unslideSize(x[i + 2]!, w, 'NOTSET', 0))]
}

/** [regions, C, height, width]. */
function roiShape(call: Call, height: Dim, width: Dim): Dim[] {
  const x = shapeOf(call.inputs[0])
  const regions = shapeOf(call.inputs[1])?.[0] ?? null
  const batch = shapeOf(call.inputs[2])?.[0] ?? null
  return [unify(regions, batch, whereOf(call)), x?.[1] ?? null, height, width]
}

/** [N, H, W, 2] or [N, D, H, W, 3] for `size` = [N, C, (D,) H, W]. */
function affineGridShape(call: Call): Dim[] | null {
  const size = contentOf(call, 1)
  const length = size?.length ?? shapeOf(call.inputs[1])?.[0] ?? null
  if (typeof length !== 'number') return null
  const full = size ?? unknownDims(length)
  return [full[0] ?? null, ...full.slice(2), length - 2]
}

/** [N, C, …] with the grid's spatial axes. */
function gridSampleShape(call: Call): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  const grid = shapeOf(call.inputs[1])
  const rank = x?.length ?? grid?.length
  if (rank === undefined) return null
  if (x && grid && x.length !== grid.length) {
    throw malformed(whereOf(call), 'input and grid have one rank', [x.length, grid.length])
  }
  const n = unify(x?.[0] ?? null, grid?.[0] ?? null, whereOf(call))
  return [n, x?.[1] ?? null, ...(grid?.slice(1, -1) ?? unknownDims(rank - 2))]
}

/** [N, C, …image] from columns [N, C·∏block, L]. */
function col2ImShape(call: Call): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  const image = contentOf(call, 1) ?? lengthOnly(call, 1)
  const block = contentOf(call, 2)
  if (image === null) return null
  const columns = x?.[1] ?? null
  const each = block?.every((b) => typeof b === 'number') ? block.reduce<number>((n, b) => n * Number(b), 1) : null
  const channels = typeof columns === 'number' && each !== null && each > 0 ? columns / each : null
  if (channels !== null && !Number.isInteger(channels)) {
    throw malformed(whereOf(call), 'the second axis of the input should be a multiple of the block', [columns, each])
  }
  return [x?.[0] ?? null, channels, ...image]
}

function lengthOnly(call: Call, input: number): Dim[] | null {
  const length = rankOf(call.inputs[input]) === 1 ? shapeOf(call.inputs[input])![0] : null
  return typeof length === 'number' ? unknownDims(length) : null
}

const POOL_ATTRS = { ...WINDOW_ATTRS, ceil_mode: 'int' } as const

export const pool: readonly OpDef[] = [
  def('MaxPool', 1, {
    inputs: ['X'],
    outputs: ['Y', 'Indices?'],
    separable: true,
    attrs: { ...POOL_ATTRS, storage_order: 'int' },
    grad: maxPoolGrad,
    axes: maxPoolAxes,
    infer: (call) => {
      const shape = poolShape(call)
      return [fact(dtypeOf(call.inputs[0]), shape), fact('int64', shape)]
    },
    quant: move(0),
  }),
  def('AveragePool', 1, {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { ...POOL_ATTRS, count_include_pad: 'int' },
    grad: averagePoolGrad,
    axes: channelAxes,
    infer: (call) => [fact(dtypeOf(call.inputs[0]), poolShape(call))],
    quant: map(0),
  }),
  def('LpPool', 1, {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { ...POOL_ATTRS, p: 'int' },
    axes: channelAxes,
    infer: (call) => [fact(dtypeOf(call.inputs[0]), poolShape(call))],
    quant: map(0),
  }),
  globalPool('GlobalAveragePool', {}, map(0), globalAveragePoolGrad),
  globalPool('GlobalMaxPool', {}, move(0), globalMaxPoolGrad),
  globalPool('GlobalLpPool', { p: 'int' }, map(0), 'none'),
  def('MaxUnpool', 9, {
    inputs: ['X', 'I', 'output_shape?'],
    outputs: ['output'],
    attrs: { kernel_shape: 'ints', pads: 'ints', strides: 'ints' },
    infer: (call) => [fact(dtypeOf(call.inputs[0]), unpoolShape(call))],
    // The gaps are exact zeros, which every grid with a zero point holds.
    quant: move(0),
  }),
  def('RoiAlign', 10, {
    inputs: ['X', 'rois', 'batch_indices'],
    outputs: ['Y'],
    attrs: {
      coordinate_transformation_mode: 'string',
      mode: 'string',
      output_height: 'int',
      output_width: 'int',
      sampling_ratio: 'int',
      spatial_scale: 'float',
    },
    infer: (call) => [
      fact(
        dtypeOf(call.inputs[0]),
        roiShape(call, intAttr(call.node, 'output_height', 1), intAttr(call.node, 'output_width', 1)),
      ),
    ],
    quant: map(0),
  }),
  def('MaxRoiPool', 1, {
    inputs: ['X', 'rois'],
    outputs: ['Y'],
    attrs: { pooled_shape: 'ints', spatial_scale: 'float' },
    infer: (call) => {
      const [height = null, width = null] = intsAttr(call.node, 'pooled_shape') ?? []
      return [fact(dtypeOf(call.inputs[0]), roiShape(call, height, width))]
    },
    quant: move(0),
  }),
  def('AffineGrid', 20, {
    inputs: ['theta', 'size'],
    outputs: ['grid'],
    attrs: { align_corners: 'int' },
    infer: (call) => [fact(dtypeOf(call.inputs[0]), affineGridShape(call))],
  }),
  def('GridSample', 16, {
    inputs: ['X', 'grid'],
    outputs: ['Y'],
    attrs: { align_corners: 'int', mode: 'string', padding_mode: 'string' },
    axes: gridSampleAxes,
    infer: (call) => [fact(dtypeOf(call.inputs[0]), gridSampleShape(call))],
    quant: map(0),
  }),
  def('Col2Im', 18, {
    inputs: ['input', 'image_shape', 'block_shape'],
    outputs: ['output'],
    attrs: { dilations: 'ints', pads: 'ints', strides: 'ints' },
    infer: (call) => [fact(dtypeOf(call.inputs[0]), col2ImShape(call))],
    quant: map(0),
  }),
]
