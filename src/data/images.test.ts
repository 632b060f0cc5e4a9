import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, expect, test, vi } from 'vitest'
import { collect } from '../../test/collect.js'
import { dataPath } from '../../test/data.js'
import { numbers } from '../ir/tensor.js'
import type { ImageOptions } from './images.js'
import { withLabels } from './labels.js'
import { openSamples } from './open.js'
import { openLabels } from './open-labels.js'

const folder = await mkdtemp(join(tmpdir(), 'pare-images-'))
afterAll(() => rm(folder, { recursive: true }))

/** 2 rows of 3 pixels: red, green, blue; white, black, grey. */
const pixels = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 128, 128, 128]
const picture = join(folder, 'colors.png')
await sharp(Uint8Array.from(pixels), { raw: { width: 3, height: 2, channels: 3 } })
  .png()
  .toFile(picture)

const x = (shape: (number | string)[], dtype = 'float32') => [{ name: 'x', dtype, shape }]
const read = async (shape: (number | string)[], image: ImageOptions = {}, dtype = 'float32') => {
  const [sample] = await collect((await openSamples(picture, { inputs: x(shape, dtype), image })).read())
  return sample!.feeds.x!
}
const channel = (c: number) => pixels.filter((_, i) => i % 3 === c)

test('NHWC keeps the pixels, NCHW takes the channels apart, BGR turns them round', async () => {
  expect([...numbers(await read([1, 2, 3, 3], { layout: 'nhwc' }))]).toEqual(pixels)
  const planes = await read([1, 3, 2, 3], { layout: 'nchw' })
  expect([...numbers(planes)]).toEqual([0, 1, 2].flatMap(channel))
  expect([...numbers(await read([1, 3, 2, 3], { layout: 'nchw', color: 'bgr' }))]).toEqual([2, 1, 0].flatMap(channel))
  expect(await read(['N', 3, '', ''])).toMatchObject({ shape: [1, 3, 2, 3], dtype: 'float32' })
})

test('mean, scale and std: (x - mean) * scale, (x - mean) / std', async () => {
  const scaled = await read([1, 3, 'h', 'w'], { mean: 127, scale: 1 / 128 })
  expect([...numbers(scaled)]).toEqual([0, 1, 2].flatMap(channel).map((v) => Math.fround((v - 127) / 128)))
  const each = { mean: [10, 20, 30], std: [2, 4, 8] }
  const expected = [0, 1, 2].flatMap((c) => channel(c).map((v) => (v - each.mean[c]!) / each.std[c]!))
  expect([...numbers(await read([1, 3, 'h', 'w'], each))]).toEqual(expected)
  await expect(read([1, 3, 'h', 'w'], { scale: 1, std: 1 })).rejects.toMatchObject({ code: 'IMAGE_VALUES' })
  await expect(read([1, 3, 'h', 'w'], { mean: [1, 2] })).rejects.toMatchObject({ code: 'IMAGE_VALUES' })
})

test('the element type of the input', async () => {
  expect([...numbers(await read([1, 'h', 'w', 3], {}, 'uint8'))]).toEqual(pixels)
  const signed = await read([1, 'h', 'w', 3], { mean: 128 }, 'int8')
  expect([...numbers(signed)]).toEqual(pixels.map((v) => v - 128))
  await expect(read([1, 'h', 'w', 3], { scale: 2 }, 'uint8')).rejects.toMatchObject({ code: 'SAMPLE_RANGE' })
})

test('one channel is luminance, four have transparency', async () => {
  const grey = await read(['N', 1, 2, 3], { layout: 'nchw' })
  expect(grey.shape).toEqual([1, 1, 2, 3])
  // What Pillow's convert('L') gives.
  expect([...numbers(grey)]).toEqual([76, 150, 29, 255, 0, 128])
  const alpha = [...numbers(await read(['N', 'h', 'w', 4]))].filter((_, i) => i % 4 === 3)
  expect(alpha).toEqual([255, 255, 255, 255, 255, 255])
})

test('grey pictures keep their values, of 16 bits too, and lose their transparency', async () => {
  const ramp = Uint8Array.from({ length: 256 }, (_, i) => i)
  const grey = join(folder, 'grey.png')
  const raw = (channels: 1 | 2, height: number) => ({ raw: { width: 256, height, channels } })
  const path = async (name: string, picture: Sharp) => {
    const file = join(folder, name)
    await picture.png().toFile(file)
    const [sample] = await collect((await openSamples(file, { inputs: x([1, 1, 'h', 'w']) })).read())
    return [...numbers(sample!.feeds.x!)]
  }
  expect(await path('grey.png', sharp(ramp, raw(1, 1)).toColourspace('b-w'))).toEqual([...ramp])
  expect((await sharp(grey).metadata()).channels).toBe(1)
  const clear = Uint8Array.from({ length: 512 }, (_, i) => (i % 2 === 0 ? i >> 1 : 40))
  expect(await path('clear.png', sharp(clear, raw(2, 1)).toColourspace('b-w'))).toEqual([...ramp])
  const deep = sharp(
    Uint16Array.from(ramp, (v) => v * 257),
    raw(1, 1),
  ).toColourspace('grey16')
  expect(await path('deep.png', deep)).toEqual([...ramp])
  expect((await sharp(join(folder, 'deep.png')).metadata()).depth).toBe('ushort')
})

