/**
 * What a file states of a value set against what inference found. Inference wins where the two contradict each
 * other, and a symbol that was inferred outlives a number in the file, which may be left over from an export with
 * other sizes; the file fills what inference leaves open.
 */

import type { Dim, DType, Value } from '../ir/types.js'
import type { Fact } from '../ops/def.js'

/** Numbers that stand for symbols. */
export type Bindings = ReadonlyMap<string, number>

const bindDim = (d: Dim, bound: Bindings): Dim => (typeof d === 'string' ? (bound.get(d) ?? d) : d)

/** A value with symbols replaced by the numbers that they are bound to; the same value where it has none. */
export function bindValue(value: Value, bound: Bindings): Value {
  if (value.kind === 'tensor' || value.kind === 'sparse') {
    const changes = value.shape?.some((d) => typeof d === 'string' && bound.has(d)) ?? false
    return changes ? { ...value, shape: value.shape!.map((d) => bindDim(d, bound)) } : value
  }
  if (value.kind === 'sequence' || value.kind === 'optional') {
    const element = bindValue(value.element, bound)
    return element === value.element ? value : { ...value, element }
  }
  return value
}

export interface Refined {
  readonly fact: Fact | null
  /** In words, where the file and inference contradict each other. */
  readonly conflict?: string
}

/** The file's statement as a fact; null where it states nothing. */
const statedFact = (stated: Value | undefined): Fact | null => {
  if (stated === undefined || stated.kind === 'untyped') return null
  if (stated.kind === 'tensor' && stated.dtype === 'undefined' && stated.shape === null) return null
  return { value: stated.kind === 'tensor' ? { kind: 'tensor', dtype: stated.dtype, shape: stated.shape } : stated }
}

/** What is known of a value from inference and the file together. */
export function refine(inferred: Fact | null, stated: Value | undefined): Refined {
  const file = statedFact(stated)
  if (inferred === null || file === null) return { fact: inferred ?? file }
  const [a, b] = [inferred.value, file.value]
  if (a.kind !== b.kind) return { fact: inferred, conflict: `a ${a.kind} is stated to be a ${b.kind}` }
  if (a.kind !== 'tensor' || b.kind !== 'tensor') return { fact: inferred }
  if (a.dtype !== 'undefined' && b.dtype !== 'undefined' && a.dtype !== b.dtype) {
    return { fact: inferred, conflict: `elements of type ${a.dtype} are stated to be ${b.dtype}` }
  }
  const dtype: DType = a.dtype === 'undefined' ? b.dtype : a.dtype
  if (a.shape && b.shape && a.shape.length !== b.shape.length) {
    const conflict = `rank ${a.shape.length} is stated to be ${b.shape.length}`
    return { fact: { ...inferred, value: { ...a, dtype } }, conflict }
  }
  const shape = a.shape?.map((d, i) => d ?? b.shape?.[i] ?? null) ?? b.shape
  const clash = a.shape?.some((d, i) => typeof d === 'number' && typeof b.shape?.[i] === 'number' && d !== b.shape[i])
  const conflict = `shape [${a.shape?.join(',')}] is stated to be [${b.shape?.join(',')}]`
  return { fact: { ...inferred, value: { kind: 'tensor', dtype, shape } }, ...(clash && { conflict }) }
}

/** A statement with its gaps filled from a fact; the same object where that adds nothing. */
export function fillGaps(stated: Value | undefined, fact: Fact): Value {
  if (stated === undefined) return fact.value
  if (stated.kind === 'untyped') return { ...stated, ...fact.value }
  if (stated.kind !== 'tensor' || fact.value.kind !== 'tensor') return stated
  const dtype = stated.dtype === 'undefined' ? fact.value.dtype : stated.dtype
  const found = fact.value.shape
  const shape =
    stated.shape === null ? found : found?.length === stated.shape.length ? fillDims(stated.shape, found) : stated.shape
  return dtype === stated.dtype && shape === stated.shape ? stated : { ...stated, dtype, shape }
}

function fillDims(stated: readonly Dim[], found: readonly Dim[]): readonly Dim[] {
  return stated.some((d, i) => d === null && found[i] !== null) ? stated.map((d, i) => d ?? found[i]!) : stated
}
