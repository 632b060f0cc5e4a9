/** What bench/models.md owns up to. The numbers are invented and measure nothing. */

import { expect, test } from 'vitest'
import { budgetName, OWN_BUDGETS } from '../../bench/models/make.js'
import { type ModelResults, ORIGINAL, sections } from '../../bench/models/report.js'

const [, forSize] = OWN_BUDGETS
const peers = { objective: 'latency', maxDrop: 0.3 } as const

/** A model of which `compress` made one file for each of two budgets, and what they lose on samples that it never saw. */
function results(losses: readonly [size: number, peers: number]): ModelResults {
  const names = [budgetName(forSize!), budgetName(peers)]
  const runs = [1, 1, 1, 1, 1, 1]
  const agreement = (worst: number) => ({ relativeL2: {}, worst, drop: worst, top1: null, accuracy: null })
  return {
    model: 'some-model',
    about: 'samples',
    heldOut: 10,
    facts: {
      bytes: 1000,
      nodes: 1,
      parameters: 1,
      macs: 1,
      unknownMacs: 0,
      unknownOps: [],
      problems: [],
      roundTrip: { sameBytes: true, sameOutputs: 1, samples: 1 },
    },
    made: names.map((name) => ({ name, file: { path: '', bytes: 500, sha256: name }, note: '', seconds: 1 })),
    rivals: [{ variant: 'theirs', path: '', objective: 'latency', bounds: [0.1], drop: 0.3, bytes: 600, ours: peers }],
    judged: names.map((id, i) => ({ id, agreement: agreement(losses[i]!), wasm: 0 })),
    timed: [ORIGINAL, ...names].map((id) => ({ id, runs })),
    sameAs: {},
    duels: [],
  }
}

const shortcomings = (losses: readonly [number, number]): string => sections([results(losses)])[0]!.text!

test("a budget that is broken on fresh samples is listed, the peer's as well", () => {
  expect(shortcomings([0.02, 0.3])).toBe('Nowhere in this run.')
  expect(shortcomings([0.021, 0.3])).toBe(
    '- some-model, compress for size, drop ≤ 0.02: the budget is not kept, loss 0.0210',
  )
  expect(shortcomings([0.01, 0.31])).toContain('drop ≤ 0.3: the budget is not kept, loss 0.310')
  expect(shortcomings([Number.NaN, 0.3])).toContain('loss NaN')
})
