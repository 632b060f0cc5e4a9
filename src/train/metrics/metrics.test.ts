import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { f32, floatTensor, i64 } from '../../ir/tensor.js'
import {
  binaryCrossEntropy,
  cosineLoss,
  crossEntropy,
  givenLoss,
  kullbackLeibler,
  squaredError,
} from '../losses/index.js'
import type { Loss } from '../losses/loss.js'
import { bindMetrics } from './bind.js'
import { costOf } from './cost.js'
import { accuracy, auc, balancedAccuracy, f1, METRICS, macroF1, mae, r2, rmse, topK } from './index.js'
import type { TrainMetric } from './metric.js'

/** The value of all rows at once, or in batches of so many. */
function measured(
  metric: TrainMetric,
  outputs: readonly number[],
  targets: readonly number[],
  { width = 1, batch = Number.POSITIVE_INFINITY }: { readonly width?: number; readonly batch?: number } = {},
): number {
  const state = metric.start(width)
  const rows = outputs.length / width
  const each = targets.length / rows
  for (let from = 0; from < rows; from += batch) {
    const to = Math.min(rows, from + batch)
    metric.add(state, {
      outputs: outputs.slice(from * width, to * width),
      targets: targets.slice(from * each, to * each),
      width,
    })
  }
  return metric.value(state)
}

// What is expected of these is what scikit-learn 1.9.1 answers: accuracy_score, top_k_accuracy_score(labels=range(5)),
// f1_score(average='macro'), balanced_accuracy_score; roc_auc_score, f1_score; mean_absolute_error,
// root_mean_squared_error of the values as one column, r2_score.
const SCORES = [
  [-1.2, 1.6, -0.7, 0.6, -5.0],
  [1.2, -1.0, -2.5, -1.3, -5.0],
  [0.7, 2.8, -1.6, -0.5, -5.0],
  [-2.4, 1.2, 2.7, 2.5, -5.0],
  [2.3, -1.9, 1.5, 1.0, -5.0],
  [2.9, 2.0, -1.8, 2.8, -5.0],
  [-0.8, 1.1, 1.6, -1.7, -5.0],
].flat()
const CLASSES = [0, 3, 1, 1, 0, 0, 0]
const MARGINS = [0.5, -1, 2, 0.5, -0.3, 1.5, -2, 0.5]
const SIGNS = [1, 0, 1, 0, 1, 0, 0, 1]
const VALUES = [1, 10, 2, 14, 3.5, 9, 2, 11]
const WANTED = [1.5, 12, 2, 13, 3, 10, 1, 12]

describe('as scikit-learn', () => {
  test.each([
    [accuracy(), SCORES, CLASSES, 5, 0.42857142857142855],
    // A class that is predicted and does not occur counts in F1, one that is neither does not.
    [topK(3), SCORES, CLASSES, 5, 0.8571428571428571],
    [macroF1(), SCORES, CLASSES, 5, 0.26785714285714285],
    [balancedAccuracy(), SCORES, CLASSES, 5, 0.3333333333333333],
    [auc(), MARGINS, SIGNS, 1, 0.6875],
    [f1(), MARGINS, SIGNS, 1, 0.6666666666666666],
    [mae(), VALUES, WANTED, 2, 0.875],
    [rmse(), VALUES, WANTED, 2, 1.0307764064044151],
    [r2(), VALUES, WANTED, 2, -0.07969924812030071],
  ] satisfies [TrainMetric, number[], number[], number, number][])(
    '$name, in one batch and in several',
    (metric, outputs, targets, width, wanted) => {
      expect(measured(metric, outputs, targets, { width })).toBeCloseTo(wanted, 14)
      expect(measured(metric, outputs, targets, { width, batch: 3 })).toBeCloseTo(wanted, 14)
    },
  )

  test('columns that never change: 1 where they are met exactly, else 0', () => {
    // r2_score with the second column of WANTED all 12, met exactly; then with one value of it off.
    const wanted = WANTED.map((v, i) => (i % 2 === 0 ? v : 12))
    const met = VALUES.map((v, i) => (i % 2 === 0 ? v : 12))
    expect(measured(r2(), met, wanted, { width: 2 })).toBeCloseTo(0.6571428571428571, 14)
    expect(measured(r2(), met.with(1, 11), wanted, { width: 2 })).toBeCloseTo(0.15714285714285714, 14)
  })

  test('what allows no number is NaN, and no positives at all are an F1 of 0', () => {
    expect(measured(auc(), [1, 2], [1, 1])).toBeNaN()
    expect(measured(r2(), [1], [1])).toBeNaN()
    expect(measured(f1(), [-1, -2], [0, 0])).toBe(0)
    expect(measured(accuracy(), [Number.NaN, Number.NaN], [0], { width: 2 })).toBe(0)
  })
})

