/** How numbers, strings and tensor data are spelled in the text form, both ways. */

import { toHex } from '../../util/bytes.js'
import { DTYPES } from '../dtypes.js'
import { elementCount, tensor, tensorOfBytes } from '../tensor.js'
import type { DType, KnownDType, Tensor } from '../types.js'

/** Words with a meaning of their own; as names they are quoted. */
const RESERVED = new Set(
  'const sparse value quant graph graphs function model opset ref none type types tensors sparses floats ints strings nan inf _'.split(
    ' ',
  ),
)
/** Two slashes would begin a comment. */
const BARE = /^(?!\/\/)[A-Za-z_/][A-Za-z0-9_/.]*$/

/** A name that stands where no reserved word can. */
export const labelText = (name: string): string => (BARE.test(name) ? name : quote(name))

/** A name as itself where it can be read back so, else quoted. */
export const nameText = (name: string): string => (BARE.test(name) && !RESERVED.has(name) ? name : quote(name))

/** A JSON string: escapes make every string, lone surrogates too, survive. */
export const quote = (text: string): string => JSON.stringify(text)

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Bytes as a quoted string, or as x"..." in hexadecimal where they are not UTF-8. */
export function bytesText(bytes: Uint8Array): string {
  try {
    return quote(strictText.decode(bytes))
  } catch {
    return hexText(bytes)
  }
}

export const hexText = (bytes: Uint8Array): string => `x"${toHex(bytes)}"`

/** Bytes of a string of pairs of lower-case hexadecimal digits. */
export function fromHex(hex: string): Uint8Array {
  const digit = (i: number): number => {
    const code = hex.charCodeAt(i)
    return code < 0x61 ? code - 0x30 : code - 0x57
  }
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => digit(2 * i) * 16 + digit(2 * i + 1))
}

/** A 32-bit float by the fewest digits that lead back to it; always with a point, an exponent or a word. */
export function floatText(value: number): string {
  const exact = Math.fround(value)
  for (let digits = 1; digits < 10; digits++) {
    const text = exact.toPrecision(digits)
    if (Math.fround(Number(text)) === exact) return pointed(Number(text))
  }
  return pointed(exact)
}

function pointed(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  const text = Object.is(value, -0) ? '-0' : String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

export function readNumber(text: string): number {
  if (text === 'nan') return Number.NaN
  return text.endsWith('inf') ? (text.startsWith('-') ? -1 : 1) * Number.POSITIVE_INFINITY : Number(text)
}

/** Tensors of at most this many elements show their numbers. */
const INLINE = 32

/** The content of a tensor: numbers of small ones, strings, else bytes or, where `summary` asks for it, a hash. */
export function dataText(t: Tensor, summary: boolean): string {
  if (t.dtype === 'string') return stringsText(t, summary)
  if (elementCount(t.shape) <= INLINE) {
    const numbers = numbersText(t)
    if (numbers !== null) return `[${numbers.join(', ')}]`
  }
  return summary && t.byteLength > INLINE * 2 ? `#${hash(t.bytes())}` : hexText(t.bytes())
}

function stringsText(t: Tensor, summary: boolean): string {
  const strings = t.strings?.() ?? []
  if (!summary || strings.length <= INLINE) return `[${strings.map(bytesText).join(', ')}]`
  return `#${hash(t.bytes())}`
}

/** The numbers of plain types; null where numbers would not give back the very same bits. */
function numbersText(t: Tensor): readonly string[] | null {
  const bytes = t.bytes()
  const texts = elementTexts(t.dtype, bytes)
  const back = texts === null ? null : tensorOfNumbers(t.dtype, t.shape, texts)
  return back?.bytes().every((b, i) => b === bytes[i]) ? texts : null
}

type Plain = KnownDType & (`float${32 | 64}` | `${'' | 'u'}int${8 | 16 | 32 | 64}` | 'bool')

/** Types whose elements are written as numbers; those of others are shown as bytes. */
const isPlain = (dtype: DType): dtype is Plain => /^(?:float(?:32|64)|u?int(?:8|16|32|64)|bool)$/.test(dtype)

function elementTexts(dtype: DType, bytes: Uint8Array): readonly string[] | null {
  if (!isPlain(dtype)) return null
  const { array } = DTYPES[dtype]
  const { buffer } = bytes.slice()
  const text = dtype === 'float32' ? floatText : dtype === 'float64' ? pointed : String
  return Array.from(new array(buffer, 0, buffer.byteLength / array.BYTES_PER_ELEMENT) as Iterable<never>, text)
}

/**
 * A tensor from numbers as they are written; null where the type is not written so, or an element is none of its
 * whole numbers. Throws `TENSOR_SIZE`, and `SyntaxError` for 64-bit integers that are none.
 */
export function tensorOfNumbers(dtype: DType, shape: readonly number[], texts: readonly string[]): Tensor | null {
  if (!isPlain(dtype)) return null
  const { array } = DTYPES[dtype]
  const values = dtype.endsWith('int64') ? texts.map(BigInt) : texts.map(readNumber)
  const from = array as unknown as { from(values: readonly (number | bigint)[]): Float32Array }
  const data = from.from(values)
  if (!dtype.startsWith('float') && values.some((v, i) => v !== data[i])) return null
  return tensor(dtype, shape, data)
}

/** A tensor of bytes; types whose width is not known take any number of them. */
export const tensorOfHex = (dtype: DType, shape: readonly number[], hex: string): Tensor =>
  tensorOfBytes(dtype, shape, fromHex(hex))

/** Two multiplicative hashes in the manner of FNV-1a side by side: 64 bits to tell data apart, not against forgery. */
function hash(bytes: Uint8Array): string {
  let a = 0x811c9dc5
  const { length } = bytes
  let b = 0x9e3779b9 ^ length
  for (let i = 0; i < length; i++) {
    const v = bytes[i]!
    a = Math.imul(a ^ v, 0x01000193)
    b = Math.imul(b ^ v, 0x01000197) ^ (b >>> 15)
  }
  return [a, b].map((x) => (x >>> 0).toString(16).padStart(8, '0')).join('')
}
