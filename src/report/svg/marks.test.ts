import fc from 'fast-check'
import { expect, test } from 'vitest'
import { placeMarks } from './marks.js'

const marks = (...places: readonly number[]) =>
  places.map((x, i) => ({ x, label: ['AIC', 'BIC, chosen', 'EBIC'][i]!, isChosen: i === 1 }))

test('far apart they share a row, close together they do not touch', () => {
  expect(placeMarks(marks(100, 300), Number, [0, 900]).map((m) => m.row)).toEqual([0, 0])
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 3, maxLength: 3 }), (places) => {
      const placed = placeMarks(marks(...places), Number, [0, 500])
      const boxes = placed.map(({ at, anchor, label, row }) => {
        const width = 7 * label.length
        return { row, from: anchor === 'end' ? at - width : at, to: anchor === 'end' ? at : at + width }
      })
      for (const [i, a] of boxes.entries())
        for (const b of boxes.slice(i + 1)) expect(a.row !== b.row || a.to <= b.from || b.to <= a.from).toBe(true)
    }),
  )
})

test('at the edges names turn inwards, and any number of them finds a place', () => {
  const [chosen] = placeMarks([{ x: 2, label: 'least error, chosen', isChosen: true }], Number, [0, 300])
  expect(chosen).toMatchObject({ row: 0, anchor: 'start' })
  const [last] = placeMarks([{ x: 299, label: 'least error, chosen', isChosen: true }], Number, [0, 300])
  expect(last).toMatchObject({ row: 0, anchor: 'end' })
  expect(placeMarks(marks(10, 11, 12), Number, [0, 20])).toHaveLength(3)
})
