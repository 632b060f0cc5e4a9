/** The `Engine` over threads: one that serves sessions and one, started when first needed, that measures undisturbed. */

import { PareError } from '../util/errors.js'
import type { Tasks } from '../util/tasks.js'
import type { Device, Engine, Feeds, ModelSource, Session } from './engine.js'
import { checkFeeds, checkLent, checkOutputs } from './feeds.js'
import type { Link } from './link.js'
import { buffersOf, feedsToWire, fromWire, type LoadedSession, toWire, type WireModel } from './wire.js'

export interface RemoteOptions {
  readonly name: Engine['name']
  readonly device: Device
  /** Starts a thread. */
  start(): Promise<Link>
  /** Where measuring in a thread of its own is not possible, it shares the one that serves. */
  readonly oneThread?: boolean
  /** The engine takes them over. */
  readonly tasks?: Tasks & { close(): Promise<void> }
}

/** A thread that is started when first asked for, and again after it was lost. */
function lane(start: () => Promise<Link>, first?: Link) {
  let current: Promise<Link> | null = first === undefined ? null : Promise.resolve(first)
  return {
    async get(): Promise<Link> {
      const seen = current
      const link = await seen?.catch(() => null)
      if (link?.isAlive()) return link
      // Of callers that find the same dead thread, the first one replaces it for all.
      if (current === seen) current = start()
      return current!
    },
    async close(): Promise<void> {
      const link = await current?.catch(() => null)
      current = null
      await link?.close()
    },
  }
}

/** `first` is a thread that runs already; the engine takes it over. */
export function remoteEngine({ name, device, start, oneThread = false, tasks }: RemoteOptions, first: Link): Engine {
  let closed = false
  const open = async () => {
    if (closed) throw new PareError('ENGINE_CLOSED', 'the engine is closed', { remedy: 'Open it again.' })
    return start()
  }
  const serving = lane(open, first)
  const measuring = oneThread ? serving : lane(open)

  return {
    name,
    device,
    version: first.facts.version,
    threads: first.facts.threads,
    ...(tasks && { tasks }),

    async load(model, { signal, ...options } = {}) {
      const link = await serving.get()
      const wire = toWireModel(model)
      const loaded = await link.call({ kind: 'load', model: wire, options }, modelBuffers([wire]), signal)
      return sessionOf(link, loaded, 'path' in wire ? wire.path : undefined)
    },

    async measure(models, feeds, { signal, ...options } = {}) {
      if (models.length === 0) return []
      if (feeds.length === 0) {
        throw new PareError('ENGINE_FEEDS', 'nothing to measure on', { remedy: 'Give at least one set of inputs.' })
      }
      const link = await measuring.get()
      const wire = models.map(toWireModel)
      const wireFeeds = feeds.map(feedsToWire)
      const transfer = [...modelBuffers(wire), ...buffersOf(wireFeeds)]
      return link.call({ kind: 'measure', models: wire, feeds: wireFeeds, options }, transfer, signal)
    },

    async profile(model, feeds, { runs = 10, signal } = {}) {
      const link = await measuring.get()
      const wire = toWireModel(model)
      const wireFeeds = feedsToWire(feeds)
      const transfer = [...modelBuffers([wire]), ...buffersOf([wireFeeds])]
      return link.call({ kind: 'profile', model: wire, feeds: wireFeeds, runs }, transfer, signal)
    },

    async close() {
      closed = true
      await Promise.all([serving.close(), measuring.close(), tasks?.close()])
    },
  }
}

function sessionOf(link: Link, { session, inputs, outputs }: LoadedSession, model: string | undefined): Session {
  let closed = false
  return {
    inputs,
    outputs,
    async run(feeds: Feeds, { outputs: asked, signal, lend = [] } = {}) {
      if (closed) throw new PareError('ENGINE_CLOSED', 'the session is closed', { remedy: 'Load the model again.' })
      checkFeeds(inputs, feeds, model)
      const names = checkOutputs(outputs, asked, model)
      checkLent(inputs, lend, model)
      const wire = Object.fromEntries(inputs.map(({ name }) => [name, toWire(name, feeds[name]!, lend.includes(name))]))
      const request = { kind: 'run', session, feeds: wire, outputs: names, lent: lend } as const
      const results = await link.call(request, buffersOf([wire]), signal)
      return Object.fromEntries([...names, ...lend].map((name) => [name, fromWire(results[name]!)]))
    },
    async close() {
      if (closed) return
      closed = true
      // Nobody waits for the answer: it comes after whatever the thread still works on, and the next load after it.
      if (link.isAlive()) void link.call({ kind: 'release', session }).catch(() => null)
    },
  }
}

/** A copy of the bytes, to be transferred: the caller's stay whole. */
const toWireModel = (model: ModelSource): WireModel =>
  model instanceof Uint8Array ? { bytes: new Uint8Array(model) } : { path: model.path }

const modelBuffers = (models: readonly WireModel[]): ArrayBuffer[] =>
  models.flatMap((m) => ('bytes' in m ? [m.bytes.buffer as ArrayBuffer] : []))
