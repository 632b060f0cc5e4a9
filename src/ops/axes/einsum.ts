/** Axes of Einsum: letters of the output go through, letters that two operands share alone are summed over. */

import { type AxesRule, type AxisLink, type AxisRef, shapeOf } from '../def.js'
import { equationOf } from '../einsum.js'
import { inAxis, outAxis, rankOf, sum, tie } from './tools.js'

export const einsumAxes: AxesRule = {
  links(call) {
    const { operands, output } = equationOf(call)
    if (call.inputs.some((fact) => shapeOf(fact) === null)) return []
    const hidden = rankOf(call.outputs[0]) - output.replace('.', '').length
    const at = new Map<string, AxisRef[]>()
    operands.forEach((term, input) => {
      const own = rankOf(call.inputs[input]) - term.replace('.', '').length
      for (const [letter, axis] of axesOf(term, own)) {
        if (shapeOf(call.inputs[input])![axis] === 1) continue
        at.set(letter, [...(at.get(letter) ?? []), inAxis(input, axis)])
      }
    })
    const out = new Map(axesOf(output, hidden))
    return [...at].flatMap(([letter, refs]): readonly AxisLink[] => {
      const to = out.get(letter)
      if (to !== undefined) return refs.map((ref) => tie(ref, outAxis(0, to)))
      return refs.length === 2 && operands.length === 2 ? [sum(refs[0]!, refs[1]!)] : []
    })
  },
}

/** The letters of a term with their axes; those that an ellipsis hides are named by their place from the right. */
function axesOf(term: string, hidden: number): readonly (readonly [string, number])[] {
  const letters = [...term].flatMap((l) =>
    l === '.' ? Array.from({ length: hidden }, (_, i) => `.${hidden - i}`) : [l],
  )
  return letters.map((letter, axis) => [letter, axis] as const)
}
