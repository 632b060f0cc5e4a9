/**
 * NumPy's `.npy` format (numpy.lib.format): headers of version 1 to 3, one array as samples along its first axis,
 * and a writer.
 */

import type { KnownDType, Tensor } from '../ir/types.js'
import { concatBytes } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { type ArrayHeader, type ArrayStream, arraySamples, arrayStream, widthOf } from './array.js'
import type { Samples } from './samples.js'
import { type ByteReader, byteReader, type Source, truncated } from './source.js'

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

/** NumPy's type codes, without byte order. */
const DESCRS: Readonly<Record<string, KnownDType>> = {
  b1: 'bool',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  c8: 'complex64',
  c16: 'complex128',
}

export const isNpy = (head: Uint8Array): boolean => MAGIC.every((byte, i) => head[i] === byte)

/**
 * Parses a header's text: a Python dict literal with `descr`, `fortran_order` and `shape`.
 * Throws `NPY_HEADER`, or `NPY_DTYPE` for elements that are not numbers, bools or text.
 */
export function parseNpyHeader(text: string, where: string): ArrayHeader {
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1]
  const fortran = /'fortran_order':\s*(True|False)/.exec(text)?.[1]
  const shape = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1]
  if (fortran === undefined || shape === undefined || !/'descr':/.test(text)) {
    throw new PareError('NPY_HEADER', 'the header of the array cannot be read', {
      where,
      value: text.trim(),
      remedy: 'Save the array again with np.save.',
    })
  }
  const dims = shape
    .split(',')
    .map((d) => d.trim().replace(/L$/, ''))
    .filter((d) => d !== '')
    .map(Number)
  if (!dims.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw new PareError('NPY_HEADER', 'the shape of the array is not a list of lengths', {
      where,
      value: shape,
      remedy: 'Save the array again with np.save.',
    })
  }
  const common = { shape: dims, fortran: fortran === 'True', bigEndian: descr?.startsWith('>') ?? false }
  const code = descr?.replace(/^[<>=|]/, '') ?? ''
  const dtype = DESCRS[code]
  if (dtype) return { ...common, dtype, width: widthOf(dtype) }
  const [, kind, length] = /^([US])(\d+)$/.exec(code) ?? []
  if (kind === 'U') return { ...common, dtype: 'string', width: Number(length) * 4, text: 'utf32' }
  if (kind === 'S') return { ...common, dtype: 'string', width: Number(length), text: 'bytes' }
  throw new PareError('NPY_DTYPE', 'the array has elements that cannot be fed to a model', {
    where,
    value: descr ?? 'a structured type',
    remedy:
      code === 'O'
        ? "It holds Python objects; convert it first, e.g. np.stack(x).astype('float32')."
        : "Convert it first, e.g. x.astype('float32').",
  })
}

/** Reads the header from the start of a stream and leaves it at the first element. */
export async function openNpy(reader: ByteReader, where: string): Promise<ArrayStream> {
  const start = await reader.read(8)
  if (!isNpy(start)) {
    throw new PareError('NPY_HEADER', 'this is not an .npy array', { where, remedy: 'Save the array with np.save.' })
  }
  const version = start[6]!
  if (version < 1 || version > 3) {
    throw new PareError('NPY_VERSION', 'this version of the .npy format is not known', {
      where,
      value: `${version}.${start[7]}`,
      remedy: 'Save the array with a released version of NumPy.',
    })
  }
  const lengthBytes = await reader.read(version === 1 ? 2 : 4)
  const length = lengthBytes.reduce((sum, byte, i) => sum + byte * 256 ** i, 0)
  if (length > 1 << 20) {
    throw new PareError('NPY_HEADER', 'the header of the array is impossibly long', {
      where,
      value: length,
      remedy: 'Save the array again with np.save.',
    })
  }
  const text = await reader.read(length)
  if (lengthBytes.byteLength < 2 || text.byteLength < length) throw truncated(where, 'the header')
  const header = parseNpyHeader(new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(text), where)
  return arrayStream(reader, header, where)
}

/** A `.npy` file as unnamed samples: row i of shape [n, …] is sample i. Throws `NPY_…`, `SAMPLES_TRUNCATED`. */
export async function npySamples(source: Source): Promise<Samples> {
  const open = () => openNpy(byteReader(source.stream()), source.name)
  const { header, count, close } = await open()
  await close()
  if (count === null) {
    throw new PareError('NPY_SCALAR', 'the array is a single number; samples lie along the first axis', {
      where: source.name,
      value: header.dtype,
      remedy: 'Save an array of shape [samples, …].',
    })
  }
  return arraySamples(source.name, count, open)
}

/** The bytes of a `.npy` file (version 1.0, little-endian, row-major). Text is written as fixed-width UTF-32. */
export function encodeNpy(t: Tensor): Uint8Array {
  const { descr, data } = t.dtype === 'string' ? encodeText(t) : { descr: descrOf(t), data: t.bytes() }
  const shape = t.shape.length === 1 ? `(${t.shape[0]},)` : `(${t.shape.join(', ')})`
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64 - 10
  const head = new Uint8Array([...MAGIC, 1, 0, length & 255, length >> 8])
  return concatBytes([head, new TextEncoder().encode(`${dict.padEnd(length - 1)}\n`), data])
}

function descrOf(t: Tensor): string {
  const code = Object.entries(DESCRS).find(([, dtype]) => dtype === t.dtype)?.[0]
  if (code === undefined) {
    throw new PareError('NPY_DTYPE', 'NumPy has no type for these elements', {
      value: t.dtype,
      remedy: 'Convert the tensor to float32 first.',
    })
  }
  return `${widthOf(DESCRS[code]!) === 1 ? '|' : '<'}${code}`
}

function encodeText(t: Tensor): { descr: string; data: Uint8Array } {
  const decoder = new TextDecoder()
  const texts = (t.strings?.() ?? []).map((s) => Array.from(decoder.decode(s), (c) => c.codePointAt(0)!))
  const width = Math.max(1, ...texts.map((text) => text.length))
  const codes = new Uint32Array(texts.length * width)
  texts.forEach((text, i) => {
    codes.set(text, i * width)
  })
  return { descr: `<U${width}`, data: new Uint8Array(codes.buffer) }
}
