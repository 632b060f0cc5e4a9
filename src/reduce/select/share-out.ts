/** Items of work that threads take one by one, this one among them, where the engine has some. */

import type { Engine } from '../../engine/engine.js'
import type { RunOptions } from '../../util/env.js'
import type { Task } from '../../util/tasks.js'
import { nextTurn } from '../../util/turns.js'

export interface ShareOptions extends Pick<RunOptions, 'onProgress' | 'signal'> {
  /** Its threads take items too. */
  readonly engine?: Pick<Engine, 'tasks'> | undefined
}

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
  try {
    signal?.throwIfAborted()
    for (const { item, output } of taken(given, of(input))) {
      outputs[item] = output
      onProgress?.({ task: name, done: Math.max(1, Math.min(items, next[0]!) - others), total: items })
      await nextTurn(signal)
    }
    for (const { item, output } of (await elsewhere).flat()) outputs[item] = output
    signal?.throwIfAborted()
  } finally {
    Atomics.store(next, 0, items)
  }
  if (others > 0) onProgress?.({ task: name, done: items, total: items })
  return outputs
}
