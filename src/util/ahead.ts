/** Reads one item ahead of who takes them: the next is on its way while this one is worked on. */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  const ask = (): Promise<IteratorResult<T>> => {
    const next = iterator.next()
    // Its error is thrown to who takes the item; nobody may ever do.
    next.catch(() => {})
    return next
  }
  let next = ask()
  try {
    for (;;) {
      const result = await next
      if (result.done) return
      next = ask()
      yield result.value
    }
  } finally {
    await iterator.return?.()
  }
}
