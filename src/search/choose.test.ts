import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseBest, frontOf, isMeasured, unseenRisk } from './choose.js'
import type { TrialResult } from './trial.js'
import { isFaster, isSlower } from './verdicts.js'

const ORIGINAL = 1000

interface Numbers {
  readonly bytes?: number
  readonly ratio?: number
  readonly spread?: number
  readonly drop?: number
  readonly keeps?: boolean
}

function result(
  id: string,
  { bytes = 500, ratio = 0.9, spread = 0.02, drop = 0, keeps = true }: Numbers = {},
): TrialResult {
  return {
    trial: { id, name: id, model: 'm', steps: [], seed: 0 },
    status: 'ok',
    sha256: id,
    bytes,
    latency: { p50: ratio, p95: ratio, ratio, interval: [ratio - spread, ratio + spread] },
    quality: { value: 1 - drop, drop, outputs: [] },
    keeps,
    seconds: 1,
  }
}
const failed: TrialResult = {
  trial: { id: 'failed', name: 'failed', model: 'm', steps: [], seed: 0 },
  status: 'failed',
  error: 'it broke',
  seconds: 1,
}

const chosen = (results: readonly TrialResult[], objective: 'latency' | 'size'): string | null =>
  chooseBest(results, objective, ORIGINAL)?.trial.id ?? null

const anyResult = fc
  .record({
    bytes: fc.integer({ min: 100, max: 1500 }),
    ratio: fc.double({ min: 0.3, max: 2, noNaN: true }),
    spread: fc.double({ min: 0, max: 0.2, noNaN: true }),
    drop: fc.double({ min: -0.01, max: 0.1, noNaN: true }),
  })
  .map((n) => {
    const r = result('', n)
    const keeps = n.drop <= 0.02 && n.bytes <= ORIGINAL && !isSlower(r.latency!)
    return { ...r, keeps }
  })
const anyResults = fc
  .array(anyResult, { maxLength: 12 })
  .map((list) => list.map((r, i) => ({ ...r, trial: { ...r.trial, id: `t${i}` } })))
const objective = fc.constantFrom('latency' as const, 'size' as const)

describe('the one that is handed back', () => {
  test('is never slower beyond doubt, never larger, keeps the budget, and is better in something', () => {
    fc.assert(
      fc.property(anyResults, objective, (results, goal) => {
        const best = chooseBest(results, goal, ORIGINAL)
        if (best === null) return
        expect(best.keeps).toBe(true)
        expect(best.bytes).toBeLessThanOrEqual(ORIGINAL)
        expect(isSlower(best.latency)).toBe(false)
        expect(best.bytes < ORIGINAL || isFaster(best.latency)).toBe(true)
      }),
    )
  })

  test('is there whenever something kept is better than the original', () => {
    fc.assert(
      fc.property(anyResults, objective, (results, goal) => {
        const some = results.some((r) => r.keeps && (r.bytes! < ORIGINAL || isFaster(r.latency!)))
        expect(chooseBest(results, goal, ORIGINAL) !== null).toBe(some)
      }),
    )
  })

  test('is beaten by nothing in both', () => {
    fc.assert(
      fc.property(anyResults, objective, (results, goal) => {
        const best = chooseBest(results, goal, ORIGINAL)
        if (best === null) return
        const beats = (r: TrialResult): boolean =>
          r.keeps === true && r.bytes! < best.bytes && r.latency!.ratio < best.latency.ratio
        expect(results.some(beats)).toBe(false)
      }),
    )
  })

  test('for size is the smallest, and of equals the fastest', () => {
    const list = [
      result('a', { bytes: 400, ratio: 0.5 }),
      result('b', { bytes: 300, ratio: 0.99 }),
      result('c', { bytes: 300, ratio: 0.95 }),
    ]
    expect(chosen(list, 'size')).toBe('c')
  })

  test('for latency is the fastest', () => {
    const list = [result('a', { bytes: 400, ratio: 0.5 }), result('b', { bytes: 300, ratio: 0.9 })]
    expect(chosen(list, 'latency')).toBe('a')
  })

  test('for latency is the smallest among those that are as fast', () => {
    const list = [
      result('fast', { bytes: 600, ratio: 0.5 }),
      result('tied', { bytes: 400, ratio: 0.51 }),
      result('slower', { bytes: 100, ratio: 0.6 }),
    ]
    expect(chosen(list, 'latency')).toBe('tied')
    expect(chosen(list.toReversed(), 'latency')).toBe('tied')
  })

  test('does not give a few percent of one for a thousandth of the other', () => {
    const list = [
      result('fastest', { bytes: 500, ratio: 0.5 }),
      result('tied', { bytes: 499, ratio: 0.51 }),
      result('smallest', { bytes: 495, ratio: 0.9 }),
    ]
    expect(chosen(list, 'latency')).toBe('fastest')
    expect(chosen(list, 'size')).toBe('fastest')
  })

  test('for size, is at most two percent larger than the smallest', () => {
    const list = [result('smallest', { bytes: 300, ratio: 0.9 }), result('fast', { bytes: 307, ratio: 0.1 })]
    expect(chosen(list, 'size')).toBe('smallest')
  })

  test('keeps the budget, however good others are', () => {
    expect(chosen([result('bad', { bytes: 10, ratio: 0.1, keeps: false }), result('good')], 'latency')).toBe('good')
    expect(chosen([result('bad', { keeps: false })], 'size')).toBe(null)
  })

  test('is none where nothing is smaller or faster beyond doubt', () => {
    expect(chosen([result('same', { bytes: ORIGINAL, ratio: 1 })], 'latency')).toBe(null)
    expect(chosen([result('maybe', { bytes: ORIGINAL, ratio: 0.9, spread: 0.2 })], 'latency')).toBe(null)
    expect(chosen([result('faster', { bytes: ORIGINAL, ratio: 0.9, spread: 0.02 })], 'latency')).toBe('faster')
    expect(chosen([result('smaller', { bytes: ORIGINAL - 1, ratio: 1 })], 'latency')).toBe('smaller')
    expect(chosen([], 'size')).toBe(null)
    expect(chosen([failed], 'size')).toBe(null)
  })
})

