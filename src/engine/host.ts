/**
 * The side of the engine that computes: owns the sessions of one runtime and answers requests one at a time. It runs
 * in a worker thread (Node), a Web Worker or, where there is none, the page itself; `Platform` is what differs.
 */

import { DTYPES, type TypedArray } from '../ir/dtypes.js'
import { PareError } from '../util/errors.js'
import type { NodeProfile, Timing, ValueInfo } from './engine.js'
import { aborted, loadFailure, runFailure } from './failures.js'
import { checkFeeds } from './feeds.js'
import { timeCalls } from './measure.js'
import type { Ort, OrtSession, OrtSessionOptions, OrtTensor, OrtValueMetadata } from './ort.js'
import { parseProfile } from './profile.js'
import {
  buffersOf,
  errorToWire,
  type FromHost,
  type LoadedSession,
  type ToHost,
  type WireFeeds,
  type WireModel,
  type WireReply,
  type WireRequest,
  type WireSessionOptions,
  type WireTensor,
} from './wire.js'

type RunRequest = Extract<WireRequest, { readonly kind: 'run' }>

export interface Platform {
  readonly ort: Ort
  /** In order of preference; the runtime adds the CPU at the end. */
  readonly providers: readonly string[]
  readonly threads: number
  /** Element types that the runtime's binding cannot carry, though its kernels may compute them. */
  readonly refused: { readonly inputs: readonly string[]; readonly outputs: readonly string[] }
  /** What a model becomes before the runtime sees it: the path itself, or the bytes of its files. */
  open(model: WireModel): Promise<{ readonly model: Uint8Array | string } & Pick<OrtSessionOptions, 'externalData'>>
  /** Lets messages that have arrived be handled. */
  tick(): Promise<void>
  /** Runs `use` with session options that write a profile, and returns the file's text; null where that cannot be. */
  readonly profiled: ((use: (options: Partial<OrtSessionOptions>) => Promise<void>) => Promise<string>) | null
}

type Send = (message: FromHost, transfer: readonly ArrayBuffer[]) => void

/** Returns the function that takes messages. */
export function host(platform: Platform, send: Send): (message: ToHost) => void {
  const sessions = new Map<number, { readonly session: OrtSession; readonly label: string }>()
  const waiting = new Set<number>()
  const cancelled = new Set<number>()
  let queue: Promise<void> = Promise.resolve()
  let nextSession = 1

  const load = async (model: WireModel, options: WireSessionOptions): Promise<LoadedSession> => {
    const session = await createSession(platform, model, options)
    const id = nextSession++
    sessions.set(id, { session, label: labelOf(model) })
    return { session: id, inputs: session.inputMetadata.map(valueInfo), outputs: session.outputMetadata.map(valueInfo) }
  }

  const run = async (id: number, { feeds, outputs, lent }: RunRequest): Promise<WireFeeds> => {
    const entry = sessions.get(id)
    if (entry === undefined) throw closedSession()
    refuse(platform, entry.session, feeds, outputs)
    const results = await runSession(entry.session, entry.label, ortFeeds(platform.ort, feeds), outputs)
    const wire: Record<string, WireTensor> = Object.fromEntries(
      Object.entries(results).map(([name, t]) => [name, tensorToWire(t)]),
    )
    for (const t of Object.values(results)) t.dispose?.()
    for (const name of lent) wire[name] = feeds[name]!
    return wire
  }

  const release = async (id: number): Promise<null> => {
    const entry = sessions.get(id)
    sessions.delete(id)
    await entry?.session.release()
    return null
  }

  const answer = (id: number, request: WireRequest): Promise<WireReply[keyof WireReply]> => {
    switch (request.kind) {
      case 'load':
        return load(request.model, request.options)
      case 'run':
        return run(request.session, request)
      case 'release':
        return release(request.session)
      case 'measure':
        return measure(platform, request, () => cancelled.has(id))
      case 'profile':
        return profile(platform, request)
    }
  }

  const handle = async (id: number, request: WireRequest): Promise<void> => {
    await platform.tick()
    try {
      if (cancelled.has(id)) throw aborted(undefined)
      const reply = await answer(id, request)
      // A session that nobody waits for any more must not stay behind.
      if (cancelled.has(id) && request.kind === 'load') await release((reply as LoadedSession).session)
      send({ id, reply }, request.kind === 'run' ? buffersOf([reply as WireFeeds]) : [])
    } catch (error) {
      send({ id, error: errorToWire(error) }, [])
    } finally {
      waiting.delete(id)
      cancelled.delete(id)
    }
  }

  return (message) => {
    if ('cancel' in message) {
      if (waiting.has(message.cancel)) cancelled.add(message.cancel)
      return
    }
    waiting.add(message.id)
    queue = queue.then(() => handle(message.id, message.request))
  }
}

