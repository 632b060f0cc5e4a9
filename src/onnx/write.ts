/**
 * Messages to bytes, in two passes: sizes first, then the bytes in order. protobuf-es's own writer shifts the whole
 * payload once for every level of nesting and doubles its buffer; this one leaves large data where it is and hands
 * out references to it, so that a model takes no second copy of its weights to write.
 */

import { type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'
import type { UnknownField } from '../ir/types.js'
import { varintSize, writeVarint } from './wire.js'

/** Data from this size on is referred to, not copied. */
const BY_REFERENCE = 16_384

export interface Written {
  readonly byteLength: number
  /** The bytes in order; large ones are the message's own arrays. */
  readonly chunks: readonly Uint8Array[]
}

type Fields = Readonly<Record<string, unknown>> & { readonly $unknown?: readonly UnknownField[] }

/** The encoding of a message: fields by number, then the unknown ones. */
export function writeMessage(schema: DescMessage, message: Message): Written {
  const sizes = new Map<Fields, number>()
  const byteLength = measure(schema, message as unknown as Fields, sizes)
  const sink = chunkSink()
  emit(schema, message as unknown as Fields, sizes, sink)
  return { byteLength, chunks: sink.finish() }
}

/** Chunks as one array; the only chunk itself where there is just one. */
export function concat({ byteLength, chunks }: Written): Uint8Array {
  if (chunks.length === 1) return chunks[0]!
  const out = new Uint8Array(byteLength)
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.byteLength
  }
  return out
}

const sorted = new WeakMap<DescMessage, readonly DescField[]>()

function fieldsOf(schema: DescMessage): readonly DescField[] {
  let fields = sorted.get(schema)
  if (fields === undefined) {
    fields = [...schema.fields].sort((a, b) => a.number - b.number)
    sorted.set(schema, fields)
  }
  return fields
}

const NOTHING: readonly unknown[] = []

/** The values of a field: all of a list, one or none of any other. */
function valuesOf(field: DescField, message: Fields): readonly unknown[] {
  if (field.oneof !== undefined) {
    const chosen = message[field.oneof.localName] as { case?: string; value?: unknown }
    return chosen.case === field.localName ? [chosen.value] : NOTHING
  }
  if (!Object.hasOwn(message, field.localName)) return NOTHING
  const value = message[field.localName]
  if (value === undefined) return NOTHING
  return field.fieldKind === 'list' ? (value as readonly unknown[]) : [value]
}

function measure(schema: DescMessage, message: Fields, sizes: Map<Fields, number>): number {
  let size = 0
  for (const field of fieldsOf(schema)) {
    const tag = varintSize(field.number * 8)
    for (const value of valuesOf(field, message)) {
      const payload =
        field.message == null ? scalarSize(field, value) : prefixed(measure(field.message, value as Fields, sizes))
      size += tag + payload
    }
  }
  for (const { no, data } of message.$unknown ?? []) size += varintSize(no * 8) + data.byteLength
  sizes.set(message, size)
  return size
}

const prefixed = (length: number): number => varintSize(length) + length

function scalarSize(field: DescField, value: unknown): number {
  switch (field.scalar) {
    case ScalarType.FLOAT:
      return 4
    case ScalarType.STRING:
      return prefixed(utf8Length(value as string))
    case ScalarType.BYTES:
      return prefixed((value as Uint8Array).byteLength)
    default:
      return integerSize(value as number | bigint)
  }
}

/** Negative numbers take ten bytes: they are sign-extended to 64 bits. */
function integerSize(value: number | bigint): number {
  if (value < 0) return 10
  return value <= Number.MAX_SAFE_INTEGER ? varintSize(Number(value)) : Math.ceil(BigInt(value).toString(2).length / 7)
}

function utf8Length(text: string): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    length += code < 0x800 ? 1 : 2
    const pair = code >= 0xd800 && code < 0xdc00 && i + 1 < text.length && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00
    if (pair) i++
  }
  return length
}

function emit(schema: DescMessage, message: Fields, sizes: ReadonlyMap<Fields, number>, sink: Sink): void {
  for (const field of fieldsOf(schema)) {
    for (const value of valuesOf(field, message)) {
      if (field.message != null) {
        sink.varint(field.number * 8 + WireType.LengthDelimited)
        sink.varint(sizes.get(value as Fields)!)
        emit(field.message, value as Fields, sizes, sink)
      } else emitScalar(field, value, sink)
    }
  }
  for (const { no, wireType, data } of message.$unknown ?? []) {
    sink.varint(no * 8 + wireType)
    sink.bytes(data)
  }
}

function emitScalar(field: DescField, value: unknown, sink: Sink): void {
  const tag = field.number * 8
  switch (field.scalar) {
    case ScalarType.FLOAT:
      sink.varint(tag + WireType.Bit32)
      sink.float(value as number)
      break
    case ScalarType.STRING:
      sink.varint(tag + WireType.LengthDelimited)
      sink.text(value as string)
      break
    case ScalarType.BYTES:
      sink.varint(tag + WireType.LengthDelimited)
      sink.varint((value as Uint8Array).byteLength)
      sink.bytes(value as Uint8Array)
      break
    default:
      sink.varint(tag + WireType.Varint)
      sink.integer(value as number | bigint)
  }
}

interface Sink {
  /** A non-negative safe integer. */
  varint(value: number): void
  /** A signed 64-bit integer. */
  integer(value: number | bigint): void
  float(value: number): void
  text(value: string): void
  bytes(data: Uint8Array): void
  finish(): readonly Uint8Array[]
}

function chunkSink(): Sink {
  const chunks: Uint8Array[] = []
  const encoder = new TextEncoder()
  let buffer = new Uint8Array(1024)
  let begin = 0
  let at = 0

  const cut = () => {
    if (at > begin) chunks.push(buffer.subarray(begin, at))
    begin = at
  }
  const reserve = (size: number) => {
    if (at + size <= buffer.byteLength) return
    cut()
    buffer = new Uint8Array(Math.max(65_536, size))
    begin = 0
    at = 0
  }
  const varint = (value: number) => {
    reserve(10)
    at = writeVarint(buffer, at, value)
  }
  const bytes = (data: Uint8Array) => {
    if (data.byteLength >= BY_REFERENCE) {
      cut()
      chunks.push(data)
      return
    }
    reserve(data.byteLength)
    buffer.set(data, at)
    at += data.byteLength
  }
  return {
    varint,
    bytes,
    integer(value) {
      if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return varint(Number(value))
      reserve(10)
      let rest = BigInt.asUintN(64, BigInt(value))
      for (; rest >= 0x80n; rest >>= 7n) buffer[at++] = Number(rest & 0x7fn) | 0x80
      buffer[at++] = Number(rest)
    },
    float(value) {
      reserve(4)
      new DataView(buffer.buffer, buffer.byteOffset).setFloat32(at, value, true)
      at += 4
    },
    text(value) {
      const encoded = encoder.encode(value)
      varint(encoded.byteLength)
      bytes(encoded)
    },
    finish() {
      cut()
      return chunks
    },
  }
}
