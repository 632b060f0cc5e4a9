/** The least and the greatest element of a value, found in the engine: numbers leave it, not the value. */

import { int } from '../../ir/attrs.js'
import { floats } from '../../ir/tensor.js'
import type { Node, Tensor } from '../../ir/types.js'

/** Gives names that are not in use. */
export type Fresh = (hint: string) => string

/** The value of a name in one run, where it was shown. */
export type Values = (name: string) => Tensor | undefined

/** A value whose range is asked for. */
export interface Usable {
  readonly name: string
  /** Number of elements, where it is known. */
  readonly size: number | null
  /** Rank, where it is known and the value is known to be float32. */
  readonly rank: number | null
}

export interface Ends {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly outputs: readonly string[]
  /** NaN twice where an element is not finite (or the sum is too large for float32); null where there is none. */
  read(values: Values): readonly [number, number] | null
}

export type EndsFinder = ReturnType<typeof endsFinder>

/**
 * The ends of values. Those of values of one rank leave the engine in one tensor: every output of a run costs a
 * message of its own, which takes longer than finding it. `greatest`: of the last run, where it is found already.
 */
export function endsFinder(fresh: Fresh, greatest: (name: string) => number | undefined) {
  const packs = new Map<number, { readonly name: string; readonly parts: string[] }>()
  const packOf = (rank: number) => {
    const pack = packs.get(rank) ?? { name: fresh('ends'), parts: [] }
    packs.set(rank, pack)
    return pack
  }
  const find = ({ name, rank }: Usable): Ends => {
    // The engine's minimum and maximum pass over NaN; its sum does not.
    const ops = ['ReduceMin', 'ReduceSum', ...(greatest(name) === undefined ? ['ReduceMax'] : [])]
    const parts = ops.map((op) => fresh(`${name}_${op}`))
    const isPacked = rank !== null && rank > 0
    const plain = { name: '', domain: '', inputs: [name], attrs: { keepdims: int(isPacked ? 1 : 0) } }
    const nodes = ops.map((op, i): Node => ({ ...plain, op, outputs: [parts[i]!] }))
    const span = ([low, sum, high]: readonly (number | null)[]) => spanOf(low, high ?? greatest(name), sum)
    if (!isPacked) {
      const one = (values: Values, part: string): number | null => {
        const t = values(part)!
        return t.dtype === 'float32' ? floats(t)[0]! : null
      }
      return { name, nodes, outputs: parts, read: (values) => span(parts.map((part) => one(values, part))) }
    }
    const pack = packOf(rank)
    const at = pack.parts.push(...parts) - parts.length
    const read = (values: Values) => span([...floats(values(pack.name)!).subarray(at, at + parts.length)])
    return { name, nodes, outputs: [], read }
  }
  /** Nodes and outputs of the tensors that hold what was packed. */
  const packed = () => ({
    nodes: [...packs.values()].map(
      ({ name, parts }): Node => ({
        name: '',
        domain: '',
        op: 'Concat',
        inputs: parts,
        outputs: [name],
        attrs: { axis: int(0) },
      }),
    ),
    outputs: [...packs.values()].map(({ name }) => name),
  })
  return { find, packed }
}

function spanOf(
  low: number | null | undefined,
  high: number | null | undefined,
  sum: number | null | undefined,
): readonly [number, number] | null {
  if (low == null || high == null || sum == null) return null
  if (!Number.isFinite(sum)) return [Number.NaN, Number.NaN]
  return low > high ? null : [low, high]
}
