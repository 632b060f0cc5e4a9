import { expect, test } from 'vitest'
import { PareError } from '../util/errors.js'
import { namingModel } from './where.js'

test.each([
  ['ENGINE_LOAD', 'model, node If_0', 'net.onnx, node If_0'],
  ['ENGINE_RUN', 'model', 'net.onnx'],
  ['ENGINE_FEEDS', 'input x', 'net.onnx, input x'],
  ['ENGINE_FEEDS', 'other.onnx, input x', 'other.onnx, input x'],
  ['SHAPE_NAME', undefined, 'net.onnx'],
  ['SCORES_UNKNOWN', undefined, 'net.onnx'],
  ['QUANTIZE_NOTHING', 'model', 'net.onnx'],
  ['OPTION_VALUE', undefined, undefined],
  ['SAMPLE_SHAPE', 'x.npy[0], input x', 'x.npy[0], input x'],
])('%s at %s', (code, where, expected) => {
  const cause = new Error('below')
  const error = new PareError(code, 'what', { remedy: 'do', value: 1, cause, ...(where !== undefined && { where }) })
  const named = namingModel(error, 'net.onnx') as PareError
  expect(named).toMatchObject({ code, what: 'what', detail: { remedy: 'do', value: 1, cause } })
  expect(named.detail.where).toBe(expected)
  expect(namingModel(error, undefined)).toBe(error)
})

test('what is no error of ours stays as it is', () => {
  const error = new Error('a fault')
  expect(namingModel(error, 'net.onnx')).toBe(error)
})