const closedSession = () => new PareError('ENGINE_CLOSED', 'the session is closed', { remedy: 'Load the model again.' })

const labelOf = (model: WireModel): string => ('path' in model ? model.path : 'model')

const LEVELS = { off: 'disabled', basic: 'basic', extended: 'extended', all: 'all' } as const

export async function createSession(
  platform: Platform,
  model: WireModel,
  { optimization = 'all', optimizedModelPath, config }: WireSessionOptions,
  more: Partial<OrtSessionOptions> = {},
): Promise<OrtSession> {
  try {
    const { model: source, ...files } = await platform.open(model)
    return await platform.ort.createSession(source, {
      executionProviders: platform.providers,
      intraOpNumThreads: platform.threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: LEVELS[optimization],
      logSeverityLevel: 4,
      ...(optimizedModelPath === undefined ? {} : { optimizedModelFilePath: optimizedModelPath }),
      ...(config === undefined ? {} : { extra: { ...config } }),
      ...files,
      ...more,
    })
  } catch (error) {
    throw loadFailure(error, labelOf(model))
  }
}

async function runSession(
  session: OrtSession,
  label: string,
  feeds: Record<string, OrtTensor>,
  outputs: readonly string[],
): Promise<Record<string, OrtTensor>> {
  try {
    return await session.run(feeds, outputs)
  } catch (error) {
    throw runFailure(error, label)
  }
}

const valueInfo = ({ name, isTensor, type, shape }: OrtValueMetadata): ValueInfo =>
  isTensor ? { name, dtype: type ?? 'undefined', shape: (shape ?? []).map(dimension) } : { name, dtype: 'undefined' }

/** A length without a name is '' in the native runtime, and in WebAssembly −1 as an unsigned number of 32 bits. */
const dimension = (d: number | string): number | string => (d === -1 || d === 0xffffffff ? '' : d)

function ortTensor(ort: Ort, name: string, { dtype, shape, data }: WireTensor): OrtTensor {
  try {
    if (!(data instanceof ArrayBuffer)) return ort.createTensor('string', data, shape)
    const { array } = DTYPES[dtype as keyof typeof DTYPES]
    return ort.createTensor(dtype, new array(data, 0, data.byteLength / array.BYTES_PER_ELEMENT), shape)
  } catch (cause) {
    throw new PareError('ENGINE_FEEDS', 'the engine does not take this tensor', {
      where: `input ${name}`,
      value: `${dtype}[${shape.join(', ')}]`,
      remedy: 'Give the input another element type, e.g. by a Cast in the model.',
      cause,
    })
  }
}

const ortFeeds = (ort: Ort, feeds: WireFeeds): Record<string, OrtTensor> =>
  Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, ortTensor(ort, name, t)]))

function tensorToWire(t: OrtTensor): WireTensor {
  const { data } = t
  if (Array.isArray(data)) return { dtype: 'string', shape: t.dims, data: data.map(String) }
  const { buffer, byteOffset, byteLength } = data as TypedArray
  const whole = buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength
  const own = whole ? buffer : new Uint8Array(buffer, byteOffset, byteLength).slice().buffer
  return { dtype: t.type, shape: t.dims, data: own as ArrayBuffer }
}

function refuse({ refused }: Platform, session: OrtSession, feeds: WireFeeds, outputs: readonly string[]): void {
  const input = Object.entries(feeds).find(([, { dtype }]) => refused.inputs.includes(dtype))
  if (input) throw refusal('ENGINE_FEEDS', `input ${input[0]}`, input[1].dtype)
  for (const { name, type = '' } of session.outputMetadata) {
    if (outputs.includes(name) && refused.outputs.includes(type))
      throw refusal('ENGINE_OUTPUTS', `output ${name}`, type)
  }
}

