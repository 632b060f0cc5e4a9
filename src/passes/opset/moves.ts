/** Attributes that became inputs. */

import { bigintsAttr, floatAttr, floatsAttr, intAttr, stringAttr } from '../../ir/attrs.js'
import { f32, floatToHalf, i64, tensor } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { type Converter, type FloatType, omit, withInput } from './converter.js'

const int64s = (value: readonly bigint[]): Tensor => tensor('int64', [value.length], BigInt64Array.from(value))

/** An attribute `name` of integers becomes the 1-D int64 input at `index`; absent stays absent. */
export const intsToInput =
  (name: string, index: number): Converter =>
  ({ node, constant }) => {
    const value = bigintsAttr(node, name)
    if (value === undefined || value.length === 0) return [{ ...node, attrs: omit(node, name) }]
    const input = constant(int64s(value), `${node.outputs[0]}_${name}`)
    return [{ ...node, inputs: withInput(node, index, input), attrs: omit(node, name) }]
  }

/** Opset 10: starts, ends and axes became inputs. */
export const slice: Converter = ({ node, constant }) => {
  const lists = ['starts', 'ends', 'axes'].map((name) => [name, bigintsAttr(node, name)] as const)
  const inputs = lists.flatMap(([name, value]) =>
    value === undefined ? [] : [constant(int64s(value), `${node.outputs[0]}_${name}`)],
  )
  if (inputs.length < 2) return 'starts or ends are missing'
  return [{ ...node, inputs: [node.inputs[0]!, ...inputs], attrs: omit(node, 'starts', 'ends', 'axes') }]
}

/** Opset 10: k became an input. */
export const topK: Converter = ({ node, constant }) => {
  const k = intAttr(node, 'k')
  if (k === undefined) return 'k is missing'
  return [
    { ...node, inputs: [node.inputs[0]!, constant(i64([1], [k]), `${node.outputs[0]}_k`)], attrs: omit(node, 'k') },
  ]
}

function scalarOf(dtype: FloatType, value: number): Tensor {
  if (dtype === 'float16') return tensor(dtype, [], Uint16Array.of(floatToHalf(value)))
  return dtype === 'float64' ? tensor(dtype, [], Float64Array.of(value)) : f32([], [value])
}

/** Opset 11: min and max became inputs of the data's type. */
export const clip: Converter = ({ node, constant, floatType }) => {
  const [min, max] = [floatAttr(node, 'min'), floatAttr(node, 'max')]
  if (min === undefined && max === undefined) return [node]
  const dtype = floatType(node.inputs[0]!)
  if (dtype === null) return 'the type of its bounds cannot be told: its input may be of several types'
  const bound = (name: string, value: number | undefined) =>
    value === undefined ? '' : constant(scalarOf(dtype, value), `${node.outputs[0]}_${name}`)
  const bounds = [bound('min', min), ...(max === undefined ? [] : [bound('max', max)])]
  return [{ ...node, inputs: [node.inputs[0]!, ...bounds], attrs: omit(node, 'min', 'max') }]
}

/** Opset 11: pads and value became inputs. */
export const pad: Converter = ({ node, constant, floatType }) => {
  const pads = bigintsAttr(node, 'pads')
  if (pads === undefined) return 'pads are missing'
  const value = floatAttr(node, 'value', 0)
  const inputs = [node.inputs[0]!, constant(int64s(pads), `${node.outputs[0]}_pads`)]
  if (value !== 0 && stringAttr(node, 'mode', 'constant') === 'constant') {
    const dtype = floatType(node.inputs[0]!)
    if (dtype === null) return 'the type of its padding value cannot be told: its input may be of several types'
    inputs.push(constant(scalarOf(dtype, value), `${node.outputs[0]}_value`))
  }
  return [{ ...node, inputs, attrs: omit(node, 'pads', 'value') }]
}

/** Opset 9: the scales of Upsample became an input. */
export const upsampleScales: Converter = ({ node, constant }) => {
  const scales = floatsAttr(node, 'scales')
  if (scales === undefined) return 'scales are missing'
  const input = constant(f32([scales.length], scales), `${node.outputs[0]}_scales`)
  return [{ ...node, inputs: [node.inputs[0]!, input], attrs: omit(node, 'scales') }]
}

/** Opset 12: ratio became an input. In inference, all that opsets 7 to 11 know, it has no effect. */
export const dropout: Converter = ({ node }) => [{ ...node, attrs: omit(node, 'ratio') }]

/** Opset 20: the axis of DFT became an input; its default was 1. */
export const dft: Converter = ({ node, constant }) => {
  const axis = constant(i64([], [intAttr(node, 'axis', 1)]), `${node.outputs[0]}_axis`)
  return [{ ...node, inputs: withInput(node, 2, axis), attrs: omit(node, 'axis') }]
}

/** Opset 18: without sizes, the number of outputs must be told. */
export const splitOutputs: Converter = ({ node }) => {
  if (node.inputs[1]) return [node]
  return [{ ...node, attrs: { ...node.attrs, num_outputs: { type: 'int', value: BigInt(node.outputs.length) } } }]
}
