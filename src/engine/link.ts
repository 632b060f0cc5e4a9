/**
 * The asking side: one thread that computes (a `Port`), the calls that wait for it, and what happens when a caller
 * gives up or the thread dies. No call ever hangs: it is answered, cancelled, or rejected with the thread's failure.
 */

import { PareError } from '../util/errors.js'
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

/** After a cancelled call that had begun, the thread gets this long to come back before it is ended. */
const GRACE_MS = 2000

interface Pending {
  readonly resolve: (reply: never) => void
  readonly reject: (error: unknown) => void
}

/** Waits for the thread to say that its runtime is there; rejects with its reason where it is not. */
export function connect(port: Port): Promise<Link> {
  const pending = new Map<number, Pending>()
  /** Cancelled calls that the thread has not yet come back from. */
  const abandoned = new Map<number, ReturnType<typeof setTimeout>>()
  let dead: PareError | null = null
  let nextId = 1

  const hold = () => port.hold(pending.size > 0)
  const end = (reason: PareError) => {
    dead ??= reason
    for (const timer of abandoned.values()) clearTimeout(timer)
    abandoned.clear()
    const waiting = [...pending.values()]
    pending.clear()
    for (const { reject } of waiting) reject(dead)
    hold()
  }
  const settle = (id: number): Pending | undefined => {
    clearTimeout(abandoned.get(id))
    abandoned.delete(id)
    const call = pending.get(id)
    pending.delete(id)
    hold()
    return call
  }
  const abandon = (id: number) => {
    port.post({ cancel: id }, [])
    const timer = setTimeout(() => {
      end(lost('the engine did not come back after a call was cancelled, so its thread was ended'))
      void port.terminate()
    }, GRACE_MS)
    unref(timer)
    abandoned.set(id, timer)
  }

  const call: Link['call'] = (request, transfer = [], signal) =>
    new Promise((resolve, reject) => {
      if (dead !== null) return reject(dead)
      if (signal?.aborted) return reject(aborted(signal.reason))
      const id = nextId++
      const onAbort = () => {
        if (settle(id) === undefined) return
        reject(aborted(signal?.reason))
        abandon(id)
      }
      const done = () => signal?.removeEventListener('abort', onAbort)
      pending.set(id, {
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
      hold()
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
        hold()
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
      const reason = lost('the thread of the engine died', error)
      end(reason)
      reject(reason)
    })
  })
}

const lost = (what: string, cause?: unknown) =>
  new PareError('ENGINE_LOST', what, {
    remedy:
      'Load the model again: the engine starts a new thread. If it happens again, give it more memory or less work.',
    cause,
  })

/** A timer must not keep a Node process alive; a browser's timers are numbers and need nothing. */
function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
    timer.unref()
}
