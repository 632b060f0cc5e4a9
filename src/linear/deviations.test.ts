import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { deviationsOf, momentsOf } from './moments.js'

test.each(['row-major', 'column-major'] as const)('deviations are those of the moments, %s', (order) => {
  const { normal, uniform } = random(1)
  const [rows, columns] = [50, 3]
  const x = { rows, columns, order, data: Float64Array.from({ length: rows * columns }, () => 100 + normal()) }
  for (const weights of [undefined, Float64Array.from({ length: rows }, (_, i) => (i === 0 ? 0 : uniform(0, 2)))]) {
    const { scatter, weight } = momentsOf(x, new Float64Array(rows), weights === undefined ? {} : { weights })
    const found = deviationsOf(x, weights)
    for (let j = 0; j < columns; j++)
      expect(found[j]).toBeCloseTo(Math.sqrt(scatter[j * (columns + 1) + j]! / weight), 12)
  }
})
