/**
 * The certificate of op records: what a record infers agrees with what the engine computes. A case is a small graph
 * whose inputs are all known; it is inferred several times, each time with less known about the inputs, and whatever
 * is then claimed must be true of the engine's outputs.
 */

import type { Engine } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { describeNode } from '../../src/ir/attrs.js'
import { type Builder, builder, modelOf } from '../../src/ir/builder.js'
import { isFloat } from '../../src/ir/dtypes.js'
import { numbers } from '../../src/ir/tensor.js'
import type { Attr, Dim, Graph, Tensor } from '../../src/ir/types.js'
import { encodeModel } from '../../src/onnx/codec.js'
import { type Fact, type OpDef, tensorFact } from '../../src/ops/def.js'
import { contentOfTensor } from '../../src/ops/shapes.js'

/** Opsets at which something changed for the ops of the standard domain. */
const OPSETS = [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23]

export interface OpCase {
  readonly op: string
  /** What sets this case apart from others of the op. */
  readonly name?: string
  readonly domain?: string
  /** Version of that domain. Default 1. */
  readonly version?: number
  /** First and last opset that understand the node as it is written here. */
  readonly from?: number
  readonly to?: number
  /** One node of these inputs (null = absent) … */
  readonly inputs?: readonly (Tensor | null)[]
  readonly attrs?: Readonly<Record<string, Attr>>
  readonly outputs?: number
  /** … or any graph; returns the names of its outputs. */
  readonly build?: (b: Builder) => readonly string[]
  /** The shape follows from elements, so that not even known inputs give it. */
  readonly dataDependent?: boolean
  /** The elements of the first output must be known where the inputs are. */
  readonly content?: boolean
  /** Float inputs that no gradient flows back to: scales, bounds, running statistics. */
  readonly flat?: readonly number[]
  /** The engine computes it in float32 whatever the type. */
  readonly inFloat32?: boolean
  /** Gradients flow through so many outputs; through all unless given. */
  readonly differentiable?: number
}

/** How much inference is told about the inputs. Parameters are the inputs that hold whole numbers or scalars. */
const KNOWLEDGE = ['everything', 'content', 'types', 'symbols', 'sizes', 'ranks', 'nothing'] as const
type Knowledge = (typeof KNOWLEDGE)[number]

const isParameter = (t: Tensor): boolean => t.shape.length === 0 || (t.shape.length === 1 && !isFloat(t.dtype))

interface Told {
  readonly fact: Fact | null
  readonly constant: Tensor | null
}

/** What inference is told of one input; symbols go into `sizes` with the number they stand for. */
function tell(t: Tensor, name: string, knowledge: Knowledge, sizes: Map<string, number>): Told {
  const full = tensorFact(t.dtype, t.shape, contentOfTensor(t) ?? undefined)
  const symbol = (label: string, size: number): string => {
    sizes.set(label, size)
    return label
  }
  switch (knowledge) {
    case 'everything':
      return { fact: full, constant: t }
    case 'content':
      return { fact: full, constant: null }
    case 'types':
      return { fact: tensorFact(t.dtype, t.shape), constant: null }
    case 'nothing':
      return { fact: null, constant: null }
  }
  if (isParameter(t)) return { fact: full, constant: t }
  const dim = (size: number, i: number): Dim =>
    knowledge === 'ranks' ? null : symbol(knowledge === 'sizes' ? `n${size}` : `${name}_${i}`, size)
  return { fact: tensorFact(t.dtype, t.shape.map(dim)), constant: null }
}

/** The facts about a graph's outputs, node by node, by the given records. */
function inferGraph(
  graph: Graph,
  opsets: Readonly<Record<string, number>>,
  records: readonly OpDef[],
  told: ReadonlyMap<string, Told>,
): readonly (Fact | null)[] {
  const facts = new Map<string, Fact | null>([...told].map(([name, { fact }]) => [name, fact]))
  for (const node of graph.nodes) {
    const record = records.find((r) => r.op === node.op && r.domain === node.domain)
    if (record === undefined) throw new Error(`no record for ${describeNode(node)}`)
    const outputs = record.infer({
      node,
      opset: opsets[node.domain] ?? 1,
      inputs: node.inputs.map((name) => facts.get(name) ?? null),
      constant: (i) => told.get(node.inputs[i] ?? '')?.constant ?? null,
      subgraph: () => [],
    })
    for (const [i, name] of node.outputs.entries()) facts.set(name, outputs[i] ?? null)
  }
  return graph.outputs.map((name) => facts.get(name) ?? null)
}

