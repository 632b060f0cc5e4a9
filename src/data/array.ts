/** Arrays in files (npy, npz, idx) as streams of rows: the first axis counts the samples. */

import { DTYPES } from '../ir/dtypes.js'
import { elementCount, tensorOfBytes } from '../ir/tensor.js'
import type { KnownDType, Tensor } from '../ir/types.js'
import { viewOf } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { stringTensor } from './convert.js'
import { type Samples, UNNAMED } from './samples.js'
import { type ByteReader, truncated } from './source.js'

export interface ArrayHeader {
  readonly dtype: KnownDType
  readonly shape: readonly number[]
  /** Bytes an element. */
  readonly width: number
  readonly bigEndian: boolean
  /** Elements in column-major order. */
  readonly fortran: boolean
  /** How text is stored: fixed width, padded with zeros. */
  readonly text?: 'utf32' | 'bytes'
}

export interface ArrayStream {
  readonly header: ArrayHeader
  /** Length of the first axis; null for a scalar. */
  readonly count: number | null
  /** The next row, shape `header.shape.slice(1)`; a scalar array gives itself each time. Null after the last. */
  next(): Promise<Tensor | null>
  close(): Promise<void>
}

/** Column-major arrays have to be held whole; beyond this many bytes they are refused. */
const FORTRAN_LIMIT = 1 << 28

/** Streams the elements that follow a header. Throws `SAMPLES_TRUNCATED`, `SAMPLES_CORRUPT`, `NPY_FORTRAN`. */
export function arrayStream(reader: ByteReader, header: ArrayHeader, where: string): ArrayStream {
  const { shape, width } = header
  const count = shape[0] ?? null
  const rowShape = shape.slice(1)
  const rowBytes = elementCount(rowShape) * width
  const columnMajor = header.fortran && shape.filter((d) => d !== 1).length > 1
  let row = 0
  let held: Uint8Array | null = null

  const readExactly = async (bytes: number): Promise<Uint8Array> => {
    const data = await reader.read(bytes)
    if (data.byteLength < bytes) throw truncated(where, `the array of shape [${shape.join(',')}]`, `row ${row}`)
    return data
  }

  const rowData = async (): Promise<Uint8Array> => {
    if (!columnMajor) return readExactly(rowBytes)
    const total = rowBytes * count!
    if (total > FORTRAN_LIMIT) {
      throw new PareError('NPY_FORTRAN', 'the array is stored column by column and too large to reorder in memory', {
        where,
        value: `${total} bytes`,
        remedy: 'Save it again row by row: np.save(file, np.ascontiguousarray(x)).',
      })
    }
    held ??= await readExactly(total)
    return gatherRow(held, shape, width, row)
  }

  return {
    header,
    count,
    async next() {
      if (count === null) {
        held ??= await readExactly(rowBytes)
        return decode(held, rowShape, header, where)
      }
      if (row >= count) return null
      const data = await rowData()
      row++
      return decode(data, rowShape, header, where)
    },
    close: () => reader.close(),
  }
}

/** Row `row` of a column-major array, in row-major order: element (i, j1 … jk) lies at i + n0 (j1 + n1 (j2 + …)). */
function gatherRow(data: Uint8Array, shape: readonly number[], width: number, row: number): Uint8Array {
  const rest = shape.slice(1)
  const strides: number[] = []
  let stride = shape[0]!
  for (const d of rest) {
    strides.push(stride)
    stride *= d
  }
  const out = new Uint8Array(elementCount(rest) * width)
  const index = rest.map(() => 0)
  for (let to = 0; to < out.byteLength; to += width) {
    let from = row
    for (let axis = 0; axis < rest.length; axis++) from += index[axis]! * strides[axis]!
    out.set(data.subarray(from * width, from * width + width), to)
    for (let axis = rest.length - 1; axis >= 0 && ++index[axis]! === rest[axis]!; axis--) index[axis] = 0
  }
  return out
}

function decode(data: Uint8Array, shape: readonly number[], header: ArrayHeader, where: string): Tensor {
  if (header.text) return stringTensor(shape, decodeText(data, header, elementCount(shape), where))
  if (!header.bigEndian || header.width === 1) return tensorOfBytes(header.dtype, shape, data)
  const swapped = data.slice()
  const scalar = header.dtype.startsWith('complex') ? header.width / 2 : header.width
  for (let at = 0; at < swapped.byteLength; at += scalar) swapped.subarray(at, at + scalar).reverse()
  return tensorOfBytes(header.dtype, shape, swapped)
}

const noText = (where: string, value: number): PareError =>
  new PareError('SAMPLES_CORRUPT', 'text in the array has a character that does not exist', {
    where,
    value,
    remedy: 'Copy or download the file again, or save the array again with np.save.',
  })

function decodeText(
  data: Uint8Array,
  { width, bigEndian, text }: ArrayHeader,
  count: number,
  where: string,
): (string | Uint8Array)[] {
  const view = viewOf(data)
  return Array.from({ length: count }, (_, i) => {
    if (text === 'bytes') {
      let end = (i + 1) * width
      while (end > i * width && data[end - 1] === 0) end--
      return data.slice(i * width, end)
    }
    let out = ''
    for (let at = i * width; at < (i + 1) * width; at += 4) {
      const code = view.getUint32(at, !bigEndian)
      if (code > 0x10ffff) throw noText(where, code)
      if (code !== 0) out += String.fromCodePoint(code)
    }
    return out
  })
}

export const widthOf = (dtype: KnownDType): number => DTYPES[dtype].bits / 8

/** The rows of an array as unnamed samples; `open` starts it from the first row, for each reading. */
export const arraySamples = (name: string, count: number | null, open: () => Promise<ArrayStream>): Samples => ({
  name,
  count,
  async *read({ signal } = {}) {
    const array = await open()
    try {
      for (let i = 0; ; i++) {
        signal?.throwIfAborted()
        const row = await array.next()
        if (row === null) return
        yield { feeds: { [UNNAMED]: row }, name: `${name}[${i}]` }
      }
    } finally {
      await array.close()
    }
  },
})