test('resizing: stretched, cut, with bars', async () => {
  const wide = join(folder, 'wide.png')
  const half = Array.from({ length: 8 * 4 * 3 }, (_, i) => (Math.floor(i / 3) % 8 < 4 ? 0 : 255))
  await sharp(Uint8Array.from(half), { raw: { width: 8, height: 4, channels: 3 } })
    .png()
    .toFile(wide)
  const shown = async (resize: 'stretch' | 'cover' | 'contain') => {
    const samples = await openSamples(wide, { inputs: x([1, 3, 4, 4]), image: { resize, layout: 'nchw' } })
    const [sample] = await collect(samples.read())
    return [...numbers(sample!.feeds.x!)]
      .slice(0, 16)
      .map((v) => (v > 127 ? 1 : 0))
      .join('')
  }
  expect(await shown('stretch')).toBe('0011'.repeat(4))
  expect(await shown('cover')).toBe('0011'.repeat(4))
  expect(await shown('contain')).toBe(`0000${'0011'.repeat(2)}0000`)
  const free = await openSamples(wide, { inputs: x([1, 3, 'h', 'w']), image: { size: [2, 6] } })
  expect((await collect(free.read()))[0]!.feeds.x!.shape).toEqual([1, 3, 2, 6])
})

test('what cannot be a picture is said so', async () => {
  await expect(read([1, 784])).rejects.toMatchObject({ code: 'IMAGE_INPUT' })
  await expect(read([1, 3, 5, 3])).rejects.toMatchObject({ code: 'IMAGE_LAYOUT' })
  await expect(read(['N', 'c', 'h', 'w'])).rejects.toMatchObject({ code: 'IMAGE_LAYOUT' })
  await expect(read([1, 3, 2, 5], { size: [2, 6] })).rejects.toMatchObject({ code: 'IMAGE_SIZE' })
  const broken = join(folder, 'broken.jpg')
  await writeFile(broken, 'no picture')
  const samples = await openSamples(broken, { inputs: x([1, 3, 8, 8]) })
  await expect(collect(samples.read())).rejects.toMatchObject({ code: 'IMAGE_READ' })
})

test('class folders are labels when asked for', async () => {
  const root = join(folder, 'classes')
  for (const [name, shade] of [
    ['dog', 10],
    ['cat', 200],
  ] as const) {
    await mkdir(join(root, name), { recursive: true })
    for (const i of [0, 1]) {
      const flat = sharp({ create: { width: 2, height: 2, channels: 3, background: { r: shade, g: shade, b: shade } } })
      await flat.png().toFile(join(root, name, `${i}.png`))
    }
  }
  await writeFile(join(root, 'notes.txt'), 'not a sample')
  const samples = await openSamples(root, { inputs: x([1, 3, 2, 2]) })
  expect(samples.count).toBe(4)
  expect((await collect(samples.read())).every((s) => s.label === undefined)).toBe(true)
  const labelled = withLabels(samples, await openLabels(root))
  expect(labelled.classes).toEqual(['cat', 'dog'])
  const read = await collect(labelled.read())
  expect(read.map((s) => [s.name, s.label, numbers(s.feeds.x!)[0]])).toEqual([
    ['cat/0.png', 0, 200],
    ['cat/1.png', 0, 200],
    ['dog/0.png', 1, 10],
    ['dog/1.png', 1, 10],
  ])
})

const faces = dataPath('samples/faces')
test.skipIf(faces === null)('photographs for a face detector', async () => {
  const inputs = [{ name: 'input', dtype: 'float32', shape: [1, 3, 240, 320] }]
  const samples = await openSamples(faces!, { inputs, image: { mean: 127, scale: 1 / 128 } })
  expect(samples.count).toBe(24)
  for await (const { feeds } of samples.read()) {
    expect(feeds.input!.shape).toEqual([1, 3, 240, 320])
    const data = numbers(feeds.input!) as Float32Array
    const mean = data.reduce((s, v) => s + v, 0) / data.length
    expect(Math.max(...data.subarray(0, 1000))).toBeLessThanOrEqual(1)
    expect(Math.abs(mean)).toBeLessThan(0.9)
    break
  }
})

test('without sharp, the error has the line that installs it', async () => {
  vi.doMock('sharp', () => {
    throw new Error('Cannot find package')
  })
  try {
    await expect(read([1, 3, 'h', 'w'])).rejects.toMatchObject({
      code: 'SHARP_MISSING',
      message: expect.stringContaining('npm install sharp'),
    })
  } finally {
    vi.doUnmock('sharp')
  }
})
