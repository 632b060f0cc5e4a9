import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromBinary, type Message } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { plainModel } from '../../test/plain.js'
import { parseModel, printModel } from '../ir/text.js'
import type { Model } from '../ir/types.js'
import { decodeModel, encodeModel } from './codec.js'
import { ModelProtoSchema } from './schema_pb.js'

const fixture = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, '../../test/models', name))
const everything = decodeModel(fixture('everything.onnx'))
const later = decodeModel(fixture('everything-later.onnx'))

/**
 * Messages without the data of tensors, which may move from typed fields to raw_data, and without empty text, which
 * means the same as none; unknown fields in order.
 */
function withoutData(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(withoutData)
  if (typeof value !== 'object' || value === null) return value
  const { $unknown = [], $typeName, ...fields } = value as Message & Record<string, unknown>
  const isTensor = $typeName === 'pare.onnx.TensorProto'
  if (isTensor) delete fields.rawData
  const dataFields = [4, 5, 7, 10, 11]
  const unknown = $unknown
    .filter(({ no }) => !(isTensor && dataFields.includes(no)))
    .map(({ no, wireType, data }) => `${no}:${wireType}:${Buffer.from(data).toString('hex')}`)
    .sort()
  return {
    $typeName,
    unknown,
    ...Object.fromEntries(Object.entries(fields).flatMap(([key, v]) => (v === '' ? [] : [[key, withoutData(v)]]))),
  }
}

test.each(['everything.onnx', 'everything-later.onnx'])('%s loses nothing on the way through ir', (name) => {
  const bytes = fixture(name)
  const again = encodeModel(decodeModel(bytes)).bytes
  expect(withoutData(fromBinary(ModelProtoSchema, again))).toEqual(withoutData(fromBinary(ModelProtoSchema, bytes)))
  expect(plainModel(decodeModel(again))).toEqual(plainModel(decodeModel(bytes)))
})

test('a field of the future stands at each of the 268 messages, and is kept there', () => {
  const count = (bytes: Uint8Array) =>
    Buffer.from(bytes)
      .toString('latin1')
      .split(/\xb8>|\xb9>|\xba>|\xbb>|\xbd>/).length - 1
  // Groups have two tags, and every fifth message has one.
  const tags = count(fixture('everything-later.onnx'))
  expect(tags).toBeGreaterThanOrEqual(268)
  expect(count(encodeModel(later).bytes)).toBe(tags)
})

test.each([
  ['everything', everything],
  ['later', later],
] as const)('%s survives the text form', (_, model: Model) => {
  const text = printModel(model)
  const parsed = parseModel(text)
  expect(plainModel(parsed)).toEqual(plainModel(model))
  expect(printModel(parsed)).toBe(text)
})

const bytesOf = (name: string): string => {
  const t = everything.graph.constants.get(name)!
  expect(t.bytes().byteLength).toBe(t.byteLength)
  return Buffer.from(t.bytes()).toString('hex')
}

test.each([
  ['float32_field', '0000c03f00000080'],
  ['float64_field', '9c7500883ce4377e59f3f8c21f6ea581'],
  ['complex64_field', '0000803f000000c0'],
  ['complex128_field', '000000000000f03f00000000000000c0'],
  ['int64_field', 'ffffffffffffffff00000000000000400000000000000080ffffffffffffff7f'],
  ['uint64_field', 'ffffffffffffffff0000000000000000'],
  ['uint32_field', 'ffffffff00000000'],
  ['int32_field', '00000080ffffff7f'],
  ['int16_field', '0080ff7f'],
  ['int8_field', '807f'],
  ['uint16_field', '0000ffff'],
  ['uint8_field', '00ff'],
  ['bool_field', '0100'],
  ['float16_field', '003cfffb'],
  ['bfloat16_field', '803f7fff'],
  ['float8e4m3fn_field', '38b8'],
  ['int4_field', '8f07'],
  ['uint2_field', 'e401'],
  ['empty_field', ''],
  ['scalar_field', '0000e040'],
])('%s has the bytes of its elements', (name, hex) => {
  expect(bytesOf(name)).toBe(hex)
})

test.each(['uint4', 'int4', 'float4e2m1', 'uint2', 'int2'])('%s is packed alike in both storages', (dtype) => {
  expect(bytesOf(`${dtype}_field`)).toBe(bytesOf(`${dtype}_raw`))
})

test('strings are bytes', () => {
  const t = everything.graph.constants.get('string_field')!
  expect(t.strings!().map((s) => Buffer.from(s).toString('hex'))).toEqual(['636166c3a9', 'ff00'])
})

test('what a model carries is where it belongs', () => {
  const { graph, functions } = everything
  expect(graph.values.get('x')).toMatchObject({ doc: 'an input', denotation: 'TENSOR', shape: ['N', 4, null] })
  expect(graph.nodes[0]).toMatchObject({ doc: 'a node', metadata: new Map([['at', 'node']]) })
  expect(graph.nodes[0]!.attrs.alpha).toMatchObject({ type: 'float', doc: 'an attribute' })
  expect(functions[0]).toMatchObject({ overload: 'v2', attributes: ['slope'], doc: 'a function' })
  expect(functions[0]!.nodes[1]!.attrs.alpha).toEqual({ type: 'undefined', code: 1, ref: 'slope' })
  expect(graph.quantAnnotations).toEqual([{ tensor: 'y', parameters: new Map([['SCALE_TENSOR', 'scalar_field']]) }])
  expect(everything.version).toBe(2n ** 40n)
  expect(later.graph.constants.get('future_type')!.dtype).toBe('#77')
  expect(later.graph.values.get('future_input')).toMatchObject({ dtype: '#78' })
  expect(later.graph.values.get('opaque')).toMatchObject({ kind: 'opaque', domain: 'pare.test', name: 'Thing' })
  expect(later.graph.nodes[5]!.attrs.future_attribute).toMatchObject({ type: 'undefined', code: 99 })
  expect(later.metadata.get('at')).toBe('model')
})
