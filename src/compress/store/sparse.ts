/**
 * Weights of which many are exactly zero: the others as a list, and where they are as gaps (Han et al. 2016, Deep
 * Compression, section 2) or, where they are dense, as a bitmap. The engine takes both apart as it loads the model.
 *
 * Each code says how many zeros stand before the next entry; the largest says that so many do, and that there is no entry
 * yet. With c the codes and e = [c < largest], an entry stands at Σ (c + e) − 1 and is number Σ e of the list. Codes
 * without an entry write a zero where one is. With codes of one bit every place has one, and nothing need be scattered.
 */

import { int } from '../../ir/attrs.js'
import { elementCount, f32, floats, i64, tensor } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import type { Rewriter } from '../quantize/rewrite.js'
import { DIGITS_OPSET, digitBytes, digits } from './digits.js'
import { bytesOf, type Expand, fileBytes, hintOf, list, oneByOne, type Part, toInt32 } from './expand.js'
import { storeTransform } from './transform.js'
import { VALUE_KINDS, type ValueKind, type Written, written } from './values.js'

export const storeSparse = storeTransform({
  id: 'store/sparse',
  summary: 'weights with many exact zeros stored as the others and where they are, computed densely in float32',
  opset: DIGITS_OPSET,
  params: {
    values: {
      kind: 'choice',
      choices: VALUE_KINDS,
      default: 'exact',
      doc: 'what the others are stored as; exact: the smallest of float32, float16 and codebook that loses nothing',
    },
    bits: {
      kind: 'number',
      default: 5,
      min: 1,
      max: 8,
      whole: true,
      doc: 'of an index, where values are a codebook',
      search: { values: [3, 4, 5, 6] },
    },
  },
  takes: { test: (t) => isSparse(t), otherwise: 'no weight has enough exact zeros, as pruning makes them' },
  expand: ({ values, bits }) => oneByOne(expandSparse(values, bits)),
})

const expandSparse =
  (kind: ValueKind, bits: number): Expand =>
  (r, name, t) => {
    if (!isSparse(t)) return null
    const weight = written(kind, t, name, bits)
    if (weight === null) return null
    const stored = sparsely(weight, elementCount(t.shape))
    if (fileBytes(name, [stored, ...around(weight)]) >= t.byteLength) return null
    return finished(r, name, t.shape, stored, weight.scale)
  }

/** Below this share of zeros the bitmap alone is larger than what they would save. */
const LEAST_ZEROS = 1 / 16

function isSparse(t: Tensor): boolean {
  const values = floats(t)
  let zeros = 0
  for (const v of values) if (v === 0) zeros++
  return zeros > LEAST_ZEROS * values.length
}

/** What `finished` adds to the parts. */
export const around = ({ scale }: Pick<Written, 'scale'>): readonly Omit<Part, 'emit'>[] => [
  { bytes: 0, ops: 1, constants: 1 },
  ...(scale === null ? [] : [{ bytes: scale.byteLength, ops: 1, constants: 1 }]),
]

/** The weight in its shape, times its scale. */
export function finished(
  r: Rewriter,
  name: string,
  shape: readonly number[],
  flat: Part,
  scale: Tensor | null,
): string {
  const hint = hintOf(name)
  const shaped = r.node('Reshape', [flat.emit(r, hint), list(r, ...shape)], r.fresh(`${hint}_f`))
  return scale === null ? shaped : r.node('Mul', [shaped, r.constant(scale, `${hint}_s`)], r.fresh(`${hint}_f`))
}

/** Bases that codes are tried with; 2 is the bitmap. */
const BASES = [2, 3, 4, 6, 8, 16, 32, 64, 128, 256]

/** The part that makes the flat weight of `count` elements, with the codes that take least. */
export function sparsely({ values, code }: Pick<Written, 'values' | 'code'>, count: number): Part {
  const at = Uint32Array.from(Array.from({ length: count }, (_, i) => i).filter((i) => values[i] !== 0))
  if (at.length === 0) return zeros(count)
  const entries = code(Array.from(at, (i) => values[i]!))
  const size = (base: number): number => digitBytes(codeCount(at, count, base), base)
  const base = BASES.reduce((best, b) => (size(b) < size(best) ? b : best))
  return base === 2 ? bitmap(at, count, entries) : gaps(at, count, base, entries)
}

const zeros = (count: number): Part => ({
  bytes: 0,
  ops: 1,
  constants: 1,
  emit: (r, hint) => r.node('ConstantOfShape', [list(r, count)], r.fresh(`${hint}_z`)),
})

/** Codes that a list of places takes. */
function codeCount(at: Uint32Array, count: number, base: number): number {
  if (base === 2) return count
  let [n, next] = [at.length, 0]
  for (const place of at) {
    n += Math.floor((place - next) / (base - 1))
    next = place + 1
  }
  return n
}

function gaps(at: Uint32Array, count: number, base: number, entries: Part): Part {
  const codes = new Uint8Array(codeCount(at, count, base))
  let [n, next] = [0, 0]
  for (const place of at) {
    let left = place - next
    for (; left >= base - 1; left -= base - 1) codes[n++] = base - 1
    codes[n++] = left
    next = place + 1
  }
  const packed = digits(codes, base)
  return {
    bytes: packed.bytes + entries.bytes,
    ops: packed.ops + entries.ops + 12,
    constants: packed.constants + entries.constants + 5,
    emit(r, hint) {
      const next = nextOf(r, hint)
      const c = packed.emit(r, hint)
      const isEntry = next('Cast', [next('Less', [c, bytesOf(r, [base - 1])])], toInt32)
      const updates = entriesAt(r, hint, isEntry, entries)
      const steps = next('Add', [next('Cast', [c], toInt32), isEntry])
      const places = next('Sub', [
        next('CumSum', [steps, first(r)]),
        r.constant(tensor('int32', [], Int32Array.of(1)), 'one'),
      ])
      return next('ScatterElements', [zeros(count).emit(r, hint), places, updates])
    },
  }
}

function bitmap(at: Uint32Array, count: number, entries: Part): Part {
  const bits = new Uint8Array(count)
  for (const place of at) bits[place] = 1
  const packed = digits(bits, 2)
  return {
    bytes: packed.bytes + entries.bytes,
    ops: packed.ops + entries.ops + 5,
    constants: packed.constants + entries.constants + 2,
    emit: (r, hint) => entriesAt(r, hint, nextOf(r, hint)('Cast', [packed.emit(r, hint)], toInt32), entries),
  }
}

/** Of each code its entry, or 0 where it has none: element Σ e · e of a list that begins with a zero. */
function entriesAt(r: Rewriter, hint: string, isEntry: string, entries: Part): string {
  const next = nextOf(r, hint)
  const table = next('Concat', [r.constant(f32([1], [0]), 'zero'), entries.emit(r, hint)], { axis: int(0) })
  const number = next('Mul', [next('CumSum', [isEntry, first(r)]), isEntry])
  return next('Gather', [table, number])
}

const nextOf =
  (r: Rewriter, hint: string) =>
  (op: string, inputs: readonly string[], attrs: Parameters<Rewriter['node']>[3] = {}): string =>
    r.node(op, inputs, r.fresh(`${hint}_g`), attrs)

const first = (r: Rewriter): string => r.constant(i64([], [0]), 'axis')
