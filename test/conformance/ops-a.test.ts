import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { activation } from '../../src/ops/activation.js'
import { arithmetic } from '../../src/ops/arithmetic.js'
import { generate } from '../../src/ops/generate.js'
import { logic } from '../../src/ops/logic.js'
import { movement } from '../../src/ops/movement.js'
import { reduction } from '../../src/ops/reduction.js'
import { sequence } from '../../src/ops/sequence.js'
import { unary } from '../../src/ops/unary.js'
import { type Conformance, type OpCase, openConformance, opsetsOf } from './ops.js'
import * as cases from './ops-a.cases.js'

const records = [arithmetic, logic, unary, activation, reduction, movement, generate, sequence].flat()

/** Ops whose records no case can hold against this engine, and why. */
const WITHOUT_KERNEL: Readonly<Record<string, string>> = {
  Swish: 'opset 24',
  BitCast: 'opset 26',
  CumProd: 'opset 26',
}

let conformance: Conformance
beforeAll(async () => {
  conformance = await openConformance(records)
})
afterAll(() => conformance.close())

const sinceOf = (c: OpCase): number => records.find((r) => r.op === c.op)!.since

for (const [family, list] of Object.entries(cases)) {
  describe(family, () => {
    for (const c of list) {
      test(c.name === undefined ? c.op : `${c.op}: ${c.name}`, async () => {
        const opsets = opsetsOf(c, sinceOf(c))
        expect(opsets).not.toHaveLength(0)
        const problems: string[] = []
        for (const opset of opsets) problems.push(...(await conformance.check(c, opset)))
        expect(problems).toEqual([])
      })
    }
  })
}

test('every record has a case, or a reason why not', () => {
  const covered = new Set(Object.values(cases).flatMap((list) => list.map((c) => c.op)))
  const missing = records.map((r) => r.op).filter((op) => !covered.has(op))
  expect(missing.sort()).toEqual(Object.keys(WITHOUT_KERNEL).sort())
})

test('no op has two records', () => {
  const names = records.map((r) => r.op)
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})
