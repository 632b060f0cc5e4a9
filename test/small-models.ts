/** Small models for tests that run the engine, as bytes. */

import { graphAttr } from '../src/ir/attrs.js'
import { builder, modelOf } from '../src/ir/builder.js'
import { f32, scalar, tensorOfBytes } from '../src/ir/tensor.js'
import type { Dim, DType, Graph, Model, Tensor, Value } from '../src/ir/types.js'
import { encodeModel } from '../src/onnx/codec.js'

export const value = (dtype: DType, shape: readonly Dim[] | null): Value => ({ kind: 'tensor', dtype, shape })

export const bytesOf = (graph: Graph, opsets: Readonly<Record<string, number>> = { '': 21 }): Uint8Array =>
  encodeModel(modelOf(graph, opsets)).bytes

/** y = op(x) */
export function unaryModel(
  op: string,
  { dtype = 'float32', out = dtype, shape = ['n', 'm'] as readonly Dim[] | null, domain = '' } = {} as {
    dtype?: DType
    out?: DType
    shape?: readonly Dim[] | null
    domain?: string
  },
): Uint8Array {
  const b = builder()
  b.input('x', value(dtype, shape))
  b.ops(op, ['x'], { outputs: ['y'], name: `${op}_node`, domain })
  b.output('y', value(out, shape))
  return bytesOf(b.graph(), domain === '' ? { '': 21 } : { '': 21, [domain]: 1 })
}

/** y = x·W + c, x of [n, width], with weights that follow a fixed pattern. */
export function linearModel(width: number, out: number): Uint8Array {
  const b = builder()
  b.input('x', value('float32', ['n', width]))
  const w = b.constant(
    f32(
      [width, out],
      Float32Array.from({ length: width * out }, (_, i) => ((i * 7919) % 201) / 100 - 1),
    ),
    'w',
  )
  const c = b.constant(
    f32(
      [out],
      Float32Array.from({ length: out }, (_, i) => i / out),
    ),
    'c',
  )
  b.ops('Gemm', ['x', w, c], { outputs: ['y'], name: 'linear' })
  b.output('y', value('float32', ['n', out]))
  return bytesOf(b.graph())
}

/** Takes the sine of x `count` times inside a Loop: takes as long as `count` says. Without it, `count` is an input. */
export function loopModel(size = 64, count?: number): Uint8Array {
  const body = builder()
  body.input('i', value('int64', []))
  body.input('go', value('bool', []))
  body.input('a', value('float32', [size]))
  body.ops('Identity', ['go'], { outputs: ['go_on'] })
  body.ops('Sin', ['a'], { outputs: ['a_next'] })
  body.output('go_on', value('bool', []))
  body.output('a_next', value('float32', [size]))
  const b = builder()
  b.input('x', value('float32', [size]))
  if (count === undefined) b.input('count', value('int64', []))
  else b.constant(scalar(count, 'int64'), 'count')
  b.ops('Loop', ['count', '', 'x'], { outputs: ['y'], attrs: { body: graphAttr(body.graph('body')) } })
  b.output('y', value('float32', [size]))
  return bytesOf(b.graph())
}

export const loopFeeds = (count: number, size = 64) => ({
  x: f32([size], new Float32Array(size).fill(0.5)),
  count: scalar(count, 'int64'),
})

/**
 * y = If(flag, LSTM(Squeeze(h)), h), h = x·W of [n, t, 16]. The engine loads it with n and t open; with n fixed at 1 it
 * sees that the LSTM of the other branch would get a matrix, and refuses the model, whatever the flag will be.
 */
export function openOnlyModel(): Model {
  const b = builder()
  b.input('x', value('float32', ['n', 't', 8]))
  b.input('flag', value('bool', []))
  const pattern = (shape: readonly number[]): Tensor =>
    f32(
      shape,
      Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => ((i * 7919) % 201) / 500 - 0.2),
    )
  const h = b.op('MatMul', ['x', b.constant(pattern([8, 16]), 'w')], { name: 'product' })
  const squeezed = b.op('Squeeze', [h])
  const [lw, lr] = [b.constant(pattern([1, 16, 16]), 'lw'), b.constant(pattern([1, 16, 4]), 'lr')]
  const yes = builder()
  const attrs = { hidden_size: { type: 'int', value: 4n } } as const
  yes.output(yes.ops('LSTM', [squeezed, lw, lr], { outputs: ['l'], attrs })[0]!, value('float32', null))
  const no = builder()
  no.output(no.ops('Identity', [h], { outputs: ['i'] })[0]!, value('float32', null))
  const branches = { then_branch: graphAttr(yes.graph('yes')), else_branch: graphAttr(no.graph('no')) }
  b.ops('If', ['flag'], { outputs: ['y'], name: 'which', attrs: branches })
  b.output('y', value('float32', null))
  return modelOf(b.graph())
}

/** Two outputs: `s` is a sequence, `y` = x. */
export function sequenceModel(): Uint8Array {
  const b = builder()
  b.input('x', value('float32', [2]))
  b.ops('SequenceConstruct', ['x'], { outputs: ['s'] })
  b.ops('Identity', ['x'], { outputs: ['y'] })
  b.output('s', { kind: 'sequence', element: value('float32', null) })
  b.output('y', value('float32', [2]))
  return bytesOf(b.graph())
}

/** y = Reshape(x, s): fails at run time where the sizes disagree. */
export function reshapeModel(): Uint8Array {
  const b = builder()
  b.input('x', value('float32', ['n']))
  b.input('s', value('int64', ['k']))
  b.ops('Reshape', ['x', 's'], { outputs: ['y'], name: 'reshape_it' })
  b.output('y', value('float32', null))
  return bytesOf(b.graph())
}

/** A tensor of any type whose bytes follow a fixed pattern (0 and 1 for bool; unused bits of packed types are 0). */
export function patternTensor(dtype: DType, shape: readonly number[], bits: number): Tensor {
  const count = shape.reduce((n, d) => n * d, 1)
  const bytes = Uint8Array.from({ length: Math.ceil((count * bits) / 8) }, (_, i) =>
    dtype === 'bool' ? i % 2 : (i * 37) % 120,
  )
  if (bits === 4 && count % 2 === 1) bytes[bytes.length - 1]! &= 15
  return tensorOfBytes(dtype, shape, bytes)
}
