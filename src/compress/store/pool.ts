/**
 * Pools of weights in blocks: the integers of all of them in one list, in the order of their blocks' lengths, and the scales
 * of each length in another. What is multiplied is split into the weights.
 */

import { type Blocks, packNibbles } from '../../grids/blocks.js'
import { elementCount, f32, floatToHalf, tensor, tensorOfBytes } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import type { Rewriter } from '../quantize/rewrite.js'
import { digits } from './digits.js'
import { fileBytes, hintOf, list, type Part, plain, toFloat } from './expand.js'

export type Bits = 2 | 3 | 4 | 5 | 6

/** Elements of a pool: the engine has several copies of it at once while it loads the model. */
const MOST = 2 ** 20

/** A weight on its grid. */
export interface Blocked {
  readonly name: string
  readonly t: Tensor
  readonly blocks: Blocks
  /** Weights of a block. */
  readonly block: number
  /** Scales are float16. */
  readonly isHalf: boolean
}

export interface Pool {
  /** Adds the nodes; what each weight is now, by its name. */
  emit(r: Rewriter): ReadonlyMap<string, string>
}

/** Bytes that the integers and scales of a weight take. */
export function poolBytes({ blocks: { values, scales, zeros }, isHalf }: Blocked, bits: Bits): number {
  return Math.ceil(((values.length + (zeros?.length ?? 0)) * bits) / 8) + scales.length * (isHalf ? 2 : 4)
}

/** Weights in pools; those are missing of which a pool would make no file smaller. */
export function poolsOf(weights: readonly Blocked[], bits: Bits): readonly Pool[] {
  const sorted = weights.toSorted((a, b) => Number(a.isHalf) - Number(b.isHalf) || a.block - b.block)
  const pools: Blocked[][] = []
  let size = 0
  for (const weight of sorted) {
    const { length } = weight.blocks.values
    const last = pools.at(-1)
    if (last === undefined || last[0]!.isHalf !== weight.isHalf || size + length > MOST) {
      pools.push([weight])
      size = length
    } else {
      last.push(weight)
      size += length
    }
  }
  return pools.filter((pool) => saves(pool, bits)).map((pool) => ({ emit: (r) => emitPool(r, pool, bits) }))
}

function saves(pool: readonly Blocked[], bits: Bits): boolean {
  const before = pool.reduce((n, { t }) => n + t.byteLength, 0)
  const { name } = pool.reduce((a, b) => (hintOf(b.name).length > hintOf(a.name).length ? b : a))
  const runs = runsOf(pool)
  const parts = runs.map((run): Omit<Part, 'emit'> => {
    const { isHalf, blocks } = run[0]!
    const zeros = blocks.zeros === undefined ? { ops: 0, constants: 0 } : zerosOf(run, bits, [])
    const isSplit = isApart(run) ? 0 : 2
    return {
      bytes: run.reduce((n, weight) => n + poolBytes(weight, bits), 0),
      ops: run.length + isSplit + (isHalf ? 3 : 2) + zeros.ops + 1,
      constants: run.length + isSplit + 2 + zeros.constants,
    }
  })
  const { ops, constants } = integersOf(pool, bits)
  const isSplit = runs.length > 1 ? 1 : 0
  const around = { bytes: 0, ops: ops + isSplit, constants: constants + isSplit }
  return fileBytes(name, [...parts, around]) < before
}

const isPadded = ({ t, blocks }: Blocked): boolean => blocks.values.length > elementCount(t.shape)

/** What is multiplied is the one weight, and nothing else. */
const isApart = (run: readonly Blocked[]): boolean => run.length === 1 && !isPadded(run[0]!)

/** Weights whose blocks have one length. */
function runsOf(pool: readonly Blocked[]): readonly (readonly Blocked[])[] {
  const runs: Blocked[][] = []
  for (const weight of pool) {
    const last = runs.at(-1)
    if (last?.[0]?.block === weight.block) last.push(weight)
    else runs.push([weight])
  }
  return runs
}

function emitPool(r: Rewriter, pool: readonly Blocked[], bits: Bits): ReadonlyMap<string, string> {
  const runs = runsOf(pool)
  const hint = 'pool'
  const sizes = runs.map((run) => run.reduce((n, { blocks }) => n + blocks.values.length, 0))
  const parts = split(r, hint, integersOf(pool, bits).emit(r, hint), sizes)
  return new Map(runs.flatMap((run, i) => [...emitRun(r, run, parts[i]!, bits)]))
}

