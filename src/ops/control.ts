/**
 * Control flow: If, Loop, Scan. What holds after a branch is what both branches agree on; what holds in a loop is
 * what every iteration preserves (the least fixed point, reached from the initial state by joining).
 */

import { graphOf, intAttr, intsAttr } from '../ir/attrs.js'
import type { Dim, Graph, Value } from '../ir/types.js'
import { type Call, type Fact, type OpDef, shapeOf, tensorFact } from './def.js'
import { def } from './make.js'
import { malformed, normalizeAxis, scalarOf, unify, whereOf } from './shapes.js'

/** What two facts agree on; null where that is nothing. */
function joinFacts(a: Fact | null, b: Fact | null): Fact | null {
  if (a === null || b === null) return null
  const value = joinValues(a.value, b.value)
  if (value === null) return null
  const content =
    a.content && b.content?.length === a.content.length ? a.content.map((c, i) => joinDim(c, b.content![i]!)) : null
  return content?.some((c) => c !== null) ? { value, content } : { value }
}

const joinDim = (a: Dim, b: Dim): Dim => (a === b ? a : null)

function joinValues(a: Value, b: Value): Value | null {
  if (a === b) return a
  if (a.kind === 'tensor' && b.kind === 'tensor') {
    const dtype = a.dtype === b.dtype ? a.dtype : 'undefined'
    const shape =
      a.shape && b.shape && a.shape.length === b.shape.length ? a.shape.map((d, i) => joinDim(d, b.shape![i]!)) : null
    return { kind: 'tensor', dtype, shape }
  }
  if ((a.kind === 'sequence' && b.kind === 'sequence') || (a.kind === 'optional' && b.kind === 'optional')) {
    const element = joinValues(a.element, b.element)
    return element && { kind: a.kind, element }
  }
  return null
}

/** Content is compared by itself: as JSON, NaN and infinities would be unknown elements. */
const sameFact = (a: Fact | null, b: Fact | null): boolean =>
  JSON.stringify(a?.value) === JSON.stringify(b?.value) &&
  a?.content?.length === b?.content?.length &&
  (a?.content ?? []).every((c, i) => Object.is(c, b?.content?.[i]))

function bodyOf(call: Call, attr: string): Graph {
  const graph = graphOf(call.node, attr)
  if (graph === undefined) throw malformed(whereOf(call), `the subgraph ${attr} is missing`)
  return graph
}

/** Only the branch that a known condition takes is looked at. */
function inferIf(call: Call): readonly (Fact | null)[] {
  const condition = scalarOf(call, 0)
  if (typeof condition === 'number') return call.subgraph(bodyOf(call, condition ? 'then_branch' : 'else_branch'), [])
  const taken = call.subgraph(bodyOf(call, 'then_branch'), [])
  const other = call.subgraph(bodyOf(call, 'else_branch'), [])
  if (taken.length !== other.length) {
    throw malformed(whereOf(call), 'the branches have different numbers of outputs', [taken.length, other.length])
  }
  return taken.map((f, i) => joinFacts(f, other[i]!))
}

/** Facts about the states that every iteration preserves, and about all outputs of the body under them. */
function fixedPoint(
  initial: readonly (Fact | null)[],
  run: (states: readonly (Fact | null)[]) => readonly (Fact | null)[],
): { readonly states: readonly (Fact | null)[]; readonly next: readonly (Fact | null)[] } {
  let states = initial
  for (;;) {
    const next = run(states)
    const joined = states.map((s, i) => joinFacts(s, next[i] ?? null))
    if (joined.every((s, i) => sameFact(s, states[i]!))) return { states, next }
    states = joined
  }
}

interface LoopFacts {
  readonly states: readonly (Fact | null)[]
  readonly scans: readonly (Fact | null)[]
  readonly trips: Dim
}

/** Loop: inputs M, cond, states; body inputs iteration, cond, states; body outputs cond, states, scans. */
function loop(call: Call): LoopFacts {
  const body = bodyOf(call, 'body')
  const iteration = tensorFact('int64', [])
  // The body only ever runs under a true condition.
  const condition = tensorFact('bool', [], [1])
  let goesOn: Fact | null = null
  const { states, next } = fixedPoint(call.inputs.slice(2), (now) => {
    const out = call.subgraph(body, [iteration, condition, ...now])
    goesOn = out[0] ?? null
    return out.slice(1)
  })
  const whole = call.node.inputs[0] ? scalarOf(call, 0) : null
  const starts = call.node.inputs[1] ? scalarOf(call, 1) : 1
  const stays = (goesOn as Fact | null)?.content?.[0] === 1
  const trips = starts === 0 ? 0 : starts === 1 && stays ? whole : null
  return { states, scans: next.slice(states.length), trips: typeof trips === 'number' ? Math.max(0, trips) : trips }
}