describe('properties', () => {
  const decided = fc.array(fc.tuple(fc.integer({ min: -5, max: 5 }), fc.constantFrom(0, 1)), {
    minLength: 2,
    maxLength: 30,
  })
  const both = decided.filter((rows) => new Set(rows.map(([, t]) => t)).size === 2)

  test('auc of reversed scores is 1 − auc, and what keeps the order keeps it', () => {
    fc.assert(
      fc.property(both, (rows) => {
        const targets = rows.map(([, t]) => t)
        const of = (change: (score: number) => number) =>
          measured(
            auc(),
            rows.map(([s]) => change(s)),
            targets,
          )
        expect(of((s) => -s)).toBeCloseTo(1 - of((s) => s), 12)
        expect(of(Math.exp)).toBe(of((s) => s))
      }),
    )
  })

  test('auc is the share of pairs in the right order', () => {
    fc.assert(
      fc.property(both, (rows) => {
        const [yes, no] = [1, 0].map((t) => rows.flatMap(([s, own]) => (own === t ? [s] : []))) as [number[], number[]]
        const pairs = yes.flatMap((y) => no.map((n) => (y > n ? 1 : y === n ? 0.5 : 0)))
        const wanted = pairs.reduce((sum: number, v) => sum + v, 0) / pairs.length
        expect(
          measured(
            auc(),
            rows.map(([s]) => s),
            rows.map(([, t]) => t),
          ),
        ).toBeCloseTo(wanted, 12)
      }),
    )
  })

  test('top-k grows with k, and balanced accuracy is accuracy where classes are equally many', () => {
    const width = 4
    const rows = fc.array(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: width, maxLength: width }), {
      minLength: width,
      maxLength: width,
    })
    fc.assert(
      fc.property(rows, (scores) => {
        const of = (metric: TrainMetric) => measured(metric, scores.flat(), [0, 1, 2, 3], { width })
        for (const k of [1, 2, 3]) expect(of(topK(k))).toBeLessThanOrEqual(of(topK(k + 1)))
        expect(of(topK(width))).toBe(1)
        expect(of(balancedAccuracy())).toBeCloseTo(of(accuracy()), 12)
      }),
    )
  })

  test('r2 is 1 for the targets, 0 for their mean, and no offset of both changes it', () => {
    const values = fc.array(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -99, max: 99 })), {
      minLength: 3,
      maxLength: 20,
    })
    fc.assert(
      fc.property(
        values.filter((rows) => new Set(rows.map(([, t]) => t)).size > 1),
        (rows) => {
          const [outputs, targets] = [rows.map(([o]) => o), rows.map(([, t]) => t)]
          const mean = targets.reduce((a, b) => a + b, 0) / targets.length
          expect(measured(r2(), targets, targets)).toBe(1)
          expect(
            measured(
              r2(),
              targets.map(() => mean),
              targets,
            ),
          ).toBeCloseTo(0, 10)
          const far = (all: readonly number[]) => all.map((v) => v + 2 ** 30)
          const near = measured(r2(), outputs, targets)
          // Relative: of targets that hardly change it is far below 0.
          expect(measured(r2(), far(outputs), far(targets)) / (2 - near)).toBeCloseTo(near / (2 - near), 5)
        },
      ),
    )
  })
})

