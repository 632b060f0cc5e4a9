import { create, toBinary } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { plainModel } from '../../test/plain.js'
import { floatList, graphAttr, int, ints, str } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { elements, f32, i64, stringTensor, tensorOfBytes } from '../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { decodeModel, encodeModel } from './codec.js'
import { protoOfModel } from './encode.js'
import { ModelProtoSchema } from './schema_pb.js'
import { writeMessage } from './write.js'

/** x + w, with one constant. */
function sample(w: Tensor = f32([2], [1, 2])): Model {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
  b.constant(w, 'w')
  b.ops('Add', ['x', 'w'], { outputs: ['y'], name: 'add', attrs: { k: int(-3), f: floatList([0.5, -0]), s: str('é') } })
  b.output('y', { kind: 'tensor', dtype: 'float32', shape: null })
  return modelOf(b.graph())
}

const codeOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof PareError) return error.code
    throw error
  }
  return 'no error'
}

const decodeError = (bytes: Uint8Array | readonly number[]): string => codeOf(() => decodeModel(Uint8Array.from(bytes)))

const withGraph = (change: Partial<Graph>): Model => {
  const model = sample()
  return { ...model, graph: { ...model.graph, ...change } }
}
const node = (inputs: readonly string[], outputs: readonly string[], attrs: Node['attrs'] = {}): Node => ({
  name: `${outputs[0]}_node`,
  domain: '',
  op: 'Identity',
  inputs,
  outputs,
  attrs,
})
const encodeError = (change: Partial<Graph>): string => decodeError(encodeModel(withGraph(change)).bytes)

// A message by hand: tags and lengths below 128.
const field = (no: number, wireType: number, ...content: number[]): number[] => [no * 8 + wireType, ...content]
const message = (no: number, ...content: number[]): number[] => [...field(no, 2), content.length, ...content]
/** A model of opset 21 around the bytes of a graph, with one constant made of the bytes of a tensor. */
const modelWith = (...graph: number[]): number[] => [...message(8, ...field(2, 0, 21)), ...message(7, ...graph)]
const modelWithTensor = (...tensor: number[]): number[] => modelWith(...message(5, ...message(8, 0x77), ...tensor))
const FLOATS_2 = [...field(1, 0, 2), ...field(2, 0, 1)]

test('encoding is that of protobuf-es, byte for byte', () => {
  const big = { ...sample(f32([40_000], new Float32Array(40_000).fill(1.5))), version: -5n, doc: 'é€😀' }
  const proto = protoOfModel(big, { place: () => null })
  const { chunks, byteLength } = writeMessage(ModelProtoSchema, proto)
  expect(Buffer.compare(Buffer.concat(chunks), toBinary(ModelProtoSchema, proto))).toBe(0)
  expect(byteLength).toBe(Buffer.concat(chunks).byteLength)
  expect(chunks.some((c) => c === big.graph.constants.get('w')!.bytes())).toBe(true)
})

test('decoding copies no weights', () => {
  const bytes = encodeModel(sample()).bytes
  const w = decodeModel(bytes).graph.constants.get('w')!
  expect(w.bytes().buffer).toBe(bytes.buffer)
  expect([...elements(w)]).toEqual([1, 2])
})

test('a Buffer at an odd offset decodes to plain arrays', () => {
  const bytes = encodeModel(sample()).bytes
  const shifted = Buffer.concat([Buffer.from([0]), bytes]).subarray(1)
  const model = decodeModel(shifted)
  expect(plainModel(model)).toEqual(plainModel(sample()))
  expect(model.graph.constants.get('w')!.bytes().constructor).toBe(Uint8Array)
})

