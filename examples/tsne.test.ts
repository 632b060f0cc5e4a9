/** A map of three kinds of flowers, and where a new one belongs in it. */

import { expect, test } from 'vitest'
import { openEngine, reduce } from '../src/node.js'
import { random } from '../src/util/random.js'

test('t-SNE: a map, and new rows in it', async () => {
  const { normal } = random(1)
  const [rows, columns] = [300, 20]
  const data = Float64Array.from({ length: rows * columns }, (_, at) => normal(3 * (Math.floor(at / columns) % 3)))
  const engine = await openEngine()

  const map = await reduce.tsne({ rows, columns, data, order: 'row-major' }, { engine, perplexity: 20, seed: 7 })
  expect(map.embedding).toHaveLength(2 * rows)
  expect(map.klDivergence).toBeLessThan(1)

  const fresh = Float64Array.from({ length: columns }, () => normal(6))
  const [x, y] = await map.transform({ rows: 1, columns, data: fresh, order: 'row-major' })
  const near = Math.hypot(map.embedding[4]! - x!, map.embedding[5]! - y!)
  const far = Math.hypot(map.embedding[0]! - x!, map.embedding[1]! - y!)
  expect(near).toBeLessThan(far)
  await engine.close()
})
