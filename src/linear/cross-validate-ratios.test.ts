import { expect, test } from 'vitest'
import { regression } from '../../test/regressions.js'
import { crossValidate } from './cross-validate.js'
import { crossValidateRatios } from './cross-validate-ratios.js'

const { x, y } = regression({ rows: 50, columns: 8, seed: 12 })

test('each ratio has the errors of its own cross-validation, on the same folds; the least of all is the best', async () => {
  const [l1Ratios, options] = [[1, 0.5, 0], { folds: 5, seed: 4, nLambdas: 15 }]
  const found = await crossValidateRatios(x, y, { ...options, l1Ratios })
  const alone = await Promise.all(l1Ratios.map((l1Ratio) => crossValidate(x, y, { ...options, l1Ratio })))
  expect(found.l1Ratios).toEqual(l1Ratios)
  for (const [i, { foldErrors, path }] of found.crossValidations.entries()) {
    expect(foldErrors).toEqual(alone[i]!.foldErrors)
    expect(path.models).toEqual(alone[i]!.path.models)
  }
  const { error, least } = found.crossValidations[found.best]!
  for (const other of alone) expect(error[least]!).toBeLessThanOrEqual(Math.min(...other.error))
})

test('of every model', async () => {
  const options = { model: 'adaptive-lasso', folds: 4, nLambdas: 10 } as const
  const { crossValidations } = await crossValidateRatios(x, y, { ...options, l1Ratios: [1, 0.5] })
  for (const [i, l1Ratio] of [1, 0.5].entries()) {
    const { error } = await crossValidate(x, y, { ...options, l1Ratio })
    expect(crossValidations[i]!.error).toEqual(error)
  }
})

test('progress runs once through all folds of all ratios', async () => {
  const seen: number[] = []
  await crossValidateRatios(x, y, {
    folds: 3,
    nLambdas: 3,
    l1Ratios: [1, 0.2],
    onProgress: ({ done, total }) => seen.push(done / total!),
  })
  expect(seen).toEqual([1, 2, 3, 4, 5, 6].map((n) => n / 6))
})

test.each([[[]], [[0.5, 2]], [[Number.NaN]]])('ratios that are none: %j', async (l1Ratios) => {
  await expect(crossValidateRatios(x, y, { l1Ratios })).rejects.toThrow(
    expect.objectContaining({ code: 'PATH_OPTION' }),
  )
})