/** A fact with one more axis. Content does not survive. */
function stacked(call: Call, f: Fact | null, axis: number, size: Dim, front: readonly Dim[] = []): Fact | null {
  if (f?.value.kind !== 'tensor') return null
  const shape = f.value.shape
  if (shape === null) return tensorFact(f.value.dtype, null)
  const at = normalizeAxis(axis, shape.length + 1, whereOf(call))
  return tensorFact(f.value.dtype, [...front, ...shape.slice(0, at), size, ...shape.slice(at)])
}

function inferLoop(call: Call): (Fact | null)[] {
  const { states, scans, trips } = loop(call)
  return [...states, ...scans.map((f) => stacked(call, f, 0, trips))]
}

/** The element that a scan hands to its body: one axis less. */
function slice(
  call: Call,
  f: Fact | null,
  axis: number,
  front = 0,
): { readonly element: Fact | null; readonly size: Dim } {
  const shape = shapeOf(f)
  if (f?.value.kind !== 'tensor' || shape === null) {
    return { element: f?.value.kind === 'tensor' ? tensorFact(f.value.dtype, null) : null, size: null }
  }
  const inner = shape.slice(front)
  const at = normalizeAxis(axis, inner.length, whereOf(call))
  return {
    element: tensorFact(
      f.value.dtype,
      inner.filter((_, i) => i !== at),
    ),
    size: inner[at]!,
  }
}

interface ScanFacts {
  readonly states: readonly (Fact | null)[]
  readonly scans: readonly (Fact | null)[]
  readonly trips: Dim
  readonly batch: Dim
}

/** Scan: states, then scanned inputs. Opset 8 has a leading sequence_lens and a batch axis before everything. */
function scan(call: Call): ScanFacts {
  const body = bodyOf(call, 'body')
  const batched = call.opset < 9
  const inputs = batched ? call.inputs.slice(1) : call.inputs
  const scanned = intAttr(call.node, 'num_scan_inputs', 0)
  const count = inputs.length - scanned
  if (count < 0 || scanned < 1) throw malformed(whereOf(call), 'num_scan_inputs does not fit the inputs', scanned)
  const axes = intsAttr(call.node, 'scan_input_axes') ?? []
  const front = batched ? 1 : 0
  const elements = inputs.slice(count).map((f, i) => slice(call, f, axes[i] ?? 0, front))
  const trips = elements.reduce<Dim>((n, { size }) => unify(n, size, whereOf(call)), null)
  const batch = batched ? inputs.reduce<Dim>((n, f) => unify(n, shapeOf(f)?.[0] ?? null, whereOf(call)), null) : null
  const initial = inputs.slice(0, count).map((f) => (batched ? slice(call, f, 0).element : f))
  const { states, next } = fixedPoint(initial, (now) =>
    call.subgraph(body, [...now, ...elements.map(({ element }) => element)]),
  )
  return { states, scans: next.slice(count), trips, batch }
}

function inferScan(call: Call): (Fact | null)[] {
  const { states, scans, trips, batch } = scan(call)
  const axes = intsAttr(call.node, 'scan_output_axes') ?? []
  if (call.opset >= 9) return [...states, ...scans.map((f, i) => stacked(call, f, axes[i] ?? 0, trips))]
  return [...states.map((f) => stacked(call, f, 0, batch)), ...scans.map((f) => stacked(call, f, 0, trips, [batch]))]
}

const number = (d: Dim): number | null => (typeof d === 'number' ? d : null)

export const control: readonly OpDef[] = [
  {
    ...def('If', 1, {
      inputs: ['cond'],
      outputs: ['outputs*'],
      attrs: { else_branch: 'graph', then_branch: 'graph' },
      infer: inferIf,
    }),
    runs: () => 'one',
  },
  {
    ...def('Loop', 1, {
      inputs: ['M?', 'cond?', 'v_initial*'],
      outputs: ['v_final_and_scan_outputs*'],
      attrs: { body: 'graph' },
      infer: inferLoop,
    }),
    runs: (call) => number(loop(call).trips),
  },
  {
    ...def('Scan', 8, {
      inputs: ['initial_state_and_scan_inputs*'],
      outputs: ['final_state_and_scan_outputs*'],
      attrs: {
        body: 'graph',
        directions: 'ints',
        num_scan_inputs: 'int',
        scan_input_axes: 'ints',
        scan_input_directions: 'ints',
        scan_output_axes: 'ints',
        scan_output_directions: 'ints',
      },
      infer: inferScan,
    }),
    runs: (call) => {
      const { trips, batch } = scan(call)
      if (typeof trips !== 'number') return null
      return call.opset >= 9 ? trips : typeof batch === 'number' ? trips * batch : null
    },
  },
]