test('numbers of every size, strings and subgraphs return', () => {
  const inner = builder(['x'])
  inner.ops('Neg', ['x'], { outputs: ['inner'] })
  inner.output('inner', { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
  const attrs = {
    wide: { type: 'ints', value: [-1n, 2n ** 62n, -(2n ** 63n), 2n ** 63n - 1n, 128n, 300n] },
    body: graphAttr(inner.graph('body')),
    strings: { type: 'strings', value: [new Uint8Array([0xff]), new Uint8Array()] },
    nothing: ints([]),
  } as const
  const model = withGraph({
    nodes: [node(['x'], ['y'], attrs)],
    constants: new Map([
      ['i', i64([2], [-1, 1])],
      ['s', stringTensor([1], [new Uint8Array([1, 0xff])])],
      ['e', f32([0, 3], [])],
    ]),
  })
  expect(plainModel(decodeModel(encodeModel(model).bytes))).toEqual(plainModel(model))
})

test.each([
  ['packed', [...FLOATS_2, ...message(4, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40)]],
  ['in two runs', [...FLOATS_2, ...message(4, 0, 0, 0x80, 0x3f), ...message(4, 0, 0, 0, 0x40)]],
  ['not packed', [...FLOATS_2, ...field(4, 5, 0, 0, 0x80, 0x3f), ...field(4, 5, 0, 0, 0, 0x40)]],
  ['in both ways', [...FLOATS_2, ...field(4, 5, 0, 0, 0x80, 0x3f), ...message(4, 0, 0, 0, 0x40)]],
  ['as raw data', [...FLOATS_2, ...message(9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40)]],
  ['with dimensions packed', [...message(1, 2), ...field(2, 0, 1), ...message(9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40)]],
])('floats %s are read', (_, tensor) => {
  const model = decodeModel(Uint8Array.from(modelWithTensor(...tensor)))
  const w = model.graph.constants.get('w')!
  expect([...elements(w)]).toEqual([1, 2])
  expect(w.unknown).toBeUndefined()
  expect([...elements(decodeModel(encodeModel(model).bytes).graph.constants.get('w')!)]).toEqual([1, 2])
})

test.each([
  ['packed', [...message(7, 5, ...Array<number>(9).fill(0xff), 1)]],
  ['not packed', [...field(7, 0, 5), ...field(7, 0, ...Array<number>(9).fill(0xff), 1)]],
])('64-bit integers %s are read', (_, data) => {
  const model = decodeModel(Uint8Array.from(modelWithTensor(...field(1, 0, 2), ...field(2, 0, 7), ...data)))
  expect([...elements(model.graph.constants.get('w')!)]).toEqual([5n, -1n])
})

test('floats in the form of another type are refused', () => {
  expect(decodeError(modelWithTensor(...FLOATS_2, ...field(4, 0, 1)))).toBe('TENSOR_DATA')
  expect(decodeError(modelWithTensor(...field(1, 0, 1), ...field(2, 0, 7), ...message(7, 0x80)))).toBe('TENSOR_DATA')
})

test.each([
  ['nothing', [], 'MODEL_EMPTY'],
  ['text', [...Buffer.from('hello, this is no model')], 'MODEL_GARBAGE'],
  ['a field number 0', [0, 0], 'MODEL_GARBAGE'],
  ['a wire type that is none', [0x0f], 'MODEL_GARBAGE'],
  ['a number where a graph belongs', field(7, 0, 5), 'MODEL_GARBAGE'],
  ['a nested length beyond its parent', modelWith(...field(2, 2, 100, 0x61)), 'MODEL_GARBAGE'],
  ['a number of eleven bytes', [...field(1, 0), ...Array<number>(10).fill(0xff), 1], 'MODEL_GARBAGE'],
  ['a group that does not end', modelWith(...field(100 % 16, 3)), 'MODEL_GARBAGE'],
  ['an end of a group', field(15, 4), 'MODEL_GARBAGE'],
  ['a name that is not UTF-8', modelWith(...message(2, 0xff)), 'MODEL_GARBAGE'],
  ['no graph', message(8, ...field(2, 0, 21)), 'MODEL_GRAPH'],
  ['no operator set', message(7, ...message(2, 0x67)), 'MODEL_OPSET'],
  ['two versions of one set', [...message(8, 16, 1), ...modelWith()], 'MODEL_OPSET'],
  [
    'a negative dimension',
    modelWithTensor(...field(1, 0, ...Array<number>(9).fill(0xff), 1), ...field(2, 0, 1)),
    'TENSOR_SHAPE',
  ],
  [
    'more elements than can be counted',
    modelWithTensor(...Array.from({ length: 8 }, () => field(1, 0, 0xff, 0xff, 0x7f)).flat(), ...field(2, 0, 1)),
    'TENSOR_SHAPE',
  ],
  ['too little data', modelWithTensor(...FLOATS_2, ...message(9, 0, 0, 0, 0)), 'TENSOR_SIZE'],
  ['too much data', modelWithTensor(...FLOATS_2, ...message(4, ...Array<number>(12).fill(0))), 'TENSOR_SIZE'],
  ['no data', modelWithTensor(...FLOATS_2), 'TENSOR_SIZE'],
  ['a constant without a name', modelWith(...message(5, ...field(2, 0, 1), ...field(1, 0, 0))), 'MODEL_NAME'],
  ['a sparse constant without indices', modelWith(...message(15, ...message(1))), 'TENSOR_SPARSE'],
  ['external data without a place', modelWithTensor(...FLOATS_2, ...field(14, 0, 1)), 'EXTERNAL_REF'],
  [
    'external data of the wrong length',
    modelWithTensor(
      ...FLOATS_2,
      ...field(14, 0, 1),
      ...message(13, ...message(1, ...Buffer.from('location')), ...message(2, 0x64)),
      ...message(13, ...message(1, ...Buffer.from('length')), ...message(2, 0x39)),
    ),
    'TENSOR_SIZE',
  ],
] as const)('%s is refused', (_, bytes, code) => {
  expect(decodeError(bytes)).toBe(code)
})

test('a cut model says so', () => {
  const bytes = encodeModel(sample()).bytes
  const codes = new Set(Array.from(bytes, (_, i) => decodeError(bytes.subarray(0, i))))
  expect(codes).toEqual(new Set(['MODEL_EMPTY', 'MODEL_TRUNCATED', 'MODEL_GRAPH', 'MODEL_OPSET']))
  expect(decodeError(bytes.subarray(0, -1))).toBe('MODEL_TRUNCATED')
})

test('deep nesting is refused, not followed', () => {
  const nest = (depth: number): Graph => ({
    ...sample().graph,
    inputs: [],
    outputs: [],
    constants: new Map(),
    nodes: depth === 0 ? [] : [node([], ['y'], { body: graphAttr(nest(depth - 1)) })],
  })
  expect(decodeError(encodeModel(withGraph(nest(30))).bytes)).toBe('no error')
  expect(decodeError(encodeModel(withGraph(nest(31))).bytes)).toBe('MODEL_DEPTH')
  // 20,000 messages, one inside the other: types of sequences of sequences …
  let bytes: number[] | Uint8Array = []
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)])
  const wrap = (no: number, content: Uint8Array) =>
    Buffer.concat([Buffer.from([no * 8 + 2, ...varint(content.length)]), content])
  let type: Uint8Array = new Uint8Array()
  for (let i = 0; i < 20_000; i++) type = wrap(i % 2 === 0 ? 1 : 4, type)
  bytes = Buffer.concat([Buffer.from(message(8, ...field(2, 0, 21))), wrap(7, wrap(11, wrap(2, type)))])
  expect(decodeError(bytes)).toBe('MODEL_DEPTH')
})

