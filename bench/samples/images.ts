/**
 * Views of the 24 face photographs, decoded by sharp: the whole picture and seeded crops of 60-95 % of each side, half
 * of them mirrored, stretched to the model's size as the detectors' own demos do. Photographs are split, never views:
 * 7 photographs are held out, 17 calibrate.
 */

import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import sharp from 'sharp'
import type { Sample } from '../../src/data/samples.js'
import { f32 } from '../../src/ir/tensor.js'
import { random } from '../../src/util/random.js'
import { type ModelSamples, requiredPath, samplesOf } from './types.js'

interface Preprocessing {
  readonly input: string
  readonly width: number
  readonly height: number
  readonly order: 'rgb' | 'bgr'
  /** Value fed for channel c (in the model's order) of an 8-bit pixel. */
  readonly value: (pixel: number, channel: number) => number
}

interface View {
  /** Left, top, width and height as fractions of the photograph. */
  readonly box: readonly [number, number, number, number]
  readonly mirrored: boolean
  readonly name: string
}

const CALIBRATION_COUNT = 100
const VIEWS_PER_CALIBRATION_PHOTO = 6
const VIEWS_PER_HELDOUT_PHOTO = 4
const TRAINING_PHOTOS = 17

const ultraface: Preprocessing = {
  input: 'input',
  width: 320,
  height: 240,
  order: 'rgb',
  value: (pixel) => (pixel - 127) / 128,
}

const IMAGENET_MEAN = [0.485, 0.456, 0.406]
const IMAGENET_DEVIATION = [0.229, 0.224, 0.225]

export const ultrafaceSlim = faceSamples('ultraface-slim-320', ultraface)
export const ultrafaceRfb = faceSamples('ultraface-rfb-320', ultraface)
export const yunet = faceSamples('yunet-n-320', {
  input: 'input',
  width: 320,
  height: 320,
  order: 'bgr',
  value: (pixel) => pixel,
})
export const openseeface = faceSamples('openseeface-mnv3-detection', {
  input: 'input',
  width: 224,
  height: 224,
  order: 'rgb',
  value: (pixel, channel) => (pixel / 255 - IMAGENET_MEAN[channel]!) / IMAGENET_DEVIATION[channel]!,
})

function faceSamples(model: string, preprocessing: Preprocessing): ModelSamples {
  async function* training(count: number, each: number): AsyncGenerator<Sample> {
    let left = count
    for (const photo of photographs().filter((_, i) => !isHeldOut(i))) {
      for (const view of views(photo, each)) if (left-- > 0) yield await sample(photo, view, preprocessing)
    }
  }
  return {
    model,
    about: '24 photographs, whole and in seeded crops and mirrored; 7 photographs are held out',
    calibration: samplesOf(`${model} calibration photographs`, CALIBRATION_COUNT, () =>
      training(CALIBRATION_COUNT, VIEWS_PER_CALIBRATION_PHOTO),
    ),
    many: (count) =>
      samplesOf(`${model} photographs`, count, () => training(count, Math.ceil(count / TRAINING_PHOTOS))),
    heldout: samplesOf(`${model} held-out photographs`, 7 * VIEWS_PER_HELDOUT_PHOTO, async function* () {
      for (const photo of photographs().filter((_, i) => isHeldOut(i))) {
        for (const view of views(photo, VIEWS_PER_HELDOUT_PHOTO)) yield await sample(photo, view, preprocessing)
      }
    }),
  }
}

const isHeldOut = (index: number): boolean => index % 4 === 2 || index === 23

function photographs(): string[] {
  const folder = requiredPath('samples/faces')
  const number = (file: string): number => Number.parseInt(basename(file), 10)
  return readdirSync(folder)
    .filter((file) => file.endsWith('.jpg'))
    .sort((a, b) => number(a) - number(b))
    .map((file) => join(folder, file))
}

/** The whole photograph, its mirror image, then crops. */
function views(photo: string, count: number): View[] {
  const random_ = random(Number.parseInt(basename(photo), 10))
  const list: View[] = [
    { box: [0, 0, 1, 1], mirrored: false, name: 'whole' },
    { box: [0, 0, 1, 1], mirrored: true, name: 'whole, mirrored' },
  ]
  while (list.length < count) {
    const width = random_.uniform(0.6, 0.95)
    const height = random_.uniform(0.6, 0.95)
    const box = [random_.uniform(0, 1 - width), random_.uniform(0, 1 - height), width, height] as const
    const mirrored = random_.uniform() < 0.5
    list.push({ box, mirrored, name: `crop ${list.length - 1}${mirrored ? ', mirrored' : ''}` })
  }
  return list.slice(0, count)
}

async function sample(photo: string, view: View, p: Preprocessing): Promise<Sample> {
  const { width: w, height: h } = await sharp(photo).metadata()
  const [x, y, dx, dy] = view.box
  const pixels = await sharp(photo)
    .extract({
      left: Math.floor(x * w),
      top: Math.floor(y * h),
      width: Math.max(1, Math.floor(dx * w)),
      height: Math.max(1, Math.floor(dy * h)),
    })
    .flop(view.mirrored)
    .resize(p.width, p.height, { fit: 'fill', kernel: 'linear' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer()
  const area = p.width * p.height
  const data = new Float32Array(3 * area)
  for (let c = 0; c < 3; c++) {
    const source = p.order === 'rgb' ? c : 2 - c
    for (let i = 0; i < area; i++) data[c * area + i] = p.value(pixels[3 * i + source]!, c)
  }
  const feeds = { [p.input]: f32([1, 3, p.height, p.width], data) }
  // Views of one photograph stay together where samples are split.
  return { feeds, name: `${basename(photo)} (${view.name})`, sequence: basename(photo) }
}
