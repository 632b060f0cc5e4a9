import { describe, expect, test } from 'vitest'
import { drawingOf, expectWhole, unbalanced } from '../../test/report/markup.js'
import { found, kept } from '../../test/report/outcomes.js'
import { BROKEN, type Outcome } from '../search/outcome.js'
import type { TrialResult } from '../search/trial.js'
import { speed } from '../search/verdicts.js'
import { renderReport } from './render.js'

test.each([
  ['found', found],
  ['kept', kept],
])('a report is one file without scripts or requests: %s', (_, outcome) => {
  const page = renderReport(outcome)
  expectWhole(page)
  expect(page.length).toBeLessThan(100_000)
  expect(renderReport(outcome)).toBe(page)
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

const ok = found.trials.filter((t) => t.status === 'ok')
const like = (id: string, change: Partial<TrialResult>): TrialResult => ({
  ...ok[0]!,
  trial: { ...ok[0]!.trial, id, name: id },
  ...change,
})

test('where nothing was lost, the line of the budget has room on its left', () => {
  const lossless = found.trials.flatMap((t) => (t.quality ? [{ ...t, quality: { ...t.quality, drop: 0 } }] : []))
  const drawn = drawingOf(renderReport({ ...found, trials: lossless }), 'cost-wide')
  const line = Number(/class="limit"[^>]*x1="([\d.]+)"/.exec(drawn)![1])
  const points = [...drawn.matchAll(/class="point [^"]*"[^>]*?(?:cx="|d="M)([\d.]+)/g)].map(([, x]) => Number(x))
  expect(points.length).toBeGreaterThan(5)
  expect(Math.max(...points)).toBeLessThan(line - 20)
})

test('a candidate with broken answers is in the table and leaves the plots alone', () => {
  const nan = like('nan', {
    quality: {
      value: BROKEN,
      drop: BROKEN,
      outputs: [{ name: 'y', cosine: 0, relativeError: BROKEN, maxAbsolute: BROKEN }],
    },
    keeps: false,
  })
  const measure = { ...found.measure, kind: 'relative error', higherIsBetter: false, baseline: 0 } as const
  for (const outcome of [found, { ...found, measure }]) {
    const [without, page] = [outcome, { ...outcome, trials: [...outcome.trials, nan] }].map(renderReport) as [
      string,
      string,
    ]
    const ticks = (p: string) =>
      [...drawingOf(p, 'cost-wide').matchAll(/class="(?:tick|limit-label)"[^>]*>[^<]*/g)].join()
    expect(ticks(page)).toBe(ticks(without))
    expect(drawingOf(page, 'cost-wide').match(/class="point/g)).toHaveLength(
      drawingOf(without, 'cost-wide').match(/class="point/g)!.length,
    )
    expect(page).toContain('<td class="number">broken</td><td class="number">broken</td>')
    expect(page).toContain('Candidates with broken answers are in the table alone.')
    expect(without).not.toContain('broken')
    expect(page).not.toMatch(/1\.00e9|1000000000|100000000000/)
    const chosen = renderReport({ ...outcome, trials: [nan], chosen: 'nan' })
    expect(chosen).not.toMatch(/1\.00e9|1000000000|100000000000/)
  }
})

test('a layer that breaks the model comes first and leaves the bars of the others as they are', () => {
  const layer = (node: string, v: number) =>
    ({ node, op: 'Conv', parameters: 1, drop: v, relativeError: v, keptFloat: false }) as const
  const bars = (p: string) => [...p.matchAll(/style="width:([^"]*)"/g)].map(([, w]) => w)
  const page = renderReport({ ...found, sensitivity: [layer('a', 0.02), layer('b', BROKEN), layer('c', 0.01)] })
  expect(bars(page)).toEqual(['100.0%', '100.0%', '50.0%'])
  expect(bars(renderReport({ ...found, sensitivity: [layer('b', BROKEN)] }))).toEqual(['100.0%'])
  expect(page).toContain('<td class="number">broken</td><td class="number">broken</td>')
})

test('a metric may be larger than the mark of what is broken', () => {
  const page = renderReport({
    ...found,
    measure: { ...found.measure, kind: 'metric', baseline: 3e12 },
    trials: [like('large', { quality: { value: 2e12, drop: 0, outputs: [] } })],
  })
  expect(page).toContain('2.00e12')
  expect(page).toContain('3.00e12')
})

test('the dashed line holds what may be handed back alone', () => {
  const corners = (outcome: Outcome) =>
    /class="front" d="([^"]*)"/.exec(drawingOf(renderReport(outcome), 'trade-off-wide'))![1]!
  const quality = { value: 0.98, drop: 0.001, outputs: [] }
  const latency = (ratio: number) => ({ p50: 1, p95: 1, ratio, interval: [ratio, ratio] as const })
  const slow = like('slow', { bytes: 1000, latency: latency(3), quality, keeps: false })
  const good = like('good', { bytes: 500_000, latency: latency(0.5), quality, keeps: true })
  const steps = (trials: readonly TrialResult[]) => corners({ ...found, trials, chosen: null }).match(/V/g)!.length
  expect(steps([slow])).toBe(1)
  expect(steps([slow, good])).toBe(1)
  expect(steps([{ ...slow, keeps: true }, good])).toBe(2)
})

test('the headline says of the speed what the search decided by', () => {
  for (const [ratio, low, high] of [
    [1.3, 0.99, 1.6],
    [1 / 1.03, 0.96, 0.98],
    [1 / 1.4, 0.5, 1.2],
    [1.02, 1.01, 1.03],
    [0.985, 0.98, 0.99],
  ] as const) {
    const latency = { p50: 1, p95: 1, ratio, interval: [low, high] as const }
    const page = renderReport({ ...found, trials: [like('one', { latency })], chosen: 'one' })
    expect(/<h1>([^<]*)/.exec(page)![1]!.endsWith(speed(latency))).toBe(true)
  }
})

describe('kernels that were missed', () => {
  const report = (missed: Outcome['missed'], change: Partial<Outcome> = {}) =>
    renderReport({ ...found, trials: [like('one', {}), like('other', {})], chosen: 'one', ...change, missed })
  const seen = { trial: 'one', engine: 'onnxruntime-node', isTarget: true, kernels: [] } as const
  const kernels = [{ node: 'n', op: 'Tanh', reason: 'no integer kernel' }]

  test('that there are none is said only where it was looked for', () => {
    expect(report(seen)).toContain('In the chosen model. None: whatever was meant to run in integers does.')
    expect(report(null)).not.toContain('missed a fast kernel')
    expect(report({ ...seen, kernels })).toContain('Computed in float by onnxruntime-node')
    expect(report({ ...seen, kernels })).not.toContain('None: whatever')
  })

  test('of a candidate that was not chosen are said to be its own, and how fast it is', () => {
    const page = report({ ...seen, kernels }, { chosen: null })
    expect(page).toContain(`In one, the fastest static candidate (${speed(like('one', {}).latency!)}).`)
    const slow = like('slow', { latency: { p50: 1, p95: 1, ratio: 1.3, interval: [1.2, 1.4] } })
    const none = report({ ...seen, trial: 'slow' }, { trials: [slow], chosen: null })
    expect(none).toContain('In slow, the fastest static candidate (1.30× slower). None: whatever was meant to run in')
    expect(none).toContain('in integers does, and is no faster for it.')
  })

  test('on a target that shows no graph are those of the native engine, or not known', () => {
    const web = { engine: { ...found.engine, name: 'onnxruntime-web', device: 'wasm' } }
    const unseen = 'onnxruntime-web on wasm does not show the graph that it runs'
    const native = report({ ...seen, isTarget: false, kernels }, web)
    expect(native).toContain(`${unseen}; this is what onnxruntime-node makes of it on the CPU.`)
    const none = report({ ...seen, isTarget: false, engine: null }, web)
    expect(none).toContain(`Not known of the chosen model: ${unseen}`)
    expect(none).not.toContain('None: whatever')
  })
})

describe('layers', () => {
  const caption = (change: Partial<Outcome>): string =>
    /id="layers".*?<caption>(.*?)<\/caption>/s.exec(renderReport({ ...found, ...change }))![1]!
  const asked = found.asked!

  test('say with which recipe they were asked, and on how many samples', () => {
    expect(caption({})).toContain('What “static int8, per channel, percentile” costs')
    expect(caption({})).toContain('on 12 held-out samples')
    expect(caption({ asked: { ...asked, samples: 1 } })).toContain('on 1 held-out sample:')
  })

  test('say what became of them, and which ones are not there', () => {
    expect(caption({})).toContain('3 of 34 are left out in the chosen model. 2 more layers with weights are not in')
    expect(caption({ asked: { ...asked, layers: 34 } })).not.toContain('not in the list')
    const whole = found.sensitivity.map((l) => ({ ...l, keptFloat: false }))
    expect(caption({ sensitivity: whole })).toContain('None is left out in the chosen model.')
    expect(caption({ sensitivity: whole, chosen: null })).toContain('The original is kept, with all its layers.')
    const other = caption({ sensitivity: whole, asked: { ...asked, isChosen: false } })
    expect(other).toContain('The chosen model is made in another way.')
    for (const change of [{ chosen: null }, { asked: { ...asked, isChosen: false } }]) {
      expect(caption({ ...change, sensitivity: whole })).not.toMatch(/left out in the chosen model/)
    }
  })
})

test('the model is named as what was hashed, with the sizes that were given', () => {
  const page = (change: Partial<Outcome['model']>) => renderReport({ ...found, model: { ...found.model, ...change } })
  expect(page({})).toContain('<dt>SHA-256</dt>')
  expect(page({})).not.toContain('<dt>Sizes</dt>')
  expect(page({ isFile: false })).toContain('<dt>SHA-256 as one file</dt>')
  expect(page({ shapes: { batch: 1, x: [1, 3, 'w'] } })).toContain('<dt>Sizes</dt><dd>batch=1, x=1x3xw</dd>')
})
