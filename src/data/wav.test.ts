import { expect, test } from 'vitest'
import { collect } from '../../test/collect.js'
import { dataPath } from '../../test/data.js'
import { elements } from '../ir/tensor.js'
import { concatBytes } from '../util/bytes.js'
import { fileSource } from './files.js'
import { UNNAMED } from './samples.js'
import { bytesSource, type Source } from './source.js'
import { type WavOptions, wavFormat, wavSamples } from './wav.js'

const u16 = (v: number) => [v & 255, v >> 8]
const u32 = (v: number) => [v & 255, (v >> 8) & 255, (v >> 16) & 255, v >>> 24]
const ascii = (s: string) => [...s].map((c) => c.charCodeAt(0))

interface Header {
  code?: number
  channels?: number
  rate?: number
  bits?: number
  size?: number
}
const wav = (data: ArrayLike<number>, { code = 1, channels = 1, rate = 16000, bits = 16, size }: Header = {}) =>
  concatBytes([
    Uint8Array.from([
      ...ascii('RIFF'),
      ...u32(36 + data.length),
      ...ascii('WAVE'),
      ...ascii('LIST'),
      ...u32(3),
      1,
      2,
      3,
      0,
    ]),
    Uint8Array.from([
      ...ascii('fmt '),
      ...u32(16),
      ...u16(code),
      ...u16(channels),
      ...u32(rate),
      ...u32(0),
      ...u16(0),
      ...u16(bits),
    ]),
    Uint8Array.from([...ascii('data'), ...u32(size ?? data.length)]),
    Uint8Array.from(data),
  ])
const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
const pcm = (values: number[]) => bytesOf(Int16Array.from(values))
const read = async (bytes: Uint8Array, options?: WavOptions) =>
  (await collect((await wavSamples(bytesSource('a.wav', bytes), options)).read())).map((s) => [
    ...(elements(s.feeds[UNNAMED]!) as Float32Array),
  ])

test('every coding has the same sound', async () => {
  const sound = [-1, -0.5, 0, 0.5]
  const codings: [Uint8Array, Header][] = [
    [Uint8Array.from(sound, (v) => v * 128 + 128), { bits: 8 }],
    [pcm(sound.map((v) => v * 32768)), { bits: 16 }],
    [Uint8Array.from(sound.flatMap((v) => u32(v * 2 ** 23).slice(0, 3))), { bits: 24 }],
    [bytesOf(Int32Array.from(sound, (v) => v * 2 ** 31)), { bits: 32 }],
    [bytesOf(Float32Array.from(sound)), { bits: 32, code: 3 }],
    [bytesOf(Float64Array.from(sound)), { bits: 64, code: 3 }],
  ]
  for (const [data, header] of codings) expect(await read(wav(data, header)), JSON.stringify(header)).toEqual([sound])
})

test('channels are averaged', async () => {
  expect(await read(wav(pcm([16384, 0, -16384, -16384]), { channels: 2 }))).toEqual([[0.25, -0.5]])
})

const ramp = (n: number) => wav(pcm(Array.from({ length: n }, (_, i) => i)))
const integers = (frames: number[][]) => frames.map((f) => f.map((v) => Math.round(v * 32768)))

test('frames: touching, overlapping, with gaps, padded; the same as cutting the whole clip', async () => {
  expect(integers(await read(ramp(5), { frame: 2 }))).toEqual([
    [0, 1],
    [2, 3],
  ])
  expect(integers(await read(ramp(5), { frame: 2, pad: true }))).toEqual([
    [0, 1],
    [2, 3],
    [4, 0],
  ])
  expect(integers(await read(ramp(4), { frame: 2, pad: true }))).toEqual([
    [0, 1],
    [2, 3],
  ])
  expect(integers(await read(ramp(5), { frame: 3, hop: 1 }))).toEqual([
    [0, 1, 2],
    [1, 2, 3],
    [2, 3, 4],
  ])
  expect(integers(await read(ramp(7), { frame: 1, hop: 3 }))).toEqual([[0], [3], [6]])
  for (const [frame, hop] of [
    [512, 512],
    [400, 160],
    [100, 7000],
    [9000, 8999],
  ] as const) {
    const frames = integers(await read(ramp(30_000), { frame, hop }))
    const count = Math.floor((30_000 - frame) / hop) + 1
    const cut = Array.from({ length: count }, (_, n) => Array.from({ length: frame }, (_, i) => n * hop + i))
    expect(frames).toEqual(cut)
  }
})

