/** Fixing dimensions that a model leaves open: symbols by name, inputs by shape. */

import type { ValueInfo } from '../engine/engine.js'
import { mapGraphs } from '../ir/graphs.js'
import type { Dim, DType, Graph, Model, Value } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type Bindings, bindValue } from './declared.js'

/** Sizes by the name of a symbol, shapes by the name of an input. In a shape, a string keeps a dimension symbolic. */
export type InputShapes = Readonly<Record<string, number | readonly (number | string)[]>>

/**
 * Reads `batch=1,seq=128` and `image=1x3x224x224`, mixed as you like. Throws `SHAPE_SYNTAX`.
 */
export function parseShapes(text: string): InputShapes {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [, name, sizes] = /^\s*(.+?)\s*=\s*(\d+(?:x\d+)*)\s*$/i.exec(part) ?? []
      if (name === undefined || sizes === undefined) {
        throw new PareError('SHAPE_SYNTAX', 'shapes are written name=size or input=sizes', {
          value: part,
          remedy: 'Write for example batch=1,seq=128 or image=1x3x224x224.',
        })
      }
      const numbers = sizes.split(/x/i).map(Number)
      return [name, numbers.length === 1 ? numbers[0]! : numbers]
    }),
  )
}

/**
 * The model with these dimensions fixed, in its inputs and wherever a bound symbol occurs; the same model where
 * nothing changes. Throws `SHAPE_NAME` for a name that is neither a symbol of the inputs nor an input, `SHAPE_FIXED`
 * where a dimension already has another size, `SHAPE_RANK` and `SHAPE_SIZE`.
 */
export function withShapes(model: Model, shapes: InputShapes): Model {
  const { values, bound } = inputBindings(model, shapes)
  const bind = (graph: Graph, own?: ReadonlyMap<string, Value>): Graph => {
    let changed = false
    const next = new Map<string, Value>()
    for (const [name, value] of graph.values) {
      const fixed = bindValue(own?.get(name) ?? value, bound)
      if (fixed !== value) changed = true
      next.set(name, fixed)
    }
    return changed ? { ...graph, values: next } : graph
  }
  const inner = mapGraphs(model.graph, (graph) => bind(graph))
  const graph = bind(inner, values)
  return graph === model.graph ? model : { ...model, graph }
}

export interface Bound {
  /** The types of the model's inputs, with what was fixed. */
  readonly values: ReadonlyMap<string, Value>
  readonly bound: Bindings
}

/** What the given sizes and shapes say of the model's inputs. Errors as for `withShapes`. */
export function inputBindings({ graph }: Model, shapes: InputShapes): Bound {
  // Before IR version 4 weights were listed as inputs; nobody thinks of them as such.
  const shown = graph.inputs.filter((name) => !graph.constants.has(name))
  return bindInputs(graph, shapes, shown)
}

/** Inputs as a session lists them, with what the given sizes and shapes say of them. Errors as for `withShapes`. */
export function fixInputs(inputs: readonly ValueInfo[], shapes: InputShapes): readonly ValueInfo[] {
  const names = inputs.map(({ name }) => name)
  const stated = new Map(inputs.map((input) => [input.name, declaredValue(input)]))
  const { values } = bindInputs({ inputs: names, values: stated }, shapes, names)
  return inputs.map((input) => {
    const value = values.get(input.name)
    return value?.kind === 'tensor' && value.shape ? { ...input, shape: value.shape.map((d) => d ?? '') } : input
  })
}

/** The engine reports an unknown rank as rank 0, and a dimension without a name as ''. */
function declaredValue({ dtype, shape }: ValueInfo): Value {
  if (shape === undefined) return { kind: 'untyped' }
  return {
    kind: 'tensor',
    dtype: dtype as DType,
    shape: shape.length === 0 ? null : shape.map((d) => (d === '' ? null : d)),
  }
}

function bindInputs(
  { inputs, values: stated }: Pick<Graph, 'inputs' | 'values'>,
  shapes: InputShapes,
  shown: readonly string[],
): Bound {
  const symbols = symbolsIn(inputs, stated)
  const values = new Map<string, Value>()
  for (const name of inputs) {
    const value = stated.get(name)
    if (value !== undefined) values.set(name, value)
  }
  const bound = new Map<string, number>()
  const bind = (symbol: string, size: number, where: string): void => {
    if (!Number.isSafeInteger(size) || size < 0) throw sizeError(where, size)
    if ((bound.get(symbol) ?? size) !== size) throw fixedError(where, symbol, bound.get(symbol)!, size)
    bound.set(symbol, size)
  }
  for (const [name, given] of Object.entries(shapes)) {
    if (typeof given === 'number' && symbols.includes(name)) bind(name, given, name)
    else if (inputs.includes(name)) {
      const value = values.get(name) ?? { kind: 'untyped' }
      values.set(name, fixShape(name, value, typeof given === 'number' ? [given] : given, bind))
    } else throw unknownName(name, symbols, shown)
  }
  for (const [name, value] of values) values.set(name, bindValue(value, bound))
  return { values, bound }
}

/** Named dimensions of the inputs, in order. */
export function symbolsOf({ graph }: Model): readonly string[] {
  return symbolsIn(graph.inputs, graph.values)
}

function symbolsIn(inputs: readonly string[], values: ReadonlyMap<string, Value>): readonly string[] {
  const names = new Set<string>()
  for (const name of inputs) {
    const value = values.get(name)
    if (value?.kind === 'tensor') for (const d of value.shape ?? []) if (typeof d === 'string') names.add(d)
  }
  return [...names]
}

function fixShape(
  name: string,
  value: Value,
  given: readonly (number | string)[],
  bind: (symbol: string, size: number, where: string) => void,
): Value {
  if (value.kind === 'untyped') return { kind: 'tensor', dtype: 'undefined', shape: given }
  if (value.kind !== 'tensor') {
    throw new PareError('SHAPE_RANK', 'only tensors have a shape to fix', {
      where: `input ${name}`,
      value: value.kind,
      remedy: 'Leave this input out.',
    })
  }
  if (value.shape !== null && value.shape.length !== given.length) {
    throw new PareError('SHAPE_RANK', `the input has ${value.shape.length} dimensions: [${value.shape.join(', ')}]`, {
      where: `input ${name}`,
      value: given,
      remedy: 'Give a size for each dimension.',
    })
  }
  const shape = given.map((size, i): Dim => {
    const dim = value.shape?.[i] ?? null
    if (typeof size === 'string') return dim ?? size
    if (!Number.isSafeInteger(size) || size < 0) throw sizeError(`input ${name}`, size)
    if (typeof dim === 'number' && dim !== size) throw fixedError(`input ${name}`, `dimension ${i}`, dim, size)
    if (typeof dim === 'string') bind(dim, size, `input ${name}`)
    return size
  })
  return { ...value, shape }
}

const sizeError = (where: string, size: number): PareError =>
  new PareError('SHAPE_SIZE', 'a size is a whole number of at least 0', {
    where,
    value: size,
    remedy: 'Give e.g. batch=1.',
  })

const fixedError = (where: string, what: string, has: number, size: number): PareError =>
  new PareError('SHAPE_FIXED', `${what} is ${has} and cannot be changed`, {
    where,
    value: size,
    remedy: `Use ${has}, or export the model with this dimension left open.`,
  })

const unknownName = (name: string, symbols: readonly string[], inputs: readonly string[]): PareError =>
  new PareError('SHAPE_NAME', 'the model has no such dimension or input', {
    value: name,
    remedy: `Symbolic dimensions: ${symbols.join(', ') || 'none'}. Inputs: ${inputs.join(', ')}.`,
  })
