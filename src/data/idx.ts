/** The idx format of MNIST, plain or gzipped: a big-endian array; its first axis counts the samples. */

import type { KnownDType } from '../ir/types.js'
import { viewOf } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { type ArrayStream, arraySamples, arrayStream, widthOf } from './array.js'
import { gunzip, isGzip } from './inflate.js'
import type { Samples } from './samples.js'
import { type ByteReader, byteReader, type Source, truncated } from './source.js'

/** The third byte of the magic number. */
const TYPES: Readonly<Record<number, KnownDType>> = {
  8: 'uint8',
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
}

/** Whether the (uncompressed) first bytes are those of an idx file. */
export const isIdx = (head: Uint8Array): boolean =>
  head[0] === 0 && head[1] === 0 && Object.hasOwn(TYPES, head[2] ?? -1) && (head[3] ?? 0) >= 1 && (head[3] ?? 0) <= 8

async function openIdx(reader: ByteReader, where: string): Promise<ArrayStream> {
  const magic = await reader.read(4)
  if (!isIdx(magic)) {
    throw new PareError('IDX_HEADER', 'this is not an idx file', {
      where,
      value: `first bytes ${[...magic].join(' ')}`,
      remedy: 'Give a file such as train-images-idx3-ubyte or its .gz.',
    })
  }
  const rank = magic[3]!
  const dims = await reader.read(4 * rank)
  if (dims.byteLength < 4 * rank) throw truncated(where, 'the header')
  const view = viewOf(dims)
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 * i))
  const dtype = TYPES[magic[2]!]!
  return arrayStream(reader, { dtype, shape, width: widthOf(dtype), bigEndian: true, fortran: false }, where)
}

/** An idx file as an array to be read row by row. */
export async function idxArray(source: Source): Promise<ArrayStream> {
  const packed = isGzip(await source.slice(0, 2))
  const chunks = packed ? gunzip(source.stream(), source.name) : source.stream()
  return openIdx(byteReader(chunks), source.name)
}

/** An idx file as unnamed samples: images of shape [H, W]. Throws `IDX_HEADER`, `SAMPLES_TRUNCATED`, `SAMPLES_CORRUPT`. */
export async function idxSamples(source: Source): Promise<Samples> {
  const { count, close } = await idxArray(source)
  await close()
  return arraySamples(source.name, count, () => idxArray(source))
}
