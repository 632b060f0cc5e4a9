/**
 * CSV (RFC 4180) as the places of its cells in bytes, many rows at a time: of most cells no text is ever made, which is
 * what makes it quick. Node only.
 */

import { isUtf8 } from 'node:buffer'
import { concatBytes } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { counted } from '../util/format.js'
import type { Source } from './source.js'

/** Its arrays are used again for the next block. */
export interface CsvBlock {
  /** Rows before this block, and in it. */
  readonly before: number
  readonly rows: number
  /** Cells of a row. */
  readonly width: number
  readonly bytes: Buffer
  /** Row by row, without the quotes around them. */
  readonly starts: Int32Array
  /** ~end where quotes inside are written twice. */
  readonly ends: Int32Array
}

const [QUOTE, LF, CR] = [0x22, 0x0a, 0x0d]

/** A quote that is left open makes one cell of the rest of the file. */
const LONGEST_ROW = 1 << 26

/** Empty lines are no rows. Throws `CSV_DELIMITER`; `CSV_FORMAT` and `CSV_ENCODING` with the row, which is 0 of a header. */
export async function* csvBlocks(source: Source, delimiter: string, hasHeader = false): AsyncGenerator<CsvBlock> {
  if (delimiter.length !== 1 || delimiter > '~' || /["\r\n]/.test(delimiter)) {
    throw new PareError('CSV_DELIMITER', 'cells are parted by one character of ASCII', {
      where: source.name,
      value: delimiter,
      remedy: 'Give for instance a comma, a semicolon, or a tab.',
    })
  }
  const scan = scanner(delimiter.charCodeAt(0), source.name, hasHeader ? 0 : 1)
  let rest: Uint8Array = new Uint8Array(0)
  let isFirst = true
  for await (const chunk of source.stream()) {
    rest = rest.byteLength === 0 ? chunk : concatBytes([rest, chunk])
    if (isFirst && rest.byteLength < 3) continue
    if (isFirst) rest = withoutMark(rest, source.name)
    isFirst = false
    const { block, used } = scan(rest, false)
    if (block.rows > 0) yield block
    rest = rest.subarray(used)
    if (rest.byteLength > LONGEST_ROW) throw scan.fault(block.before + block.rows, 'it has no end')
  }
  const { block } = scan(isFirst ? withoutMark(rest, source.name) : rest, true)
  if (block.rows > 0) yield block
}

/** Without the mark that some programs put before UTF-8. Throws `CSV_ENCODING` at that of UTF-16. */
function withoutMark(bytes: Uint8Array, where: string): Uint8Array {
  const mark = bytes[0]! * 256 + bytes[1]!
  if (mark === 0xfffe || mark === 0xfeff) throw notUtf8(where, 'UTF-16')
  return mark === 0xefbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
}

const notUtf8 = (where: string, value: string): PareError =>
  new PareError('CSV_ENCODING', 'the text is not in UTF-8', {
    where,
    value,
    remedy: 'Save the table as UTF-8; iconv and every editor do that.',
  })

function scanner(delimiter: number, where: string, firstRow: number) {
  let starts = new Int32Array(1024)
  let ends = new Int32Array(1024)
  let [width, before] = [0, 0]
  const fault = (row: number, value: string): PareError =>
    new PareError('CSV_FORMAT', 'a row of the table cannot be read', {
      where: `${where}, row ${firstRow + row}`,
      value,
      remedy: 'Correct it: quotes stand around whole cells, and twice inside of them. Or give another delimiter.',
    })
  const push = (cells: number, start: number, end: number): void => {
    if (cells === starts.length) {
      ;[starts, ends] = [starts, ends].map((old) => {
        const grown = new Int32Array(2 * cells)
        grown.set(old)
        return grown
      }) as [Int32Array<ArrayBuffer>, Int32Array<ArrayBuffer>]
    }
    starts[cells] = start
    ends[cells] = end
  }
  /** All rows that end in these bytes; `used` bytes of them. */
  const scan = (data: Uint8Array, isLast: boolean): { readonly block: CsvBlock; readonly used: number } => {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    const length = bytes.byteLength
    let [at, used, rows, inRow, cells] = [0, 0, 0, 0, 0]
    while (at < length || (isLast && inRow > 0)) {
      let c = at < length ? bytes[at]! : LF
      if (inRow === 0 && (c === LF || c === CR)) {
        used = ++at
        continue
      }
      let start = at
      let end: number
      if (c === QUOTE) {
        start++
        let isDoubled = false
        at = bytes.indexOf(QUOTE, start)
        while (at >= 0 && bytes[at + 1] === QUOTE) {
          isDoubled = true
          at = bytes.indexOf(QUOTE, at + 2)
        }
        if (at < 0 && isLast) throw fault(before + rows, `an open quote: ${sample(bytes, start - 1)}`)
        if (at < 0 || (at + 1 === length && !isLast)) break
        end = isDoubled ? ~at : at
        c = ++at < length ? bytes[at]! : LF
        if (c !== delimiter && c !== LF && c !== CR)
          throw fault(before + rows, `text after a closing quote: ${sample(bytes, start - 1)}`)
      } else {
        while (at < length) {
          c = bytes[at]!
          if (c === delimiter || c === LF || c === CR) break
          if (c === QUOTE) throw fault(before + rows, `a quote inside a cell: ${sample(bytes, start)}`)
          at++
        }
        if (at === length) {
          if (!isLast) break
          c = LF
        }
        end = at
      }
      push(cells++, start, end)
      inRow++
      at++
      if (c === delimiter) continue
      if (width === 0) width = inRow
      if (inRow !== width)
        throw fault(before + rows, `${counted(inRow, 'cell')}, and the first row has ${width}: ${sample(bytes, used)}`)
      inRow = 0
      rows++
      used = at
    }
    const block = { before, rows, width, bytes, starts, ends }
    // Else what cannot be read would all become the same sign.
    if (!isUtf8(bytes.subarray(0, used))) {
      const [row, text] = firstOdd(block)
      throw notUtf8(`${where}, row ${firstRow + before + row}`, text)
    }
    before += rows
    return { block, used }
  }
  return Object.assign(scan, { fault })
}

/** The first cell that is not UTF-8: its row in the block, and what can be read of it. */
function firstOdd(block: CsvBlock): readonly [row: number, text: string] {
  const { rows, width, bytes, starts, ends } = block
  let cell = 0
  while (cell < rows * width - 1 && isUtf8(bytes.subarray(starts[cell], Math.max(ends[cell]!, ~ends[cell]!)))) cell++
  return [Math.floor(cell / width), cellText(block, cell)]
}

const sample = (bytes: Buffer, from: number): string => bytes.toString('utf8', from, from + 40).split(/[\r\n]/)[0]!

/** The text of a cell, by its place in the block. */
export function cellText({ bytes, starts, ends }: CsvBlock, cell: number): string {
  const end = ends[cell]!
  return end < 0
    ? bytes.toString('utf8', starts[cell], ~end).replaceAll('""', '"')
    : bytes.toString('utf8', starts[cell], end)
}

const [PLUS, MINUS, POINT, ZERO, NINE, SMALL_E] = [0x2b, 0x2d, 0x2e, 0x30, 0x39, 0x65]

const POWERS = Float64Array.from({ length: 23 }, (_, i) => 10 ** i)

/**
 * The number of a cell that is a decimal and nothing else; NaN of any other. Up to 15 digits and a power of ten up to
 * 22 are both exact in float64, so that one operation rounds once (Clinger 1990); longer ones take the engine's way.
 */
export function cellNumber({ bytes, starts, ends }: CsvBlock, cell: number): number {
  const start = starts[cell]!
  const end = ends[cell]!
  let [at, mantissa, digits, scale, point] = [start, 0, 0, 0, -1]
  const sign = bytes[at]
  if (sign === MINUS || sign === PLUS) at++
  for (; at < end; at++) {
    const c = bytes[at]!
    if (c >= ZERO && c <= NINE) {
      mantissa = mantissa * 10 + (c - ZERO)
      digits++
    } else if (c === POINT && point < 0) point = digits
    else break
  }
  if (digits === 0) return Number.NaN
  if (point >= 0) scale = point - digits
  if (at < end && (bytes[at]! | 0x20) === SMALL_E) {
    const isNegative = bytes[++at] === MINUS
    if (isNegative || bytes[at] === PLUS) at++
    if (at >= end) return Number.NaN
    let exponent = 0
    for (; at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE; at++) exponent = exponent * 10 + (bytes[at]! - ZERO)
    scale += isNegative ? -exponent : exponent
  }
  if (at !== end) return Number.NaN
  if (digits > 15 || scale > 22 || scale < -22) return Number(bytes.toString('latin1', start, end))
  const size = scale < 0 ? mantissa / POWERS[-scale]! : mantissa * POWERS[scale]!
  return sign === MINUS ? -size : size
}
