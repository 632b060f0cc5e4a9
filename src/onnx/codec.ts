// Interim reader (imports onnx_pb.ts): whoever owns this folder may replace codec, decode, encode, tensors and delete onnx_pb.ts; keep decodeModel/encodeModel signatures.
/** Bytes ↔ models. The only folder that knows protobuf. */

import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type { ExternalRef, Model } from '../ir/types.js'
import { messageOf, PareError } from '../util/errors.js'
import { modelOfProto } from './decode.js'
import { protoOfModel } from './encode.js'
import { type ModelProto, ModelProtoSchema } from './onnx_pb.js'

export interface DecodeOptions {
  /** What to call the file in messages. Default `model`. */
  readonly where?: string
  /** Gives the bytes of tensors that lie outside the file. Without it such tensors throw when read. */
  readonly external?: (ref: ExternalRef) => Uint8Array
}

/** Reads a model; its weights are views into `bytes`. Throws `MODEL_GARBAGE`, `MODEL_INCOMPLETE`, `TENSOR_…`. */
export function decodeModel(bytes: Uint8Array, { where = 'model', external }: DecodeOptions = {}): Model {
  let proto: ModelProto
  try {
    proto = fromBinary(ModelProtoSchema, bytes)
  } catch (cause) {
    throw new PareError('MODEL_GARBAGE', `this is not a whole ONNX model: ${messageOf(cause)}`, {
      where,
      remedy: 'The file is damaged, cut short or of another format; export or download it again.',
      cause,
    })
  }
  return modelOfProto(proto, { where, external: external ?? ((ref) => noExternal(where, ref)) })
}

function noExternal(where: string, ref: ExternalRef): never {
  throw new PareError('EXTERNAL_MISSING', 'a weight lies in another file, and only the bytes of the model were given', {
    where,
    value: ref.location,
    remedy: 'Read the model from its file with readModel.',
  })
}

export interface Encoded {
  readonly bytes: Uint8Array
}

/** Writes a model with all of its data inside. */
export function encodeModel(model: Model): Encoded {
  return { bytes: toBinary(ModelProtoSchema, protoOfModel(model, { place: () => null })) }
}
