/** A graph seen together with the graphs around it, and a walk over all graphs of a model from the outside in. */

import { definitions } from '../ir/edits.js'
import { mapInner } from '../ir/graphs.js'
import type { Graph, Model, Tensor } from '../ir/types.js'

export interface Scope {
  readonly graph: Graph
  readonly outer: Scope | null
  /**
   * The tensor of a name that can have no other content: a constant of this graph or one around it. From IR version 4
   * on a constant that is also an input of the model is only a default, and this gives null.
   */
  constant(name: string): Tensor | null
  /** The scope of this graph after an edit. */
  edited(graph: Graph): Scope
}

/** A scope for a graph; `defaults` are constants that the caller of the model may replace. */
export function scopeOf(graph: Graph, outer: Scope | null, defaults: ReadonlySet<string> = new Set()): Scope {
  let own: Set<string> | undefined
  const defines = (name: string): boolean => {
    own ??= definitions(graph)
    return own.has(name)
  }
  return {
    graph,
    outer,
    constant(name) {
      if (name === '') return null
      const tensor = graph.constants.get(name)
      if (tensor !== undefined) return defaults.has(name) ? null : tensor
      return defines(name) ? null : (outer?.constant(name) ?? null)
    },
    edited: (next) => scopeOf(next, outer, defaults),
  }
}

/** Inputs of the model that have a default and may be given another value (IR version 4 and later). */
export function defaultedInputs(model: Model): ReadonlySet<string> {
  if (model.irVersion < 4) return new Set()
  return new Set(model.graph.inputs.filter((name) => model.graph.constants.has(name)))
}

/** The scope of a model's main graph. */
export const rootScope = (model: Model): Scope => scopeOf(model.graph, null, defaultedInputs(model))

/** Applies `edit` to every graph of a model, outermost first; the same model where nothing changed. Not functions. */
export function mapScopes(model: Model, edit: (graph: Graph, scope: Scope) => Graph): Model {
  const walk = (graph: Graph, scope: Scope): Graph => {
    const edited = edit(graph, scope)
    const around = scope.edited(edited)
    return mapInner(edited, (inner) => walk(inner, scopeOf(inner, around)))
  }
  const graph = walk(model.graph, rootScope(model))
  return graph === model.graph ? model : { ...model, graph }
}

/**
 * Files of IR version 3 and before must list every constant as an input. A pass that adds constants first raises the
 * version to 4, where constants stand alone, and takes them off the inputs (they could not be replaced before either).
 */
export function unlistConstants(model: Model): Model {
  if (model.irVersion >= 4) return model
  return { ...model, irVersion: 4, graph: withoutDefaults(model.graph) }
}

/** The graph with constants taken off its inputs. */
export function withoutDefaults(graph: Graph): Graph {
  const listed = new Set(graph.inputs.filter((name) => graph.constants.has(name)))
  if (listed.size === 0) return graph
  const outputs = new Set(graph.outputs)
  return {
    ...graph,
    inputs: graph.inputs.filter((name) => !listed.has(name)),
    values: new Map([...graph.values].filter(([name]) => !listed.has(name) || outputs.has(name))),
  }
}
