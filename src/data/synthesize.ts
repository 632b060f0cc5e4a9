/**
 * Random inputs that fit a model's declarations. For measuring latency and for checking that two models compute the
 * same; never for quality or calibration, for which only real samples count.
 */

import type { Feeds, ValueInfo } from '../engine/engine.js'
import { DTYPES, isKnownDType } from '../ir/dtypes.js'
import { elementCount, floatToHalf, tensor, tensorOfBytes } from '../ir/tensor.js'
import type { DType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type Random, random } from '../util/random.js'
import { stringTensor } from './convert.js'

export interface RandomFeedsOptions {
  readonly seed?: number
  /** Lengths of symbolic dimensions by name. Default 1. */
  readonly dims?: Readonly<Record<string, number>>
  /** Inputs that are taken as they are. */
  readonly constants?: Feeds
}

/**
 * Feeds of random values: floats are standard normal, bytes fill their range, wider integers are 0 or 1 (they are
 * mostly indices, lengths and masks, and these are valid almost anywhere), a scalar integer is 1, text is short.
 * Throws `SAMPLE_DTYPE` for inputs that are no tensors or of a type without random values.
 */
export function randomFeeds(inputs: readonly ValueInfo[], options: RandomFeedsOptions = {}): Feeds {
  const { seed = 0, dims = {}, constants = {} } = options
  const generator = random(seed)
  return Object.fromEntries(
    inputs.map((input) => {
      const shape = (input.shape ?? []).map((d) => (typeof d === 'number' ? d : (dims[d] ?? 1)))
      return [input.name, constants[input.name] ?? randomTensor(input, shape, generator)]
    }),
  )
}

function randomTensor(input: ValueInfo, shape: readonly number[], generator: Random): Tensor {
  const n = elementCount(shape)
  const dtype = input.dtype as DType
  const list = <T>(draw: () => T): T[] => Array.from({ length: n }, draw)
  const bit = () => (shape.length === 0 ? 1 : generator.integer(2))
  switch (dtype) {
    case 'float32':
      return tensor(
        dtype,
        shape,
        Float32Array.from({ length: n }, () => generator.normal()),
      )
    case 'float64':
      return tensor(
        dtype,
        shape,
        Float64Array.from({ length: n }, () => generator.normal()),
      )
    case 'float16':
      return tensor(
        dtype,
        shape,
        Uint16Array.from({ length: n }, () => floatToHalf(generator.normal())),
      )
    case 'bfloat16':
      return tensor(
        dtype,
        shape,
        Uint16Array.from({ length: n }, () => bfloat16Bits(generator.normal())),
      )
    case 'int8':
    case 'uint8':
    case 'int4':
    case 'uint4':
    case 'int2':
    case 'uint2':
      return tensorOfBytes(
        dtype,
        shape,
        Uint8Array.from({ length: Math.ceil((n * DTYPES[dtype].bits) / 8) }, () => generator.integer(256)),
      )
    case 'bool':
      return tensor(
        dtype,
        shape,
        Uint8Array.from({ length: n }, () => generator.integer(2)),
      )
    case 'int64':
    case 'uint64':
      return tensor(dtype, shape, new BigInt64Array(list(() => BigInt(bit()))))
    case 'int16':
    case 'uint16':
      return tensor(dtype, shape, Uint16Array.from(list(bit)))
    case 'int32':
    case 'uint32':
      return tensor(dtype, shape, Uint32Array.from(list(bit)))
    case 'string':
      return stringTensor(
        shape,
        list(() => `text ${generator.integer(10)}`),
      )
    default:
      throw new PareError('SAMPLE_DTYPE', 'there are no random values of this type', {
        where: `input ${input.name}`,
        value: isKnownDType(dtype) ? dtype : `${input.dtype}`,
        remedy: 'Give real samples.',
      })
  }
}

/** The upper half of the float32 bits. */
const bfloat16Bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16
