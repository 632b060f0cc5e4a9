import { expect, test } from 'vitest'
import { spareModel } from '../../test/prunable.js'
import { type CompressOptions, compress } from './compress.js'

const QUICK: CompressOptions = { threads: 1, rounds: 3, budgetMs: 5, for: 'size' }

test('limits that nothing keeps leave the original; others bound what is handed back', async () => {
  const model = spareModel()
  const small = await compress(model, { ...QUICK, maxBytes: 100 })
  expect([small.outcome.chosen, small.bytes]).toEqual([null, null])
  const fast = await compress(model, { ...QUICK, maxLatency: 1e-6 })
  expect(fast.outcome.chosen).toBe(null)
  const { outcome } = await compress(model, { ...QUICK, maxBytes: 12_000 })
  const sizes = outcome.trials.map((t) => ({ bytes: t.bytes!, keeps: t.keeps }))
  expect(sizes.some((s) => s.bytes > 12_000)).toBe(true)
  expect(sizes.some((s) => s.bytes <= 12_000)).toBe(true)
  expect(sizes.every((s) => s.bytes <= 12_000 || s.keeps === false)).toBe(true)
  expect(outcome.budget.maxBytes).toBe(12_000)
})

test.each([{ maxBytes: 0 }, { maxLatency: -1 }, { minutes: 0 }, { trials: 1.5 }, { more: 0 }, { recover: -3 }])(
  '%j is refused',
  async (options) => {
    await expect(compress(spareModel(), options)).rejects.toMatchObject({ code: 'OPTION_VALUE' })
  },
)
