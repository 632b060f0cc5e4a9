import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { int, ints } from '../../src/ir/attrs.js'
import { arithmetic } from '../../src/ops/arithmetic.js'
import { movement } from '../../src/ops/movement.js'
import { reduction } from '../../src/ops/reduction.js'
import { type Conformance, type OpCase, openConformance } from './ops.js'
import { floatsOf, intsOf, list } from './tensors.js'

let conformance: Conformance
beforeAll(async () => {
  conformance = await openConformance([...arithmetic, ...movement, ...reduction])
})
afterAll(() => conformance.close())

const size = fc.integer({ min: 1, max: 4 })
const shapes = fc.array(size, { minLength: 1, maxLength: 4 })
const subsetOf = (rank: number) => fc.uniqueArray(fc.integer({ min: 0, max: rank - 1 }), { maxLength: rank })

/** Holds the records against the engine on random cases. */
const agrees = (cases: fc.Arbitrary<{ readonly c: OpCase; readonly opset: number }>): Promise<void> =>
  fc.assert(
    fc.asyncProperty(cases, async ({ c, opset }) => {
      expect(await conformance.check(c, opset)).toEqual([])
    }),
    { numRuns: 80, seed: 7 },
  )

test('broadcast of three shapes', () =>
  agrees(
    shapes.chain((shape) => {
      const part = fc
        .tuple(fc.integer({ min: 0, max: shape.length }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
        .map(([skip, ones]) => shape.map((d, i) => (ones[i] ? 1 : d)).slice(skip))
      return fc.tuple(part, part, part).map((parts) => ({
        c: { op: 'Sum', inputs: parts.map((s) => floatsOf(s)) },
        opset: 13,
      }))
    }),
  ))

test('Reshape by copies, a remainder and plain sizes', () =>
  agrees(
    shapes.chain((shape) =>
      fc
        .tuple(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.integer({ min: -1, max: shape.length - 1 }))
        .map(([copied, open]) => ({
          c: {
            op: 'Reshape',
            inputs: [intsOf(shape), list(...shape.map((d, i) => (i === open ? -1 : copied[i] ? 0 : d)))],
            content: true,
          },
          opset: 14,
        })),
    ),
  ))

const bound = fc.integer({ min: -6, max: 6 })
const step = fc.constantFrom(-3, -2, -1, 1, 2, 3)

test('Slice of random axes, bounds and steps', () =>
  agrees(
    shapes.chain((shape) =>
      subsetOf(shape.length).chain((axes) => {
        const n = { minLength: axes.length, maxLength: axes.length }
        return fc.tuple(fc.array(bound, n), fc.array(bound, n), fc.array(step, n)).map(([starts, ends, steps]) => ({
          c: { op: 'Slice', inputs: [intsOf(shape), list(...starts), list(...ends), list(...axes), list(...steps)] },
          opset: 13,
        }))
      }),
    ),
  ))

test('Concat of random sizes along a random axis', () =>
  agrees(
    shapes.chain((shape) =>
      fc
        .tuple(fc.integer({ min: -shape.length, max: shape.length - 1 }), fc.array(size, { minLength: 1 }))
        .map(([axis, sizes]) => ({
          c: {
            op: 'Concat',
            inputs: sizes.map((d) => intsOf(shape.with(axis, d))),
            attrs: { axis: int(axis) },
          },
          opset: 13,
        })),
    ),
  ))

test('reductions over random axes, as attribute and as input', () =>
  agrees(
    shapes.chain((shape) =>
      fc
        .tuple(
          subsetOf(shape.length).filter((axes) => axes.length > 0),
          fc.boolean(),
          fc.boolean(),
          fc.constantFrom('ReduceSum', 'ReduceMax', 'ReduceL2'),
        )
        .map(([axes, kept, attribute, op]) => ({
          c: {
            op,
            inputs: attribute ? [floatsOf(shape)] : [floatsOf(shape), list(...axes)],
            attrs: { keepdims: int(kept ? 1 : 0), ...(attribute && { axes: ints(axes) }) },
          },
          opset: attribute ? 11 : 18,
        })),
    ),
  ))

test('Transpose of content', () =>
  agrees(
    shapes.chain((shape) =>
      fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }).map((perm) => ({
        c: { op: 'Transpose', inputs: [intsOf(shape)], attrs: { perm: ints(perm) }, content: true },
        opset: 13,
      })),
    ),
  ))
