/**
 * What messages of all kinds share: documentation, metadata, fields of later versions, checked numbers. What a part
 * of ir has no place for (a key given twice, text that is not UTF-8) is kept as an unknown field, so it is written back.
 */

import { create, type DescMessage, fromBinary, type Message } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import { WireType } from '@bufbuild/protobuf/wire'
import type { Annotated, ExternalRef, UnknownField } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type EntryProto, EntryProtoSchema, type OpsetIdProto, OpsetIdProtoSchema } from './schema_pb.js'
import { contentOf, lengthDelimited } from './wire.js'
import { concat, writeMessage } from './write.js'

/** An external reference and the tensor that it belongs to, for messages. */
export type ExternalRequest = ExternalRef & { readonly where: string }

export interface DecodeContext {
  /** What to call the file in messages. */
  readonly where: string
  /** Gives the bytes of a tensor that lies outside the file. */
  readonly external: (ref: ExternalRequest) => Uint8Array
}

type Noted = Message & {
  readonly docString?: Uint8Array
  readonly metadataProps?: readonly EntryProto[]
}

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/**
 * The documentation, metadata and unknown fields of a message. `spilled`: more fields to keep; `used`: numbers of
 * unknown fields that the caller has understood.
 */
export function notesOf(
  schema: DescMessage,
  proto: Noted,
  spilled: readonly UnknownField[] = [],
  used?: ReadonlySet<number>,
): Annotated {
  const rest = proto.$unknown?.filter(({ no }) => !used?.has(no))
  const unknown = [...(rest ?? []), ...spilled]
  const doc = Object.hasOwn(proto, 'docString')
    ? textOf(proto.docString!, numberOf(schema, 'docString'), unknown)
    : undefined
  const metadata = proto.metadataProps && entriesOf(proto.metadataProps, numberOf(schema, 'metadataProps'), unknown)
  return {
    ...(doc !== undefined && { doc }),
    ...(metadata !== undefined && metadata.size > 0 && { metadata }),
    ...(unknown.length > 0 && { unknown }),
  }
}

const numberOf = (schema: DescMessage, localName: string): number => schema.field[localName]!.number

function textOf(bytes: Uint8Array, no: number, spill: UnknownField[]): string | undefined {
  try {
    return strictText.decode(bytes)
  } catch {
    spill.push(lengthDelimited(no, bytes))
    return undefined
  }
}

/** Keys and values; what a map cannot hold goes to `spill`. */
export function entriesOf(
  entries: readonly EntryProto[],
  no: number,
  spill: UnknownField[],
): ReadonlyMap<string, string> {
  const map = new Map<string, string>()
  for (const e of entries) {
    if (map.has(e.key) || hasUnknown(e)) spill.push(keep(EntryProtoSchema, e, no))
    if (!map.has(e.key)) map.set(e.key, e.value)
  }
  return map
}

/** Versions by domain; what a map cannot hold goes to `spill`. Throws `MODEL_OPSET` for contradictions. */
export function opsetsOf(
  opsets: readonly OpsetIdProto[],
  no: number,
  spill: UnknownField[],
  where: string,
): ReadonlyMap<string, number> {
  const map = new Map<string, number>()
  for (const o of opsets) {
    const version = Number(o.version)
    if (!Number.isSafeInteger(version) || version < 0 || (map.get(o.domain) ?? version) !== version) {
      throw new PareError(
        'MODEL_OPSET',
        `the version of operator set ${JSON.stringify(o.domain)} is contradictory or impossible`,
        {
          where,
          value: o.version,
          remedy: 'Export the model again.',
        },
      )
    }
    if (map.has(o.domain) || hasUnknown(o)) spill.push(keep(OpsetIdProtoSchema, o, no))
    map.set(o.domain, version)
  }
  return map
}

const hasUnknown = (message: Message): boolean => (message.$unknown?.length ?? 0) > 0

/** A whole message as an unknown field of its parent. */
const keep = (schema: DescMessage, message: Message, no: number): UnknownField =>
  lengthDelimited(no, concat(writeMessage(schema, message)))

export const entry = (key: string, value: string): EntryProto => create(EntryProtoSchema, { key, value })

/** Entries of a map, but for those that the unknown fields hold with fields of their own. */
export function protoEntries(
  map: ReadonlyMap<string, string> | undefined,
  no: number,
  unknown: readonly UnknownField[] | undefined,
): EntryProto[] {
  const kept = keptIn(EntryProtoSchema, no, unknown)
  return [...(map ?? [])]
    .filter(([key, value]) => !kept.some((e) => e.key === key && e.value === value))
    .map(([key, value]) => entry(key, value))
}

/** As `protoEntries`, for operator sets. */
export function protoOpsets(
  map: ReadonlyMap<string, number>,
  no: number,
  unknown: readonly UnknownField[] | undefined,
): OpsetIdProto[] {
  const kept = keptIn(OpsetIdProtoSchema, no, unknown)
  return [...map]
    .filter(([domain, version]) => !kept.some((o) => o.domain === domain && o.version === BigInt(version)))
    .map(([domain, version]) => create(OpsetIdProtoSchema, { domain, version: BigInt(version) }))
}

/** Messages that `keep` has put among the unknown fields because of unknown fields of their own. */
const keptIn = <T extends Message>(
  schema: GenMessage<T>,
  no: number,
  unknown: readonly UnknownField[] | undefined,
): readonly T[] =>
  (unknown ?? [])
    .filter((field) => field.no === no && field.wireType === WireType.LengthDelimited)
    .map((field) => fromBinary(schema, contentOf(field)))
    .filter(hasUnknown)

/** The fields of a message that `notesOf` reads. */
export const protoNotes = (schema: DescMessage, { doc, metadata, unknown }: Annotated) => ({
  ...(doc !== undefined && { docString: encoder.encode(doc) }),
  ...(metadata !== undefined && { metadataProps: protoEntries(metadata, numberOf(schema, 'metadataProps'), unknown) }),
})

export function withUnknown<T extends Message>(message: T, unknown: readonly UnknownField[] | undefined): T {
  if (unknown !== undefined && unknown.length > 0) message.$unknown = [...unknown]
  return message
}

/** The dimensions of a tensor's data. Throws `TENSOR_SHAPE` where one is negative or beyond 2^53. */
export function dimensions(dims: readonly bigint[], where: string): readonly number[] {
  const shape = dims.map(Number)
  if (shape.every((d) => Number.isSafeInteger(d) && d >= 0)) return shape
  throw new PareError('TENSOR_SHAPE', 'the shape is not possible', {
    where,
    value: shape,
    remedy: 'The file is damaged; export the model again.',
  })
}
