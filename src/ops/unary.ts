/** Element-wise mathematics of one input, and the determinant. */

import { dtypeOf, type OpDef, shapeOf } from './def.js'
import { expGrad, logGrad, negGrad } from './gradients/unary.js'
import { def, fact, unary as math } from './make.js'
import { malformed, unify, whereOf } from './shapes.js'

/** Round half to even, as the operator does. */
function roundEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor
}

export const unary: readonly OpDef[] = [
  math('Abs', 1, { fold: Math.abs }),
  math('Neg', 1, { fold: (x) => -x, grad: negGrad }),
  math('Exp', 1, { grad: expGrad }),
  math('Log', 1, { grad: logGrad }),
  math('Sqrt', 1, { fold: Math.sqrt }),
  math('Reciprocal', 1, { fold: (x) => 1 / x }),
  math('Floor', 1, { fold: Math.floor }),
  math('Ceil', 1, { fold: Math.ceil }),
  math('Round', 11, { fold: roundEven }),
  math('Sign', 9, { fold: Math.sign }),
  math('Sin', 7),
  math('Cos', 7),
  math('Tan', 7),
  math('Asin', 7),
  math('Acos', 7),
  math('Atan', 7),
  math('Sinh', 9),
  math('Cosh', 9),
  math('Asinh', 9),
  math('Acosh', 9),
  math('Atanh', 9),
  math('Erf', 9),
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
