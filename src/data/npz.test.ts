import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { expect, test } from 'vitest'
import { collect as all } from '../../test/collect.js'
import { numbers } from '../ir/tensor.js'
import { PareError } from '../util/errors.js'
import { tensorOf } from './convert.js'
import { encodeNpy } from './npy.js'
import { npzSamples } from './npz.js'
import type { Samples } from './samples.js'
import { bytesSource } from './source.js'

const golden = join(import.meta.dirname, '../../test/golden/arrays/inputs.npz')
const collect = (samples: Samples) => all(samples.read())
const open = (bytes: Uint8Array, options = {}) => npzSamples(bytesSource('x.npz', bytes), options)

test('members advance together, a scalar goes to every sample, labels are labels', async () => {
  const samples = await open(await readFile(golden))
  expect(samples.count).toBe(4)
  const read = await collect(samples)
  expect(read.map((s) => s.label)).toEqual([3, 1, 0, 2])
  expect(Object.keys(read[2]!.feeds)).toEqual(['image', 'mask', 'sr'])
  expect([...numbers(read[2]!.feeds.image!)]).toEqual([12, 13, 14, 15, 16, 17].map((v) => v / 8))
  expect(read[2]!.feeds.mask).toMatchObject({ dtype: 'bool', shape: [3] })
  expect(read.map((s) => numbers(s.feeds.sr!)[0])).toEqual([16000, 16000, 16000, 16000])
  expect(await collect(samples)).toHaveLength(4)
})

test('an input called like labels stays an input; labels can be named', async () => {
  const bytes = await readFile(golden)
  const [kept] = await collect(await open(bytes, { inputs: ['label'] }))
  expect(Object.keys(kept!.feeds)).toContain('label')
  expect(kept!.label).toBeUndefined()
  const [named] = await collect(await open(bytes, { label: 'mask' }))
  expect(named!.label).toEqual([1, 0, 1])
  await expect(open(bytes, { label: 'nope' })).rejects.toMatchObject({ code: 'NPZ_MEMBER' })
})

test('an archive cut anywhere or with a damaged member is refused', async () => {
  const bytes = await readFile(golden)
  for (const length of [0, 10, 400, bytes.length - 23, bytes.length - 1]) {
    await expect(open(bytes.subarray(0, length)), `${length}`).rejects.toMatchObject({ code: 'SAMPLES_TRUNCATED' })
  }
  const data = Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i * i))
  const sound = zipSync({ 'x.npy': encodeNpy(tensorOf('float32', [1000, 4], data, 'x')) })
  expect(await collect(await open(sound))).toHaveLength(1000)
  for (let at = 1000; at < 9000; at += 400) {
    const damaged = sound.slice()
    damaged.fill(0xff, at, at + 200)
    const error = await open(damaged)
      .then(collect)
      .catch((e: unknown) => e)
    expect(error, `damage at ${at}`).toBeInstanceOf(PareError)
  }
  const stored = zipSync({ 'x.npy': encodeNpy(tensorOf('float32', [1000, 4], data, 'x')) }, { level: 0 })
  stored[9000]! ^= 1
  await expect(open(stored).then(collect)).rejects.toMatchObject({ code: 'ZIP_CORRUPT' })
})

test('arrays of different lengths, and archives without arrays', async () => {
  const array = (n: number) => encodeNpy(tensorOf('float32', [n], new Float32Array(n), 'x'))
  await expect(open(zipSync({ 'a.npy': array(3), 'b.npy': array(4) }))).rejects.toMatchObject({
    code: 'NPZ_COUNT',
    message: expect.stringContaining('a: 3, b: 4'),
  })
  await expect(open(zipSync({ 'a.txt': array(3) }))).rejects.toMatchObject({ code: 'NPZ_EMPTY' })
})

/** A stored member with all sizes and places in zip64 records, as archives over 4 GB have them. */
function zip64(name: string, content: Uint8Array): Uint8Array {
  const le = (value: number, bytes: number) =>
    Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256)
  const text = [...new TextEncoder().encode(name)]
  const crc = [...zipSync({ a: content }, { level: 0 }).subarray(14, 18)]
  const full = le(0xffffffff, 4)
  const extra = [...le(1, 2), ...le(24, 2), ...le(content.length, 8), ...le(content.length, 8), ...le(0, 8)]
  const local = [
    ...le(0x04034b50, 4),
    ...le(45, 2),
    ...le(0, 8),
    ...crc,
    ...full,
    ...full,
    ...le(text.length, 2),
    ...le(0, 2),
    ...text,
  ]
  const start = local.length + content.length
  const central = [
    ...[...le(0x02014b50, 4), ...le(45, 2), ...le(45, 2), ...le(0, 8), ...crc, ...full, ...full, ...le(text.length, 2)],
    ...[...le(extra.length, 2), ...le(0, 10), ...full, ...text, ...extra],
  ]
  const end64 = [
    ...[...le(0x06064b50, 4), ...le(44, 8), ...le(45, 2), ...le(45, 2), ...le(0, 8), ...le(1, 8), ...le(1, 8)],
    ...[...le(central.length, 8), ...le(start, 8)],
  ]
  const locator = [...le(0x07064b50, 4), ...le(0, 4), ...le(start + central.length, 8), ...le(1, 4)]
  const end = [...le(0x06054b50, 4), ...le(0, 4), ...le(0xffff, 2), ...le(0xffff, 2), ...full, ...full, ...le(0, 2)]
  return Uint8Array.from([...local, ...content, ...central, ...end64, ...locator, ...end])
}

test('zip64 archives', async () => {
  const samples = await open(zip64('x.npy', encodeNpy(tensorOf('float32', [2, 1], [5, 6], 'x'))))
  expect((await collect(samples)).map((s) => numbers(s.feeds.x!)[0])).toEqual([5, 6])
})