test('nodes are sorted where they are merely out of order', () => {
  const nodes = [node(['b'], ['y']), node(['a'], ['b']), node(['x'], ['a'])]
  const model = decodeModel(encodeModel(withGraph({ nodes })).bytes)
  expect(model.graph.nodes.map((n) => n.outputs[0])).toEqual(['a', 'b', 'y'])
})

test('names that are wrong are found', () => {
  expect(encodeError({ nodes: [node(['b'], ['y']), node(['y'], ['b'])] })).toBe('MODEL_CYCLE')
  expect(encodeError({ nodes: [node(['nowhere'], ['y'])] })).toBe('MODEL_NAME')
  expect(encodeError({ nodes: [node(['x'], ['y']), node(['x'], ['y'])] })).toBe('MODEL_DUPLICATE')
  expect(encodeError({ outputs: ['nowhere'] })).toBe('MODEL_NAME')
})

test('a constant listed among the inputs stays there', () => {
  const model = withGraph({ inputs: ['x', 'w'] })
  expect(decodeModel(encodeModel(model).bytes).graph.inputs).toEqual(['x', 'w'])
})

test('ai.onnx stays as it is written', () => {
  const model: Model = { ...sample(), opsets: new Map([['ai.onnx', 21]]) }
  const written: Model = {
    ...model,
    graph: { ...model.graph, nodes: model.graph.nodes.map((n) => ({ ...n, domain: 'ai.onnx' })) },
  }
  expect(plainModel(decodeModel(encodeModel(written).bytes))).toEqual(plainModel(written))
})

