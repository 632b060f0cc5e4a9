/** The fully connected layer. */

import { checkSize, filled, heNormal, type Layer, wrongShape } from './layer.js'

/** y = x W + b on the last axis: `units` outputs. */
export const dense =
  (units: number): Layer =>
  (b, { name: x, shape }, name, generator) => {
    checkSize('dense', 'units', units)
    const width = shape.at(-1)
    if (width === undefined) throw wrongShape('dense', 'an axis to work on', shape)
    const weight = b.constant(heNormal(b, [width, units], width, generator), `${name}.weight`)
    const bias = b.constant(filled(b, [units], 0), `${name}.bias`)
    const out = [...shape.slice(0, -1), units]
    if (shape.length === 1) return { name: b.op('Gemm', [x, weight, bias], { name }), shape: out }
    return { name: b.op('Add', [b.op('MatMul', [x, weight], { name }), bias]), shape: out }
  }
