/**
 * Nearest neighbours of very many rows, nearly all of them: rows lie in lists about centres (Sivic and Zisserman 2003), and
 * those of a list are looked for in the lists whose centres are nearest to its own.
 */

import type { Engine, Session } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { numbers, tensor } from '../ir/tensor.js'
import { encodeModel } from '../onnx/codec.js'
import type { RunOptions } from '../util/env.js'
import { random } from '../util/random.js'
import { assignModel, nearestModel, queriesOf, type ScaledRows, targetsOf } from './nearest-products.js'

export interface ListOptions extends Pick<RunOptions, 'onProgress' | 'signal'> {
  readonly engine: Engine
  readonly seed: number
  /** Candidates of each row. */
  readonly candidates: number
}

/** Rows of a list, about; and lists that are looked through, nearest first. */
const LENGTH = 500
const PROBES = 24

/** Distances that are computed at once, at most. */
const AT_ONCE = 1 << 24

/** Rounds of Lloyd's algorithm, and rows for each centre that it looks at. */
const ROUNDS = 8
const SAMPLE = 128

/** Calls `take` with candidates for each row, itself among them. */
export async function searchLists(
  rows: ScaledRows,
  take: (i: number, candidates: ArrayLike<number>) => void,
  { engine, seed, candidates, signal, onProgress }: ListOptions,
): Promise<void> {
  const { count, columns } = rows
  const lists = await listsOf(rows, { engine, seed, ...(signal && { signal }) })
  const session = await engine.load(encodeModel(nearestModel(columns, candidates)).bytes, signal ? { signal } : {})
  try {
    let done = 0
    for (const { members, order } of lists) {
      throwIfAborted(signal)
      const among: number[] = []
      for (const [rank, l] of order.entries()) {
        if (rank >= PROBES && among.length >= candidates) break
        for (const i of lists[l]!.members) among.push(i)
      }
      const targets = targetsOf(rows, among)
      // Many equal rows are one list, however long.
      const height = Math.max(1, Math.floor(AT_ONCE / among.length))
      for (let from = 0; from < members.length; from += height) {
        throwIfAborted(signal)
        const part = members.slice(from, from + height)
        const feeds = {
          rows: tensor('float32', [part.length, columns + 1], queriesOf(rows, part)),
          targets: tensor('float32', [columns + 1, among.length], targets),
        }
        const nearest = numbers((await session.run(feeds, { lend: ['rows'] })).nearest!)
        for (const [a, i] of part.entries())
          take(
            i,
            Array.from(nearest.subarray(a * candidates, (a + 1) * candidates), (at) => among[at]!),
          )
        done += part.length
        onProgress?.({ task: 'neighbours', done, total: count })
      }
    }
  } finally {
    await session.close()
  }
}

interface List {
  readonly members: readonly number[]
  /** All lists, the nearest first: itself. */
  readonly order: readonly number[]
}

async function listsOf(rows: ScaledRows, o: Pick<ListOptions, 'engine' | 'seed' | 'signal'>): Promise<readonly List[]> {
  const { count, columns } = rows
  const many = Math.max(1, Math.round(count / LENGTH))
  const { shuffle } = random(o.seed)
  const order = shuffle(Uint32Array.from({ length: count }, (_, i) => i))
  const sample = order.subarray(0, Math.min(count, SAMPLE * many))
  const session = await o.engine.load(encodeModel(assignModel(columns)).bytes)
  try {
    let centres = gathered(rows, sample.subarray(0, many))
    for (let round = 0; round < ROUNDS; round++) {
      throwIfAborted(o.signal)
      centres = meansOf(rows, sample, await assigned(session, rows, sample, centres), centres)
    }
    const all = Uint32Array.from({ length: count }, (_, i) => i)
    const lists = await assigned(session, rows, all, centres)
    const members = Array.from({ length: many }, (): number[] => [])
    for (let i = 0; i < count; i++) members[lists[i]!]!.push(i)
    const kept = [...members.keys()].filter((l) => members[l]!.length > 0)
    const at = (l: number): Float32Array => centres.subarray(l * columns, (l + 1) * columns)
    return kept.map((l) => {
      throwIfAborted(o.signal)
      const own = at(l)
      const squares = kept.map((m) => at(m).reduce((sum, v, d) => sum + (v - own[d]!) ** 2, 0))
      return { members: members[l]!, order: [...kept.keys()].sort((a, b) => squares[a]! - squares[b]!) }
    })
  } finally {
    await session.close()
  }
}

/** Rows that are assigned at once. */
const TOGETHER = 8192

/** The nearest centre of each row. */
async function assigned(
  session: Session,
  rows: ScaledRows,
  which: Uint32Array,
  centres: Float32Array,
): Promise<Int32Array> {
  const { columns } = rows
  const many = centres.length / columns
  const targets = targetsOf({ data: centres, count: many, columns }, [...Array(many).keys()])
  const out = new Int32Array(which.length)
  for (let from = 0; from < which.length; from += TOGETHER) {
    const part = which.subarray(from, from + TOGETHER)
    const feeds = {
      rows: tensor('float32', [part.length, columns + 1], queriesOf(rows, part)),
      targets: tensor('float32', [columns + 1, many], targets),
    }
    out.set(numbers((await session.run(feeds)).nearest!), from)
  }
  return out
}

const gathered = ({ data, columns }: ScaledRows, which: ArrayLike<number>): Float32Array =>
  Float32Array.from(
    { length: which.length * columns },
    (_, at) => data[which[Math.floor(at / columns)]! * columns + (at % columns)]!,
  )

/** Of the rows of each centre; one that has none stays. */
function meansOf({ data, columns }: ScaledRows, which: Uint32Array, lists: Int32Array, centres: Float32Array) {
  const sums = new Float64Array(centres.length)
  const counts = new Uint32Array(centres.length / columns)
  for (let k = 0; k < which.length; k++) {
    const [to, from] = [lists[k]! * columns, which[k]! * columns]
    counts[lists[k]!]!++
    for (let d = 0; d < columns; d++) sums[to + d]! += data[from + d]!
  }
  return centres.map((v, at) => {
    const n = counts[Math.floor(at / columns)]!
    return n === 0 ? v : sums[at]! / n
  })
}
