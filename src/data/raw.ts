/**
 * Files as raw bytes, for models that read bytes: the first ones, the last ones, both ends, or every stretch of a file
 * in turn. Only these bytes are read. What magika wants is { take: 'ends', pad: 256, strip: 4096 }.
 */

import type { ValueInfo } from '../engine/engine.js'
import type { DType } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { tensorOf } from './convert.js'
import { type Samples, UNNAMED } from './samples.js'
import { byteReader, type Source } from './source.js'

export interface RawOptions {
  readonly inputs?: readonly ValueInfo[]
  /** Values a sample. Default: the last length that the model's one input declares. */
  readonly length?: number
  /**
   * Which bytes of the file: `first` (default), `last`, `ends` (half of the values each; for file type models such as
   * magika), or `chunks`: the whole file, stretch after stretch, a sample each.
   */
  readonly take?: 'first' | 'last' | 'ends' | 'chunks'
  /**
   * Value that fills up what a file is too short for: behind the first bytes, before the last ones. It may lie outside
   * 0 … 255, as magika's 256. Without it, shorter files are refused and a last stretch that is shorter is left out.
   */
  readonly pad?: number
  /** Leave out white space at the start of the first bytes and at the end of the last ones, within this many bytes. */
  readonly strip?: number
}

/** One file as unnamed samples of shape [length], in the input's element type. Throws `RAW_LENGTH`, `RAW_SHORT`. */
export async function rawSamples(source: Source, options: RawOptions = {}): Promise<Samples> {
  const { inputs = [], take = 'first', pad } = options
  const sole = inputs.length === 1 ? inputs[0]! : undefined
  const declared = sole?.shape?.at(-1)
  const length = options.length ?? (typeof declared === 'number' ? declared : source.size)
  const dtype = (sole?.dtype ?? 'int32') as DType
  if (!Number.isInteger(length) || length < 1 || (take === 'ends' && length % 2 !== 0)) {
    throw new PareError('RAW_LENGTH', 'a sample needs a positive number of bytes, an even one for both ends', {
      where: source.name,
      value: length,
      remedy: 'Give the length that the model expects: --data-option length=1024.',
    })
  }
  const sampleOf = (values: ArrayLike<number>, name: string) => ({
    feeds: { [UNNAMED]: tensorOf(dtype, [length], values, name) },
    name,
  })

  if (take === 'chunks') {
    const count = pad === undefined ? Math.floor(source.size / length) : Math.ceil(source.size / length)
    if (count === 0) throw tooShort(source, length)
    return {
      name: source.name,
      count,
      async *read({ signal } = {}) {
        const reader = byteReader(source.stream())
        try {
          for (let i = 0; i < count; i++) {
            signal?.throwIfAborted()
            yield sampleOf(fill(await reader.read(length), length, pad, 'behind', source), `${source.name}[${i}]`)
          }
        } finally {
          await reader.close()
        }
      },
    }
  }
  return {
    name: source.name,
    count: 1,
    async *read({ signal } = {}) {
      signal?.throwIfAborted()
      const half = take === 'ends' ? length / 2 : length
      const start = take === 'last' ? [] : fill(await head(source, half, options.strip), half, pad, 'behind', source)
      const end = take === 'first' ? [] : fill(await tail(source, half, options.strip), half, pad, 'before', source)
      yield sampleOf([...start, ...end], source.name)
    },
  }
}

async function head(source: Source, length: number, strip?: number): Promise<Uint8Array> {
  const bytes = await source.slice(0, strip ?? length)
  const start = strip === undefined ? 0 : bytes.findIndex((b) => !isSpace(b))
  return start < 0 ? new Uint8Array(0) : bytes.subarray(start, start + length)
}

async function tail(source: Source, length: number, strip?: number): Promise<Uint8Array> {
  const bytes = await source.slice(Math.max(0, source.size - (strip ?? length)), source.size)
  const end = strip === undefined ? bytes.length : bytes.findLastIndex((b) => !isSpace(b)) + 1
  return bytes.subarray(Math.max(0, end - length), end)
}

/** ASCII white space: space, tab, line feed, vertical tab, form feed, carriage return. */
const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13)

function fill(
  bytes: Uint8Array,
  length: number,
  pad: number | undefined,
  side: 'behind' | 'before',
  source: Source,
): ArrayLike<number> & Iterable<number> {
  if (bytes.length === length) return bytes
  if (pad === undefined) throw tooShort(source, length)
  const out = new Float64Array(length).fill(pad)
  out.set(bytes, side === 'behind' ? 0 : length - bytes.length)
  return out
}

const tooShort = (source: Source, length: number): PareError =>
  new PareError('RAW_SHORT', `the file has fewer than ${length} bytes to take`, {
    where: source.name,
    value: source.size,
    remedy: 'Give the value that the model takes as padding (--data-option pad=VALUE), or leave the file out.',
  })
