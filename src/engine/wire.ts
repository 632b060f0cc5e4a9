/**
 * What crosses between an engine and the thread that computes: requests, replies, and tensors as buffers that are
 * transferred, never shared. Plain data, fit for `structuredClone`.
 */

import { byteSize, isKnownDType } from '../ir/dtypes.js'
import { elementCount, stringTensor, tensorOfBytes } from '../ir/tensor.js'
import type { DType, Tensor } from '../ir/types.js'
import { messageOf, PareError } from '../util/errors.js'
import type { Feeds, NodeProfile, Timing, ValueInfo } from './engine.js'

export interface WireTensor {
  readonly dtype: string
  readonly shape: readonly number[]
  /** The tensor's bytes in ONNX's layout; of strings, their texts. */
  readonly data: ArrayBuffer | readonly string[]
}

export type WireFeeds = Readonly<Record<string, WireTensor>>

export type WireModel = { readonly bytes: Uint8Array } | { readonly path: string }

export interface WireSessionOptions {
  readonly optimization?: 'off' | 'basic' | 'extended' | 'all'
  readonly optimizedModelPath?: string
  readonly config?: Readonly<Record<string, string>>
}

export interface WireMeasureOptions {
  readonly rounds?: number
  readonly budgetMs?: number
  readonly warmup?: number
  readonly patience?: number
}

export type WireRequest =
  | { readonly kind: 'load'; readonly model: WireModel; readonly options: WireSessionOptions }
  | {
      readonly kind: 'run'
      readonly session: number
      readonly feeds: WireFeeds
      readonly outputs: readonly string[]
      /** Inputs that go back with the outputs. */
      readonly lent: readonly string[]
    }
  | { readonly kind: 'release'; readonly session: number }
  | {
      readonly kind: 'measure'
      readonly models: readonly WireModel[]
      readonly feeds: readonly WireFeeds[]
      readonly options: WireMeasureOptions
    }
  | { readonly kind: 'profile'; readonly model: WireModel; readonly feeds: WireFeeds; readonly runs: number }

export interface LoadedSession {
  readonly session: number
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
}

/** The reply to each kind of request. */
export interface WireReply {
  readonly load: LoadedSession
  readonly run: WireFeeds
  readonly release: null
  readonly measure: readonly Timing[]
  readonly profile: readonly NodeProfile[]
}

/** Asks a worker thread to end itself between two requests. */
export const END = 'end'

/** To the computing thread: a request under an id, or word that nobody waits for it any more. */
export type ToHost = { readonly id: number; readonly request: WireRequest } | { readonly cancel: number }

export type FromHost =
  | { readonly id: number; readonly reply: WireReply[keyof WireReply] }
  | { readonly id: number; readonly error: WireError }
  /** Said once, first: the runtime is there, or why it is not. */
  | { readonly ready: HostFacts }
  | { readonly refused: WireError }

export interface HostFacts {
  readonly version: string
  readonly threads: number
  /** Execution providers that the runtime lists. */
  readonly backends: readonly string[]
}

export interface WireError {
  readonly code: string
  readonly what: string
  readonly where?: string
  readonly value?: string
  readonly remedy: string
  readonly cause?: string
}

const utf8 = new TextEncoder()

/**
 * A copy of a tensor that can be transferred, so that the caller's buffer stays whole; the buffer itself where it is lent
 * and holds nothing else. Throws where bytes and shape disagree.
 */
export function toWire(name: string, t: Tensor, isLent = false): WireTensor {
  if (!sizeFits(t)) {
    throw new PareError('ENGINE_FEEDS', `the data does not fit ${t.dtype}[${t.shape.join(', ')}]`, {
      where: `input ${name}`,
      value: t.dtype === 'string' ? `${t.strings?.().length ?? 0} strings` : `${t.byteLength} bytes`,
      remedy: 'Give as many elements as the shape holds.',
    })
  }
  if (t.dtype === 'string') return { dtype: t.dtype, shape: t.shape, data: texts(name, t) }
  const bytes = t.bytes()
  const { buffer } = bytes
  if (isLent && buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength)
    return { dtype: t.dtype, shape: t.shape, data: buffer }
  const data = new ArrayBuffer(bytes.byteLength)
  new Uint8Array(data).set(bytes)
  return { dtype: t.dtype, shape: t.shape, data }
}

export function fromWire({ dtype, shape, data }: WireTensor): Tensor {
  if (data instanceof ArrayBuffer) return tensorOfBytes(dtype as DType, shape, new Uint8Array(data))
  return stringTensor(
    shape,
    data.map((text) => utf8.encode(text)),
  )
}

export const feedsToWire = (feeds: Feeds): WireFeeds =>
  Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toWire(name, t)]))

/** The buffers of some tensors, each once, for a transfer list. */
export function buffersOf(all: Iterable<WireFeeds>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  for (const feeds of all)
    for (const { data } of Object.values(feeds)) if (data instanceof ArrayBuffer) buffers.add(data)
  return [...buffers]
}

function texts(name: string, t: Tensor): readonly string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return (t.strings?.() ?? []).map((bytes) => decoder.decode(bytes))
  } catch (cause) {
    throw new PareError('ENGINE_FEEDS', 'a string is not valid UTF-8, and the engine takes no other', {
      where: `input ${name}`,
      remedy: 'Give the model UTF-8 strings.',
      cause,
    })
  }
}

/** True where the bytes are as many as dtype and shape ask for (or where that cannot be told). */
function sizeFits(t: Tensor): boolean {
  const count = elementCount(t.shape)
  if (t.dtype === 'string') return (t.strings?.().length ?? -1) === count
  const expected = isKnownDType(t.dtype) ? byteSize(t.dtype, count) : undefined
  return expected === undefined || expected === t.byteLength
}

/** An error made plain; one that is not a `PareError` becomes `fallback`'s code. */
export function errorToWire(error: unknown, fallback = 'ENGINE_RUN'): WireError {
  if (!(error instanceof PareError)) {
    const cause = messageOf(error)
    return { code: fallback, what: `the engine failed: ${cause}`, remedy: 'Please report it.', cause }
  }
  const { where, value, remedy, cause } = error.detail
  return {
    code: error.code,
    what: error.what,
    remedy,
    ...(where === undefined ? {} : { where }),
    ...(value === undefined ? {} : { value: String(value) }),
    ...(cause === undefined ? {} : { cause: messageOf(cause) }),
  }
}

export function errorFromWire({ code, what, where, value, remedy, cause }: WireError): PareError {
  return new PareError(code, what, {
    remedy,
    ...(where === undefined ? {} : { where }),
    ...(value === undefined ? {} : { value }),
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
  })
}
