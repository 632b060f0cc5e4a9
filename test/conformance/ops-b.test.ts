import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpDef } from '../../src/ops/def.js'
import { FAMILIES, findOp, OPS } from '../../src/ops/index.js'
import { type Conformance, type OpCase, openConformance, opsetsOf } from './ops.js'
import * as cases from './ops-b.cases.js'

const { conv, matmul, pool, norm, rnn, attention, quantization, control, signal, ml } = FAMILIES
const records: readonly OpDef[] = [conv, matmul, pool, norm, rnn, attention, quantization, control, signal, ml].flat()

/** Ops whose records no case can hold against this engine, and why. */
const WITHOUT_CASE: Readonly<Record<string, string>> = {
  If: 'has subgraphs: infer-shapes.test.ts',
  Loop: 'has subgraphs: infer-shapes.test.ts',
  Scan: 'has subgraphs: infer-shapes.test.ts',
  ZipMap: 'the engine does not hand out sequences of maps',
}

let conformance: Conformance
beforeAll(async () => {
  conformance = await openConformance(OPS)
})
afterAll(() => conformance.close())

const label = (domain: string, op: string): string => (domain === '' ? op : `${domain}.${op}`)

for (const [family, list] of Object.entries(cases) as [string, readonly OpCase[]][]) {
  describe(family, () => {
    for (const c of list) {
      const domain = c.domain ?? ''
      test([label(domain, c.op), c.name].filter((s) => s !== undefined).join(': '), async () => {
        const opsets = opsetsOf(c, findOp(domain, c.op)!.since)
        expect(opsets).not.toHaveLength(0)
        const problems: string[] = []
        for (const opset of opsets) problems.push(...(await conformance.check(c, opset)))
        expect(problems).toEqual([])
      })
    }
  })
}

test('every record has a case, or a reason why not', () => {
  const all = (Object.values(cases) as (readonly OpCase[])[]).flat()
  const covered = new Set(all.map((c) => label(c.domain ?? '', c.op)))
  const missing = records.filter((r) => !covered.has(label(r.domain, r.op))).map((r) => r.op)
  expect(missing.sort()).toEqual(Object.keys(WITHOUT_CASE).sort())
})

test('no op has two records', () => {
  const names = OPS.map((r) => label(r.domain, r.op))
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})
