/**
 * WAV files (RIFF, PCM of 8, 16, 24 and 32 bits, float of 32 and 64) as mono samples in [-1, 1): a whole clip, or
 * frames of it, streamed. Several channels are averaged.
 */

import type { ValueInfo } from '../engine/engine.js'
import { f32 } from '../ir/tensor.js'
import { viewOf } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { type Sample, type Samples, UNNAMED } from './samples.js'
import { byteReader, type Source, truncated } from './source.js'

export interface WavOptions {
  readonly inputs?: readonly ValueInfo[]
  /** Name of the input that takes the sound; needed where several could. */
  readonly input?: string
  /** Samples a frame. Default: the length that the input declares; where it is free, the whole clip is one sample. */
  readonly frame?: number
  /** Samples from one frame's start to the next. Default: `frame`, so that frames touch. */
  readonly hop?: number
  /** Fill the last frame with zeros. Default: it is left out, and a clip shorter than one frame is refused. */
  readonly pad?: boolean
  /** Samples a second that the model expects. A file with another rate is refused unless `resample`. */
  readonly rate?: number
  /** Change the rate by linear interpolation. Going down it aliases; resample with a sound tool where that matters. */
  readonly resample?: boolean
}

export interface WavFormat {
  /** Samples a second. */
  readonly rate: number
  readonly channels: number
  readonly kind: 'int' | 'float'
  readonly bits: number
  /** Where the data begins, and its length in bytes. */
  readonly start: number
  readonly length: number
}

export const isWav = (head: Uint8Array): boolean => tag(head, 0) === 'RIFF' && tag(head, 8) === 'WAVE'

const tag = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4))

/** Reads the header. Throws `WAV_HEADER`, `WAV_FORMAT`, `SAMPLES_TRUNCATED`. */
export async function wavFormat(source: Source): Promise<WavFormat> {
  if (!isWav(await source.slice(0, 12))) {
    throw new PareError('WAV_HEADER', 'this is not a WAV file', {
      where: source.name,
      remedy: 'Convert the recording to WAV, e.g. ffmpeg -i in.mp3 out.wav.',
    })
  }
  let format: Omit<WavFormat, 'start' | 'length'> | null = null
  let chunks = 0
  for (let at = 12; at + 8 <= source.size; ) {
    const { id, size } = await chunkAt(source, at)
    if (!isId(id) || ++chunks > MOST_CHUNKS) throw damaged(source.name, id)
    if (id === 'fmt ') format = parseFormat(await source.slice(at + 8, at + 8 + Math.min(size, 40)), source.name)
    if (id === 'data') {
      if (!format) break
      const rest = source.size - at - 8
      // Programs that write to a pipe cannot know the length: they leave 0 or the largest number.
      const open = size === 0xffffffff || (size === 0 && rest > 0 && !(await isChunk(source, at + 8)))
      if (!open && size > rest) throw truncated(source.name, 'the sound', `${rest} of ${size} bytes`)
      return { ...format, start: at + 8, length: open ? rest : size }
    }
    at += 8 + size + (size & 1)
  }
  throw truncated(source.name, 'the header: there is no format or no data')
}

/** More than any recorder writes before the sound. */
const MOST_CHUNKS = 1000

async function chunkAt(source: Source, at: number): Promise<{ readonly id: string; readonly size: number }> {
  const head = await source.slice(at, at + 8)
  return { id: tag(head, 0), size: viewOf(head).getUint32(4, true) }
}

const isId = (id: string): boolean => /^[ -~]{4}$/.test(id)

/** Whether what begins here is another chunk of the file, and not sound. */
async function isChunk(source: Source, at: number): Promise<boolean> {
  if (at + 8 > source.size) return false
  const { id, size } = await chunkAt(source, at)
  return isId(id) && at + 8 + size <= source.size
}

const damaged = (where: string, id: string): PareError =>
  new PareError('WAV_HEADER', 'the header of this WAV file is damaged', {
    where,
    value: id,
    remedy: 'Copy the file again, or convert the recording anew, e.g. ffmpeg -i in.mp3 out.wav.',
  })

