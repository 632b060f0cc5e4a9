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
