/** Items of work that threads take one by one, this one among them, where the engine has some. */

import type { Engine } from '../../engine/engine.js'
import type { RunOptions } from '../../util/env.js'
import type { Task } from '../../util/tasks.js'
import { nextTurn } from '../../util/turns.js'

export interface ShareOptions extends Pick<RunOptions, 'onProgress' | 'signal'> {
  /** Its threads take items too. */
  readonly engine?: Pick<Engine, 'tasks'> | undefined
}

/** Numbers from which on columns are worth the way to another thread. */
const MANY = 2 ** 18

export const isMany = (rows: number, columns: number): boolean => rows * columns >= MANY

export interface Done<Output> {
  readonly item: number
  readonly output: Output
}

/** What threads share. */
export interface Turns {
  readonly items: number
  /** [1]: the item that nobody has taken yet. */
  readonly next: Int32Array
}

/** Of the items that are left, one after the other. */
export function* taken<Output>({ items, next }: Turns, of: (item: number) => Output): Generator<Done<Output>> {
  for (;;) {
    const item = Atomics.add(next, 0, 1)
    if (item >= items) return
    yield { item, output: of(item) }
  }
}

/** The same work in this thread and in another one. */
export interface Work<Input, Output> {
  readonly name: string
  readonly task: Task<Input & Turns, readonly Done<Output>[]>
  readonly of: (input: Input) => (item: number) => Output
}

/** By item. Between items a cancellation is heard. */
export async function shareOut<Input extends object, Output>(
  { name, task, of }: Work<Input, Output>,
  input: Input,
  items: number,
  { engine, signal, onProgress }: ShareOptions,
): Promise<readonly Output[]> {
  const others = Math.max(0, Math.min(engine?.tasks?.threads ?? 0, items - 1))
  const next = others > 0 ? new Int32Array(new SharedArrayBuffer(4)) : new Int32Array(1)
  const given = { ...input, items, next }
  const elsewhere = Promise.all(Array.from({ length: others }, () => engine!.tasks!.run(task, given)))
  // It is heard below, unless something else fails before.
  elsewhere.catch(() => {})
  const outputs: Output[] = []
  let own = 0
  try {
    signal?.throwIfAborted()
    for (const { item, output } of taken(given, of(input))) {
      outputs[item] = output
      own++
      onProgress?.({ task: name, done: Math.max(1, Math.min(items, next[0]!) - others), total: items })
      await nextTurn(signal)
    }
    // Threads may never have begun, and are waited for only where they have taken something.
    if (own < items) for (const { item, output } of (await orAborted(elsewhere, signal)).flat()) outputs[item] = output
    signal?.throwIfAborted()
  } finally {
    Atomics.store(next, 0, items)
  }
  if (others > 0) onProgress?.({ task: name, done: items, total: items })
  return outputs
}

/** What work gives, or an error as soon as it is cancelled. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted()
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason)
  })
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