function parseFormat(bytes: Uint8Array, where: string): Omit<WavFormat, 'start' | 'length'> {
  if (bytes.byteLength < 16) throw truncated(where, 'the header')
  const view = viewOf(bytes)
  const declared = view.getUint16(0, true)
  // WAVE_FORMAT_EXTENSIBLE: the code is the beginning of a GUID.
  const code = declared === 0xfffe && bytes.byteLength >= 26 ? view.getUint16(24, true) : declared
  const channels = view.getUint16(2, true)
  const rate = view.getUint32(4, true)
  const bits = view.getUint16(14, true)
  const kind = code === 1 ? 'int' : 'float'
  const known = (code === 1 && [8, 16, 24, 32].includes(bits)) || (code === 3 && (bits === 32 || bits === 64))
  if (!known || channels === 0 || rate === 0) {
    throw new PareError('WAV_FORMAT', 'this coding of sound is not read', {
      where,
      value: `format ${code}, ${bits} bits, ${channels} channels`,
      remedy: 'Convert it, e.g. ffmpeg -i in.wav -c:a pcm_s16le out.wav.',
    })
  }
  return { rate, channels, kind, bits }
}

/** A clip as unnamed samples of shape [frame]. Throws `WAV_…`, `SAMPLES_TRUNCATED`. */
export async function wavSamples(source: Source, options: WavOptions = {}): Promise<Samples> {
  const format = await wavFormat(source)
  const { rate = format.rate, resample = false, pad = false } = options
  const frame = options.frame ?? declaredLength(options)
  const hop = options.hop ?? frame ?? 1
  for (const [name, value] of Object.entries({ frame: frame ?? 1, hop })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new PareError('WAV_FRAME', `${name} is a number of samples`, {
        value,
        remedy: `Give a positive whole number: --data-option ${name}=512.`,
      })
    }
  }
  if (rate !== format.rate && !resample) {
    throw new PareError('WAV_RATE', `the model expects ${rate} samples a second`, {
      where: source.name,
      value: format.rate,
      remedy: `Convert it, e.g. ffmpeg -i in.wav -ar ${rate} out.wav, or have it resampled: --data-option resample.`,
    })
  }
  const total = Math.floor(format.length / bytesPerMoment(format))
  const length = rate === format.rate ? total : resampledLength(total, format.rate, rate)
  const full = frame === null || length < frame ? 0 : Math.floor((length - frame) / hop) + 1
  const count = frame === null ? Math.min(length, 1) : full + (pad && full * hop < length ? 1 : 0)
  if (count === 0) {
    throw new PareError('WAV_SHORT', `the clip is shorter than a frame of ${frame ?? 1} samples`, {
      where: source.name,
      value: length,
      remedy:
        'Give longer clips, shorter frames (--data-option frame), or allow padding with zeros (--data-option pad).',
    })
  }
  return {
    name: source.name,
    count,
    async *read({ signal } = {}) {
      const mono = monoBlocks(source, format)
      const blocks = rate === format.rate ? mono : resampleLinear(mono, format.rate, rate, total)
      let index = 0
      for await (const data of frames(blocks, frame ?? length, hop, count)) {
        signal?.throwIfAborted()
        yield sampleOf(source.name, frame === null ? source.name : `${source.name}[${index}]`, data)
        index++
      }
    },
  }
}

const sampleOf = (sequence: string, name: string, data: Float32Array): Sample => ({
  feeds: { [UNNAMED]: f32([data.length], data) },
  name,
  sequence,
})

/** The last length of the input that takes the sound, where it is fixed. */
function declaredLength({ inputs = [], input }: WavOptions): number | null {
  const sound =
    input === undefined
      ? inputs.filter(({ shape }) => (shape?.length ?? 0) > 0)
      : inputs.filter((i) => i.name === input)
  const last = sound.length === 1 ? sound[0]!.shape?.at(-1) : undefined
  return typeof last === 'number' ? last : null
}

