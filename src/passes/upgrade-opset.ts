/**
 * Upgrades the standard domain one version at a time, in all subgraphs and functions. Other domains stay as they are.
 * Stops before the first step that a node cannot take; `plan` names it. The IR version rises where the opset needs it,
 * and constants, which up to IR version 3 must be listed as inputs, leave the list; from version 4 on a listed
 * constant is an input's default, and stays.
 */

import { describeNode, intAttr, tensorOf } from '../ir/attrs.js'
import { dtypeOfCode, isFloat } from '../ir/dtypes.js'
import { bodyOf, withConstants } from '../ir/edits.js'
import { allNames, mapGraphs, mapSame, producers, reads } from '../ir/graphs.js'
import { namer } from '../ir/names.js'
import type { DType, Func, Graph, Model, Node, Tensor } from '../ir/types.js'
import { dtypeOf } from '../ops/def.js'
import { PareError } from '../util/errors.js'
import { type FactOf, factFinder, noFacts } from './facts.js'
import { constantNode } from './fold-plan.js'
import type { FloatType } from './opset/converter.js'
import { irVersionOf, NEWEST, OLDEST, STEPS } from './opset/steps.js'
import type { Env, Pass } from './pass.js'
import { mapScopes, type Scope, unlistConstants } from './scope.js'
import { spellStandardDomain } from './standard-domain.js'
import { sweep } from './sweep.js'

/** A node that cannot be converted. */
export interface Blocker {
  /** The version whose step it cannot take. */
  readonly version: number
  readonly node: string
  readonly reason: string
}

export interface UpgradePlan {
  readonly from: number
  /** The version that is reached. */
  readonly to: number
  /** Why not a higher one; empty where the target is reached. */
  readonly blockers: readonly Blocker[]
}

export interface UpgradePass extends Pass {
  run(model: Model, env?: Env): Promise<Model>
  plan(model: Model): UpgradePlan
}

/**
 * A pass that upgrades to `target` (8 to 21), or as far as it can. A model that is there already stays as it is.
 * Throws `OPSET_TARGET` for a version whose step is not known.
 */
export function upgradeOpset(target = NEWEST): UpgradePass {
  if (!Number.isInteger(target) || target <= OLDEST || target > NEWEST) {
    throw new PareError('OPSET_TARGET', 'there is no upgrade to this opset', {
      value: target,
      remedy: `Give a whole number from ${OLDEST + 1} to ${NEWEST}.`,
    })
  }
  return {
    name: 'upgrade-opset',
    plan: (model) => upgraded(model, target).plan,
    run: async (model) => upgraded(model, target).model,
  }
}

/** What the pass does, at once. */
export function upgraded(given: Model, target: number): { readonly model: Model; readonly plan: UpgradePlan } {
  const climbed = climb(spellStandardDomain(given), target)
  return climbed.plan.to === climbed.plan.from ? { ...climbed, model: given } : climbed
}

function climb(model: Model, target: number): { readonly model: Model; readonly plan: UpgradePlan } {
  const from = lowest(model)
  if (from === null) return { model, plan: { from: target, to: target, blockers: [] } }
  if (from < OLDEST) {
    const reason = `opset ${from} is older than ${OLDEST}, the first whose meaning is known here`
    return { model, plan: { from, to: from, blockers: [{ version: from + 1, node: 'model', reason }] } }
  }
  const context = { factOf: factFinder(model), floats: floatTypes(model), fresh: namer(namesOf(model)) }
  let current = model
  let to = from
  for (let version = from + 1; version <= target; version++) {
    const blockers: Blocker[] = []
    const next = stepTo(version, current, context, blockers)
    if (blockers.length > 0) return { model: current, plan: { from, to, blockers } }
    current = next
    to = version
  }
  return { model: current, plan: { from, to, blockers: [] } }
}

/** The lowest version of the standard domain among the model and its functions. */
function lowest(model: Model): number | null {
  const versions = [model.opsets, ...model.functions.map((f) => f.opsets)].flatMap((opsets) => opsets.get('') ?? [])
  return versions.length === 0 ? null : Math.min(...versions)
}

interface Context {
  readonly factOf: FactOf
  /** Floating-point types that occur anywhere in the model. */
  readonly floats: ReadonlySet<DType>
  /** Gives a name that nothing in the model has yet. */
  readonly fresh: (hint: string) => string
}

