/**
 * The asking side: one thread that computes (a `Port`), the calls that wait for it, and what happens when a caller
 * gives up or the thread dies. No call ever hangs: it is answered, cancelled, or rejected with the thread's failure.
 */

import { messageOf, PareError } from '../util/errors.js'
import { aborted } from './failures.js'
import { errorFromWire, type FromHost, type HostFacts, type ToHost, type WireReply, type WireRequest } from './wire.js'

/** A thread as the runtime at hand offers it: worker_threads, Web Worker, or the page itself. */
export interface Port {
  post(message: ToHost, transfer: readonly ArrayBuffer[]): void
  onMessage(handler: (message: FromHost) => void): void
  /** The thread crashed or ended without being asked to. */
  onFailure(handler: (error: unknown) => void): void
  /** Whether the process must stay alive for the thread's sake. */
  hold(alive: boolean): void
  /** Ends the thread, as soon as that is safe. */
  terminate(): Promise<void>
}

export interface Link {
  readonly facts: HostFacts
  /** False once the thread is gone; its sessions are gone with it. */
  isAlive(): boolean
  call<R extends WireRequest>(
    request: R,
    transfer?: readonly ArrayBuffer[],
    signal?: AbortSignal,
  ): Promise<WireReply[R['kind']]>
  close(): Promise<void>
}

/** A cancelled call that had begun cannot be stopped: the thread gets this long to come back before it is ended. */
const GRACE_MS = 10_000

interface Pending {
  readonly resolve: (reply: never) => void
  readonly reject: (error: unknown) => void
}

/** Waits for the thread to say that its runtime is there; rejects with its reason where it is not. */
export function connect(port: Port, graceMs = GRACE_MS): Promise<Link> {
  /** Calls that the thread has not answered, in the order in which it takes them; null: cancelled by the caller. */
  const calls = new Map<number, Pending | null>()
  let dead: PareError | null = null
  let nextId = 1
  let isReady = false
  let grace: { readonly id: number; readonly timer: ReturnType<typeof setTimeout> } | null = null

  /** The thread works on the first call. If nobody waits for that one, the clock runs. */
  const watch = () => {
    const [head] = calls
    port.hold(calls.size > 0)
    if (grace !== null && grace.id === head?.[0]) return
    clearTimeout(grace?.timer)
    grace = null
    if (head === undefined || head[1] !== null) return
    const timer = setTimeout(() => {
      end(lost('the engine did not come back after a call was cancelled, so its thread was ended'))
      void port.terminate()
    }, graceMs)
    unref(timer)
    grace = { id: head[0], timer }
  }
  const end = (reason: PareError) => {
    dead ??= reason
    const waiting = [...calls.values()]
    calls.clear()
    watch()
    for (const call of waiting) call?.reject(dead)
  }
  const settle = (id: number): Pending | null | undefined => {
    const call = calls.get(id)
    calls.delete(id)
    watch()
    return call
  }

  const call: Link['call'] = (request, transfer = [], signal) =>
    new Promise((resolve, reject) => {
      if (dead !== null) return reject(dead)
      if (signal?.aborted) return reject(aborted(signal.reason))
      const id = nextId++
      const onAbort = () => {
        if (!calls.has(id)) return
        calls.set(id, null)
        port.post({ cancel: id }, [])
        watch()
        reject(aborted(signal?.reason))
      }
      const done = () => signal?.removeEventListener('abort', onAbort)
      calls.set(id, {
        resolve: (reply) => {
          done()
          resolve(reply)
        },
        reject: (error) => {
          done()
          reject(error)
        },
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      watch()
      try {
        port.post({ id, request }, transfer)
      } catch (error) {
        settle(id)?.reject(error)
      }
    })

  const close = async () => {
    end(new PareError('ENGINE_CLOSED', 'the engine is closed', { remedy: 'Open it again.' }))
    await port.terminate()
  }

  return new Promise((resolve, reject) => {
    port.hold(true)
    port.onMessage((message) => {
      if ('ready' in message) {
        isReady = true
        watch()
        resolve({ facts: message.ready, isAlive: () => dead === null, call, close })
      } else if ('refused' in message) {
        const error = errorFromWire(message.refused)
        end(error)
        reject(error)
        void port.terminate()
      } else if ('error' in message) settle(message.id)?.reject(errorFromWire(message.error))
      else settle(message.id)?.resolve(message.reply as never)
    })
    port.onFailure((error) => {
      const reason = isReady ? lost('what the engine runs in died', error) : notStarted(error)
      end(reason)
      reject(reason)
    })
  })
}

const notStarted = (cause: unknown) =>
  new PareError('ENGINE_START', 'what the engine runs in could not be started', {
    value: messageOf(cause),
    remedy: 'Check NODE_OPTIONS and the memory that is left; `pare doctor` tells what is there.',
    cause,
  })

const lost = (what: string, cause?: unknown) =>
  new PareError('ENGINE_LOST', what, {
    remedy: 'Load the model again: the engine starts anew. If it happens again, give it more memory or less work.',
    cause,
  })

/** A timer must not keep a Node process alive; a browser's timers are numbers and need nothing. */
function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
    timer.unref()
}