const bytesPerMoment = ({ channels, bits }: WavFormat): number => (channels * bits) / 8

/** Blocks of the sound, channels averaged. */
async function* monoBlocks(source: Source, format: WavFormat): AsyncGenerator<Float32Array> {
  const width = bytesPerMoment(format)
  const reader = byteReader(source.stream(format.start, format.start + format.length))
  try {
    for (;;) {
      const bytes = await reader.read(width * 8192)
      const moments = Math.floor(bytes.byteLength / width)
      if (moments > 0) yield decode(bytes, moments, format)
      if (moments < 8192) return
    }
  } finally {
    await reader.close()
  }
}

/** Integers are divided by 2^(bits - 1), so that the lowest is -1; 8-bit ones have their middle at 128. */
function decode(bytes: Uint8Array, moments: number, { kind, bits, channels }: WavFormat): Float32Array {
  const view = viewOf(bytes)
  const value = (at: number): number => {
    if (kind === 'float') return bits === 32 ? view.getFloat32(at, true) : view.getFloat64(at, true)
    if (bits === 8) return (view.getUint8(at) - 128) / 2 ** 7
    if (bits === 16) return view.getInt16(at, true) / 2 ** 15
    if (bits === 24) return (view.getUint16(at, true) + view.getInt8(at + 2) * 65_536) / 2 ** 23
    return view.getInt32(at, true) / 2 ** 31
  }
  const step = bits / 8
  const out = new Float32Array(moments)
  for (let i = 0; i < moments; i++) {
    let sum = 0
    for (let c = 0; c < channels; c++) sum += value((i * channels + c) * step)
    out[i] = sum / channels
  }
  return out
}

const resampledLength = (total: number, from: number, to: number): number => Math.floor((total * to) / from)

/** Sample j of the result lies at time j from / to of the original, between its two neighbours there. */
async function* resampleLinear(
  blocks: AsyncIterable<Float32Array>,
  from: number,
  to: number,
  total: number,
): AsyncGenerator<Float32Array> {
  const length = resampledLength(total, from, to)
  let held = new Float32Array(0)
  let start = 0
  let j = 0
  for await (const block of blocks) {
    const joined = new Float32Array(held.length + block.length)
    joined.set(held)
    joined.set(block, held.length)
    const end = start + joined.length
    const out: number[] = []
    for (; j < length; j++) {
      const time = (j * from) / to
      const left = Math.floor(time)
      if (left + 1 >= end && end < total) break
      const a = joined[left - start]!
      const b = joined[Math.min(left + 1, total - 1) - start]!
      out.push(a + (b - a) * (time - left))
    }
    const keep = Math.min(joined.length, Math.max(0, Math.floor((j * from) / to) - start))
    held = joined.slice(keep)
    start += keep
    if (out.length > 0) yield Float32Array.from(out)
  }
}

/** `count` frames; what lies beyond the end is zero. */
async function* frames(
  blocks: AsyncIterable<Float32Array>,
  frame: number,
  hop: number,
  count: number,
): AsyncGenerator<Float32Array> {
  const iterator = blocks[Symbol.asyncIterator]()
  let held: Float32Array[] = []
  let length = 0
  let skip = 0
  let ended = false
  try {
    for (let n = 0; n < count; n++) {
      while (!ended && length < frame + skip) {
        const next = await iterator.next()
        if (next.done) {
          ended = true
        } else if (length === 0 && next.value.length <= skip) {
          skip -= next.value.length
        } else {
          held.push(next.value)
          length += next.value.length
        }
      }
      const all = join(held, length)
      yield Float32Array.from({ length: frame }, (_, i) => all[skip + i] ?? 0)
      const drop = Math.min(length, skip + hop)
      skip = skip + hop - drop
      held = [all.subarray(drop)]
      length -= drop
    }
  } finally {
    await iterator.return?.()
  }
}

function join(parts: readonly Float32Array[], length: number): Float32Array {
  if (parts.length === 1) return parts[0]!
  const out = new Float32Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
