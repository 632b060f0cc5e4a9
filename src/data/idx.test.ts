import { gzipSync } from 'fflate'
import { expect, test } from 'vitest'
import { collect as all } from '../../test/collect.js'
import { dataPath } from '../../test/data.js'
import { elements } from '../ir/tensor.js'
import { fileSource } from './files.js'
import { idxSamples } from './idx.js'
import { UNNAMED } from './samples.js'
import { bytesSource } from './source.js'

const idx = (type: number, dims: number[], data: number[]) =>
  Uint8Array.from([0, 0, type, dims.length, ...dims.flatMap((d) => [0, 0, d >> 8, d & 255]), ...data])
const read = async (bytes: Uint8Array) => all((await idxSamples(bytesSource('x', bytes))).read())

test('plain and gzipped, big-endian', async () => {
  const bytes = idx(11, [3, 2], [0, 1, 255, 254, 1, 0, 0, 2, 0, 3, 0, 4])
  for (const file of [bytes, gzipSync(bytes)]) {
    const samples = await read(file)
    expect(samples.map((s) => [...elements(s.feeds[UNNAMED]!)])).toEqual([
      [1, -2],
      [256, 2],
      [3, 4],
    ])
  }
})

test('garbage and files that end early are refused', async () => {
  await expect(read(Uint8Array.of(1, 2, 3, 4))).rejects.toMatchObject({ code: 'IDX_HEADER' })
  await expect(read(new Uint8Array(0))).rejects.toMatchObject({ code: 'IDX_HEADER' })
  await expect(read(idx(8, [3, 2], [1, 2, 3, 4, 5]))).rejects.toMatchObject({ code: 'SAMPLES_TRUNCATED' })
  await expect(read(idx(8, [3], []).subarray(0, 6))).rejects.toMatchObject({ code: 'SAMPLES_TRUNCATED' })
  const noise = Array.from({ length: 20_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 255)
  const packed = gzipSync(idx(8, [200, 100], noise))
  await expect(read(packed.subarray(0, packed.length >> 1))).rejects.toMatchObject({
    code: expect.stringMatching(/SAMPLES_TRUNCATED|SAMPLES_CORRUPT/),
  })
})

const images = dataPath('mnist/t10k-images-idx3-ubyte.gz')
test.skipIf(images === null)('MNIST test images: 10,000 of 28x28', async () => {
  const samples = await idxSamples(await fileSource(images!))
  expect(samples.count).toBe(10_000)
  let n = 0
  let sum = 0
  for await (const { feeds } of samples.read()) {
    const pixels = elements(feeds[UNNAMED]!) as Uint8Array
    if (n === 0) expect(feeds[UNNAMED]).toMatchObject({ dtype: 'uint8', shape: [28, 28] })
    for (const p of pixels) sum += p
    n++
  }
  expect(n).toBe(10_000)
  // The published mean of the test images is 0.1325 of white.
  expect(sum / (n * 784 * 255)).toBeCloseTo(0.1325, 4)
})
