/** Arithmetic of two or more inputs that broadcast, on whole numbers also as it computes shapes, and on bits. */

import { intAttr, stringAttr } from '../ir/attrs.js'
import { isFloat } from '../ir/dtypes.js'
import type { Dim, DType } from '../ir/types.js'
import { broadcastAxes } from './axes/tools.js'
import { dtypeOf, type GradRule, type OpDef, shapeOf } from './def.js'
import {
  addGrad,
  divGrad,
  extremeGrad,
  meanGrad,
  modGrad,
  mulGrad,
  powGrad,
  subGrad,
  sumGrad,
} from './gradients/arithmetic.js'
import { binary, commonDType, def, exact, fact, map, unary, zipContent } from './make.js'
import { addDim, broadcast, fits, mulDim, whereOf } from './shapes.js'

type Fold = (a: Dim, b: Dim, dtype: DType) => Dim

/** Folds numbers with `f`, but integers beyond 2^53, which stand for a neighbour; `symbolic`: what is known of symbols. */
const numeric =
  (f: (a: number, b: number, dtype: DType) => number, symbolic: Fold = () => null): Fold =>
  (a, b, dtype) => {
    if (typeof a !== 'number' || typeof b !== 'number') return symbolic(a, b, dtype)
    return fits(a, dtype) && fits(b, dtype) ? exact(f(a, b, dtype), dtype) : null
  }

const add = numeric((a, b) => a + b, addDim)
const subtract = numeric(
  (a, b) => a - b,
  (a, b) => (a === b && a !== null ? 0 : b === 0 ? a : null),
)
const multiply = numeric((a, b) => a * b, mulDim)
const divide = numeric(
  (a, b, dtype) => (isFloat(dtype) ? a / b : Math.trunc(a / b)),
  (a, b) => (b === 1 ? a : null),
)
/** Symbols are sizes, hence ≥ 0. */
const larger = numeric(
  (a, b) => Math.max(a, b),
  (a, b) => (a === b ? a : typeof a === 'number' && a <= 0 ? b : typeof b === 'number' && b <= 0 ? a : null),
)
const smaller = numeric(
  (a, b) => Math.min(a, b),
  (a, b) => (a === b || a === 0 ? a : b === 0 ? b : null),
)

const bits = (f: (a: bigint, b: bigint) => bigint): Fold =>
  numeric((a, b) => (Number.isSafeInteger(a) && Number.isSafeInteger(b) ? Number(f(BigInt(a), BigInt(b))) : Number.NaN))

/** Any number of inputs that broadcast together. */
const variadic = (op: string, since: number, output: string, grad: GradRule, fold?: Fold): OpDef =>
  def(op, since, {
    inputs: ['data_0*'],
    outputs: [output],
    quant: map(0),
    grad,
    axes: broadcastAxes(),
    infer: (call) => {
      const all = call.node.inputs.map((_, i) => i)
      const dtype = commonDType(call, all)
      const shapes = all.map((i) => shapeOf(call.inputs[i]))
      const content = fold ? zipContent(call, all, (...xs) => xs.reduce((a, b) => fold(a, b, dtype))) : null
      return [fact(dtype, broadcast(shapes, whereOf(call)), content)]
    },
  })

export const arithmetic: readonly OpDef[] = [
  binary('Add', 1, { fold: add, grad: addGrad }),
  binary('Sub', 1, { fold: subtract, grad: subGrad }),
  binary('Mul', 1, { fold: multiply, grad: mulGrad }),
  binary('Div', 1, { fold: divide, grad: divGrad }),
  def('Pow', 1, {
    inputs: ['X', 'Y'],
    outputs: ['Z'],
    quant: map(0),
    grad: powGrad,
    axes: broadcastAxes(),
    infer: (call) => {
      const dtype = dtypeOf(call.inputs[0])
      const shape = broadcast([shapeOf(call.inputs[0]), shapeOf(call.inputs[1])], whereOf(call))
      const power = numeric(
        (a, b) => a ** b,
        (a, b) => (b === 1 ? a : null),
      )
      return [fact(dtype, shape, isFloat(dtype) ? null : zipContent(call, [0, 1], (a, b) => power(a!, b!, dtype)))]
    },
  }),
  binary('Mod', 10, {
    attrs: { fmod: 'int' },
    grad: modGrad,
    fold: (a, b, dtype, call) =>
      intAttr(call.node, 'fmod', 0) === 1
        ? numeric((x, y) => x % y)(a, b, dtype)
        : numeric((x, y) => x - y * Math.floor(x / y))(a, b, dtype),
  }),
  variadic('Max', 1, 'max', extremeGrad, larger),
  variadic('Min', 1, 'min', extremeGrad, smaller),
  variadic('Mean', 1, 'mean', meanGrad),
  variadic('Sum', 1, 'sum', sumGrad),
  binary('BitShift', 11, {
    attrs: { direction: 'string' },
    quant: 'none',
    grad: 'flat',
    fold: (a, b, dtype, call) =>
      bits(stringAttr(call.node, 'direction') === 'LEFT' ? (x, y) => x << y : (x, y) => x >> y)(a, b, dtype),
  }),
  binary('BitwiseAnd', 18, { quant: 'none', grad: 'flat', fold: bits((a, b) => a & b) }),
  binary('BitwiseOr', 18, { quant: 'none', grad: 'flat', fold: bits((a, b) => a | b) }),
  binary('BitwiseXor', 18, { quant: 'none', grad: 'flat', fold: bits((a, b) => a ^ b) }),
  unary('BitwiseNot', 18, { quant: 'none', grad: 'flat' }),
]
