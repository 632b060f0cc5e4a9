/**
 * Absorbing high biases (Nagel et al. 2019, section 4.1.3): a channel that never falls below c > 0 passes Relu as it is,
 * so c can be taken off its bias and W₂·c added to the next one. The outputs stay, and the value between spans less. The
 * paper takes c = max(0, β − 3γ) from a BatchNormalization; here that is folded, and samples show the least value.
 */

import type { Samples } from '../../data/samples.js'
import { intsAttr, stringAttr } from '../../ir/attrs.js'
import { floats } from '../../ir/tensor.js'
import type { Model, Node } from '../../ir/types.js'
import type { Env } from '../../passes/pass.js'
import { channelStats } from '../channel-stats.js'
import { isPlainGemm } from '../quantize/products.js'
import { constantsOf, type Flow } from './flows.js'
import { type Part, sourceOf } from './parts.js'
import { type Slot, withSlots } from './rescale.js'

/** Part of the least value seen that is absorbed: other inputs may go a little lower. */
const ROOM = 0.9

/** The model with what channels never fall below moved into the biases behind them; the same model where none is so high. */
export async function absorbBiases(model: Model, flows: readonly Flow[], samples: Samples, env: Env): Promise<Model> {
  const constantOf = constantsOf(model)
  const shifts = flows.flatMap((flow) => shiftOf(flow, constantOf) ?? [])
  const targets = shifts.map(({ flow: { value, source } }) => ({
    name: value,
    rank: source.node.op === 'Conv' ? source.parts[0]!.tensor.shape.length : 2,
    axis: 1,
  }))
  const stats = await channelStats(model, targets, samples, env, { kind: 'range' })
  const slots = new Map<Node, Slot>()
  const slotOf = (part: Part): Float64Array => {
    const slot = slots.get(part.node) ?? { part, data: Float64Array.from(floats(part.tensor)) }
    slots.set(part.node, slot)
    return slot.data
  }
  for (const { flow, bias, sinks } of shifts) {
    const least = stats.get(flow.value)?.min.map((v) => ROOM * Math.max(0, v))
    if (least === undefined || !least.some((v) => v > 0)) continue
    const own = slotOf(bias)
    least.forEach((v, c) => {
      own[c]! -= v
    })
    for (const { read, made, added } of sinks) {
      const weight = floats(read.tensor)
      const next = slotOf(added)
      weight.forEach((w, i) => {
        next[made.channelOf(i)]! += w * least[read.channelOf(i)]!
      })
    }
  }
  return withSlots(model, new Set(slots.values()))
}

interface Shift {
  readonly flow: Flow
  readonly bias: Part
  readonly sinks: readonly { readonly read: Part; readonly made: Part; readonly added: Part }[]
}

/** Between the layers a shift must stay a shift. */
const KEEPS_SHIFTS: ReadonlySet<string> = new Set([
  'Flatten',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
  'LeakyRelu',
  'MaxPool',
  'PRelu',
  'Relu',
  'Reshape',
  'Squeeze',
  'Transpose',
])

function shiftOf(flow: Flow, constantOf: ReturnType<typeof constantsOf>): Shift | null {
  const { source, between, read } = flow
  const bias = biasOf(source.parts)
  if (bias === null || !between.every((n) => KEEPS_SHIFTS.has(n.op)) || !isShiftable(source.node)) return null
  const sinks = read.flatMap((part) => {
    const made = isShiftable(part.node) && !isPadded(part.node) ? sourceOf(part.node, null, constantOf) : null
    const added = made && biasOf(made.parts)
    return added ? [{ read: part, made: made!.parts[0]!, added }] : []
  })
  return sinks.length === read.length ? { flow, bias, sinks } : null
}

const biasOf = (parts: readonly Part[]): Part | null => parts.find(({ input }) => input === 2) ?? null

const isShiftable = (node: Node): boolean => node.op === 'Conv' || (node.op === 'Gemm' && isPlainGemm(node))

/** Zeros around the value do not move with it. */
const isPadded = (node: Node): boolean =>
  (intsAttr(node, 'pads') ?? []).some((p) => p !== 0) ||
  !['NOTSET', 'VALID'].includes(stringAttr(node, 'auto_pad', 'NOTSET'))
