/** Pictures as tensors: axes, colour order, mean and scale. */

import type { ValueInfo } from '../engine/engine.js'
import { elementCount } from '../ir/tensor.js'
import type { DType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { shownShape } from './align.js'
import { isInteger, tensorOf } from './convert.js'

export interface PixelOptions {
  /** Order of the axes. Default: where the input's shape has the 1, 3 or 4 colour channels. */
  readonly layout?: 'nchw' | 'nhwc'
  /** Order of the colours. Default `rgb`. */
  readonly color?: 'rgb' | 'bgr'
  /**
   * Every value x in 0 … 255 becomes (x - mean) * scale, as in OpenCV's blobFromImage: one number for all channels or
   * one each, in the order of `color`. Default 0 and 1, i.e. 0 … 255 as they are. For torchvision's normalization give
   * mean and std times 255.
   */
  readonly mean?: number | readonly number[]
  readonly scale?: number | readonly number[]
  /** Instead of `scale`: (x - mean) / std. */
  readonly std?: number | readonly number[]
}

/** What an input asks of a picture; a length is null where it is free. */
export interface PictureShape {
  readonly layout: 'nchw' | 'nhwc'
  readonly channels: number
  readonly height: number | null
  readonly width: number | null
  readonly dtype: DType
}

const isChannels = (d: number | string | undefined): boolean => d === 1 || d === 3 || d === 4

/** Reads the picture's layout off an input of shape [N, C, H, W], [N, H, W, C] or without N. Throws `IMAGE_INPUT`, `IMAGE_LAYOUT`. */
export function pictureShape(input: ValueInfo, layout?: 'nchw' | 'nhwc'): PictureShape {
  const { shape, name } = input
  if (!shape || shape.length < 3 || shape.length > 4) {
    throw new PareError('IMAGE_INPUT', 'this input does not take pictures: they have 3 or 4 axes', {
      where: `input ${name}`,
      value: shape ? shownShape(shape) : 'no shape',
      remedy: 'Name the input that takes the pictures (--data-option input=NAME), or give the samples as .npz.',
    })
  }
  const [a, b, c] = shape.slice(-3)
  const first = isChannels(a)
  const last = isChannels(c)
  if (!layout && first === last) {
    throw new PareError('IMAGE_LAYOUT', 'the shape does not show which axis holds the colours', {
      where: `input ${name}`,
      value: shownShape(shape),
      remedy: 'Give it: --data-option layout=nchw or layout=nhwc.',
    })
  }
  const chosen = layout ?? (first ? 'nchw' : 'nhwc')
  const [channels, height, width] = chosen === 'nchw' ? [a, b, c] : [c, a, b]
  if (typeof channels === 'number' && !isChannels(channels)) {
    throw new PareError('IMAGE_LAYOUT', `${chosen} would mean ${channels} colour channels`, {
      where: `input ${name}`,
      value: shownShape(shape),
      remedy: 'Give the other --data-option layout, or samples as .npz.',
    })
  }
  const length = (d: number | string | undefined) => (typeof d === 'number' ? d : null)
  return {
    layout: chosen,
    channels: typeof channels === 'number' ? channels : 3,
    height: length(height),
    width: length(width),
    dtype: input.dtype as DType,
  }
}

/**
 * Luminance of interleaved sRGB bytes, a byte each: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of the values as they
 * are stored, in fixed point of 16 bits as Pillow and OpenCV compute it, so that grey stays what it is. Models of one
 * channel were trained on this, not on luminance in linear light.
 */
function luminance(rgb: Uint8Array): Uint8Array {
  const at = (i: number, c: number) => rgb[3 * i + c]!
  return Uint8Array.from(
    { length: rgb.length / 3 },
    (_, i) => (19595 * at(i, 0) + 38470 * at(i, 1) + 7471 * at(i, 2) + 0x8000) >> 16,
  )
}

/**
 * A tensor of shape [1, C, H, W] or [1, H, W, C] from interleaved bytes of sRGB, with transparency for 4 channels; one
 * channel is luminance. Integer types take rounded values. Throws `IMAGE_VALUES` where mean, scale or std do not fit,
 * `SAMPLE_RANGE` where the type cannot hold the result.
 */
export function pixelsToTensor(
  bytes: Uint8Array,
  { height, width }: { readonly height: number; readonly width: number },
  { layout, channels, dtype }: PictureShape,
  options: PixelOptions,
  where: string,
): Tensor {
  const pixels = channels === 1 ? luminance(bytes) : bytes
  const { mean, scale } = normalization(options, channels)
  const planar = layout === 'nchw'
  const area = height * width
  const out = new Float64Array(area * channels)
  const round = isInteger(dtype)
  for (let c = 0; c < channels; c++) {
    const from = options.color === 'bgr' && c < 3 && channels >= 3 ? 2 - c : c
    for (let i = 0; i < area; i++) {
      const value = (pixels[i * channels + from]! - mean[c]!) * scale[c]!
      out[planar ? c * area + i : i * channels + c] = round ? Math.round(value) : value
    }
  }
  const shape = planar ? [1, channels, height, width] : [1, height, width, channels]
  if (elementCount(shape) !== pixels.length) throw new RangeError('pixels do not fill the picture')
  return tensorOf(dtype, shape, out, where)
}

function normalization(options: PixelOptions, channels: number): { mean: readonly number[]; scale: readonly number[] } {
  if (options.scale !== undefined && options.std !== undefined) {
    throw new PareError('IMAGE_VALUES', 'scale and std exclude each other', {
      value: `scale ${options.scale}, std ${options.std}`,
      remedy: 'Give one of them; scale multiplies, std divides.',
    })
  }
  const each = (name: 'mean' | 'scale' | 'std', fallback: number): readonly number[] => {
    const value = options[name] ?? fallback
    const list = typeof value === 'number' ? new Array<number>(channels).fill(value) : value
    const bad = list.length !== channels || !list.every(Number.isFinite) || (name === 'std' && list.includes(0))
    if (!bad) return list
    throw new PareError('IMAGE_VALUES', `${name} needs one number, or one for each of ${channels} channels`, {
      value: list,
      remedy: `Give for example --data-option ${name}=127.5.`,
    })
  }
  const scale = options.std === undefined ? each('scale', 1) : each('std', 1).map((s) => 1 / s)
  return { mean: each('mean', 0), scale }
}
