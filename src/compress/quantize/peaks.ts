/**
 * Peaks: the largest value of each channel of what enters a layer, over all calibration samples. A few numbers a
 * sample leave the engine, and no more are kept than the layer has input channels.
 */

import { int, intAttr, ints } from '../../ir/attrs.js'
import { floats, i64 } from '../../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../../ir/types.js'
import { standardOpset } from '../../passes/standard-domain.js'
import type { Unit } from './units.js'

/** Whether neighbouring products of this unit are added in 16 bits: depthwise kernels widen to 32 before they add. */
export const isSummed = (unit: Unit): boolean => unit.weight !== undefined && unit.kind !== 'depthwise'

/** What a unit's peaks are known by: the value, and the axis along which the unit sums. */
export const peakKey = (unit: Unit): string => `${unit.kind === 'conv' ? 'channels' : 'columns'} of ${unit.data[0]}`

/** A value whose peaks are asked for. */
export interface PeakTarget {
  readonly key: string
  readonly name: string
  readonly channels: number
  /** Rank where the channels lie along axis 1; null where they are the last axis. */
  readonly rank: number | null
}

/** The peaks that a static recipe may need. */
export function peakTargets(graph: Graph, units: readonly Unit[]): readonly PeakTarget[] {
  const targets = units.filter(isSummed).map((unit): PeakTarget => {
    const { shape } = graph.constants.get(unit.weight!)!
    const [channels, rank] =
      unit.kind === 'conv' ? [shape[1]! * intAttr(unit.node, 'group', 1), shape.length] : [shape[1 - unit.axis!]!, null]
    return { key: peakKey(unit), name: unit.data[0]!, channels, rank }
  })
  return [...new Map(targets.map((t) => [t.key, t])).values()]
}

export interface PeakProbe {
  readonly nodes: readonly Node[]
  readonly constants: ReadonlyMap<string, Tensor>
  readonly outputs: readonly string[]
  count(value: (name: string) => Tensor | undefined): void
  /** The greatest element in the run counted last; undefined for values that are not asked about. */
  greatest(name: string): number | undefined
  /** By `PeakTarget.key`; −∞ where nothing was seen. */
  peaks(): ReadonlyMap<string, Float32Array>
}

/** Nodes that find the peaks of one run and put them into one output: each output costs a message of its own. */
export function peakProbe(model: Model, targets: readonly PeakTarget[], fresh: (hint: string) => string): PeakProbe {
  const constants = new Map<string, Tensor>()
  const constant = (values: readonly number[]): string => {
    const name = fresh('axes')
    constants.set(name, i64([values.length], values))
    return name
  }
  const plain = { name: '', domain: '' }
  const maximum = (input: string, axes: readonly number[], output: string): Node =>
    standardOpset(model.opsets) < 18
      ? { ...plain, op: 'ReduceMax', inputs: [input], outputs: [output], attrs: { axes: ints(axes), keepdims: int(0) } }
      : { ...plain, op: 'ReduceMax', inputs: [input, constant(axes)], outputs: [output], attrs: { keepdims: int(0) } }
  const parts = targets.map((t) => fresh(`${t.name}_peaks`))
  const nodes = targets.flatMap(({ name, channels, rank }, i): readonly Node[] => {
    if (rank !== null) return [maximum(name, axesBut1(rank), parts[i]!)]
    const rows = fresh(`${name}_rows`)
    const shape = constant([-1, channels])
    return [
      { ...plain, op: 'Reshape', inputs: [name, shape], outputs: [rows], attrs: {} },
      maximum(rows, [0], parts[i]!),
    ]
  })
  const all = fresh('peaks')
  const concat: Node = { ...plain, op: 'Concat', inputs: parts, outputs: [all], attrs: { axis: int(0) } }
  const seen = targets.map((t) => new Float32Array(t.channels).fill(Number.NEGATIVE_INFINITY))
  const greatest = new Map(targets.map((t) => [t.name, Number.NEGATIVE_INFINITY]))
  return {
    nodes: targets.length === 0 ? [] : [...nodes, concat],
    constants,
    outputs: targets.length === 0 ? [] : [all],
    count(value) {
      if (targets.length === 0) return
      const found = floats(value(all)!)
      let at = 0
      targets.forEach(({ name, channels }, t) => {
        const own = found.subarray(at, at + channels)
        at += channels
        greatest.set(name, raise(seen[t]!, own))
      })
    },
    greatest: (name) => greatest.get(name),
    peaks: () => new Map(targets.map(({ key }, t) => [key, seen[t]!])),
  }
}

/** Raises each peak to what was found, and tells the greatest of what was found. */
function raise(peaks: Float32Array, found: Float32Array): number {
  let greatest = Number.NEGATIVE_INFINITY
  for (let c = 0; c < peaks.length; c++) {
    const v = found[c]!
    if (v > peaks[c]!) peaks[c] = v
    if (v > greatest) greatest = v
  }
  return greatest
}

const axesBut1 = (rank: number): readonly number[] => Array.from({ length: rank }, (_, i) => i).filter((i) => i !== 1)
