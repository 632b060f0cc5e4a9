/**
 * The wire format below the schema: a strict check of a message before it is decoded, and a writer that copies no
 * large data. The decoder of protobuf-es trusts wire types and lets a nested message run over its parent's end; after
 * this check it has no such input to misread.
 */

import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'
import type { UnknownField } from '../ir/types.js'
import { PareError } from '../util/errors.js'

/** Messages inside messages: the limit of protobuf's own readers, about 30 graphs deep. */
const MAX_DEPTH = 100

interface Cursor {
  readonly bytes: Uint8Array
  readonly where: string
  at: number
}

const garbage = (where: string, path: string, offset: number, what: string): PareError =>
  new PareError(
    'MODEL_GARBAGE',
    `this is not an ONNX model or it is damaged: ${what} at byte ${offset}${inside(path)}`,
    {
      where,
      remedy: 'Export or download it again, and make sure that it is an .onnx file.',
    },
  )

const inside = (path: string): string => (path === '' ? '' : ` in ${path}`)

const truncated = (where: string, missing: number): PareError =>
  new PareError('MODEL_TRUNCATED', `the model ends too early: at least ${missing} bytes are missing`, {
    where,
    remedy: 'The download or copy was cut short; get the file again.',
  })

/**
 * Checks that bytes are a message of this schema, down to the last nested one: tags, wire types, lengths within their
 * parents, text that is UTF-8, depth. Throws `MODEL_GARBAGE`, `MODEL_TRUNCATED` (all is well up to where the bytes
 * end), `MODEL_DEPTH`.
 */
export function checkWire(schema: DescMessage, bytes: Uint8Array, where: string): void {
  checkMessage(schema, { bytes, where, at: 0 }, bytes.byteLength, '', 1)
}

function checkMessage(schema: DescMessage, cursor: Cursor, end: number, path: string, depth: number): void {
  if (depth > MAX_DEPTH) throw tooDeep(cursor.where, path)
  const fields = fieldsByNumber(schema)
  while (cursor.at < end) {
    const start = cursor.at
    const tag = readVarint(cursor, end, path, depth)
    const no = Math.floor(tag / 8)
    const wireType = tag % 8
    if (no < 1 || tag >= 2 ** 32) throw garbage(cursor.where, path, start, `no field has the number ${no}`)
    const field = fields.get(no)
    const inner = field === undefined ? path : path === '' ? field.name : `${path}.${field.name}`
    if (field !== undefined && !fits(field, wireType)) {
      throw garbage(cursor.where, inner, start, `a value of the wrong kind (wire type ${wireType})`)
    }
    if (wireType !== WireType.LengthDelimited) {
      skip(cursor, no, wireType, end, inner, depth)
      continue
    }
    const length = readVarint(cursor, end, inner, depth)
    if (length > end - cursor.at) {
      if (depth === 1 && field !== undefined) throw truncated(cursor.where, length - (end - cursor.at))
      throw garbage(cursor.where, inner, start, `a length of ${length}, beyond the end`)
    }
    const stop = cursor.at + length
    if (field?.message != null) checkMessage(field.message, cursor, stop, inner, depth + 1)
    else if (field !== undefined && field.scalar === ScalarType.STRING) checkText(cursor, stop, inner)
    else if (field !== undefined && field.scalar !== ScalarType.BYTES) checkPacked(field, cursor, stop, inner, depth)
    cursor.at = stop
  }
}

const tooDeep = (where: string, path: string): PareError =>
  new PareError('MODEL_DEPTH', `messages are nested more than ${MAX_DEPTH} deep`, {
    where,
    value: path,
    remedy: 'The file is damaged or made to do harm; no real model is nested this deep.',
  })

const schemas = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>()

function fieldsByNumber(schema: DescMessage): ReadonlyMap<number, DescField> {
  let fields = schemas.get(schema)
  if (fields === undefined) {
    fields = new Map(schema.fields.map((f) => [f.number, f]))
    schemas.set(schema, fields)
  }
  return fields
}