function emitRun(r: Rewriter, run: readonly Blocked[], integers: string, bits: Bits): ReadonlyMap<string, string> {
  const hint = 'pool'
  const [{ block, isHalf, blocks: first }] = run as readonly [Blocked, ...Blocked[]]
  const ends = [run.reduce((n, { blocks }) => n + blocks.scales.length, 0), 1]
  const rows = r.node('Reshape', [integers, list(r, -1, block)], r.fresh(`${hint}_b`))
  const centred =
    first.zeros === undefined
      ? rows
      : r.node('Sub', [rows, zerosOf(run, bits, ends).emit(r, hint)], r.fresh(`${hint}_d`))
  const scales = joined(
    Float32Array,
    run.map(({ blocks }) => blocks.scales),
  )
  const scale = isHalf
    ? cast(plain(tensor('float16', ends, Uint16Array.from(scales, floatToHalf)), 's')).emit(r, hint)
    : plain(f32(ends, scales), 's').emit(r, hint)
  const whole = r.node('Mul', [centred, scale], r.fresh(`${hint}_m`))
  if (isApart(run)) return new Map([[run[0]!.name, shapedAs(r, run[0]!, whole)]])
  const flat = r.node('Reshape', [whole, list(r, -1)], r.fresh(`${hint}_l`))
  // Behind the elements of a weight comes what its last block is padded with.
  const lengths = run.flatMap((weight) => {
    const count = elementCount(weight.t.shape)
    return isPadded(weight) ? [count, weight.blocks.values.length - count] : [count]
  })
  const pieces = split(r, hint, flat, lengths)
  let at = 0
  return new Map(
    run.map((weight) => {
      const piece = pieces[at]!
      at += isPadded(weight) ? 2 : 1
      return [weight.name, shapedAs(r, weight, piece)]
    }),
  )
}

const shapedAs = (r: Rewriter, { name, t }: Blocked, piece: string): string =>
  r.node('Reshape', [piece, list(r, ...t.shape)], r.fresh(`${hintOf(name)}_f`))

function split(r: Rewriter, hint: string, value: string, sizes: readonly number[]): readonly string[] {
  if (sizes.length === 1) return [value]
  return r.nodes(
    'Split',
    [value, list(r, ...sizes)],
    sizes.map(() => r.fresh(`${hint}_p`)),
  )
}

/** All integers in a list, as float32. Digits start at 0: what these are more than the integers, zero points are too. */
function integersOf(pool: readonly Blocked[], bits: Bits): Part {
  const values = pool.map(({ blocks }) => blocks.values)
  const centred = asFloats(joined(Int8Array, values), bits)
  if (bits === 4 || pool[0]!.blocks.zeros !== undefined) return centred
  return {
    ...centred,
    ops: centred.ops + 1,
    constants: centred.constants + 1,
    emit: (r, hint) =>
      r.node('Sub', [centred.emit(r, hint), r.constant(f32([], [2 ** (bits - 1)]), 'zero')], r.fresh(`${hint}_d`)),
  }
}

function zerosOf(run: readonly Blocked[], bits: Bits, shape: readonly number[]): Part {
  const zeros = run.map(({ blocks }) => blocks.zeros!)
  const part = asFloats(joined(Int8Array, zeros), bits)
  return {
    ...part,
    ops: part.ops + 1,
    constants: part.constants + 1,
    emit: (r, hint) => r.node('Reshape', [part.emit(r, hint), list(r, ...shape)], r.fresh(`${hint}_z`)),
  }
}

/** As they are, in the type of 4 bits; of other widths from 0 on. */
function asFloats(values: Int8Array, bits: Bits): Part {
  if (bits === 4) return cast(plain(tensorOfBytes('int4', [values.length], packNibbles(values)), 'q'))
  return cast(
    digits(
      Uint8Array.from(values, (v) => v + 2 ** (bits - 1)),
      2 ** bits,
    ),
  )
}

const cast = (part: Part): Part => ({
  ...part,
  ops: part.ops + 1,
  emit: (r, hint) => r.node('Cast', [part.emit(r, hint)], r.fresh(`${hint}_c`), toFloat),
})

function joined<T extends Int8Array | Float32Array>(
  type: new (length: number) => T,
  lists: readonly (Int8Array | Float32Array)[],
): T {
  const all = new type(lists.reduce((n, { length }) => n + length, 0))
  let at = 0
  for (const list of lists) {
    all.set(list, at)
    at += list.length
  }
  return all
}