function stepTo(version: number, model: Model, context: Context, blockers: Blocker[]): Model {
  const functions = mapSame(model.functions, (func) => {
    if ((func.opsets.get('') ?? version) >= version) return func
    const body = convertBody(func, version, context, blockers)
    return { ...body, opsets: new Map(func.opsets).set('', version) }
  })
  if ((model.opsets.get('') ?? version) >= version) return { ...model, functions }
  const irVersion = Math.max(model.irVersion, irVersionOf(version))
  const open = irVersion >= 4 ? unlistConstants(model) : model
  const converted = mapScopes(open, (graph, scope) =>
    convertGraph(graph, scope, version, context, blockers, (added, nodes) => withConstants({ ...graph, nodes }, added)),
  )
  return { ...converted, irVersion, functions, opsets: new Map(model.opsets).set('', version) }
}

/** Functions hold no constants: their converters' constants become nodes. */
function convertBody(func: Func, version: number, context: Context, blockers: Blocker[]): Func {
  const body = bodyOf(func)
  const own = { ...context, factOf: noFacts }
  const edit = (graph: Graph, scope: Scope) =>
    convertGraph(graph, scope, version, own, blockers, (added, nodes) => ({
      ...graph,
      nodes: [...[...added].map(([name, tensor]) => constantNode(name, tensor)), ...nodes],
    }))
  const walk = mapScopes({ ...EMPTY, graph: body }, edit).graph
  return walk === body ? func : { ...func, nodes: walk.nodes, values: walk.values }
}

const EMPTY: Omit<Model, 'graph'> = {
  irVersion: 10,
  producer: { name: '', version: '' },
  domain: '',
  version: 0n,
  opsets: new Map(),
  functions: [],
  metadata: new Map(),
}

type Assemble = (added: ReadonlyMap<string, Tensor>, nodes: readonly Node[]) => Graph

function convertGraph(
  graph: Graph,
  scope: Scope,
  version: number,
  { factOf, floats, fresh }: Context,
  blockers: Blocker[],
  assemble: Assemble,
): Graph {
  const step = STEPS[version]
  if (step === undefined) return graph
  const makers = producers(graph)
  const read = new Set([...graph.outputs, ...graph.nodes.flatMap(reads)])
  const added = new Map<string, Tensor>()
  const known = (name: string | undefined): Tensor | null => {
    if (!name) return null
    const maker = makers.get(name)
    const held = maker?.op === 'Constant' && maker.domain === '' ? tensorOf(maker, 'value') : undefined
    return added.get(name) ?? held ?? scope.constant(name)
  }
  let changed = false
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const converter = node.domain === '' && Object.hasOwn(step, node.op) ? step[node.op] : undefined
    if (converter === undefined) return [node]
    const block = (reason: string) => {
      blockers.push({ version, node: describeNode(node), reason })
      return [node]
    }
    if (Object.values(node.attrs).some((attr) => attr.ref !== undefined)) {
      return block('the caller of the function gives its attributes')
    }
    const constant = (tensor: Tensor, hint: string): string => {
      const name = fresh(hint)
      added.set(name, tensor)
      return name
    }
    const floatType = (name: string): FloatType | null => {
      const dtype = dtypeOf(factOf(name))
      if (dtype === 'float32' || dtype === 'float64' || dtype === 'float16') return dtype
      return [...floats].every((type) => type === 'float32') ? 'float32' : null
    }
    const isRead = (name: string | undefined) => name !== undefined && read.has(name)
    const result = converter({ node, factOf, constant, fresh, known, isRead, floatType })
    if (typeof result === 'string') return block(result)
    if (result.length !== 1 || result[0] !== node) changed = true
    return result
  })
  return changed ? sweep(assemble(added, nodes)) : graph
}

function namesOf(model: Model): Set<string> {
  const names = allNames(model.graph)
  for (const func of model.functions) for (const name of allNames(bodyOf(func))) names.add(name)
  return names
}

/** All floating-point types in the model: of inputs, constants and casts. */
function floatTypes(model: Model): Set<DType> {
  const types = new Set<DType>()
  const see = (dtype: DType) => isFloat(dtype) && types.add(dtype)
  const visit = (graph: Graph): Graph => {
    for (const tensor of graph.constants.values()) see(tensor.dtype)
    for (const value of graph.values.values()) if (value.kind === 'tensor') see(value.dtype)
    for (const node of graph.nodes) {
      if (node.op === 'Cast' && intAttr(node, 'to') !== undefined) see(dtypeOfCode(intAttr(node, 'to')!))
      const held = node.op === 'Constant' ? tensorOf(node, 'value') : undefined
      if (held) see(held.dtype)
    }
    return graph
  }
  mapGraphs(model.graph, visit)
  for (const func of model.functions) mapGraphs(bodyOf(func), visit)
  return types
}
