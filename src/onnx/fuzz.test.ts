/** Damaged models: an error of ours or a model that can be written and printed, never anything else, never a hang. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { graphAttr, int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, i64, stringTensor } from '../ir/tensor.js'
import { parseModel, printModel } from '../ir/text.js'
import { PareError } from '../util/errors.js'
import { decodeModel, encodeModel } from './codec.js'

const fixture = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, '../../test/models', name))

function small(): Uint8Array {
  const inner = builder(['x'])
  inner.ops('Neg', ['x'], { outputs: ['n'] })
  inner.output('n', { kind: 'tensor', dtype: 'float32', shape: null })
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
  b.constant(f32([2], [1, 2]), 'w')
  b.constant(i64([1], [-1]), 'i')
  b.constant(stringTensor([1], [new Uint8Array([65])]), 's')
  b.ops('Add', ['x', 'w'], { outputs: ['y'], attrs: { k: int(1), body: graphAttr(inner.graph()) } })
  b.output('y', { kind: 'sequence', element: { kind: 'tensor', dtype: 'float32', shape: [2, null] } })
  return encodeModel(modelOf(b.graph())).bytes
}

const SEEDS = [small(), fixture('everything.onnx'), fixture('everything-later.onnx')]

/** One change: a bit or byte, a piece cut out, doubled or put in from another model, the end cut off. */
type Damage = readonly [kind: number, at: number, length: number, other: number]
const damage = fc.tuple(
  fc.constantFrom(0, 0, 0, 1, 1, 1, 2, 3, 4, 5),
  fc.nat(),
  fc.integer({ min: 1, max: 40 }),
  fc.nat(),
)

function apply(bytes: Uint8Array, [kind, a, length, b]: Damage): Uint8Array {
  if (bytes.byteLength === 0) return bytes
  const at = a % bytes.byteLength
  const piece = (from: Uint8Array, start: number) => from.subarray(start, start + length)
  const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts))
  switch (kind) {
    case 0:
      return bytes.map((v, i) => (i === at ? v ^ (1 << (b % 8)) : v))
    case 1:
      return bytes.map((v, i) => (i === at ? b % 256 : v))
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length))
    case 3:
      return joined(bytes.subarray(0, at), piece(bytes, b % bytes.byteLength), bytes.subarray(at))
    case 4: {
      const other = SEEDS[b % SEEDS.length]!
      return joined(bytes.subarray(0, at), piece(other, b % other.byteLength), bytes.subarray(at + length))
    }
    default:
      return bytes.subarray(0, at)
  }
}

const attempt = <T>(work: () => T): T | null => {
  try {
    return work()
  } catch (error) {
    if (error instanceof PareError && error.detail.remedy !== '') return null
    throw error
  }
}

const external = ({ length }: { readonly length: number }): Uint8Array => {
  if (length > 1e6) throw new PareError('EXTERNAL_MISSING', 'not here', { remedy: 'None.' })
  return new Uint8Array(length)
}

test('10,000 damaged models are refused or read, and what is read can be written, printed and read again', () => {
  let read = 0
  let runs = 0
  fc.assert(
    fc.property(fc.nat(SEEDS.length - 1), fc.array(damage, { minLength: 1, maxLength: 2 }), (seed, changes) => {
      runs++
      const bytes = changes.reduce(apply, SEEDS[seed]!)
      const model = attempt(() => decodeModel(bytes, { external }))
      if (model === null) return
      read++
      const encoded = encodeModel(model).bytes
      const again = decodeModel(encoded)
      expect(Buffer.compare(encodeModel(again).bytes, encoded)).toBe(0)
      const text = printModel(model)
      if (runs % 5 === 0) expect(printModel(parseModel(text))).toBe(text)
    }),
    { numRuns: 10_000, seed: 20_260_101 },
  )
  expect(read).toBeGreaterThan(runs / 10)
  expect(read).toBeLessThan(runs)
})

test('random bytes are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => attempt(() => decodeModel(bytes)) === null),
    { numRuns: 2000 },
  )
})
