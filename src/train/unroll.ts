/**
 * LSTM, GRU and RNN written out step by step in plain operators, which have gradients. Formulas and the order of gates
 * are those of the ONNX operators (LSTM-14, GRU-14, RNN-14).
 */

import { floatAttr, int, intAttr, stringAttr, stringsAttr } from '../ir/attrs.js'
import { type Builder, builder, type FloatType } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { i64 } from '../ir/tensor.js'
import type { Model, Node } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import { isStatic } from '../ops/shapes.js'
import { factFinder } from '../passes/facts.js'

/** Sequences that are longer stay as they are: the graph would grow with each step. */
const MOST_STEPS = 512

/** What one direction of a cell reads, by name; null where the node leaves it out. */
interface Weights {
  /** [inputs, gates · hidden] and [hidden, gates · hidden]. */
  readonly w: string
  readonly r: string
  /** [gates · hidden] each: of the input and of the recurrence. */
  readonly biases: readonly [string, string] | null
  /** Peepholes, [hidden] each, in the order i, o, f. */
  readonly peepholes: readonly string[] | null
}

/** The hidden state, and what else a cell keeps; all [batch, hidden]. */
interface Kept {
  readonly h: string
  readonly c: string | null
}

interface Cell {
  readonly gates: number
  readonly activations: readonly string[]
  /** Places of the optional inputs. */
  readonly states: { readonly h: number; readonly c?: number; readonly p?: number }
  /** The next state from the input's part of the gates, [batch, gates · hidden], biases of the input added. */
  next(b: Builder, fromInput: string, kept: Kept, weights: Weights, node: Node): Kept
}

const CELLS: Readonly<Record<string, Cell>> = {
  LSTM: { gates: 4, activations: ['Sigmoid', 'Tanh', 'Tanh'], states: { h: 5, c: 6, p: 7 }, next: lstm },
  GRU: { gates: 3, activations: ['Sigmoid', 'Tanh'], states: { h: 5 }, next: gru },
  RNN: { gates: 1, activations: ['Tanh'], states: { h: 5 }, next: rnn },
}

/** The model, whose input shapes are fixed. What has no plain form (clipping, other activations, lengths) stays. */
export function withUnrolled(model: Model, float: FloatType): Model {
  const { graph } = model
  if (!graph.nodes.some((node) => cellOf(node) !== null)) return model
  const facts = factFinder(model)
  const b = builder(allNames(graph), float)
  const added = b.graph()
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const cell = cellOf(node)
    const shape = cell && shapeOf(facts(node.inputs[0]!))
    if (cell === null || !shape || !isStatic(shape) || shape[0]! > MOST_STEPS) return [node]
    const before = added.nodes.length
    unroll(b, node, cell, shape)
    return added.nodes.slice(before)
  })
  return { ...model, graph: { ...graph, nodes, constants: new Map([...graph.constants, ...added.constants]) } }
}

/** The cell of a node in its plain form; null for any other. */
function cellOf(node: Node): Cell | null {
  const cell = node.domain === '' ? CELLS[node.op] : undefined
  if (cell === undefined) return null
  const activations = stringsAttr(node, 'activations') ?? []
  const isPlain =
    activations.every((name, i) => name === cell.activations[i % cell.activations.length]) &&
    !node.inputs[4] &&
    floatAttr(node, 'clip') === undefined &&
    intAttr(node, 'input_forget', 0) === 0 &&
    intAttr(node, 'layout', 0) === 0
  return isPlain ? cell : null
}

