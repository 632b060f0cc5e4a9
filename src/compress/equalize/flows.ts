/**
 * Flows: a value whose channels may be scaled, s·f(x) = f(s·x), without changing what the model computes. A flow begins
 * where constants make the channels (a layer, or a normalization) and goes on through whatever is positive-homogeneous
 * until, on every way, a layer takes the scale into its weight. Where one way does not end so, there is no flow.
 */

import { intsAttr, stringAttr } from '../../ir/attrs.js'
import { consumers } from '../../ir/graphs.js'
import { numbers } from '../../ir/tensor.js'
import type { Dim, Model, Node } from '../../ir/types.js'
import { shapeOf } from '../../ops/def.js'
import { type FactOf, factFinder } from '../../passes/facts.js'
import { rootScope } from '../../passes/scope.js'
import { allFinite } from '../quantize/weights.js'
import { addedPart, type ConstantOf, type Layout, type Part, type Source, sinkOf, sourceOf } from './parts.js'

export interface Flow {
  /** The value that the source makes. */
  readonly value: string
  readonly source: Source
  readonly channels: number
  /** Constants that are divided by the scale of their channel. */
  readonly made: readonly Part[]
  /** Weights that are multiplied by it. */
  readonly read: readonly Part[]
  /** The values that enter those weights, one for each. */
  readonly entering: readonly Entering[]
  /** Nodes between. */
  readonly between: readonly Node[]
}

export interface Entering {
  readonly name: string
  readonly layout: Layout
  readonly rank: number
}

/** All flows of the main graph, in its order. */
export function findFlows(model: Model): readonly Flow[] {
  const { graph } = model
  const look = lookInto(model)
  return graph.nodes.flatMap((node) => {
    const value = node.outputs[0] ?? ''
    const source = sourceOf(node, look.rankOf(value), look.constantOf)
    if (source === null || node.outputs.slice(1).some((out) => look.isRead(out))) return []
    const end = follow(value, source, look)
    return end === null || end.read.length === 0 ? [] : [end]
  })
}

export interface Look {
  readonly constantOf: ConstantOf
  readonly shapeOf: (name: string) => readonly Dim[] | null
  rankOf(name: string): number | null
  readersOf(name: string): readonly Node[]
  isOutput(name: string): boolean
  isRead(name: string): boolean
  /** True where this one input of this one node reads it. */
  isPrivate(name: string): boolean
}

/** The finite float32 constants of the main graph that nobody else can see or change. */
export function constantsOf(model: Model): ConstantOf {
  const outputs = new Set(model.graph.outputs)
  const scope = rootScope(model)
  return (name) => {
    const tensor = name === undefined || outputs.has(name) ? null : scope.constant(name)
    return tensor?.dtype === 'float32' && allFinite(tensor) ? tensor : null
  }
}

export function lookInto(model: Model): Look {
  const { graph } = model
  const readers = consumers(graph)
  const outputs = new Set(graph.outputs)
  const facts: FactOf = factFinder(model)
  const shape = (name: string): readonly Dim[] | null => shapeOf(facts(name))
  return {
    constantOf: constantsOf(model),
    shapeOf: shape,
    rankOf: (name) => shape(name)?.length ?? null,
    readersOf: (name) => readers.get(name) ?? [],
    isOutput: (name) => outputs.has(name),
    isRead: (name) => outputs.has(name) || (readers.get(name)?.length ?? 0) > 0,
    isPrivate: (name) => {
      const [reader, ...others] = readers.get(name) ?? []
      return others.length === 0 && reader?.inputs.filter((i) => i === name).length === 1
    },
  }
}

/** Follows a value to all that reads it. */
function follow(value: string, source: Source, look: Look): Flow | null {
  const made: Part[] = [...source.parts]
  const read: Part[] = []
  const entering: Entering[] = []
  const between: Node[] = []
  const scaled = new Map<string, Layout>()
  const factors: string[] = []
  const open: (readonly [string, Layout])[] = [[value, source.layout]]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [name, layout] = next
    scaled.set(name, layout)
    if (look.isOutput(name)) return null
    for (const node of look.readersOf(name)) {
      const step = stepThrough(node, name, layout, source.channels, look)
      if (step === null) return null
      if (step.kind === 'sink') {
        read.push(step.part)
        entering.push({ name, layout, rank: look.rankOf(name)! })
        continue
      }
      between.push(node)
      if (step.added) made.push(step.added)
      if (step.factor !== undefined) factors.push(step.factor)
      open.push([node.outputs[0]!, step.layout])
    }
  }
  // A product of two scaled values has both scales.
  if (factors.some((name) => scaled.has(name))) return null
  // A weight that others read too would be there twice.
  if ([...made, ...read].some((p) => p.isWeight && !look.isPrivate(p.node.inputs[p.input]!))) return null
  return { value, source, channels: source.channels, made, read, entering, between }
}

