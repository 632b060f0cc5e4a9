/** Two models as one: what the first one gives is what the second one takes. */

import { renameDefinitions } from '../ir/edits.js'
import { allNames, mapGraphs, mapSame } from '../ir/graphs.js'
import { namer } from '../ir/names.js'
import type { Dim, Func, Graph, Model, TensorValue, Value } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { NEWEST } from './opset/steps.js'
import { unlistConstants } from './scope.js'
import { spellStandardDomain } from './standard-domain.js'
import { upgraded } from './upgrade-opset.js'

export interface ChainOptions {
  /**
   * Outputs of the first model by the inputs of the second that they feed. Default: the only output to the only input,
   * otherwise each input that has the name of an output, of which there is one at least.
   */
  readonly connect?: Readonly<Record<string, string>>
}

/**
 * The first model's inputs (and those of the second that nothing feeds) to the second one's outputs. The first model's names
 * stay; the second one's stay where the first has none like them, and are made unlike those otherwise, inputs and outputs too, and the older standard operators are upgraded to the
 * newer. Neither model is changed. Throws `CHAIN_NAMES`, `CHAIN_TYPE`, `CHAIN_SHAPE`, `CHAIN_OPSET`, `CHAIN_FUNCTION`.
 */
export function chain(first: Model, second: Model, { connect }: ChainOptions = {}): Model {
  const links =
    connect === undefined ? linksOf(first.graph, second.graph) : checkedLinks(first.graph, second.graph, connect)
  const dims = dimensions(first.graph, second.graph, links)
  const [a, b] = sameVersions(first, second)
  const before = withFreeOutputs(a.graph, b.graph)
  const fed = new Map(
    [...links].map(([input, output]) => [input, before.outputs[first.graph.outputs.indexOf(output)]!]),
  )
  const after = withFreeNames(withoutFed(b.graph, fed), before, fed, dims)
  return {
    ...b,
    irVersion: Math.max(a.irVersion, b.irVersion),
    opsets: opsetsOf(a, b),
    functions: functionsOf(a, b),
    metadata: new Map([...a.metadata, ...b.metadata]),
    graph: joined(before, after),
  }
}

/** Outputs by inputs. */
type Links = ReadonlyMap<string, string>

const freeInputs = ({ inputs, constants }: Graph): readonly string[] => inputs.filter((name) => !constants.has(name))

function linksOf(first: Graph, second: Graph): Links {
  const inputs = freeInputs(second)
  if (first.outputs.length === 1 && inputs.length === 1) return new Map([[inputs[0]!, first.outputs[0]!]])
  const same = inputs.filter((name) => first.outputs.includes(name))
  if (same.length > 0) return new Map(same.map((name) => [name, name]))
  throw new PareError('CHAIN_NAMES', 'no output of the first model has the name of an input of the second', {
    value: `${first.outputs.join(', ')} to ${inputs.join(', ')}`,
    remedy: 'Say with `connect` which output feeds which input.',
  })
}

function checkedLinks(first: Graph, second: Graph, connect: Readonly<Record<string, string>>): Links {
  const links = new Map(Object.entries(connect))
  const check = (name: string, names: readonly string[], what: string): void => {
    if (names.includes(name)) return
    throw new PareError('CHAIN_NAMES', `there is no such ${what}`, {
      where: 'connect',
      value: name,
      remedy: `Give one of ${names.join(', ')}.`,
    })
  }
  for (const [input, output] of links) {
    check(input, second.inputs, 'input of the second model')
    check(output, first.outputs, 'output of the first model')
  }
  if (links.size === 0)
    throw new PareError('CHAIN_NAMES', 'nothing is connected', {
      where: 'connect',
      remedy: 'Name an input of the second model and the output of the first one that feeds it.',
    })
  return links
}

