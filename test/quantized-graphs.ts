/** Pieces of quantized graphs for tests of what the engine makes of them. */

import { int } from '../src/ir/attrs.js'
import { type Builder, builder } from '../src/ir/builder.js'
import { f32, tensor } from '../src/ir/tensor.js'
import type { Graph } from '../src/ir/types.js'
import { value } from './small-models.js'

export type Kind = 'uint8' | 'int8' | 'uint16'

export interface Q {
  readonly scale?: number
  readonly zero?: number
  readonly kind?: Kind
}

const arrays = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array }
const point = (kind: Kind, zero: number) => tensor(kind, [], arrays[kind].of(zero))

/** x through QuantizeLinear and DequantizeLinear. */
export function qdq(
  b: Builder,
  x: string,
  { scale = 0.05, kind = 'uint8', zero = kind === 'int8' ? 0 : 128 }: Q = {},
): string {
  const s = b.constant(f32([], [scale]), 'scale')
  const z = b.constant(point(kind, zero), 'zero')
  return b.op('DequantizeLinear', [b.op('QuantizeLinear', [x, s, z]), s, z])
}

/** Int8 weights that no CPU saturates on, behind a DequantizeLinear: one scale, or scales that grow along an axis. */
export function weight(b: Builder, shape: readonly number[], axis?: number): string {
  const count = shape.reduce((n, d) => n * d, 1)
  const w = b.constant(
    tensor(
      'int8',
      shape,
      Int8Array.from({ length: count }, (_, i) => ((i * 53) % 129) - 64),
    ),
    'w',
  )
  const channels = axis === undefined ? 1 : shape[axis]!
  const form = axis === undefined ? [] : [channels]
  const s = b.constant(
    f32(
      form,
      Float32Array.from({ length: channels }, (_, i) => 0.002 * (i + 1)),
    ),
    'w_scale',
  )
  const z = b.constant(tensor('int8', form, new Int8Array(channels)), 'w_zero')
  return b.op('DequantizeLinear', [w, s, z], axis === undefined ? {} : { attrs: { axis: int(axis) } })
}

/**
 * Int32 bias behind a DequantizeLinear, its scale that of an input of `qdq`'s default scale times that of `weight`
 * along its outputs, or, to be wrong, `factor` times that.
 */
export function bias(b: Builder, channels: number, factor = 1): string {
  const c = b.constant(tensor('int32', [channels], new Int32Array(channels).fill(3000)), 'b')
  const scales = Float32Array.from(
    { length: channels },
    (_, i) => Math.fround(0.05) * Math.fround(0.002 * (i + 1)) * factor,
  )
  const z = b.constant(tensor('int32', [channels], new Int32Array(channels)), 'b_zero')
  return b.op('DequantizeLinear', [c, b.constant(f32([channels], scales), 'b_scale'), z], { attrs: { axis: int(0) } })
}

/** `body` gets the input's name and returns the values that end in outputs y0, y1, … behind a Neg. */
export function graphOf(shape: readonly number[], body: (b: Builder, x: string) => readonly string[]): Graph {
  const b = builder()
  b.input('x', value('float32', shape))
  for (const [i, y] of body(b, 'x').entries()) {
    b.ops('Neg', [y], { outputs: [`y${i}`] })
    b.output(`y${i}`, value('float32', null))
  }
  return b.graph()
}