test('the frame is what the input declares; frames name their recording', async () => {
  const inputs = [{ name: 'x', dtype: 'float32', shape: ['N', 4] }]
  const samples = await wavSamples(bytesSource('a.wav', ramp(9)), { inputs })
  expect(samples.count).toBe(2)
  const frames = await collect(samples.read())
  expect(frames.map((s) => [s.name, s.sequence])).toEqual([
    ['a.wav[0]', 'a.wav'],
    ['a.wav[1]', 'a.wav'],
  ])
})

test('another rate is refused, or resampled if asked', async () => {
  await expect(read(ramp(10), { rate: 8000 })).rejects.toMatchObject({
    code: 'WAV_RATE',
    detail: { remedy: expect.stringContaining('--data-option resample') },
  })
  const line = (rate: number, n = 20_000) => read(ramp(n), { rate, resample: true })
  for (const rate of [8000, 12_000, 32_000, 44_100]) {
    const [sound] = await line(rate)
    expect(sound).toHaveLength(Math.floor((20_000 * rate) / 16_000))
    const last = 19_999
    sound!.forEach((v, j) => {
      const time = Math.min((j * 16_000) / rate, last)
      if (Math.abs(v * 32768 - time) > 2e-3) throw new Error(`${rate}: sample ${j} is ${v * 32768}, not ${time}`)
    })
  }
})

test('bad files', async () => {
  await expect(read(Uint8Array.from(ascii('nothing at all')))).rejects.toMatchObject({ code: 'WAV_HEADER' })
  await expect(read(wav([1, 2], { code: 85 }))).rejects.toMatchObject({ code: 'WAV_FORMAT' })
  await expect(read(ramp(100).slice(0, 120))).rejects.toMatchObject({ code: 'SAMPLES_TRUNCATED' })
  await expect(read(ramp(3), { frame: 4 })).rejects.toMatchObject({ code: 'WAV_SHORT' })
  await expect(read(ramp(0))).rejects.toMatchObject({ code: 'WAV_SHORT' })
  await expect(read(ramp(3), { frame: 0 })).rejects.toMatchObject({ code: 'WAV_FRAME' })
  expect(await read(wav(pcm([16384]), { size: 0xffffffff }))).toEqual([[0.5]])
})

test('a damaged header is said so, without a walk through the whole file', async () => {
  let slices = 0
  const counting = (bytes: Uint8Array): Source => {
    const source = bytesSource('a.wav', bytes)
    const slice: Source['slice'] = (start, end) => {
      slices++
      return source.slice(start, end)
    }
    return { ...source, slice }
  }
  const head = wav([]).slice(0, 12)
  const zeros = concatBytes([head, new Uint8Array(8e5)])
  await expect(wavFormat(counting(zeros))).rejects.toMatchObject({ code: 'WAV_HEADER' })
  expect(slices).toBe(2)
  const empty = concatBytes([head, Uint8Array.from(new Array(1e5).fill([...ascii('junk'), ...u32(0)]).flat())])
  await expect(wavFormat(counting(empty))).rejects.toMatchObject({ code: 'WAV_HEADER' })
  expect(slices).toBeLessThan(2000)
})

test('a length of 0 means an unknown one where sound follows, and none where another chunk does', async () => {
  expect(await read(wav(pcm([16384, -16384]), { size: 0 }))).toEqual([[0.5, -0.5]])
  const list = Uint8Array.from([...ascii('LIST'), ...u32(4), ...ascii('INFO')])
  await expect(read(concatBytes([wav([]), list]))).rejects.toMatchObject({ code: 'WAV_SHORT' })
})

const speech = dataPath('samples/speech/speech-16k.wav')
test.skipIf(speech === null)('real speech in frames of 512', async () => {
  const source = await fileSource(speech!)
  const format = await wavFormat(source)
  expect(format).toMatchObject({ rate: 16_000, channels: 1, bits: 16, kind: 'int' })
  const samples = await wavSamples(source, { frame: 512 })
  let power = 0
  let frames = 0
  for await (const { feeds } of samples.read()) {
    for (const v of elements(feeds[UNNAMED]!) as Float32Array) power += v * v
    frames++
  }
  expect(frames).toBe(samples.count)
  expect(frames).toBe(Math.floor(format.length / 2 / 512))
  const level = Math.sqrt(power / (frames * 512))
  expect(level).toBeGreaterThan(0.005)
  expect(level).toBeLessThan(0.5)
})
