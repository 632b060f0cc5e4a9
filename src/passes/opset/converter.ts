/** What converts one node from one version of the standard domain to the next. */

import type { Attr, Node, Tensor } from '../../ir/types.js'
import type { FactOf } from '../facts.js'

export interface ConvertContext {
  readonly node: Node
  readonly factOf: FactOf
  /** Adds a constant beside the node and gives its name. */
  constant(tensor: Tensor, hint: string): string
  fresh(hint: string): string
  /** The content of a value, where it is a constant. */
  known(name: string | undefined): Tensor | null
  isRead(name: string | undefined): boolean
  /** Type of a floating-point value; null where it could be more than one. */
  floatType(name: string): FloatType | null
}

export type FloatType = 'float32' | 'float64' | 'float16'

/** The nodes that take the place of one, or in words why there are none. */
export type Converter = (context: ConvertContext) => readonly Node[] | string

/** Converters by op, for the step to one version. */
export type Step = Readonly<Record<string, Converter>>

/** Attributes without some. */
export function omit(node: Node, ...names: readonly string[]): Record<string, Attr> {
  return Object.fromEntries(Object.entries(node.attrs).filter(([name]) => !names.includes(name)))
}

/** Inputs with the one at `index` set; optional ones between become ''. */
export function withInput(node: Node, index: number, name: string): readonly string[] {
  return Array.from({ length: Math.max(node.inputs.length, index + 1) }, (_, i) =>
    i === index ? name : (node.inputs[i] ?? ''),
  )
}

/** A converter that refuses every node. */
export const refuse =
  (reason: string): Converter =>
  () =>
    reason
