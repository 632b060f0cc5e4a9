/**
 * The gradient of an Einstein sum by one operand is an Einstein sum of dY and the other operands. A letter that only
 * this operand has was summed over: what flows back is the same all along it. An ellipsis is read as letters.
 */

import { str } from '../../ir/attrs.js'
import type { Dim } from '../../ir/types.js'
import type { GradCall, GradRule } from '../def.js'
import { equationOf } from '../einsum.js'
import { list, op, refused, shapeOfInput, unbroadcast } from './tools.js'

export const einsumGrad: GradRule = (g) => {
  const { operands, output } = spelled(g)
  if ([...operands, output].some((term) => new Set(term).size < term.length))
    throw refused(g, 'a letter twice in a term')
  const sizes = sizesOf(g, operands)
  return operands.map((term, i) => (g.wants(i) ? byOperand(g, operands, output, i, term, sizes) : null))
}

/** The equation with letters of their own for the axes of the ellipsis, which are matched from the right. */
function spelled(g: GradCall): { readonly operands: readonly string[]; readonly output: string } {
  const { operands, output } = equationOf(g)
  const taken = new Set([...operands, output].join(''))
  const free = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter((l) => !taken.has(l))
  const hidden = operands.map((term, i) => (term.includes('.') ? shapeOfInput(g, i).length - term.length + 1 : 0))
  const most = Math.max(0, ...hidden)
  const letters = (count: number): string => free.slice(most - count, most).join('')
  return {
    operands: operands.map((term, i) => term.replace('.', letters(hidden[i]!))),
    output: output.replace('.', letters(most)),
  }
}

/** Of each letter; a size of 1 gives way to another. */
function sizesOf(g: GradCall, operands: readonly string[]): ReadonlyMap<string, Dim> {
  const sizes = new Map<string, Dim>()
  operands.forEach((term, i) => {
    const shape = shapeOfInput(g, i)
    ;[...term].forEach((letter, axis) => {
      if ((sizes.get(letter) ?? 1) === 1) sizes.set(letter, shape[axis] ?? null)
    })
  })
  return sizes
}

function byOperand(
  g: GradCall,
  operands: readonly string[],
  output: string,
  i: number,
  term: string,
  sizes: ReadonlyMap<string, Dim>,
): string {
  const others = operands.filter((_, k) => k !== i)
  const present = new Set([output, ...others].join(''))
  const kept = [...term].filter((letter) => present.has(letter)).join('')
  const names = [g.dy[0]!, ...g.node.inputs.filter((_, k) => k !== i)]
  const sum = op(g, 'Einsum', names, { equation: str(`${[output, ...others].join(',')}->${kept}`) })
  const missing = [...term].flatMap((letter, axis) => (present.has(letter) ? [] : [axis]))
  const from = [...term].map((letter) => (present.has(letter) ? (sizes.get(letter) ?? null) : 1))
  const whole = missing.length === 0 ? sum : op(g, 'Unsqueeze', [sum, list(g, missing)])
  const summed = unbroadcast(g, whole, i, from)
  // A letter that is summed over may be of size 1 in all other operands.
  const isWhole = missing.length === 0 && [...kept].every((letter) => output.includes(letter))
  if (isWhole) return summed
  return op(g, 'Expand', [summed, op(g, 'Shape', [g.node.inputs[i]!])])
}
