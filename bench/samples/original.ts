/**
 * Runs an original model as it stands on onnxruntime-node, to carry the state that a recurrent model hands to its next
 * call and to close control loops. Graph rewriting is off and one thread is used, so that samples repeat exactly.
 */

import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import type { Feeds } from '../../src/engine/engine.js'
import { f32, numbers } from '../../src/ir/tensor.js'
import type { Tensor } from '../../src/ir/types.js'
import { PareError } from '../../src/util/errors.js'
import { requiredPath } from './types.js'

export type Runner = (feeds: Feeds) => Promise<Record<string, Tensor>>

/** A function that runs `models/<model>.onnx` of the data folder and gives its float32 outputs. */
export async function original(model: string): Promise<Runner> {
  const session = await InferenceSession.create(requiredPath(`models/${model}.onnx`), {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  })
  return async (feeds) => {
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toOrt(t)]))
    const outputs = await session.run(inputs)
    return Object.fromEntries(
      Object.entries(outputs).map(([name, t]) => [name, f32(t.dims, t.data as Float32Array)] as const),
    )
  }
}

/** The runtime's tensor for one of ours, of the types that the sample sets use. */
export function toOrt(t: Tensor): OrtTensor {
  switch (t.dtype) {
    case 'float32':
      return new OrtTensor('float32', numbers(t) as Float32Array, [...t.shape])
    case 'int32':
      return new OrtTensor('int32', Int32Array.from(numbers(t)), [...t.shape])
    case 'int64':
      return new OrtTensor('int64', BigInt64Array.from(numbers(t), BigInt), [...t.shape])
    default:
      throw new PareError('TENSOR_DTYPE', 'the samples hold no such type', {
        value: t.dtype,
        remedy: 'Add it to bench/samples/original.ts.',
      })
  }
}