test('an attribute of IR version 1 has no type, but a value that tells it', () => {
  const attribute = message(5, ...message(1, 0x61), ...field(3, 0, 9))
  const model = decodeModel(Uint8Array.from(modelWith(...message(1, ...message(4, 0x4f), ...attribute))))
  expect(model.graph.nodes[0]!.attrs.a).toEqual({ type: 'int', value: 9n })
})

test('names like those of JavaScript itself are names', () => {
  const attrs = Object.fromEntries([
    ['__proto__', int(1)],
    ['constructor', int(2)],
  ])
  const model = withGraph({ nodes: [node(['x'], ['y'], attrs)] })
  expect(Object.entries(decodeModel(encodeModel(model).bytes).graph.nodes[0]!.attrs)).toEqual(Object.entries(attrs))
})

test('large constants go to a file of their own, aligned, each once', () => {
  const shared = f32([500], new Float32Array(500).fill(3))
  const constants = new Map<string, Tensor>([
    ['small', f32([2], [1, 2])],
    ['a', shared],
    ['b', shared],
    ['c', f32([2000], new Float32Array(2000).fill(4))],
  ])
  const { bytes, external } = encodeModel(withGraph({ constants, nodes: [node(['x'], ['y'])] }), {
    external: { location: 'm.data' },
  })
  expect(external).toHaveLength(1)
  const file = Buffer.concat([...external[0]!.chunks()])
  expect(file.byteLength).toBe(external[0]!.byteLength)
  expect(file.byteLength).toBe(4096 + 8000)
  const model = decodeModel(bytes, { external: ({ offset, length }) => file.subarray(offset, offset + length) })
  expect(model.graph.constants.get('c')!.external).toEqual({ location: 'm.data', offset: 4096, length: 8000 })
  expect(model.graph.constants.get('b')!.external).toEqual(model.graph.constants.get('a')!.external)
  expect(model.graph.constants.get('small')!.external).toBeUndefined()
  for (const [name, t] of constants) {
    expect(Buffer.compare(model.graph.constants.get(name)!.bytes(), t.bytes())).toBe(0)
  }
  expect(codeOf(() => decodeModel(bytes).graph.constants.get('a')!.bytes())).toBe('EXTERNAL_MISSING')
})

test('a float attribute beyond 32 bits is refused, infinity is not', () => {
  const attr = (value: number) => ({ a: { type: 'float', value } as const })
  const encode = (value: number) => encodeModel(withGraph({ nodes: [node(['x'], ['y'], attr(value))] }))
  expect(codeOf(() => encode(1e39))).toBe('ATTRIBUTE_VALUE')
  expect(codeOf(() => encode(Number.NEGATIVE_INFINITY))).toBe('no error')
})

test('tensors of types to come keep their bytes', () => {
  const w = tensorOfBytes('#77', [3], new Uint8Array([1, 2, 3, 4, 5]))
  const again = decodeModel(encodeModel(sample(w)).bytes).graph.constants.get('w')!
  expect([again.dtype, ...again.bytes()]).toEqual(['#77', 1, 2, 3, 4, 5])
})

test('an empty message is no model', () => {
  expect(decodeError(toBinary(ModelProtoSchema, create(ModelProtoSchema, { domain: 'd' })))).toBe('MODEL_GRAPH')
})

test('a model of 100 MB is decoded without a copy of its weights', () => {
  const constants = new Map(
    Array.from({ length: 100 }, (_, i) => [`w${i}`, f32([500, 500], new Float32Array(250_000).fill(i))] as const),
  )
  const { bytes } = encodeModel(withGraph({ constants, nodes: [node(['x'], ['y'])] }))
  const before = process.memoryUsage().arrayBuffers
  const start = performance.now()
  const model = decodeModel(bytes)
  console.log(`decoding ${(bytes.byteLength / 1e6).toFixed(0)} MB took ${(performance.now() - start).toFixed(1)} ms`)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6)
  expect(elements(model.graph.constants.get('w7')!)[249_999]).toBe(7)
})