type StepThrough =
  | { readonly kind: 'sink'; readonly part: Part }
  | { readonly kind: 'through'; readonly layout: Layout; readonly added?: Part; readonly factor?: string }

/** What becomes of the scale of a value in one of its readers; null where it cannot go on. */
function stepThrough(node: Node, name: string, layout: Layout, channels: number, look: Look): StepThrough | null {
  if (node.domain !== '' || node.inputs.filter((i) => i === name).length !== 1) return null
  const at = node.inputs.indexOf(name)
  const out = node.outputs[0] ?? ''
  if (node.outputs.slice(1).some((other) => look.isRead(other))) return null
  const through = (next: Layout = layout): StepThrough => ({ kind: 'through', layout: next })
  switch (node.op) {
    case 'Conv':
    case 'Gemm':
    case 'MatMul': {
      const part = at === 0 ? sinkOf(node, layout, look.rankOf(name), look.constantOf) : null
      return part && { kind: 'sink', part }
    }
    case 'Relu':
    case 'LeakyRelu':
    case 'Identity':
      return through()
    case 'PRelu':
      return at === 0 ? through() : null
    case 'MaxPool':
    case 'AveragePool':
    case 'GlobalAveragePool':
    case 'GlobalMaxPool':
      return layout.axis === 1 ? through() : null
    case 'Clip':
      return at === 0 && isRelu(node, look.constantOf) ? through() : null
    case 'Resize':
      return at === 0 && !isCropped(node) && keepsAxis(name, out, layout, look) ? through() : null
    case 'Mul':
    case 'Div':
      if (node.op === 'Div' && at !== 0) return null
      return keepsAxis(name, out, layout, look) ? { kind: 'through', layout, factor: node.inputs[1 - at]! } : null
    case 'Add':
    case 'Sub': {
      if (!keepsAxis(name, out, layout, look)) return null
      const added = addedPart(node, 1 - at, channels, layout, look.rankOf(name)!, look.constantOf)
      return added && { kind: 'through', layout, added }
    }
    case 'Transpose': {
      const rank = look.rankOf(name)
      const perm =
        intsAttr(node, 'perm') ?? (rank === null ? null : Array.from({ length: rank }, (_, i) => rank - 1 - i))
      return perm && through({ ...layout, axis: perm.indexOf(layout.axis) })
    }
    case 'Flatten':
    case 'Reshape':
    case 'Squeeze': {
      const next = merged(name, out, layout, look)
      return at === 0 && next ? through(next) : null
    }
    default:
      return null
  }
}

/** Clip from zero without an upper end. */
function isRelu({ inputs }: Node, constantOf: ConstantOf): boolean {
  const low = constantOf(inputs[1])
  return low !== null && numbers(low)[0] === 0 && (inputs[2] ?? '') === ''
}

/** Outside of what it crops, a Resize fills in a number that has no channel's scale. */
const isCropped = (node: Node): boolean => stringAttr(node, 'coordinate_transformation_mode') === 'tf_crop_and_resize'

/** The same rank, and as many elements along the channels' axis. */
function keepsAxis(from: string, to: string, { axis }: Layout, look: Look): boolean {
  const [a, b] = [look.shapeOf(from), look.shapeOf(to)]
  return a !== null && b !== null && a.length === b.length && typeof a[axis] === 'number' && a[axis] === b[axis]
}

/** The axes behind the channels' merged into theirs: [N, C, H, W] → [N, C·H·W]. */
function merged(from: string, to: string, { axis, repeat }: Layout, look: Look): Layout | null {
  const [a, b] = [look.shapeOf(from), look.shapeOf(to)]
  if (a === null || b === null || b.length !== axis + 1) return null
  const inner = a.slice(axis + 1)
  if (!inner.every((d) => typeof d === 'number') || typeof a[axis] !== 'number') return null
  const area = inner.reduce<number>((n, d) => n * (d as number), 1)
  return b[axis] === a[axis] * area ? { axis, repeat: repeat * area } : null
}
