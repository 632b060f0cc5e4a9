/** Makers and readers of attributes. */

import { PareError } from '../util/errors.js'
import type { Attr, Graph, Node, Tensor } from './types.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const int = (value: number | bigint): Attr => ({ type: 'int', value: BigInt(value) })
export const float = (value: number): Attr => ({ type: 'float', value })
export const str = (value: string): Attr => ({ type: 'string', value: encoder.encode(value) })
export const ints = (value: readonly number[]): Attr => ({ type: 'ints', value: value.map((v) => BigInt(v)) })
export const floatList = (value: readonly number[]): Attr => ({ type: 'floats', value })
export const strs = (value: readonly string[]): Attr => ({
  type: 'strings',
  value: value.map((v) => encoder.encode(v)),
})
export const tensorAttr = (value: Tensor): Attr => ({ type: 'tensor', value })
export const graphAttr = (value: Graph): Attr => ({ type: 'graph', value })

/** What the readers below can ask for. */
interface Readable {
  readonly float: number
  readonly int: bigint
  readonly string: Uint8Array
  readonly tensor: Tensor
  readonly graph: Graph
  readonly floats: readonly number[]
  readonly ints: readonly bigint[]
  readonly strings: readonly Uint8Array[]
}

/** The value of an attribute, or undefined where it is absent or a reference to a function's attribute. */
function read<T extends keyof Readable>(node: Node, name: string, type: T): Readable[T] | undefined {
  const attr = Object.hasOwn(node.attrs, name) ? node.attrs[name] : undefined
  if (attr === undefined || attr.ref !== undefined) return undefined
  if (attr.type !== type) {
    throw new PareError('ATTRIBUTE_TYPE', `attribute ${name} should be of type ${type}`, {
      where: describeNode(node),
      value: attr.type,
      remedy: "The model breaks the operator's definition; export it again.",
    })
  }
  return attr.value as Readable[T]
}

export function intAttr(node: Node, name: string): number | undefined
export function intAttr(node: Node, name: string, fallback: number): number
export function intAttr(node: Node, name: string, fallback?: number): number | undefined {
  const value = read(node, name, 'int')
  return value === undefined ? fallback : Number(value)
}

/** As `intAttr`, to the last bit. */
export const bigintAttr = (node: Node, name: string): bigint | undefined => read(node, name, 'int')

export function floatAttr(node: Node, name: string): number | undefined
export function floatAttr(node: Node, name: string, fallback: number): number
export function floatAttr(node: Node, name: string, fallback?: number): number | undefined {
  return read(node, name, 'float') ?? fallback
}

export function stringAttr(node: Node, name: string): string | undefined
export function stringAttr(node: Node, name: string, fallback: string): string
export function stringAttr(node: Node, name: string, fallback?: string): string | undefined {
  const value = read(node, name, 'string')
  return value === undefined ? fallback : decoder.decode(value)
}

export const intsAttr = (node: Node, name: string): number[] | undefined => read(node, name, 'ints')?.map(Number)
/** As `intsAttr`, to the last bit: Slice's ends are often 2^63 - 1. */
export const bigintsAttr = (node: Node, name: string): readonly bigint[] | undefined => read(node, name, 'ints')
export const floatsAttr = (node: Node, name: string): readonly number[] | undefined => read(node, name, 'floats')
export const stringsAttr = (node: Node, name: string): string[] | undefined =>
  read(node, name, 'strings')?.map((v) => decoder.decode(v))
export const tensorOf = (node: Node, name: string): Tensor | undefined => read(node, name, 'tensor')
export const graphOf = (node: Node, name: string): Graph | undefined => read(node, name, 'graph')

/** The graphs inside a node (branches of If, bodies of Loop and Scan), with the attribute each belongs to. */
export function subgraphs(node: Node): { readonly attr: string; readonly graph: Graph }[] {
  return Object.entries(node.attrs).flatMap(([attr, a]) =>
    a.type === 'graph'
      ? [{ attr, graph: a.value }]
      : a.type === 'graphs'
        ? a.value.map((graph) => ({ attr, graph }))
        : [],
  )
}

/** How a node is called in messages: its name, or op and first output where it has none. */
export function describeNode(node: Node): string {
  const op = node.domain === '' ? node.op : `${node.domain}.${node.op}`
  return node.name === '' ? `${op} -> ${node.outputs[0] ?? '?'}` : `${node.name} (${op})`
}