test('measured is what ran and has its numbers', () => {
  const whole = result('whole')
  expect(isMeasured(whole)).toBe(true)
  expect(isMeasured({ ...whole, status: 'failed' })).toBe(false)
  const { bytes: _, ...withoutBytes } = whole
  const { latency: __, ...withoutLatency } = whole
  expect(isMeasured(withoutBytes)).toBe(false)
  expect(isMeasured(withoutLatency)).toBe(false)
})

describe('the front', () => {
  test('holds the original where nothing beats it, and what beats others in something', () => {
    const list = [
      result('small', { bytes: 300, drop: 0.01 }),
      result('fast', { ratio: 0.5, drop: 0.02 }),
      result('worse', { bytes: 600, ratio: 0.95, drop: 0.03 }),
    ]
    expect(frontOf(list, ORIGINAL)).toEqual(['original', 'small', 'fast'])
    expect(frontOf([result('all', { drop: 0 })], ORIGINAL)).toEqual(['all'])
    expect(frontOf([], ORIGINAL)).toEqual(['original'])
  })

  test('leaves out what can never be handed back: larger, slower beyond doubt, failed', () => {
    const list = [
      result('larger', { bytes: ORIGINAL + 1, ratio: 0.1 }),
      result('slower', { bytes: 10, ratio: 1.2 }),
      result('perhaps slower', { bytes: 10, ratio: 1.2, spread: 0.3, drop: 0.5 }),
      failed,
    ]
    expect(frontOf(list, ORIGINAL)).toEqual(['original', 'perhaps slower'])
  })

  test('takes what is as large as the original and faster', () => {
    expect(frontOf([result('faster', { bytes: ORIGINAL, ratio: 0.5 })], ORIGINAL)).toEqual(['faster'])
  })

  test('does not count better quality than the original as a gain', () => {
    expect(
      frontOf([result('lucky', { drop: -0.5, bytes: 400 }), result('plain', { drop: 0, bytes: 300 })], ORIGINAL),
    ).toEqual(['plain'])
  })

  test('takes candidates whose quality was not measured', () => {
    const { quality: _, ...unjudged } = result('unjudged')
    expect(frontOf([unjudged], ORIGINAL)).toEqual(['unjudged'])
  })
})

test('8 bits of arithmetic that nobody judged are warned of', () => {
  const chosen = (transform: string): TrialResult => {
    const { quality: _, ...unjudged } = result('one')
    return { ...unjudged, trial: { ...unjudged.trial, steps: [{ transform, params: {} }] } }
  }
  expect(unseenRisk(chosen('quantize/dynamic'))).toContain('wrong altogether')
  expect(unseenRisk({ ...chosen('quantize/dynamic'), quality: { value: 1, drop: 0, outputs: [] } })).toBe(null)
  expect(unseenRisk(chosen('store/int8'))).toBe(null)
  expect(unseenRisk(null)).toBe(null)
})
