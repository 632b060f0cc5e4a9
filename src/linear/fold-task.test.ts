/** Folds in several threads are the folds of one. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import { crossValidateBy } from './cross-moments.js'
import { type FoldMoments, foldMomentsOf } from './fold-moments.js'
import { type ModelOptions, pathOfModel } from './gaussian-model.js'

const columns = 150
const { normal } = random(11)
const designOf = (rows: number) => {
  const data = Float64Array.from({ length: rows * columns }, () => normal())
  const y = Float64Array.from({ length: rows }, (_, i) => 2 * data[i * columns]! - data[i * columns + 7]! + normal())
  return { x: { rows, columns, data, order: 'row-major' as const }, y }
}

let engine: Engine
let large: FoldMoments
let small: FoldMoments

beforeAll(async () => {
  engine = await openEngine({ threads: 3 })
  const [many, few] = [designOf(6000), designOf(400)]
  large = await foldMomentsOf(many.x, many.y, { engine, folds: 7 })
  small = await foldMomentsOf(few.x, few.y, { engine, folds: 5, isOrdered: true })
})
afterAll(() => engine.close())

test('moments that the engine gathered are shared between threads, others copied', () => {
  expect(large.all.scatter.buffer).toBeInstanceOf(SharedArrayBuffer)
  expect(small.all.scatter.buffer).toBeInstanceOf(ArrayBuffer)
})

describe('the same errors to the last digit', () => {
  test.each<ModelOptions>([
    {},
    {
      l1Ratio: 0.5,
      penaltyFactors: Float64Array.from({ length: columns }, (_, j) => j % 3),
      lowerBounds: new Float32Array(columns),
    },
    { model: 'adaptive-lasso', gamma: 2, first: 'lasso' },
    { model: 'scad', gamma: 3 },
    {
      model: 'group-lasso',
      columnGroups: Array.from({ length: columns }, (_, j) => `g${j % 10}`),
      lambdaMinRatio: 0.05,
    },
  ])('$model %#', async (options) => {
    const pathOf = pathOfModel(
      { nLambdas: 20, ...options, engine, weights: [1], signal: new AbortController().signal },
      columns,
    )
    for (const folds of options.model === 'adaptive-lasso' ? [large] : [large, small]) {
      const alone = await crossValidateBy(pathOf, folds)
      const shared = await crossValidateBy(pathOf, folds, { engine })
      expect(shared).toEqual(alone)
    }
  })
})

test('progress never falls and ends with all folds', async () => {
  const seen: number[] = []
  const onProgress = ({ done }: { readonly done: number }) => seen.push(done)
  await crossValidateBy(pathOfModel({}, columns), large, { engine, onProgress })
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  expect(seen[0]).toBeGreaterThan(0)
  expect(seen.at(-1)).toBe(7)
})

test('a cancellation is heard between folds, and the threads are there for the next', async () => {
  const cancel = new AbortController()
  const options = { engine, signal: cancel.signal, onProgress: () => cancel.abort() }
  await expect(crossValidateBy(pathOfModel({}, columns), large, options)).rejects.toThrow('aborted')
  const { error } = await crossValidateBy(pathOfModel({}, columns), large, { engine })
  expect(error.length).toBe(100)
})

test('ordered folds, of which the first has none before it, cannot choose the first model of an adaptive lasso', async () => {
  const pathOf = pathOfModel({ model: 'adaptive-lasso' }, columns)
  for (const using of [{ engine }, {}])
    await expect(crossValidateBy(pathOf, small, using)).rejects.toMatchObject({ code: 'FOLDS' })
})

test('an error of one fold is the error of all, wherever it was', async () => {
  const none: FoldMoments = { ...small, tests: [small.tests[0]!, small.all], before: null }
  await expect(crossValidateBy(pathOfModel({}, columns), none, { engine })).rejects.toMatchObject({ code: 'FOLDS' })
})
