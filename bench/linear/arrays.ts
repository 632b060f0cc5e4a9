/** Arrays of float64 in NumPy's format, which all tools of a comparison read and write. */

import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { parseNpyHeader } from '../../src/data/npy.js'

export interface NumberArray {
  readonly shape: readonly number[]
  readonly data: Float64Array
  /** Column by column. */
  readonly isFortran: boolean
}

/** Columns that are read at once to be laid out by rows: those of one cache line. */
const TOGETHER = 8

export function writeArray(path: string, { shape, data, isFortran }: NumberArray): void {
  const dims = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`
  const dict = `{'descr': '<f8', 'fortran_order': ${isFortran ? 'True' : 'False'}, 'shape': ${dims}, }`
  const text = `${dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11)}\n`
  const head = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8)
  const file = openSync(path, 'w')
  try {
    for (const bytes of [
      head,
      new TextEncoder().encode(text),
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    ])
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 30))
  } finally {
    closeSync(file)
  }
}

/** As it lies in the file. */
export const readArray = (path: string): NumberArray =>
  opened(path, (header, read) => {
    const data = new Float64Array(header.shape.reduce((n, d) => n * d, 1))
    read(data)
    return { ...header, data }
  })

/** A matrix in a file, column by column there, row by row in memory. */
export const readByRows = (path: string): NumberArray =>
  opened(path, ({ shape }, read) => {
    const [rows, columns] = shape as [number, number]
    const data = new Float64Array(rows * columns)
    for (let from = 0; from < columns; from += TOGETHER) {
      const some = Math.min(TOGETHER, columns - from)
      const block = new Float64Array(some * rows)
      read(block)
      for (let i = 0; i < rows; i++) for (let j = 0; j < some; j++) data[i * columns + from + j] = block[j * rows + i]!
    }
    return { shape, data, isFortran: false }
  })

type Read = (into: Float64Array) => void

function opened<T>(path: string, use: (header: Pick<NumberArray, 'shape' | 'isFortran'>, read: Read) => T): T {
  const file = openSync(path, 'r')
  const fill = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 30), null)
      if (got === 0) throw new Error(`${path} ends too early`)
      at += got
    }
  }
  try {
    const start = new Uint8Array(10)
    fill(start)
    const text = new Uint8Array(start[8]! + 256 * start[9]!)
    fill(text)
    const { shape, fortran, dtype } = parseNpyHeader(new TextDecoder('latin1').decode(text), path)
    if (dtype !== 'float64') throw new Error(`${path} holds ${dtype}`)
    return use({ shape, isFortran: fortran }, (into) =>
      fill(new Uint8Array(into.buffer, into.byteOffset, into.byteLength)),
    )
  } finally {
    closeSync(file)
  }
}
