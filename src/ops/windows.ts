/**
 * Sizes of sliding windows, shared by convolutions and pools: kernel, strides, dilations and padding read from the
 * attributes, and the output size of each spatial axis. Formulas: ONNX operator specification, Conv and MaxPool.
 */

import { intAttr, intsAttr, stringAttr } from '../ir/attrs.js'
import type { Dim, Node } from '../ir/types.js'
import { type Call, shapeOf } from './def.js'
import { addDim, malformed, unknownDims, whereOf } from './shapes.js'

/** Window geometry of one spatial axis. */
export interface Window {
  readonly kernel: Dim
  readonly stride: number
  readonly dilation: number
  readonly padBegin: number
  readonly padEnd: number
}

export type AutoPad = 'NOTSET' | 'SAME_UPPER' | 'SAME_LOWER' | 'VALID'

/** Attributes that every sliding window has. */
export const WINDOW_ATTRS = {
  auto_pad: 'string',
  dilations: 'ints',
  kernel_shape: 'ints',
  pads: 'ints',
  strides: 'ints',
} as const

export const autoPadOf = (node: Node): AutoPad => stringAttr(node, 'auto_pad', 'NOTSET') as AutoPad

/** The kernel's spatial shape: the attribute, else the weight's last `rank` dimensions. */
export function kernelShape(call: Call, rank: number, weight?: number): readonly Dim[] {
  const attr = intsAttr(call.node, 'kernel_shape')
  if (attr !== undefined) return attr
  const shape = weight === undefined ? null : shapeOf(call.inputs[weight])
  return shape === null ? unknownDims(rank) : shape.slice(2)
}

/** The windows of `rank` spatial axes. Throws where an attribute has another length. */
export function windowsOf(call: Call, rank: number, kernel: readonly Dim[]): readonly Window[] {
  const list = (name: string, length: number, fallback: number): readonly number[] => {
    const values = intsAttr(call.node, name) ?? []
    if (values.length !== 0 && values.length !== length) {
      throw malformed(whereOf(call), `${name} should hold ${length} numbers`, values)
    }
    return values.length === 0 ? Array.from({ length }, () => fallback) : values
  }
  if (kernel.length !== rank) throw malformed(whereOf(call), `the kernel should have ${rank} axes`, kernel)
  const strides = list('strides', rank, 1)
  const dilations = list('dilations', rank, 1)
  const pads = list('pads', 2 * rank, 0)
  if (strides.some((s) => s < 1)) throw malformed(whereOf(call), 'strides are at least 1', strides)
  return kernel.map((k, i) => ({
    kernel: k,
    stride: strides[i]!,
    dilation: dilations[i]!,
    padBegin: pads[i]!,
    padEnd: pads[rank + i]!,
  }))
}

/** Extent of a dilated kernel: (k − 1)·d + 1. */
const extent = (w: Window): number | null => (typeof w.kernel === 'number' ? (w.kernel - 1) * w.dilation + 1 : null)

/**
 * Number of windows along an axis: ⌊(n + p − e)/s⌋ + 1 with extent e, ⌈·⌉ under `ceil` (less one where the last
 * window would begin beyond the input); ⌈n/s⌉ for SAME padding.
 */
function slideSize(n: Dim, w: Window, autoPad: AutoPad, ceil = false): Dim {
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
    return typeof n === 'number' ? Math.ceil(n / w.stride) : w.stride === 1 ? n : null
  }
  const e = extent(w)
  if (e === null) return null
  const [begin, end] = autoPad === 'VALID' ? [0, 0] : [w.padBegin, w.padEnd]
  if (typeof n !== 'number') return w.stride === 1 ? addDim(n, begin + end - e + 1) : null
  const steps = (n + begin + end - e) / w.stride
  if (!ceil) return Math.max(0, Math.floor(steps) + 1)
  const size = Math.ceil(steps) + 1
  return Math.max(0, (size - 1) * w.stride >= n + begin ? size - 1 : size)
}

/** The inverse: s·(n − 1) + e − p + extra; n·s for SAME padding. */
export function unslideSize(n: Dim, w: Window, autoPad: AutoPad, extra: number): Dim {
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
    return typeof n === 'number' ? n * w.stride : w.stride === 1 ? n : null
  }
  const e = extent(w)
  if (e === null) return null
  const pads = autoPad === 'VALID' ? 0 : w.padBegin + w.padEnd
  const rest = e - pads + extra
  if (typeof n === 'number') return w.stride * (n - 1) + rest
  return w.stride === 1 ? addDim(n, rest - 1) : null
}

/** Spatial output sizes of a slide over an input of shape [N, C, …]; null where its rank is unknown. */
export function slideShape(call: Call, x: readonly Dim[] | null, weight?: number): Dim[] | null {
  if (x === null) return null
  const rank = x.length - 2
  if (rank < 0) throw malformed(whereOf(call), 'the input should have a batch and a channel axis', x)
  const windows = windowsOf(call, rank, kernelShape(call, rank, weight))
  const ceil = intAttr(call.node, 'ceil_mode', 0) === 1
  const autoPad = autoPadOf(call.node)
  return windows.map((w, i) => slideSize(x[i + 2]!, w, autoPad, ceil))
}
