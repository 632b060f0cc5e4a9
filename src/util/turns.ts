/** Turns of the event loop, for long work on the thread that also hears a cancellation. */

/** Lets waiting events be handled: timers, signals. Throws where the work was cancelled. */
export async function nextTurn(signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    // Browsers have no setImmediate.
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve)
  })
  signal?.throwIfAborted()
}

/** Turns where the last was some time ago: in browsers one takes up to 4 ms. */
export function rareTurns(): () => Promise<void> {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < 50) return
    await nextTurn()
    last = performance.now()
  }
}