/** In words, what a fact claims that is not true of the engine's tensor; '' where all is true. */
function falseClaim(fact: Fact | null, actual: Tensor, sizes: ReadonlyMap<string, number>): string {
  if (fact === null) return ''
  if (fact.value.kind !== 'tensor') return `a ${fact.value.kind} instead of a tensor`
  const { dtype, shape } = fact.value
  const sizeOf = (d: Dim) => (typeof d === 'string' ? sizes.get(d) : d)
  if (dtype !== 'undefined' && dtype !== actual.dtype) return `type ${dtype}, the engine gives ${actual.dtype}`
  const told = `shape [${shape?.join(',')}], the engine gives [${actual.shape.join(',')}]`
  if (shape && shape.length !== actual.shape.length) return told
  if (shape?.some((d, i) => d !== null && sizeOf(d) !== actual.shape[i])) return told
  const elements = fact.content && numbers(actual)
  const wrong = fact.content?.some((d, i) => d !== null && !Object.is((sizeOf(d) ?? Number.NaN) + 0, elements![i]! + 0))
  const short = elements !== undefined && elements.length !== fact.content!.length
  return wrong || short ? `content [${fact.content!.join(',')}], the engine gives [${elements!.join(',')}]` : ''
}

/** In words, what a fact about fully known inputs leaves open; '' where nothing. */
function leftOpen(fact: Fact | null, { dataDependent = false, content = false }: OpCase, first: boolean): string {
  if (fact?.value.kind !== 'tensor' || fact.value.dtype === 'undefined') return 'the type'
  if (!dataDependent && !(fact.value.shape?.every((d) => typeof d === 'number') ?? false)) return 'the shape'
  const known = fact.content?.every((d) => typeof d === 'number') ?? false
  return content && first && !known ? 'the content' : ''
}

/** The graph of a case: its inputs are constants. */
export function graphOf(c: OpCase): Graph {
  const b = builder()
  if (c.build) {
    for (const name of c.build(b)) b.output(name)
    return b.graph()
  }
  const inputs = (c.inputs ?? []).map((t) => (t === null ? '' : b.constant(t, 'x')))
  const options = { domain: c.domain ?? '', attrs: c.attrs ?? {}, outputs: c.outputs ?? 1 }
  for (const name of b.ops(c.op, inputs, options)) b.output(name)
  return b.graph()
}

/** The opsets that a case is for. */
export const opsetsOf = (c: OpCase, since: number): readonly number[] =>
  OPSETS.filter((v) => v >= Math.max(since, c.from ?? 0) && v <= (c.to ?? Number.POSITIVE_INFINITY))

export interface Conformance {
  /** What is untrue or left open in one case at one opset; empty where the records agree with the engine. */
  check(c: OpCase, opset: number): Promise<readonly string[]>
  close(): Promise<void>
}

export async function openConformance(records: readonly OpDef[]): Promise<Conformance> {
  const engine: Engine = await openEngine({ threads: 1 })
  return {
    async check(c, opset) {
      const graph = graphOf(c)
      const opsets: Readonly<Record<string, number>> = { '': opset, ...(c.domain && { [c.domain]: c.version ?? 1 }) }
      const session = await engine.load(encodeModel(modelOf(graph, opsets)).bytes, { optimization: 'off' })
      const actual = await session.run({})
      await session.close()
      return KNOWLEDGE.flatMap((knowledge) => {
        const sizes = new Map<string, number>()
        const told = new Map([...graph.constants].map(([name, t]) => [name, tell(t, name, knowledge, sizes)]))
        return inferGraph(graph, opsets, records, told).flatMap((fact, i) => {
          const wrong = falseClaim(fact, actual[graph.outputs[i]!]!, sizes)
          const open = wrong === '' && knowledge === 'everything' ? leftOpen(fact, c, i === 0) : ''
          const at = `output ${i} at opset ${opset}, knowing ${knowledge}`
          return wrong ? [`${at}: claims ${wrong}`] : open ? [`${at}: leaves ${open} open`] : []
        })
      })
    },
    close: () => engine.close(),
  }
}
