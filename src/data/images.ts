/** Picture files as samples, decoded and resized by the optional package `sharp`. Node only. */

import { basename } from 'node:path'
import type { ValueInfo } from '../engine/engine.js'
import { messageOf, PareError } from '../util/errors.js'
import { type PictureShape, type PixelOptions, pictureShape, pixelsToTensor } from './pixels.js'
import { readOf, type Samples, UNNAMED } from './samples.js'

export interface ImageOptions extends PixelOptions {
  /** Height and width where the model leaves them free. Default: those of each picture. */
  readonly size?: readonly [height: number, width: number]
  /**
   * How a picture of another shape is made to fit: `stretch` (default), `cover` (cut off what is over, centred) or
   * `contain` (black bars).
   */
  readonly resize?: 'stretch' | 'cover' | 'contain'
  /** Name of the input that takes the pictures; needed where several could. */
  readonly input?: string
}

export const IMAGE_EXTENSIONS = ['avif', 'bmp', 'gif', 'jpeg', 'jpg', 'png', 'tif', 'tiff', 'webp']

/**
 * One sample for each picture, in the order given. Turned upright as their EXIF data says; grey input is luminance;
 * transparency is dropped unless the input has 4 channels. `names` are for messages. Throws `IMAGE_…`.
 */
export async function imageSamples(
  name: string,
  paths: readonly string[],
  inputs: readonly ValueInfo[],
  options: ImageOptions = {},
  names: readonly string[] = paths.map((path) => basename(path)),
): Promise<Samples> {
  const target = inputFor(inputs, options.input)
  const shape = withSize(pictureShape(target, options.layout), options.size)
  const sharp = await loadSharp()
  return {
    name,
    count: paths.length,
    read: readOf(async function* (isWanted, { signal } = {}) {
      for (const [i, path] of paths.entries()) {
        if (!isWanted(i)) continue
        signal?.throwIfAborted()
        const { data, info } = await decode(sharp, path, shape, options.resize ?? 'stretch')
        const where = names[i]!
        yield {
          feeds: { [options.input ?? UNNAMED]: pixelsToTensor(data, info, shape, options, where) },
          name: where,
        }
      }
    }),
  }
}

function inputFor(inputs: readonly ValueInfo[], name: string | undefined): ValueInfo {
  const found = name === undefined ? (inputs.length === 1 ? inputs[0] : undefined) : inputs.find((i) => i.name === name)
  if (found) return found
  throw new PareError('IMAGE_INPUT', 'it is not clear which input takes the pictures', {
    value: name ?? inputs.map((i) => i.name),
    remedy: 'Name it: --data-option input=NAME. Or say of the others what they are: constant=NAME:VALUE, zero=NAME.',
  })
}

function withSize(shape: PictureShape, size: ImageOptions['size']): PictureShape {
  if (!size) return shape
  const [height, width] = size
  const clash = (shape.height ?? height) !== height || (shape.width ?? width) !== width
  if (clash || ![height, width].every((d) => Number.isInteger(d) && d > 0)) {
    throw new PareError(
      'IMAGE_SIZE',
      `the model takes pictures of ${shape.height ?? 'any'} x ${shape.width ?? 'any'}`,
      {
        value: `${height} x ${width}`,
        remedy: 'Leave --data-option size out, or give one that the model takes.',
      },
    )
  }
  return { ...shape, height, width }
}

type Sharp = typeof import('sharp').default

/** Throws `SHARP_MISSING` with the line that installs it. */
async function loadSharp(): Promise<Sharp> {
  try {
    return (await import('sharp')).default
  } catch (cause) {
    throw new PareError('SHARP_MISSING', 'reading pictures needs the package sharp', {
      value: messageOf(cause),
      remedy: 'Run: npm install sharp. Or give the pictures as .npz.',
      cause,
    })
  }
}

async function decode(
  sharp: Sharp,
  path: string,
  { channels, height, width }: PictureShape,
  resize: 'stretch' | 'cover' | 'contain',
): Promise<{ data: Uint8Array; info: { height: number; width: number } }> {
  try {
    let picture = sharp(path).autoOrient()
    if (height !== null || width !== null) {
      picture = picture.resize({
        ...(height !== null && { height }),
        ...(width !== null && { width }),
        fit: resize === 'stretch' ? 'fill' : resize,
        background: { r: 0, g: 0, b: 0 },
      })
    }
    picture = picture.toColourspace('srgb')
    picture = channels === 4 ? picture.ensureAlpha() : picture.removeAlpha()
    return await picture.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  } catch (cause) {
    throw new PareError('IMAGE_READ', 'the picture cannot be read', {
      where: path,
      value: messageOf(cause),
      remedy: 'Check that it is complete and a picture, or take it out of the folder.',
      cause,
    })
  }
}
