/** Einstein summation: parsing the equation, the output's shape, the products. ONNX operator specification, Einsum. */

import { stringAttr } from '../ir/attrs.js'
import type { Dim } from '../ir/types.js'
import { type Call, shapeOf } from './def.js'
import { broadcast, malformed, product, unify, whereOf } from './shapes.js'

export interface Equation {
  /** Letters of each operand, `.` for an ellipsis. */
  readonly operands: readonly string[]
  readonly output: string
}

/** Without an arrow the output holds the ellipsis and the letters that occur once, in alphabetical order. */
export function equationOf(call: Call): Equation {
  const text = stringAttr(call.node, 'equation', '').replace(/\s/g, '').replaceAll('...', '.')
  const [left = '', right] = text.split('->')
  const operands = left.split(',')
  if (!/^[A-Za-z.,]*(->[A-Za-z.]*)?$/.test(text) || operands.length !== call.inputs.length) {
    throw malformed(whereOf(call), `the equation does not fit ${call.inputs.length} operands`, text)
  }
  if (right !== undefined) return { operands, output: right }
  const letters = [...left.replace(/[.,]/g, '')]
  const once = letters.filter((l) => letters.indexOf(l) === letters.lastIndexOf(l)).sort()
  return { operands, output: (left.includes('.') ? '.' : '') + once.join('') }
}

interface Labels {
  readonly sizes: ReadonlyMap<string, Dim>
  readonly ellipsis: readonly Dim[]
}

/** Sizes of the letters and of the ellipsis; null where a rank is unknown. */
function labels(call: Call, { operands }: Equation): Labels | null {
  const sizes = new Map<string, Dim>()
  const rests: (readonly Dim[])[] = []
  for (const [i, term] of operands.entries()) {
    const shape = shapeOf(call.inputs[i])
    if (shape === null) return null
    const named = term.replace('.', '').length
    const dots = term.indexOf('.')
    if (dots < 0 ? named !== shape.length : named > shape.length) {
      throw malformed(whereOf(call), `operand ${i} of the equation has another rank`, [term, shape.length])
    }
    const hidden = shape.length - named
    if (dots >= 0) rests.push(shape.slice(dots, dots + hidden))
    ;[...term.replace('.', '')].forEach((letter, k) => {
      const size = shape[dots >= 0 && k >= dots ? k + hidden : k]!
      const before = sizes.get(letter)
      // A letter of size 1 broadcasts, as in numpy.
      sizes.set(
        letter,
        before === undefined || before === 1 ? size : size === 1 ? before : unify(before, size, whereOf(call)),
      )
    })
  }
  return { sizes, ellipsis: broadcast(rests, whereOf(call)) ?? [] }
}

/** The output's shape; null where the rank of an operand is unknown. */
export function einsumShape(call: Call): Dim[] | null {
  const equation = equationOf(call)
  const known = labels(call, equation)
  if (known === null) return null
  return [...equation.output].flatMap((l) => (l === '.' ? known.ellipsis : [known.sizes.get(l) ?? null]))
}

/**
 * Products of the sum written out, every index running: (operands − 1) · ∏ sizes. Contracting pair by pair may need
 * fewer with three or more operands. One operand is only rearranged or summed: 0.
 */
export function einsumMacs(call: Call): Dim {
  if (call.inputs.length < 2) return 0
  const known = labels(call, equationOf(call))
  return known && product([call.inputs.length - 1, ...known.sizes.values(), ...known.ellipsis])
}
