import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isFloat } from '../../src/ir/dtypes.js'
import { findOp } from '../../src/ops/index.js'
import { type GradientCheck, openGradientCheck } from './gradients.js'
import type { OpCase } from './ops.js'
import * as casesA from './ops-a.cases.js'
import * as casesB from './ops-b.cases.js'

let gradients: GradientCheck
beforeAll(async () => {
  gradients = await openGradientCheck()
})
afterAll(() => gradients.close())

/** Cases of ops with a gradient that are written for opset 21, with something to differentiate by. */
const isChecked = (c: OpCase): boolean =>
  typeof findOp(c.domain ?? '', c.op)?.grad === 'function' &&
  (c.from ?? 0) <= 21 &&
  (c.to ?? 21) >= 21 &&
  (c.inputs ?? []).some((t) => t !== null && isFloat(t.dtype))

for (const [family, cases] of Object.entries({ ...casesA, ...casesB })) {
  const checked = (cases as readonly OpCase[]).filter(isChecked)
  if (checked.length === 0) continue
  describe(family, () => {
    for (const c of checked) {
      test(c.name === undefined ? c.op : `${c.op}: ${c.name}`, async () => {
        expect(await gradients.check(c)).toEqual([])
      })
    }
  })
}
