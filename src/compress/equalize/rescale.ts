/** Scaling the channels of flows: what they compute stays, the constants on both sides change. */

import { withConstants } from '../../ir/edits.js'
import { consumers, withGraph } from '../../ir/graphs.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model, Node, Tensor } from '../../ir/types.js'
import { freshNames } from '../../passes/names.js'
import type { Flow } from './flows.js'
import type { Part } from './parts.js'

/** One constant as one node reads it, while its channels are being scaled. */
export interface Slot {
  readonly part: Part
  readonly data: Float64Array
}

/** What makes and what reads the channels that are scaled. */
type Scaled = Pick<Flow, 'made' | 'read'>

const keyOf = ({ node, input }: Part): string => `${node.outputs[0]} ${input}`

/** Working copies, in double precision, of all constants of some flows; one for each input of a node. */
export function slotsOf(flows: readonly Scaled[]): ReadonlyMap<string, Slot> {
  const slots = new Map<string, Slot>()
  for (const part of flows.flatMap((flow) => [...flow.made, ...flow.read])) {
    const key = keyOf(part)
    if (!slots.has(key)) slots.set(key, { part, data: Float64Array.from(floats(part.tensor)) })
  }
  return slots
}

export const slotOf = (slots: ReadonlyMap<string, Slot>, part: Part): Slot => slots.get(keyOf(part))!

/** The largest magnitude of each channel, over all weights among the parts. */
export function rangesOf(slots: ReadonlyMap<string, Slot>, parts: readonly Part[], channels: number): Float64Array {
  const ranges = new Float64Array(channels)
  for (const part of parts) {
    if (!part.isWeight) continue
    slotOf(slots, part).data.forEach((v, i) => {
      const c = part.channelOf(i)
      ranges[c] = Math.max(ranges[c]!, Math.abs(v))
    })
  }
  return ranges
}

/** Divides what makes the flow's channels by their scales and multiplies what reads them, in place. */
export function scaleFlow(slots: ReadonlyMap<string, Slot>, flow: Scaled, scales: ArrayLike<number>): void {
  for (const part of flow.made) {
    const { data } = slotOf(slots, part)
    for (let i = 0; i < data.length; i++) data[i]! /= scales[part.channelOf(i)]!
  }
  for (const part of flow.read) {
    const { data } = slotOf(slots, part)
    for (let i = 0; i < data.length; i++) data[i]! *= scales[part.channelOf(i)]!
  }
}

/**
 * The model with other constants in its nodes. A constant that other nodes read too stays for them, and the node gets
 * one of its own.
 */
export function withSlots(model: Model, slots: ReadonlySet<Slot>): Model {
  if (slots.size === 0) return model
  const { graph } = model
  const readers = consumers(graph)
  const fresh = freshNames(model)
  const constants = new Map<string, Tensor>()
  const inputs = new Map<Node, Map<number, string>>()
  for (const { part, data } of slots) {
    const { node, input, tensor } = part
    const old = node.inputs[input]!
    const isOwn = readers.get(old)!.length === 1 && node.inputs.filter((name) => name === old).length === 1
    const name = isOwn ? old : fresh(old)
    constants.set(name, { ...f32(tensor.shape, data), ...(tensor.doc !== undefined && { doc: tensor.doc }) })
    if (!isOwn) inputs.set(node, (inputs.get(node) ?? new Map()).set(input, name))
  }
  const nodes = graph.nodes.map((node) => {
    const own = inputs.get(node)
    return own === undefined ? node : { ...node, inputs: node.inputs.map((name, i) => own.get(i) ?? name) }
  })
  return withGraph(model, withConstants({ ...graph, nodes }, constants))
}

/** The power of two that is nearest to a positive number, by their ratio. */
export const powerOfTwo = (scale: number): number => 2 ** Math.round(Math.log2(scale))
