/**
 * Threads that call compiled loops at once, on memory that they share. Work is parted into as many parts as there may be
 * threads, whoever does them: so results do not depend on how many were there in time, and the first one never waits for
 * another to start.
 */

import {
  EMBEDDING_CALLS,
  type EmbeddingCall,
  type EmbeddingCalls,
  embeddingCalls,
} from '../../kernels/embedding-kernels.js'
import { PareError } from '../../util/errors.js'
import type { Task, Tasks } from '../../util/tasks.js'

/** A loop with its addresses and numbers. */
export type Call = readonly [name: EmbeddingCall, ...given: readonly number[]]

export interface Crew {
  /** Parts of each piece of work. */
  readonly parts: number
  readonly calls: EmbeddingCalls
  /** The calls of each part, one after the other; returns what the last one of each returned, part by part. */
  run(callsOf: (part: number) => readonly Call[]): readonly number[]
  /** Lets the others go, those too that have not come yet. */
  close(): Promise<void>
}

/** What a thread is given that joins. */
export interface Berth {
  readonly memory: WebAssembly.Memory
  /** Where the control words begin. */
  readonly control: number
  readonly parts: number
}

const CREW_TASK: Task<Berth, void> = { module: 'reduce/tsne/crew-task.js' }

/** Control words: the present order, threads that are still at it, and threads that have come. */
const ORDER = 0
const BUSY = 1
const JOINED = 2
const WORDS = 4

/** Numbers of a call: its name, how many are given, these, and what it returned. */
const GIVEN = 20
const PER_CALL = GIVEN + 3

/** Calls of a part in one run, at most. */
const MOST_CALLS = 4

/** In place of the number of calls: no more work. */
const OVER = 255

/**
 * One word says it all, so that who sees it sees what belongs together: its number, how many calls, and how many threads,
 * the first ones, are to do them. The others wait for the next.
 */
const orderOf = (number: number, count: number, active: number): number => (number << 16) | (count << 8) | active
const countOf = (order: number): number => (order >> 8) & 255
const MOST_THREADS = 255

export const controlBytes = (parts: number): number => 4 * WORDS + 8 * parts * MOST_CALLS * PER_CALL

/** Looks at a word that is about to change, before a thread goes to sleep over it. */
const LOOKS = 20_000

/** Milliseconds without a sign of a thread, after which it is lost. */
const LOST_MS = 60_000

const viewsOf = ({ memory, control, parts }: Berth) => ({
  words: new Int32Array(memory.buffer, control, WORDS),
  slots: new Float64Array(memory.buffer, control + 4 * WORDS, parts * MOST_CALLS * PER_CALL),
})

const slotOf = (part: number, k: number): number => (part * MOST_CALLS + k) * PER_CALL

function doPart(calls: EmbeddingCalls, slots: Float64Array, part: number, count: number): void {
  for (let k = 0; k < count; k++) {
    const at = slotOf(part, k)
    const given = slots.subarray(at + 2, at + 2 + slots[at + 1]!)
    slots[at + 2 + GIVEN] = calls[EMBEDDING_CALLS[slots[at]!]!]!(...given) ?? 0
  }
}

/** Waits until a word is no longer what it was. */
function awaitChange(words: Int32Array, at: number, seen: number, most = Number.POSITIVE_INFINITY): number {
  for (let look = 0; look < LOOKS; look++) {
    const now = Atomics.load(words, at)
    if (now !== seen) return now
  }
  // Woken by a call for what was seen already, it sleeps on.
  for (;;) {
    const last = Atomics.wait(words, at, seen, most)
    const now = Atomics.load(words, at)
    if (now !== seen) return now
    if (last === 'timed-out') throw lost()
  }
}

const lost = (): PareError =>
  new PareError('ENGINE_LOST', 'a thread that works on the embedding does not answer', { remedy: 'Try again.' })

/** The others' side: takes part until there is no more work. */
export function serve(berth: Berth): void {
  const { words, slots } = viewsOf(berth)
  const calls = embeddingCalls(berth.memory)
  if (calls === null) return
  let order = Atomics.load(words, ORDER)
  const own = 1 + Atomics.add(words, JOINED, 1)
  // Who comes late finds that all is over.
  while (countOf(order) !== OVER) {
    order = awaitChange(words, ORDER, order)
    const [count, active] = [countOf(order), order & 255]
    if (count === OVER || own >= active) continue
    for (let part = own; part < berth.parts; part += active) doPart(calls, slots, part, count)
    if (Atomics.sub(words, BUSY, 1) === 1) Atomics.notify(words, BUSY)
  }
}

/** `tasks`: where other threads come from. Null where there are no compiled loops. */
export function openCrew(berth: Berth, tasks: Tasks | undefined): Crew | null {
  const calls = embeddingCalls(berth.memory)
  if (calls === null) return null
  const { parts } = berth
  const { words, slots } = viewsOf(berth)
  const invited = tasks === undefined ? 0 : Math.min(parts, MOST_THREADS) - 1
  const others = Array.from({ length: invited }, () => tasks!.run(CREW_TASK, berth))
  let number = 0
  let isOpen = true
  // None is over before all is: an engine that was closed, or a thread that died, has nobody to wait for.
  let failure: unknown = null
  for (const other of others)
    other.then(
      () => {
        if (isOpen) failure = lost()
      },
      (error) => {
        if (isOpen) failure = error
      },
    )

  function give(count: number, active: number): void {
    number = (number + 1) & 0x7fff
    Atomics.store(words, BUSY, active - 1)
    Atomics.store(words, ORDER, orderOf(number, count, active))
    if (invited > 0) Atomics.notify(words, ORDER)
  }

  function run(callsOf: (part: number) => readonly Call[]): readonly number[] {
    if (failure !== null) throw failure
    let count = 0
    for (let part = 0; part < parts; part++) {
      const own = callsOf(part)
      count = own.length
      for (const [k, [name, ...given]] of own.entries()) {
        const at = slotOf(part, k)
        slots[at] = EMBEDDING_CALLS.indexOf(name)
        slots[at + 1] = given.length
        slots.set(given, at + 2)
      }
    }
    const active = 1 + Math.min(invited, Atomics.load(words, JOINED))
    give(count, active)
    for (let part = 0; part < parts; part += active) doPart(calls!, slots, part, count)
    for (let busy = Atomics.load(words, BUSY); busy > 0; ) busy = awaitChange(words, BUSY, busy, LOST_MS)
    return Array.from({ length: parts }, (_, part) => slots[slotOf(part, count - 1) + 2 + GIVEN]!)
  }

  return {
    parts,
    calls,
    run,
    async close() {
      isOpen = false
      give(OVER, 1)
    },
  }
}
