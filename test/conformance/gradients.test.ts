import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { float, int, str } from '../../src/ir/attrs.js'
import { isFloat } from '../../src/ir/dtypes.js'
import { f32 } from '../../src/ir/tensor.js'
import { findOp, OPS } from '../../src/ops/index.js'
import { type GradientCheck, openGradientCheck } from './gradients.js'
import type { OpCase } from './ops.js'
import * as casesA from './ops-a.cases.js'
import * as casesB from './ops-b.cases.js'
import { floatsOf, list, one } from './tensors.js'

let gradients: GradientCheck
beforeAll(async () => {
  gradients = await openGradientCheck()
})
afterAll(() => gradients.close())

/** Cases that have no gradient: the code of the error that says so. */
const REFUSED: Readonly<Record<string, string>> = {
  'GatherND: batched': 'GRADIENT_NONE',
  'Pad: edge that cuts off': 'GRADIENT_NONE',
  'Pad: wrap by more than the axis': 'GRADIENT_NONE',
}

/** Cases that prove nothing here, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  Cast: 'no float comes out',
  CastLike: 'no float comes out',
  Shrink: 'jumps where it begins: `soft` below',
  GlobalMaxPool: 'two of its elements are nearly equal: `apart` below',
  Tan: 'near its poles the difference in float32 is no derivative: `unit` below',
  'ReduceLogSum: no axes, nothing done': 'the logarithm of negative numbers',
  'Reshape: allowzero': 'nothing to differentiate',
  'Slice: clamped and empty': 'nothing to differentiate',
  'Cast: half': 'float16 is too coarse for a difference',
}

const MORE: readonly OpCase[] = [
  { op: 'Shrink', name: 'soft', inputs: [floatsOf([2, 3])], attrs: { bias: float(0.5) } },
  { op: 'GlobalMaxPool', name: 'apart', inputs: [floatsOf([2, 3, 3, 3], -2, 2, 5)] },
  { op: 'Tan', name: 'unit', inputs: [floatsOf([2, 3], -0.9, 0.9)] },
  { op: 'ReduceProd', name: 'a zero', inputs: [f32([2, 3], [1, 0, 2, 3, 4, 5]), list(1)] },
  { op: 'ReduceProd', name: 'two zeros', inputs: [f32([1, 3], [0, 0, 2]), list(1)] },
  {
    op: 'Slice',
    name: 'every third, backwards',
    inputs: [floatsOf([7, 5]), list(6, 4), list(-9, 0), list(0, 1), list(-3, -2)],
  },
  { op: 'Gather', name: 'one row of the middle', inputs: [floatsOf([2, 5, 3]), one(3)], attrs: { axis: int(1) } },
  { op: 'Gather', name: 'a row several times', inputs: [floatsOf([4, 3]), list(1, 3, 1, -1, 1)] },
  { op: 'Split', name: 'in three', inputs: [floatsOf([2, 6]), list(1, 2, 3)], attrs: { axis: int(1) }, outputs: 3 },
  { op: 'PRelu', name: 'a slope a channel', inputs: [floatsOf([2, 3, 4]), floatsOf([3, 1])] },
  { op: 'Gelu', name: 'by tanh', inputs: [floatsOf([2, 3])], attrs: { approximate: str('tanh') } },
  {
    op: 'Einsum',
    name: 'summed over a letter of size 1',
    inputs: [floatsOf([2, 5]), floatsOf([1])],
    attrs: { equation: str('ij,j->i') },
  },
  ...['reflect', 'edge', 'wrap'].map((mode) => ({
    op: 'Pad',
    name: `${mode} on two axes`,
    inputs: [floatsOf([2, 4, 5]), list(0, 3, 2, 1, 0, 4)],
    attrs: { mode: str(mode) },
  })),
  {
    op: 'Pad',
    name: 'edge on a named axis',
    inputs: [floatsOf([2, 3, 4]), list(2, 5), null, list(-2)],
    attrs: { mode: str('edge') },
  },
  {
    op: 'Pad',
    name: 'edge that cuts off',
    inputs: [floatsOf([2, 3]), list(0, 1, 0, -1)],
    attrs: { mode: str('edge') },
  },
  {
    op: 'Pad',
    name: 'wrap by more than the axis',
    inputs: [floatsOf([2, 3]), list(0, 4, 0, 0)],
    attrs: { mode: str('wrap') },
  },
  { op: 'Pow', name: 'negative base', inputs: [floatsOf([5]), one(3)] },
]

/** Cases of ops with a gradient that are written for opset 21, with something to differentiate by. */
const isChecked = (c: OpCase): boolean =>
  typeof findOp(c.domain ?? '', c.op)?.grad === 'function' &&
  (c.from ?? 0) <= 21 &&
  (c.to ?? 21) >= 21 &&
  (c.inputs ?? []).some((t) => t !== null && isFloat(t.dtype))

const titleOf = (c: OpCase): string => (c.name === undefined ? c.op : `${c.op}: ${c.name}`)

for (const [family, cases] of Object.entries({ ...casesA, ...casesB, more: MORE })) {
  const checked = (cases as readonly OpCase[]).filter((c) => isChecked(c) && LEFT_OUT[titleOf(c)] === undefined)
  if (checked.length === 0) continue
  describe(family, () => {
    for (const c of checked) {
      const code = REFUSED[titleOf(c)]
      test(titleOf(c), async () => {
        if (code === undefined) expect(await gradients.check(c)).toEqual([])
        else await expect(gradients.check(c)).rejects.toMatchObject({ code })
      })
    }
  })
}

test('every op whose record has a rule has a case', () => {
  const all = [...Object.values({ ...casesA, ...casesB }).flat(), ...MORE] as readonly OpCase[]
  const covered = new Set(all.filter(isChecked).map((c) => c.op))
  // Opset 24 and 23.
  const WITHOUT_KERNEL = ['Swish', 'RMSNormalization']
  const ruled = OPS.filter((def) => typeof def.grad === 'function').map((def) => def.op)
  expect(ruled.filter((op) => !covered.has(op) && !WITHOUT_KERNEL.includes(op))).toEqual([])
})
