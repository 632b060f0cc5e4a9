/** Reading one item ahead of who takes them: the next is on its way while this one is worked on. */

export interface Ahead<T> {
  /** The next item; waits for it where it was not begun. */
  take(): Promise<IteratorResult<T>>
  /** Begins to read the next item. */
  begin(): void
  /** Closes the source, without waiting for an item that is still being read. */
  close(): Promise<void>
}

/** `begin` is the taker's to call, once the work on an item is under way: reading may keep this thread busy. */
export function readAhead<T>(source: AsyncIterable<T>): Ahead<T> {
  const iterator = source[Symbol.asyncIterator]()
  let next: Promise<IteratorResult<T>> | null = null
  let isOver = false
  const begin = (): void => {
    if (isOver || next !== null) return
    next = iterator.next()
    // Its error is thrown to who takes the item; nobody may ever do.
    next.catch(() => {})
  }
  return {
    begin,
    async take() {
      begin()
      const taken = next
      next = null
      try {
        const result = await (taken ?? ({ done: true, value: undefined } as const))
        isOver ||= result.done === true
        return result
      } catch (error) {
        isOver = true
        throw error
      }
    },
    async close() {
      if (isOver) return
      isOver = true
      const closing = Promise.resolve(iterator.return?.())
      if (next === null) await closing
      else closing.catch(() => {})
    },
  }
}
