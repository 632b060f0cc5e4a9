import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Choice, formsAfter, pathOf } from './path.js'

const choice = fc.record({ saved: fc.integer({ min: -5, max: 50 }), error: fc.integer({ min: 0, max: 50 }) })
const layers = fc
  .array(fc.array(choice, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 })
  .map((all) => all.map((own) => own.map((c, form): Choice => ({ form, ...c }))))

/** Every assignment of forms, float among them. */
function assignments(
  all: readonly (readonly Choice[])[],
): readonly { readonly saved: number; readonly error: number }[] {
  return all.reduce<readonly { readonly saved: number; readonly error: number }[]>(
    (sums, own) =>
      sums.flatMap((sum) =>
        [{ saved: 0, error: 0 }, ...own].map((c) => ({ saved: sum.saved + c.saved, error: sum.error + c.error })),
      ),
    [{ saved: 0, error: 0 }],
  )
}

describe('the path of moves', () => {
  test('passes through assignments that none beats: less error at as much saved', () => {
    fc.assert(
      fc.property(layers, (all) => {
        const moves = pathOf(all)
        const every = assignments(all)
        for (let count = 0; count <= moves.length; count++) {
          const forms = formsAfter(moves, count, all.length)
          const at = forms.map((form, i) => (form === null ? { saved: 0, error: 0 } : all[i]![form]!))
          const saved = at.reduce((n, c) => n + c.saved, 0)
          const error = at.reduce((n, c) => n + c.error, 0)
          const least = Math.min(...every.filter((e) => e.saved >= saved).map((e) => e.error))
          expect(error).toBe(least)
        }
      }),
      { numRuns: 100 },
    )
  })

  test('saves more with each move, at no lower price', () => {
    fc.assert(
      fc.property(layers, (all) => {
        const moves = pathOf(all)
        expect(moves.every((m) => m.saved > 0 && m.error >= 0)).toBe(true)
        for (let i = 1; i < moves.length; i++) {
          expect(moves[i]!.error / moves[i]!.saved).toBeGreaterThanOrEqual(moves[i - 1]!.error / moves[i - 1]!.saved)
        }
      }),
      { numRuns: 100 },
    )
  })

  test('leaves out forms that do not run or save nothing', () => {
    expect(
      pathOf([[{ form: 0, saved: 10, error: Number.POSITIVE_INFINITY }], [{ form: 0, saved: 0, error: 0 }]]),
    ).toEqual([])
  })
})