/** What symbols of the second model stand for: dimensions of the first one. Checks that all that meets fits. */
function dimensions(first: Graph, second: Graph, links: Links): ReadonlyMap<string, Dim> {
  const dims = new Map<string, Dim>()
  for (const [input, output] of links) {
    const [given, wanted] = [first.values.get(output), second.values.get(input)]
    if (given === undefined || wanted === undefined || given.kind === 'untyped' || wanted.kind === 'untyped') continue
    if (given.kind !== wanted.kind || !isTensor(given) || !isTensor(wanted)) {
      if (given.kind !== wanted.kind)
        throw mismatch('CHAIN_TYPE', 'another kind of value', output, input, [given.kind, wanted.kind])
      continue
    }
    if (given.dtype !== wanted.dtype)
      throw mismatch('CHAIN_TYPE', 'another type', output, input, [given.dtype, wanted.dtype])
    if (given.shape === null || wanted.shape === null) continue
    const shapes = [textOf(given.shape), textOf(wanted.shape)] as const
    if (given.shape.length !== wanted.shape.length)
      throw mismatch('CHAIN_SHAPE', 'another number of dimensions', output, input, shapes)
    for (const [axis, own] of wanted.shape.entries()) {
      const dim = given.shape[axis]!
      const meant = typeof own === 'string' ? (dims.get(own) ?? null) : own
      if (typeof meant === 'number' && typeof dim === 'number' && meant !== dim)
        throw mismatch('CHAIN_SHAPE', 'another shape', output, input, shapes)
      if (typeof own === 'string' && typeof meant !== 'number' && dim !== null) dims.set(own, dim)
    }
  }
  return dims
}

const isTensor = (value: Value): value is TensorValue => value.kind === 'tensor'

const textOf = (shape: readonly Dim[]): string => `[${shape.map((d) => d ?? '?').join(', ')}]`

const mismatch = (
  code: string,
  what: string,
  output: string,
  input: string,
  [given, wanted]: readonly [string, string],
): PareError =>
  new PareError(code, `the second model wants ${what}`, {
    where: `${output} of the first model, ${input} of the second`,
    value: `${given} for ${wanted}`,
    remedy: 'Convert one of the models, or connect other values.',
  })

/** Both with the newer of their standard operators, and constants no inputs. */
function sameVersions(first: Model, second: Model): readonly [Model, Model] {
  const [a, b] = [spellStandardDomain(unlistConstants(first)), spellStandardDomain(unlistConstants(second))]
  const target = Math.max(a.opsets.get('') ?? 0, b.opsets.get('') ?? 0)
  const raised = (model: Model, which: string): Model => {
    const own = model.opsets.get('') ?? target
    if (own === target) return model
    const { model: next, plan } = upgraded(model, Math.min(target, NEWEST))
    if (next.opsets.get('') === target) return next
    throw new PareError('CHAIN_OPSET', `the ${which} model cannot be upgraded to the opset of the other one`, {
      where: plan.blockers[0]?.node ?? `${which} model`,
      value: `${own} to ${target}`,
      remedy: plan.blockers[0]?.reason ?? 'Export both models with the same opset.',
    })
  }
  return [raised(a, 'first'), raised(b, 'second')]
}

function opsetsOf({ opsets: first }: Model, { opsets: second }: Model): ReadonlyMap<string, number> {
  for (const [domain, version] of second) {
    const own = first.get(domain) ?? version
    if (own !== version)
      throw new PareError('CHAIN_OPSET', 'the models use two versions of the same operators', {
        where: domain,
        value: `${own} and ${version}`,
        remedy: 'Export both models with the same version.',
      })
  }
  return new Map([...first, ...second])
}

function functionsOf({ functions: first }: Model, { functions: second }: Model): readonly Func[] {
  const keyOf = ({ domain, name, overload = '' }: Func): string => JSON.stringify([domain, name, overload])
  const keys = new Set(first.map(keyOf))
  const both = second.find((func) => keys.has(keyOf(func)))
  if (both === undefined) return [...first, ...second]
  throw new PareError('CHAIN_FUNCTION', 'both models have a function of this name', {
    where: both.domain,
    value: both.name,
    remedy: 'Rename one of them, or inline it.',
  })
}