const refusal = (code: string, where: string, dtype: string) =>
  new PareError(code, 'the engine computes this element type but cannot hand it over', {
    where,
    value: dtype,
    remedy: 'Add a Cast to the model, to int8 or uint8.',
  })

/** Outputs that can be fetched; a run must fetch something. */
function fetchable({ refused }: Platform, session: OrtSession, label: string): readonly string[] {
  const names = session.outputMetadata
    .filter(({ isTensor, type = '' }) => isTensor && !refused.outputs.includes(type))
    .map(({ name }) => name)
  if (names.length > 0) return names
  throw new PareError('ENGINE_OUTPUTS', 'no output of the model is a tensor that it could return', {
    where: label,
    remedy: 'The engine returns tensors only: give the model an output that is one.',
  })
}

/** A model by itself, for runs whose outputs nobody reads. Throws as `load` and `run` of an engine do. */
export async function loadModel(platform: Platform, model: WireModel) {
  const label = labelOf(model)
  const session = await createSession(platform, model, {})
  const outputs = fetchable(platform, session, label)
  return {
    async run(feeds: WireFeeds): Promise<void> {
      checkFeeds(session.inputMetadata.map(valueInfo), feeds)
      refuse(platform, session, feeds, [])
      await runSession(session, label, ortFeeds(platform.ort, feeds), outputs)
    },
  }
}

/** Feeds that a session has inputs for: models that lost an unused input can be measured beside the original. */
const feedsOf = <T>(session: OrtSession, feeds: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    session.inputMetadata.flatMap(({ name }) => (Object.hasOwn(feeds, name) ? [[name, feeds[name]!] as const] : [])),
  )

async function measure(
  platform: Platform,
  { models, feeds, options }: Extract<WireRequest, { kind: 'measure' }>,
  isCancelled: () => boolean,
): Promise<readonly Timing[]> {
  const loaded: { session: OrtSession; loadMs: number; label: string }[] = []
  try {
    for (const [i, model] of models.entries()) {
      const label = 'path' in model ? model.path : `model ${i + 1}`
      const start = performance.now()
      const session = await createSession(platform, model, {})
      loaded.push({ session, loadMs: performance.now() - start, label })
    }
    const tensors = feeds.map((one) => ortFeeds(platform.ort, one))
    const calls = loaded.map(({ session, label }) => {
      const outputs = fetchable(platform, session, label)
      for (const one of feeds) {
        checkFeeds(session.inputMetadata.map(valueInfo), feedsOf(session, one), models.length > 1 ? label : undefined)
        refuse(platform, session, feedsOf(session, one), [])
      }
      const own = tensors.map((one) => feedsOf(session, one))
      return async (feed: number) => {
        const results = await runSession(session, label, own[feed % own.length]!, outputs)
        for (const t of Object.values(results)) t.dispose?.()
      }
    })
    const runs = await timeCalls(calls, options, async () => {
      await platform.tick()
      if (isCancelled()) throw aborted(undefined)
    })
    return loaded.map(({ loadMs }, i) => ({ runs: runs[i]!, loadMs }))
  } finally {
    for (const { session } of loaded) await session.release()
  }
}

async function profile(
  platform: Platform,
  { model, feeds, runs }: Extract<WireRequest, { kind: 'profile' }>,
): Promise<readonly NodeProfile[]> {
  if (platform.profiled === null) return []
  const text = await platform.profiled(async (options) => {
    const session = await createSession(platform, model, {}, options)
    try {
      const label = labelOf(model)
      checkFeeds(session.inputMetadata.map(valueInfo), feeds)
      refuse(platform, session, feeds, [])
      const tensors = ortFeeds(platform.ort, feeds)
      const outputs = fetchable(platform, session, label)
      for (let i = 0; i < runs + 1; i++) await runSession(session, label, tensors, outputs)
      session.endProfiling()
    } finally {
      await session.release()
    }
  })
  return parseProfile(text, runs)
}
