/** Bytes ↔ models. This folder is the only one that knows protobuf. */

import { fromBinary } from '@bufbuild/protobuf'
import { checkModel } from '../ir/check.js'
import { sortModel } from '../ir/sort.js'
import type { ExternalRef, Model, Tensor } from '../ir/types.js'
import { messageOf, PareError } from '../util/errors.js'
import { modelOfProto } from './decode.js'
import { protoOfModel } from './encode.js'
import type { ExternalRequest } from './notes.js'
import { type ModelProto, ModelProtoSchema } from './schema_pb.js'
import { checkWire } from './wire.js'
import { concat, type Written, writeMessage } from './write.js'

export type { ExternalRequest } from './notes.js'

export interface DecodeOptions {
  /** What to call the file in messages. Default `model`. */
  readonly where?: string
  /** Gives the bytes of tensors that lie outside the file. Without it such tensors throw `EXTERNAL_MISSING` when read. */
  readonly external?: (ref: ExternalRequest) => Uint8Array
}

/**
 * Reads a model. Its weights are views into `bytes`, which must not change afterwards; nodes that are not sorted are
 * sorted. What the file says beyond its meaning is kept (`Annotated`), so encoding again loses nothing.
 *
 * Throws `MODEL_EMPTY`, `MODEL_GARBAGE`, `MODEL_TRUNCATED`, `MODEL_DEPTH`, `MODEL_GRAPH`, `MODEL_OPSET`,
 * `MODEL_DUPLICATE`, `MODEL_NAME`, `MODEL_CYCLE`, `ATTRIBUTE_VALUE`, `TENSOR_SHAPE`, `TENSOR_SIZE`, `TENSOR_DATA`,
 * `TENSOR_SPARSE`, `EXTERNAL_REF`.
 */
export function decodeModel(bytes: Uint8Array, { where = 'model', external }: DecodeOptions = {}): Model {
  if (bytes.byteLength === 0) {
    throw new PareError('MODEL_EMPTY', 'there is nothing in it', {
      where,
      remedy: 'The download or copy failed; get the file again.',
    })
  }
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  checkWire(ModelProtoSchema, plain, where)
  const model = sortModel(modelOfProto(parse(plain, where), { where, external: external ?? noExternal }))
  checkModel(model, where)
  return model
}

/** What `checkWire` lets through parses; should the two ever differ, the reader gets an error of ours all the same. */
function parse(bytes: Uint8Array, where: string): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes)
  } catch (cause) {
    throw new PareError('MODEL_GARBAGE', `this is not an ONNX model or it is damaged: ${messageOf(cause)}`, {
      where,
      remedy: 'Export or download it again.',
      cause,
    })
  }
}

function noExternal({ location, where }: ExternalRequest): never {
  throw new PareError('EXTERNAL_MISSING', 'the weight lies in another file, and only the model itself was given', {
    where,
    value: location,
    remedy: 'Read the model from its file, with readModel.',
  })
}

export interface EncodeOptions {
  /** Puts the bytes of large constants into a file of their own. */
  readonly external?: {
    /** The file's name, relative to the model's folder. */
    readonly location: string
    /** Constants of at least this many bytes go out. Default 1024. */
    readonly threshold?: number
  }
  /**
   * Tensors whose data lies in another file go on referring to it there, and nothing of it is loaded: for a model that
   * stays in its folder. Default false.
   */
  readonly keepReferences?: boolean
}

/** Data that belongs into a file beside the model, in order; chunks are loaded as they are asked for. */
export interface ExternalFile {
  readonly location: string
  readonly byteLength: number
  chunks(): Iterable<Uint8Array>
}

export interface Encoded {
  readonly byteLength: number
  /** The model in pieces; large weights among them are not copied. */
  readonly chunks: readonly Uint8Array[]
  /** The model in one piece, made when asked for. */
  readonly bytes: Uint8Array
  readonly external: readonly ExternalFile[]
}

/** Largest message that protobuf's readers accept, in bytes. */
export const MAX_MESSAGE = 2 ** 31 - 1

/** Offsets of external data are multiples of this, so that it can be mapped into memory. */
const PAGE = 4096

/**
 * Writes a model, its data inside unless told otherwise. Throws `MODEL_SIZE` beyond 2 GB, `ATTRIBUTE_VALUE` for a float
 * attribute beyond 32 bits, and what loading external data throws.
 */
export function encodeModel(model: Model, { external, keepReferences = false }: EncodeOptions = {}): Encoded {
  const data = externalData(external?.location ?? '')
  const threshold = external === undefined ? Number.POSITIVE_INFINITY : (external.threshold ?? 1024)
  const place = (t: Tensor, isConstant: boolean): ExternalRef | null => {
    if (keepReferences && t.external !== undefined) return t.external
    return isConstant && t.byteLength >= threshold ? data.add(t) : null
  }
  const proto = protoOfModel(model, { place })
  const written = writeMessage(ModelProtoSchema, proto)
  if (written.byteLength > MAX_MESSAGE) {
    throw new PareError('MODEL_SIZE', 'the model is larger than one file can hold', {
      value: written.byteLength,
      remedy: 'Put its weights into a file of their own (writeModel does so by itself).',
    })
  }
  return encoded(written, external === undefined ? [] : data.files())
}

function encoded(written: Written, external: readonly ExternalFile[]): Encoded {
  let bytes: Uint8Array | undefined
  return {
    ...written,
    external,
    get bytes() {
      bytes ??= concat(written)
      return bytes
    },
  }
}

function externalData(location: string) {
  const refs = new Map<Tensor, ExternalRef>()
  let end = 0
  return {
    /** A tensor that several constants share is stored once. */
    add(tensor: Tensor): ExternalRef {
      const known = refs.get(tensor)
      if (known !== undefined) return known
      const offset = Math.ceil(end / PAGE) * PAGE
      const ref = { location, offset, length: tensor.byteLength }
      end = offset + tensor.byteLength
      refs.set(tensor, ref)
      return ref
    },
    files: (): readonly ExternalFile[] =>
      refs.size === 0 ? [] : [{ location, byteLength: end, chunks: () => padded(refs) }],
  }
}

function* padded(refs: ReadonlyMap<Tensor, ExternalRef>): Iterable<Uint8Array> {
  let at = 0
  for (const [tensor, ref] of refs) {
    if (ref.offset > at) yield new Uint8Array(ref.offset - at)
    yield tensor.bytes()
    at = ref.offset + ref.length
  }
}