/** The first graph without the names of the second one's outputs, its own inputs apart. */
function withFreeOutputs(first: Graph, second: Graph): Graph {
  const fresh = namer(new Set([...allNames(first), ...allNames(second)]))
  const names = allNames(first)
  const wanted = second.outputs.filter((name) => names.has(name) && !first.inputs.includes(name))
  return renamed(first, new Map(wanted.map((name) => [name, fresh(name)])))
}

const renamed = (graph: Graph, to: ReadonlyMap<string, string>): Graph =>
  to.size === 0 ? graph : mapGraphs(graph, (inner) => renameDefinitions(inner, to))

/** The second graph without the inputs that are fed, and their defaults. */
const withoutFed = (graph: Graph, fed: Links): Graph => ({
  ...graph,
  inputs: graph.inputs.filter((name) => !fed.has(name)),
  constants: new Map([...graph.constants].filter(([name]) => !fed.has(name))),
  values: new Map([...graph.values].filter(([name]) => !fed.has(name))),
})

/** The second graph with what feeds it, and otherwise none of the first one's names for values, nodes and dimensions. */
function withFreeNames(second: Graph, first: Graph, fed: Links, dims: ReadonlyMap<string, Dim>): Graph {
  const taken = allNames(first)
  const own = allNames(second)
  const fresh = namer(new Set([...taken, ...own, ...fed.keys()]))
  const to = new Map([...own].filter((name) => name !== '' && taken.has(name)).map((name) => [name, fresh(name)]))
  const nodeNames = new Map(to)
  for (const [input, output] of fed) to.set(input, output)
  const graph = renamed(second, to)
  return {
    ...graph,
    nodes: mapSame(graph.nodes, (node) =>
      nodeNames.has(node.name) ? { ...node, name: nodeNames.get(node.name)! } : node,
    ),
    values: withDimensions(graph.values, dims, symbolsIn(first)),
  }
}

const symbolsIn = ({ values }: Graph): ReadonlySet<string> =>
  new Set(
    [...values.values()].flatMap((v) => (isTensor(v) ? (v.shape ?? []).filter((d) => typeof d === 'string') : [])),
  )

/** Symbols that meet a dimension of the first graph are that dimension; others are none of its symbols. */
function withDimensions(
  values: ReadonlyMap<string, Value>,
  dims: ReadonlyMap<string, Dim>,
  taken: ReadonlySet<string>,
): ReadonlyMap<string, Value> {
  const meant = new Map(dims)
  const fresh = namer(new Set(taken))
  const dimOf = (dim: Dim): Dim => {
    if (typeof dim !== 'string') return dim
    if (!meant.has(dim)) meant.set(dim, fresh(dim))
    return meant.get(dim)!
  }
  const edited = (value: Value): Value =>
    isTensor(value) && value.shape !== null ? { ...value, shape: value.shape.map(dimOf) } : value
  return new Map([...values].map(([name, value]) => [name, edited(value)]))
}

function joined(first: Graph, second: Graph): Graph {
  const both = <T>(a: ReadonlyMap<string, T> | undefined, b: ReadonlyMap<string, T> | undefined): Map<string, T> =>
    new Map([...(a ?? []), ...(b ?? [])])
  const sparseConstants = both(first.sparseConstants, second.sparseConstants)
  const quantAnnotations = [...(first.quantAnnotations ?? []), ...(second.quantAnnotations ?? [])]
  return {
    ...second,
    inputs: [...first.inputs, ...second.inputs],
    nodes: [...first.nodes, ...second.nodes],
    constants: both(first.constants, second.constants),
    values: both(first.values, second.values),
    ...(sparseConstants.size > 0 && { sparseConstants }),
    ...(quantAnnotations.length > 0 && { quantAnnotations }),
  }
}
