/** Reading many samples takes no more memory than reading few: measured in processes of their own. */

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { zipSync } from 'fflate'
import { expect, test } from 'vitest'
import { dataPath } from '../../test/data.js'
import { concatBytes } from '../util/bytes.js'
import { random } from '../util/random.js'
import { tensorOf } from './convert.js'
import { encodeNpy } from './npy.js'
import { npzSamples } from './npz.js'
import { bytesSource, type Source } from './source.js'
import { wavSamples } from './wav.js'

const SCRIPT = `
import { openSamples } from './src/data/open.ts'
import { take } from './src/data/split.ts'
const [path, count, shape] = process.argv.slice(1)
const inputs = [{ name: 'x', dtype: 'float32', shape: JSON.parse(shape) }]
const samples = take(await openSamples(path, { inputs }), Number(count))
let read = 0
let peak = 0
for await (const { feeds } of samples.read()) {
  if (feeds.x.byteLength === 0) throw new Error('empty')
  if (++read % 1000 === 0) {
    globalThis.gc()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    peak = Math.max(peak, heapUsed + arrayBuffers)
  }
}
console.log(JSON.stringify({ read, peak, rss: process.resourceUsage().maxRSS * 1024 }))
`

const root = join(import.meta.dirname, '../..')
const measured = async (path: string, count: number, shape: readonly (number | string)[]) => {
  const args = [
    '--expose-gc',
    '--import',
    'tsx',
    '--input-type=module',
    '--eval',
    SCRIPT,
    path,
    `${count}`,
    JSON.stringify(shape),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  return JSON.parse(stdout) as { read: number; peak: number; rss: number }
}
const MB = 2 ** 20

const mnist = dataPath('mnist/train-images-idx3-ubyte.gz')
test.skipIf(mnist === null)('10,000 of 60,000 gzipped images take no more than 1,000', async () => {
  const few = await measured(mnist!, 1000, [1, 1, 28, 28])
  const many = await measured(mnist!, 10_000, [1, 1, 28, 28])
  expect([few.read, many.read]).toEqual([1000, 10_000])
  // Held, these samples would take 31 MB.
  expect(many.peak - few.peak).toBeLessThan(8 * MB)
  expect(many.rss - few.rss).toBeLessThan(50 * MB)
})

test('a compressed array of 80 MB is never held whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pare-memory-'))
  try {
    const values = new Float32Array(20_000 * 1000).map((_, i) => i % 1000)
    const path = join(folder, 'x.npz')
    await writeFile(
      path,
      zipSync({ 'x.npy': encodeNpy(tensorOf('float32', [20_000, 1000], values, 'x')) }, { level: 1 }),
    )
    const few = await measured(path, 1000, ['N', 1000])
    const all = await measured(path, 20_000, ['N', 1000])
    expect(all.read).toBe(20_000)
    expect(all.peak - few.peak).toBeLessThan(20 * MB)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('only as much of an archive is read as the samples taken need', async () => {
  const generator = random(1)
  const noise = Uint8Array.from({ length: 4_000_000 }, () => generator.integer(256))
  const bytes = zipSync({ 'x.npy': encodeNpy(tensorOf('uint8', [40_000, 100], noise, 'x')) })
  const source = bytesSource('x.npz', bytes)
  let taken = 0
  const counting = {
    ...source,
    async *stream(start?: number, end?: number) {
      for await (const chunk of source.stream(start, end)) {
        taken += chunk.byteLength
        yield chunk
      }
    },
  }
  let rows = 0
  for await (const _ of (await npzSamples(counting)).read()) if (++rows === 1000) break
  expect(rows).toBe(1000)
  expect(taken).toBeGreaterThan(100_000)
  expect(taken).toBeLessThan(500_000)
})

test('sound between frames far apart is not held', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const header = Uint8Array.from('RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0......\x10\0data', (c) =>
    c.charCodeAt(0),
  )
  const length = 40 * MB
  const head = concatBytes([header, new Uint8Array(Uint32Array.of(length).buffer)])
  let most = 0
  const source: Source = {
    name: 'long.wav',
    size: head.byteLength + length,
    slice: async (start, end) => head.subarray(start, end),
    async *stream() {
      collectGarbage()
      const before = process.memoryUsage().arrayBuffers
      for (let at = 0; at < length; at += MB) {
        collectGarbage()
        most = Math.max(most, process.memoryUsage().arrayBuffers - before)
        yield new Uint8Array(MB)
      }
    },
  }
  let frames = 0
  for await (const _ of (await wavSamples(source, { frame: 10, hop: 10 * MB })).read()) frames++
  expect(frames).toBe(2)
  // Held, the sound between two frames would take 40 MB.
  expect(most).toBeLessThan(10 * MB)
})
