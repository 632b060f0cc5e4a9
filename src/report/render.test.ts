import { expect, test } from 'vitest'
import { found, kept } from '../../test/report/outcomes.js'
import type { Outcome } from '../search/outcome.js'
import { renderReport } from './render.js'

/** Opening and closing tags pair up, and attributes are quoted: enough for a browser and an XML reader to agree. */
function unbalanced(page: string): readonly string[] {
  const open: string[] = []
  const wrong: string[] = []
  const body = page.replace(/<style>[\s\S]*?<\/style>/, '').replace('<!doctype html>', '')
  for (const [, close, name, , self] of body.matchAll(/<(\/?)([a-z0-9]+)((?:\s+[\w-]+="[^"<>]*")*)\s*(\/?)>/g)) {
    if (self === '/' || name === 'meta') continue
    if (close === '') open.push(name!)
    else if (open.pop() !== name) wrong.push(name!)
  }
  const leftover = body.replace(/<\/?[a-z0-9]+(?:\s+[\w-]+="[^"<>]*")*\s*\/?>/g, '')
  return [...open, ...wrong, ...(/[<>]/.test(leftover) ? ['stray bracket'] : [])]
}

test.each([
  ['found', found],
  ['kept', kept],
])('a report is one file without scripts or requests: %s', (_, outcome) => {
  const page = renderReport(outcome)
  expect(unbalanced(page)).toEqual([])
  expect(page).not.toMatch(/<script|<link|<iframe|\ssrc=|\shref=|url\(|@import|https?:/i)
  expect(page).not.toMatch(/NaN|undefined|\[object/)
  expect(page.length).toBeLessThan(100_000)
  expect(renderReport(outcome)).toBe(page)
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id!)
  expect(new Set(ids).size).toBe(ids.length)
  for (const [, refs] of page.matchAll(/aria-labelledby="([^"]*)"/g)) {
    for (const ref of refs!.split(' ')) expect(ids).toContain(ref)
  }
})

test('it says what was found, what was measured and what was not', () => {
  const page = renderReport(found)
  expect(page).toContain('2.84× smaller, 2.69× faster')
  for (const { trial, error } of found.trials) {
    expect(page).toContain(trial.name)
    if (error !== undefined) expect(page).toContain(error)
  }
  for (const text of [found.verdict, found.command, found.measure.explanation, found.model.sha256, ...found.warnings]) {
    expect(page).toContain(text)
  }
  expect(page).toContain('19 more')
  expect(page).toContain('One held-out sample weighs 0.25 %')
  const none = renderReport(kept)
  expect(none).toContain('The original is kept')
  expect(none).toContain('Quality was not measured.')
  expect(none).not.toContain('What quality it costs')
})

test('names cannot become markup', () => {
  const evil = `</script></style><img src=x onerror="alert(1)">'\`&`
  const inject = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(inject)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, KEPT.has(k) ? v : inject(v)]))
        : typeof value === 'string'
          ? `${value}${evil}`
          : value
  const KEPT = new Set(['kind', 'status', 'for', 'target', 'id', 'chosen', 'front', 'schema'])
  const page = renderReport(inject(found) as Outcome)
  expect(unbalanced(page)).toEqual([])
  expect(page).not.toContain('<img')
  expect(page).not.toContain('</script')
  expect(page.match(/<\/style/g)).toHaveLength(1)
})

test('odd numbers do not break the plots', () => {
  const base = found.trials[0]!
  const odd = (id: string, ratio: number, drop: number) => ({
    ...base,
    trial: { ...base.trial, id },
    latency: { ...base.latency!, ratio, interval: [ratio, ratio] as const },
    quality: { value: 1, drop, outputs: [] },
  })
  const page = renderReport({
    ...found,
    budget: { ...found.budget, maxDrop: 0, for: 'size' },
    trials: [odd('a', 1, 0), odd('b', 300, Number.NaN), odd('c', 1e-3, Number.POSITIVE_INFINITY), odd('d', 1, 1e-12)],
    chosen: 'a',
    sensitivity: found.sensitivity.map((l, i) => (i === 0 ? { ...l, drop: Number.NaN } : l)),
  })
  for (const [, d] of page.matchAll(/\s(?:x|y|x1|x2|y1|y2|cx|cy|d|width)="([^"]*)"/g)) expect(d).not.toMatch(/NaN|Inf/)
  expect(unbalanced(page)).toEqual([])
  expect(unbalanced(renderReport({ ...found, trials: [], front: [], chosen: null }))).toEqual([])
})

test('the worst layer comes first and broken ones before it', () => {
  const page = renderReport({
    ...found,
    sensitivity: [
      { node: 'mild', op: 'Conv', parameters: 1, drop: 0.001, relativeError: 0.1, keptFloat: false },
      { node: 'bad', op: 'Conv', parameters: 1, drop: 0.5, relativeError: 0.1, keptFloat: false },
      { node: 'broken', op: 'Conv', parameters: 1, drop: Number.NaN, relativeError: Number.NaN, keptFloat: true },
    ],
  })
  const at = (name: string) => (page.indexOf(`>${name}<`) < 0 ? page.indexOf(`>${name} <`) : page.indexOf(`>${name}<`))
  expect(at('broken')).toBeGreaterThan(0)
  expect(at('broken')).toBeLessThan(at('bad'))
  expect(at('bad')).toBeLessThan(at('mild'))
})
