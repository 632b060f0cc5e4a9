/** Adding a constant to each output channel of a layer, whatever form its bias has: stored, as an int32, or none at all. */

import { floatAttr, intAttr } from '../../ir/attrs.js'
import { producers } from '../../ir/graphs.js'
import { elementCount, elements, f32, floats, numbers, tensor } from '../../ir/tensor.js'
import type { Graph, Node } from '../../ir/types.js'
import { axisAttr, type Rewriter, withInput } from './rewrite.js'

/** Adds `shift` [channels] to the value; `behind`: ones for the axes behind that of its channels. */
export function shiftBias(r: Rewriter, value: string, shift: Float64Array, behind: readonly number[]): void {
  const made = producers(r.graph)
  const node = made.get(value)
  if (node === undefined) return
  const hasBias = node.domain === '' && ['Conv', 'ConvTranspose', 'Gemm'].includes(node.op)
  if (hasBias && floatAttr(node, 'beta', 1) === 1) {
    const inputs = [node.inputs[0]!, node.inputs[1]!, shiftedBias(r, node, shift, made)]
    r.replace(node, { ...node, inputs })
    return
  }
  const at = node.op === 'Add' && node.domain === '' ? node.inputs.findIndex((name) => isVector(r.graph, name)) : -1
  if (at >= 0) {
    r.replace(node, withInput(node, at, addedTo(r, node.inputs[at]!, shift)))
    return
  }
  const before = r.fresh(`${value}_r`)
  const constant = r.constant(f32([shift.length, ...behind], shift), `${value}_b`)
  r.replace(
    node,
    { ...node, outputs: node.outputs.map((out) => (out === value ? before : out)) },
    { name: '', domain: '', op: 'Add', inputs: [before, constant], outputs: [value], attrs: {} },
  )
}

/** The name of the bias that a layer with a place for it gets. */
function shiftedBias(r: Rewriter, node: Node, shift: Float64Array, made: ReadonlyMap<string, Node>): string {
  const bias = node.inputs[2] || null
  const grids = [0, 1].map((i) => made.get(node.inputs[i]!)).filter((n) => n?.op === 'DequantizeLinear')
  if (bias === null) return grids.length === 2 ? integerBias(r, node, grids as Node[], shift) : float(r, node, shift)
  if (isVector(r.graph, bias)) return addedTo(r, bias, shift)
  const stored = made.get(bias)
  const integers = stored?.op === 'DequantizeLinear' ? r.graph.constants.get(stored.inputs[0]!) : undefined
  if (stored !== undefined && integers?.dtype === 'int32') {
    const scale = scaleOf(r.graph, stored.inputs[1]!, made)
    if (scale !== null) {
      const q = elements(integers) as Int32Array
      const next = q.map((v, c) => v + Math.round(shift[c]! / scale[scale.length === 1 ? 0 : c]!))
      const values = r.constant(tensor('int32', integers.shape, next), stored.inputs[0]!)
      return r.node('DequantizeLinear', [values, ...stored.inputs.slice(1)], r.fresh(bias), stored.attrs)
    }
  }
  // Of constants: the engine adds them as it loads the model.
  return r.node('Add', [bias, float(r, node, shift)], r.fresh(`${bias}_b`))
}

const float = (r: Rewriter, node: Node, shift: Float64Array): string =>
  r.constant(f32([shift.length], shift), `${node.outputs[0]}_b`)

/** A bias for sums of integers: int32 with the scale of the products, s_x · s_w. */
function integerBias(r: Rewriter, node: Node, [x, w]: readonly Node[], shift: Float64Array): string {
  const [sx, sw] = [r.graph.constants.get(x!.inputs[1]!), r.graph.constants.get(w!.inputs[1]!)]
  if (sx === undefined || sw === undefined) return float(r, node, shift)
  const scales = floats(sw).map((s) => s * floats(sx)[0]!)
  const isSingle = elementCount(sw.shape) === 1 && intAttr(w!, 'axis') === undefined
  const q = Int32Array.from(shift, (v, c) => Math.round(v / scales[isSingle ? 0 : c]!))
  const hint = node.outputs[0]!
  const inputs = [
    r.constant(tensor('int32', [q.length], q), `${hint}_bq`),
    r.constant(f32(isSingle ? [] : [scales.length], scales), `${hint}_bs`),
  ]
  return r.node('DequantizeLinear', inputs, r.fresh(`${hint}_bd`), axisAttr(isSingle ? null : 0))
}

/** Scales that are constants, or the product of two. */
function scaleOf(graph: Graph, name: string, made: ReadonlyMap<string, Node>): Float64Array | null {
  const constant = graph.constants.get(name)
  if (constant !== undefined) return Float64Array.from(numbers(constant))
  const mul = made.get(name)
  if (mul?.op !== 'Mul') return null
  const [a, b] = mul.inputs.map((input) => graph.constants.get(input))
  if (a === undefined || b === undefined) return null
  const [one, two] = [numbers(a), numbers(b)]
  const count = Math.max(one.length, two.length)
  return Float64Array.from({ length: count }, (_, c) => one[c % one.length]! * two[c % two.length]!)
}

/** A float32 constant of one number, or of one a channel along the last axis. */
function isVector({ constants, inputs, outputs }: Graph, name: string): boolean {
  const t = constants.get(name)
  if (t?.dtype !== 'float32' || inputs.includes(name) || outputs.includes(name)) return false
  return t.shape.slice(0, -1).every((d) => d === 1)
}

/** The constant with the shift added, under a name of its own; it may have more readers. */
function addedTo(r: Rewriter, name: string, shift: Float64Array): string {
  const t = r.graph.constants.get(name)!
  const values = floats(t)
  const sum = shift.map((v, c) => v + values[values.length === 1 ? 0 : c]!)
  return r.constant(f32([...t.shape.slice(0, -1), shift.length], sum), name)
}