function wireTypeOf(field: DescField): WireType {
  switch (field.scalar) {
    case ScalarType.FLOAT:
      return WireType.Bit32
    case ScalarType.INT32:
    case ScalarType.INT64:
      return WireType.Varint
    default:
      return WireType.LengthDelimited
  }
}

const fits = (field: DescField, wireType: number): boolean =>
  wireType === wireTypeOf(field) || (field.fieldKind === 'list' && wireType === WireType.LengthDelimited)

/** Reads up to ten bytes; exact below 2^53, which is all that lengths and tags need. */
function readVarint(cursor: Cursor, end: number, path: string, depth: number): number {
  const start = cursor.at
  let value = 0
  for (let shift = 0; shift < 70; shift += 7) {
    if (cursor.at >= end) {
      if (depth === 1) throw truncated(cursor.where, 1)
      throw garbage(cursor.where, path, start, 'a number without an end')
    }
    const byte = cursor.bytes[cursor.at++]!
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return value
  }
  throw garbage(cursor.where, path, start, 'a number of more than 64 bits')
}

/** Skips the value of a field that is no message, text or packed list, groups of unknown fields among them. */
function skip(cursor: Cursor, no: number, wireType: number, end: number, path: string, depth: number): void {
  const start = cursor.at
  if (depth > MAX_DEPTH) throw tooDeep(cursor.where, path)
  switch (wireType) {
    case WireType.Varint:
      readVarint(cursor, end, path, depth)
      return
    case WireType.Bit32:
    case WireType.Bit64:
      cursor.at += wireType === WireType.Bit32 ? 4 : 8
      break
    case WireType.LengthDelimited:
      cursor.at += readVarint(cursor, end, path, depth)
      break
    case WireType.StartGroup:
      for (;;) {
        const tag = readVarint(cursor, end, path, depth)
        if (tag % 8 === WireType.EndGroup && Math.floor(tag / 8) === no) return
        if (tag < 8 || tag >= 2 ** 32) throw garbage(cursor.where, path, start, 'a tag that cannot be')
        skip(cursor, Math.floor(tag / 8), tag % 8, end, path, depth + 1)
      }
    default:
      throw garbage(cursor.where, path, start, `wire type ${wireType}`)
  }
  if (cursor.at <= end) return
  if (depth === 1) throw truncated(cursor.where, cursor.at - end)
  throw garbage(cursor.where, path, start, 'a value beyond the end')
}

function checkPacked(field: DescField, cursor: Cursor, stop: number, path: string, depth: number): void {
  if (field.scalar === ScalarType.FLOAT) {
    if ((stop - cursor.at) % 4 === 0) return
    throw garbage(cursor.where, path, cursor.at, 'a list of floats whose size is no multiple of 4')
  }
  while (cursor.at < stop) readVarint(cursor, stop, path, depth + 1)
}

const strictText = new TextDecoder('utf-8', { fatal: true })

function checkText(cursor: Cursor, stop: number, path: string): void {
  const { bytes, at } = cursor
  for (let i = at; i < stop; i++) {
    if (bytes[i]! < 0x80) continue
    try {
      strictText.decode(bytes.subarray(i, stop))
      return
    } catch {
      throw garbage(cursor.where, path, at, 'text that is not UTF-8')
    }
  }
}

/** The content of a length-delimited unknown field, whose `data` begins with the length. A view. */
export function contentOf({ data }: UnknownField): Uint8Array {
  let at = 0
  while (at < data.byteLength && data[at]! >= 0x80) at++
  return data.subarray(at + 1)
}

/** An unknown field around some content. */
export function lengthDelimited(no: number, content: Uint8Array): UnknownField {
  const prefix = varintSize(content.byteLength)
  const data = new Uint8Array(prefix + content.byteLength)
  writeVarint(data, 0, content.byteLength)
  data.set(content, prefix)
  return { no, wireType: WireType.LengthDelimited, data }
}

/** Bytes of a varint: one for each 7 bits. */
export function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}

/** Writes a varint of a non-negative safe integer and returns the position behind it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value
  let i = at
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[i++] = (rest % 0x80) | 0x80
  target[i++] = rest
  return i
}
