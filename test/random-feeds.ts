/** Random inputs of the types and shapes that a model asks for: fit for comparing two models, not for quality. */

import type { Feeds, ValueInfo } from '../src/engine/engine.js'
import { elementCount, tensor } from '../src/ir/tensor.js'
import type { Tensor } from '../src/ir/types.js'
import { random } from '../src/util/random.js'

export interface FeedOptions {
  readonly seed?: number
  /** Sizes of symbolic dimensions; 1 where not given. */
  readonly dims?: Readonly<Record<string, number>>
  /** Shapes, and integer contents, of single inputs. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>
  readonly integers?: Readonly<Record<string, number>>
}

export function randomFeeds(inputs: readonly ValueInfo[], options: FeedOptions = {}): Feeds {
  const rng = random(options.seed ?? 1)
  const feeds: Record<string, Tensor> = {}
  for (const { name, dtype, shape = [] } of inputs) {
    const sizes = options.shapes?.[name] ?? shape.map((d) => (typeof d === 'number' ? d : (options.dims?.[d] ?? 1)))
    const count = elementCount(sizes)
    const real = () => rng.uniform() * 2 - 1
    const whole = () => options.integers?.[name] ?? Math.floor(rng.uniform() * 4)
    const fill = (next: () => number): number[] => Array.from({ length: count }, next)
    switch (dtype) {
      case 'float32':
        feeds[name] = tensor(dtype, sizes, Float32Array.from(fill(real)))
        break
      case 'float64':
        feeds[name] = tensor(dtype, sizes, Float64Array.from(fill(real)))
        break
      case 'int64':
        feeds[name] = tensor(dtype, sizes, BigInt64Array.from(fill(whole), BigInt))
        break
      case 'int32':
        feeds[name] = tensor(dtype, sizes, Int32Array.from(fill(whole)))
        break
      case 'uint8':
      case 'bool':
        feeds[name] = tensor(dtype, sizes, Uint8Array.from(fill(() => whole() % 2)))
        break
      case 'int8':
        feeds[name] = tensor(dtype, sizes, Int8Array.from(fill(whole)))
        break
      default:
        throw new Error(`no random ${dtype} for ${name}`)
    }
  }
  return feeds
}