describe('which output they read', () => {
  const aim = (loss: Loss, shape: readonly number[], output = 'y') => ({ output, loss, shape, weight: 1, target: 't' })
  const read = (metric: TrainMetric, loss: Loss, outputs: ReturnType<typeof f32>, targets: ReturnType<typeof f32>) => {
    const bound = bindMetrics([metric], [aim(loss, outputs.shape)]).find((m) => m.metric.name === metric.name)!
    const state = metric.start(bound.width)
    metric.add(state, bound.answers(outputs, targets))
    return metric.value(state)
  }
  /** [0, s]: no class score, and s. */
  const two = f32(
    [8, 2],
    MARGINS.flatMap((s) => [3, 3 + s]),
  )
  const one = f32([8, 1], MARGINS)
  const shares = f32([8, 1], SIGNS)

  test('two class scores are also one that says yes, and one that says yes is also two', () => {
    expect(read(auc(), crossEntropy(), two, i64([8], SIGNS))).toBe(0.6875)
    expect(read(auc(), binaryCrossEntropy(), one, shares)).toBe(0.6875)
    expect(read(accuracy(), binaryCrossEntropy(), one, shares)).toBe(0.625)
    expect(read(accuracy(), crossEntropy(), two, i64([8], SIGNS))).toBe(0.625)
  })

  test('float64 and targets of −1 and 1 are read as well', () => {
    const hinge = { ...binaryCrossEntropy(), name: 'hinge' }
    const signs = SIGNS.map((t) => 2 * t - 1)
    expect(read(f1(), hinge, floatTensor('float64', [8, 1], MARGINS), f32([8, 1], signs))).toBeCloseTo(2 / 3, 14)
  })

  test('the first output whose loss suits', () => {
    const aims = [aim(givenLoss(), [4], 'own'), aim(squaredError(), [4, 2, 3], 'values'), aim(crossEntropy(), [4, 7])]
    expect(bindMetrics([r2(), topK(5)], aims).map((m) => [m.metric.name, m.output, m.width])).toEqual([
      ['accuracy', 'y', 7],
      ['r2', 'values', 6],
      ['top-5', 'y', 7],
    ])
  })

  test.each([
    ['classes of values', macroF1(), aim(squaredError(), [4, 1]), 'mae, rmse, r2'],
    ['values of classes', r2(), aim(crossEntropy(), [4, 10]), 'accuracy, top-5, macro-f1, balanced-accuracy'],
    ['two classes of many', auc(), aim(crossEntropy(), [4, 3]), 'accuracy, macro-f1, balanced-accuracy'],
    ['that there are three', f1(), aim(crossEntropy(), [4, 3]), 'the output has 3 scores'],
    ['values of a distribution', mae(), aim(kullbackLeibler(), [4, 3]), 'Leave it out'],
    ['values of a direction', rmse(), aim(cosineLoss(), [4, 3]), 'Leave it out'],
    ['more classes than there are', topK(5), aim(crossEntropy(), [4, 5]), 'Leave'],
  ])('%s is refused, and it says what there is', (_, metric, at, remedy) => {
    expect(() => bindMetrics([metric], [at])).toThrow(
      expect.objectContaining({ code: 'TRAIN_METRIC', message: expect.stringContaining(remedy) }),
    )
  })

  test('half a class is refused', () => {
    expect(() => topK(2.5)).toThrow(expect.objectContaining({ code: 'TRAIN_METRIC' }))
  })
})

test('every metric bears its name, and the cost of a score is smaller where it is better', () => {
  for (const [name, make] of Object.entries(METRICS)) expect(make().name).toBe(name)
  const score = { loss: 2, accuracy: 0.5, metrics: { mae: 3, auc: 0.75 } }
  expect([undefined, accuracy(), auc(), mae()].map((metric) => costOf(metric)(score))).toEqual([2, -0.5, -0.75, 3])
  expect(() => costOf(rmse())(score)).toThrow(expect.objectContaining({ code: 'TRAIN_METRIC' }))
})
