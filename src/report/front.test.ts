import { expect, test } from 'vitest'
import { drawingOf, expectWhole } from '../../test/report/markup.js'
import { found, searched } from '../../test/report/outcomes.js'
import { boughtBy, groupsOf } from './levers.js'
import { renderReport } from './render.js'
import { viewOf } from './view.js'

test('a search of every lever shows its front, what levers bought, recoveries and what was left out', () => {
  const page = renderReport(searched)
  expectWhole(page)
  expect(renderReport(searched)).toBe(page)
  for (const id of ['front', 'levers', 'unused']) expect(page).toContain(`id="${id}"`)
  expect(page).toContain('&quot;transform&quot;: &quot;prune/channels&quot;')
  expect(page).toContain('no weight has two values a channel')
  expect(page).toContain('no layer is worth taking apart')
  expect(page).toContain('1200 steps')
  // One curve a recovery, and one of the front.
  expect(drawingOf(page, 'recoveries-wide').match(/class="line /g)).toHaveLength(2)
  expect(drawingOf(page, 'growth-wide').match(/class="line /g)).toHaveLength(1)
  const plain = renderReport(found)
  for (const id of ['front', 'levers', 'unused', 'recoveries-wide']) expect(plain).not.toContain(`id="${id}"`)
})

test('points are told apart by their levers, in quality against size and against latency', () => {
  const page = renderReport(searched)
  const groups = groupsOf(viewOf(searched))
  expect(groups.names.length).toBe(6)
  for (const id of ['cost-size-wide', 'cost-latency-wide']) {
    const hues = new Set(drawingOf(page, id).match(/class="dot hue\d"/g))
    expect(hues.size).toBe(groups.names.length)
  }
  for (const name of groups.names) expect(page).toContain(`</svg> ${name}</li>`)
})

test('a lever bought the ratio of the best with it and without it', () => {
  const rows = new Map(boughtBy(viewOf(searched)).map((b) => [b.lever, b]))
  const prune = rows.get('prune')!
  expect([prune.recipes, prune.best!.result.trial.id, prune.without!.result.trial.id]).toEqual([2, 's8p', 's8m'])
  expect(rows.get('quantize')!.without!.result.trial.id).toBe('s8f2')
  expect(rows.get('store')!.best!.latency.ratio).toBe(0.44)
})