function unroll(b: Builder, node: Node, cell: Cell, [length, batch]: readonly number[]): void {
  const direction = stringAttr(node, 'direction', 'forward')
  const count = direction === 'bidirectional' ? 2 : 1
  const hidden = intAttr(node, 'hidden_size', 0)
  const parts = (input: number | undefined): readonly string[] | null =>
    input !== undefined && node.inputs[input] ? along(b, node.inputs[input], 0, count) : null
  const [w, r, biases] = [parts(1)!, parts(2)!, parts(3)]
  const peepholes = parts(cell.states.p)
  const [h, c] = [parts(cell.states.h), parts(cell.states.c)]
  const zeros = (): string => b.constant(b.tensor([batch!, hidden], new Float64Array(batch! * hidden)), 'state')

  const ends: Kept[] = []
  const rows = Array.from({ length: count }, (_, d): readonly string[] => {
    const pair = biases && split(b, biases[d]!, 0, 2)
    const weights: Weights = {
      w: transposed(b, w[d]!),
      r: transposed(b, r[d]!),
      biases: pair && [pair[0]!, pair[1]!],
      peepholes: peepholes && split(b, peepholes[d]!, 0, 3),
    }
    const product = b.op('MatMul', [node.inputs[0]!, weights.w])
    const each = along(b, pair ? b.op('Add', [product, pair[0]!]) : product, 0, length!)
    let kept: Kept = { h: h?.[d] ?? zeros(), c: cell.states.c === undefined ? null : (c?.[d] ?? zeros()) }
    const isReverse = direction === 'reverse' || d === 1
    const made = (isReverse ? each.toReversed() : each).map((part) => {
      kept = cell.next(b, part, kept, weights, node)
      return kept.h
    })
    ends.push(kept)
    return isReverse ? made.toReversed() : made
  })

  const [y, lastH, lastC] = node.outputs
  const stacked = (values: readonly string[]): string => stack(b, values, 0)
  if (y) {
    const steps = Array.from({ length: length! }, (_, t) => stacked(rows.map((row) => row[t]!)))
    b.ops('Identity', [stacked(steps)], { outputs: [y] })
  }
  if (lastH) b.ops('Identity', [stacked(ends.map((k) => k.h))], { outputs: [lastH] })
  if (lastC) b.ops('Identity', [stacked(ends.map((k) => k.c!))], { outputs: [lastC] })
}

function lstm(b: Builder, fromInput: string, { h, c }: Kept, { r, biases, peepholes }: Weights): Kept {
  const recurrent = b.op('MatMul', [h, r])
  const sum = b.op('Sum', [fromInput, recurrent, ...(biases ? [biases[1]] : [])])
  const [i, o, f, candidate] = split(b, sum, -1, 4) as [string, string, string, string]
  const seen = (gate: string, peephole: number, state: string): string =>
    peepholes ? b.op('Add', [gate, b.op('Mul', [peepholes[peephole]!, state])]) : gate
  const sigmoid = (x: string): string => b.op('Sigmoid', [x])
  const kept = b.op('Mul', [sigmoid(seen(f, 2, c!)), c!])
  const taken = b.op('Mul', [sigmoid(seen(i, 0, c!)), b.op('Tanh', [candidate])])
  const next = b.op('Add', [kept, taken])
  return { h: b.op('Mul', [sigmoid(seen(o, 1, next)), b.op('Tanh', [next])]), c: next }
}

function gru(b: Builder, fromInput: string, { h }: Kept, { r, biases }: Weights, node: Node): Kept {
  const [zIn, rIn, hIn] = split(b, fromInput, -1, 3) as [string, string, string]
  const [zR, rR, hR] = split(b, r, -1, 3) as [string, string, string]
  const own = biases && split(b, biases[1], 0, 3)
  const product = (x: string, weight: string, gate: number): string => {
    const value = b.op('MatMul', [x, weight])
    return own ? b.op('Add', [value, own[gate]!]) : value
  }
  const z = b.op('Sigmoid', [b.op('Add', [zIn, product(h, zR, 0)])])
  const reset = b.op('Sigmoid', [b.op('Add', [rIn, product(h, rR, 1)])])
  const inner =
    intAttr(node, 'linear_before_reset', 0) === 0
      ? product(b.op('Mul', [reset, h]), hR, 2)
      : b.op('Mul', [reset, product(h, hR, 2)])
  const candidate = b.op('Tanh', [b.op('Add', [hIn, inner])])
  // (1 − z) h̃ + z h
  return { h: b.op('Add', [candidate, b.op('Mul', [z, b.op('Sub', [h, candidate])])]), c: null }
}

function rnn(b: Builder, fromInput: string, { h }: Kept, { r, biases }: Weights): Kept {
  const sum = b.op('Sum', [fromInput, b.op('MatMul', [h, r]), ...(biases ? [biases[1]] : [])])
  return { h: b.op('Tanh', [sum]), c: null }
}

const axes = (b: Builder, axis: number): string => b.constant(i64([1], [axis]), 'axis')
const transposed = (b: Builder, x: string): string => b.op('Transpose', [x])
const stack = (b: Builder, parts: readonly string[], axis: number): string => {
  const each = parts.map((x) => b.op('Unsqueeze', [x, axes(b, axis)]))
  return each.length === 1 ? each[0]! : b.op('Concat', each, { attrs: { axis: int(axis) } })
}
const split = (b: Builder, x: string, axis: number, count: number): readonly string[] =>
  count === 1 ? [x] : b.ops('Split', [x], { outputs: count, attrs: { axis: int(axis), num_outputs: int(count) } })

/** The parts of an axis, without it. */
const along = (b: Builder, x: string, axis: number, count: number): readonly string[] =>
  split(b, x, axis, count).map((part) => b.op('Squeeze', [part, axes(b, axis)]))
