/**
 * Samples from a module of the user's own: its default export, or `samples`, is an async generator function (called
 * with `{ inputs, signal }` at each reading), or something that can be iterated. It yields `{ input: value }`, or
 * `{ feeds: { input: value }, label, name, sequence }`. Node only.
 */

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ValueInfo } from '../engine/engine.js'
import type { DType, Tensor } from '../ir/types.js'
import { messageOf, PareError } from '../util/errors.js'
import type { Label } from './labels.js'
import { nested } from './nested.js'
import type { Sample, Samples } from './samples.js'

/** What a module's function is called with. */
export interface ModuleContext {
  readonly inputs: readonly ValueInfo[]
  readonly signal?: AbortSignal
}

type Iterated = AsyncIterable<unknown> | Iterable<unknown>

/** Values may be tensors, typed arrays (in the input's declared shape) or nested numbers. Throws `MODULE_…`, `SAMPLE_…`. */
export async function moduleSamples(path: string, inputs: readonly ValueInfo[]): Promise<Samples> {
  const exported = await load(path)
  let started = false
  return {
    name: path,
    count: Array.isArray(exported) ? exported.length : null,
    async *read({ signal } = {}) {
      if (isOnce(exported)) {
        if (started) {
          throw new PareError('MODULE_ONCE', 'samples are read several times, and this generator has been used up', {
            where: path,
            remedy: 'Export the generator function itself: export default async function* () { … }.',
          })
        }
        started = true
      }
      let i = 0
      for await (const item of itemsOf(exported, { inputs, ...(signal && { signal }) }, path)) {
        signal?.throwIfAborted()
        yield sampleOf(item, inputs, `${path}[${i}]`)
        i++
      }
    },
  }
}

async function load(path: string): Promise<unknown> {
  const module = await import(pathToFileURL(resolve(path)).href).catch((cause: unknown) => {
    throw new PareError('MODULE_LOAD', 'the module cannot be loaded', {
      where: path,
      value: messageOf(cause),
      remedy: 'Check that `node` runs it without errors.',
      cause,
    })
  })
  const exported: unknown = module.default ?? module.samples
  if (typeof exported === 'function' || isIterable(exported)) return exported
  throw new PareError('MODULE_EXPORT', 'the module exports no samples', {
    where: path,
    value: Object.keys(module).join(', ') || 'no exports',
    remedy: 'Export a generator: export default async function* () { yield { input: new Float32Array(…) } }.',
  })
}

const isIterable = (value: unknown): value is Iterated =>
  typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)

/** A generator that runs already: it is its own iterator. */
const isOnce = (value: unknown): boolean => isIterable(value) && 'next' in value

/** What the module gives, one after the other; what its own code throws is said to be the module's. */
async function* itemsOf(exported: unknown, context: ModuleContext, path: string): AsyncGenerator<unknown> {
  let i = 0
  try {
    for await (const item of await iterated(exported, context, path)) {
      yield item
      i++
    }
  } catch (cause) {
    if (cause instanceof PareError || context.signal?.aborted) throw cause
    throw new PareError('MODULE_RUN', `the module failed when it was asked for sample ${i}`, {
      where: path,
      value: messageOf(cause),
      remedy: 'The error is in the module; PARE_DEBUG=1 shows where.',
      cause,
    })
  }
}

async function iterated(exported: unknown, context: ModuleContext, path: string): Promise<Iterated> {
  const value = typeof exported === 'function' ? await exported(context) : exported
  if (isIterable(value)) return value
  throw new PareError('MODULE_EXPORT', 'the exported function returns nothing that can be iterated', {
    where: path,
    value: typeof value,
    remedy: 'Make it a generator: async function* () { yield … }.',
  })
}

function sampleOf(item: unknown, inputs: readonly ValueInfo[], fallback: string): Sample {
  if (typeof item !== 'object' || item === null || Array.isArray(item) || ArrayBuffer.isView(item)) {
    throw new PareError('MODULE_SAMPLE', 'a sample is an object of the values of the inputs, by name', {
      where: fallback,
      value: item,
      remedy: `Yield { ${inputs[0]?.name ?? 'input'}: … }.`,
    })
  }
  const record = item as Readonly<Record<string, unknown>>
  const wrapped = typeof record.feeds === 'object' && record.feeds !== null && !inputs.some((i) => i.name === 'feeds')
  const values = (wrapped ? record.feeds : record) as Readonly<Record<string, unknown>>
  const name = wrapped && typeof record.name === 'string' ? record.name : fallback
  const feeds: Record<string, Tensor> = {}
  for (const [key, value] of Object.entries(values)) {
    const input = inputs.find((i) => i.name === key)
    feeds[key] = nested(value, (input?.dtype ?? 'float32') as DType, `${name}, input ${key}`, input?.shape)
  }
  return {
    feeds,
    name,
    ...(wrapped && record.label !== undefined && { label: labelOf(record.label, name) }),
    ...(wrapped && typeof record.sequence === 'string' && { sequence: record.sequence }),
  }
}

function labelOf(value: unknown, where: string): Label {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return Number(value)
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return Array.from(value as unknown as ArrayLike<number>, Number)
  throw new PareError('LABEL_TEXT', 'a label is a class index, or a list of numbers', {
    where,
    value,
    remedy: 'Yield e.g. label: 3.',
  })
}
