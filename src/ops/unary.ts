/** Element-wise mathematics of one input, and the determinant. */

import { dtypeOf, type OpDef, shapeOf } from './def.js'
import {
  absGrad,
  acosGrad,
  acoshGrad,
  asinGrad,
  asinhGrad,
  atanGrad,
  atanhGrad,
  cosGrad,
  coshGrad,
  erfGrad,
  expGrad,
  logGrad,
  negGrad,
  reciprocalGrad,
  sinGrad,
  sinhGrad,
  sqrtGrad,
  tanGrad,
} from './gradients/unary.js'
import { def, fact, unary as math } from './make.js'
import { malformed, unify, whereOf } from './shapes.js'

/** Round half to even, as the operator does. */
function roundEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor
}

export const unary: readonly OpDef[] = [
  math('Abs', 1, { fold: Math.abs, grad: absGrad }),
  math('Neg', 1, { fold: (x) => -x, grad: negGrad }),
  math('Exp', 1, { grad: expGrad }),
  math('Log', 1, { grad: logGrad }),
  math('Sqrt', 1, { fold: Math.sqrt, grad: sqrtGrad }),
  math('Reciprocal', 1, { fold: (x) => 1 / x, grad: reciprocalGrad }),
  math('Floor', 1, { fold: Math.floor, grad: 'flat' }),
  math('Ceil', 1, { fold: Math.ceil, grad: 'flat' }),
  math('Round', 11, { fold: roundEven, grad: 'flat' }),
  math('Sign', 9, { fold: Math.sign, grad: 'flat' }),
  math('Sin', 7, { grad: sinGrad }),
  math('Cos', 7, { grad: cosGrad }),
  math('Tan', 7, { grad: tanGrad }),
  math('Asin', 7, { grad: asinGrad }),
  math('Acos', 7, { grad: acosGrad }),
  math('Atan', 7, { grad: atanGrad }),
  math('Sinh', 9, { grad: sinhGrad }),
  math('Cosh', 9, { grad: coshGrad }),
  math('Asinh', 9, { grad: asinhGrad }),
  math('Acosh', 9, { grad: acoshGrad }),
  math('Atanh', 9, { grad: atanhGrad }),
  math('Erf', 9, { grad: erfGrad }),
  def('Det', 11, {
    inputs: ['X'],
    outputs: ['Y'],
    infer: (call) => {
      const shape = shapeOf(call.inputs[0])
      if (shape !== null) {
        if (shape.length < 2) throw malformed(whereOf(call), 'the input must be a matrix or a stack of them', shape)
        unify(shape.at(-1)!, shape.at(-2)!, whereOf(call))
      }
      return [fact(dtypeOf(call.inputs[0]), shape?.slice(0, -2) ?? null)]
    },
  }),
]
