import { expect, test } from 'vitest'
import { unbalanced } from '../../test/report/markup.js'
import type { Score } from '../train/evaluate.js'
import type { Trained } from '../train/train.js'
import { markedIterations, renderFullBatch } from './full-batch.js'
import { type ReportFacts, renderTraining } from './training.js'

const model = {} as Trained['model']
const score = (loss: number): Score => ({
  loss,
  accuracy: 1 - loss / 10,
  metrics: { auc: 1 - loss / 9, 'top-5<b>': 0.5 },
})
const facts: ReportFacts = { name: 'm', test: score(0.3), engine: 'an engine', commandLine: 'pare train' }
const epochs = [3, 1, 2].map((loss, i) => ({
  epoch: i + 1,
  learningRate: 0.1,
  trainingLoss: loss,
  validation: score(loss),
  seconds: 1,
}))
const trained: Trained = { model, epochs, best: 2, steps: 30, before: score(5) }
const losses = Array.from({ length: 4321 }, (_, i) => 1 / (i + 1))
const result = { model, losses, gradient: 1e-6, isConverged: true }
const batch = {
  ...facts,
  result,
  verdict: 'Converged.',
  isPenalized: true,
  training: score(0.1),
  validation: score(0.2),
}

test.each([
  ['epochs', renderTraining({ ...facts, trained })],
  [
    'epochs that nothing judges',
    renderTraining({
      ...facts,
      test: null,
      trained: { model, best: 3, steps: 30, epochs: epochs.map(({ validation: _, ...e }) => e) },
    }),
  ],
  ['iterations', renderFullBatch(batch)],
  [
    'one iteration, of values',
    renderFullBatch({
      ...batch,
      test: null,
      validation: null,
      training: { loss: 1 },
      isPenalized: false,
      result: { ...result, losses: [2, 1] },
    }),
  ],
])('a report is one file without scripts or requests: %s', (_, page) => {
  expect(unbalanced(page)).toEqual([])
  expect(page).not.toMatch(/<script|<link|<iframe|\ssrc=|\shref=|url\(|@import|https?:/i)
  expect(page).not.toMatch(/NaN|undefined|\[object/)
  expect(page.length).toBeLessThan(100_000)
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id!)
  expect(new Set(ids).size).toBe(ids.length)
})

test('metrics have a curve, a column and a card', () => {
  const page = renderTraining({ ...facts, trained })
  expect(page).toContain('<h2>auc</h2>')
  expect(page).toContain('<th class="number">top-5&lt;b&gt;</th>')
  expect(page).toContain('Test auc')
  expect(page).toContain('97.00 % right on test samples')
  expect(renderFullBatch(batch)).toContain('<td>validation</td><td class="number">0.200</td>')
})

test('the table holds all that the curves do, those of the given weights too, and the page says what chose', () => {
  const [given, ...rest] = [...renderTraining({ ...facts, trained }).matchAll(/<tr[^>]*><td class="number">.*?<\/tr>/g)]
  expect(given![0]).toMatch(/^<tr><td class="number">given<\/td>.*>5\.00</)
  expect(rest.map(([row]) => row.includes('chosen'))).toEqual([false, true, false])
  const kept = renderTraining({ ...facts, trained: { ...trained, best: 0 }, bestBy: 'auc' })
  expect(kept).toContain('<tr class="chosen"><td class="number">given</td>')
  expect(kept).toContain('No epoch was better by auc')
  expect(renderTraining({ ...facts, trained, bestBy: 'auc' })).toContain('Weights of epoch 2 of 3, the best by auc.')
})

test('some iterations stand for all: the first, the last, and more of the early ones', () => {
  expect(markedIterations(1)).toEqual([0])
  expect(markedIterations(4)).toEqual([0, 1, 2, 3])
  expect(markedIterations(121)).toEqual([0, 1, 2, 5, 10, 20, 50, 100, 120])
})
