/** A search of every lever on a small network, and its best model made again from its recipe. */

import { expect, test } from 'vitest'
import { f32 } from '../src/ir/tensor.js'
import {
  applyRecipe,
  compress,
  layers,
  parseRecipe,
  recipeOf,
  recipeText,
  type Samples,
  sequential,
} from '../src/node.js'

const { dense, relu } = layers

const samples: Samples = {
  name: 'waves',
  count: 60,
  async *read() {
    for (let i = 0; i < 60; i++)
      yield {
        name: `wave ${i}`,
        feeds: {
          input: f32(
            [1, 32],
            Array.from({ length: 32 }, (_, j) => Math.sin(i + j * (1 + i / 9))),
          ),
        },
      }
  },
}

test('search, keep a recipe as text, apply it', async () => {
  const model = sequential([dense(64), relu(), dense(8)], { input: [32] })
  const { outcome } = await compress(model, { samples, trials: 12, maxDrop: 0.1, threads: 1, rounds: 3, budgetMs: 5 })
  expect(outcome.search!.drawn).toBe(12)
  const trial = outcome.trials.find((t) => t.status === 'ok')!
  const text = recipeText(recipeOf(trial.trial, {}))
  const { bytes } = await applyRecipe(model, parseRecipe(text, 'recipe.json'), { samples, threads: 1 })
  expect(bytes.byteLength).toBe(trial.bytes)
}, 120_000)
