/** Models in a form that `toEqual` compares by content: tensors with their bytes instead of functions. */

import type { Model, Tensor } from '../src/ir/types.js'

/** What of a tensor counts in a comparison. Where its data lay does not. */
const plainTensor = ({ bytes, strings, byteLength, external: _, ...rest }: Tensor) => ({
  ...rest,
  byteLength,
  bytes: Buffer.from(bytes()).toString('hex'),
  ...(strings !== undefined && { strings: strings().map((s) => Buffer.from(s).toString('hex')) }),
})

const isTensor = (value: object): value is Tensor => 'bytes' in value && typeof value.bytes === 'function'

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (value instanceof Map) return [...value].map(([key, v]) => [key, plain(v)])
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const fields = isTensor(value) ? plainTensor(value) : value
  return Object.fromEntries(Object.entries(fields).map(([key, v]) => [key, plain(v)]))
}

/** A model, or any part of one, as plain data in which order counts. */
export const plainModel = (model: Model): unknown => plain(model)
