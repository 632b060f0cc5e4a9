/** What a search of every lever adds to the report: the front, what levers bought, recoveries, what had no use. */

import { measureDrop } from '../search/measure-text.js'
import type { FrontSearch } from '../search/outcome.js'
import { recipeOf, recipeText } from '../search/recipe-file.js'
import { speed } from '../search/verdicts.js'
import { bytes, counted, milliseconds, significant, times } from '../util/format.js'
import { figure, type Size } from './figure.js'
import { html, type Markup } from './html.js'
import { type Bought, boughtBy } from './levers.js'
import { type LinesSpec, lines, type Series } from './svg/lines.js'
import type { Candidate, View } from './view.js'

export function front(view: View): Markup | false {
  const { search } = view.outcome
  if (search === undefined) return false
  return html`${frontTable(view)}${leverTable(view)}${recoveries(view)}${growth(search)}${unused(search)}`
}

function frontTable(view: View): Markup {
  const { outcome } = view
  const rows = view.candidates.filter((c) => c.onFront)
  const told = { portable: outcome.budget.portable, shapes: outcome.model.shapes, samples: outcome.data !== null }
  const row = (c: Candidate): Markup =>
    html`<tr class="${c.state}"><td class="number">${c.number}</td><th scope="row"><details><summary>${c.result.trial.name}${c.state === 'chosen' && html` <span class="tag chosen">chosen</span>`}</summary><pre>${recipeText(recipeOf(c.result.trial, told))}</pre></details></th><td class="number">${bytes(c.bytes)}</td><td class="number">${times(outcome.baseline.bytes / c.bytes)}</td><td class="number">${milliseconds(c.latency.p50)}</td><td class="number">${significant(c.latency.ratio)}</td><td class="number">${c.result.quality ? measureDrop(outcome.measure, c.result.quality.drop) : '—'}</td></tr>`
  return html`<section aria-labelledby="front"><h2 id="front">The front</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="front"><table><caption>Models that no other beats in size, latency and quality at once. Each opens to its recipe, which pare apply makes again.</caption>
<thead><tr><th class="number" scope="col">#</th><th scope="col">Recipe</th><th class="number" scope="col">Size</th><th class="number" scope="col">Smaller</th><th class="number" scope="col">p50</th><th class="number" scope="col">Latency ÷ original</th><th class="number" scope="col">Drop</th></tr></thead><tbody>${rows.map(row)}</tbody></table></div></section>`
}

function leverTable(view: View): Markup {
  const bySize = view.outcome.budget.for === 'size'
  const told = (c: Candidate | null): string =>
    c === null ? 'none within the budget' : `${bySize ? bytes(c.bytes) : speed(c.latency)} (${c.number})`
  const row = (b: Bought): Markup =>
    html`<tr><th scope="row">${b.lever}</th><td class="number">${b.recipes}</td><td>${told(b.best)}</td><td>${told(b.without)}</td><td class="number">${gain(b, bySize)}</td></tr>`
  return html`<section aria-labelledby="levers"><h2 id="levers">What each lever bought</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="levers"><table><caption>The best ${bySize ? 'size' : 'latency'} within the budget among recipes with the lever, and among those without it; in brackets the row of the table. Recipes were drawn, not planned: few of them say little.</caption>
<thead><tr><th scope="col">Lever</th><th class="number" scope="col">Recipes</th><th scope="col">Best with it</th><th scope="col">Best without it</th><th class="number" scope="col">Gain</th></tr></thead><tbody>${boughtBy(view).map(row)}</tbody></table></div></section>`
}

function gain({ best, without }: Bought, bySize: boolean): string {
  if (best === null || without === null) return '—'
  return times(bySize ? without.bytes / best.bytes : without.latency.ratio / best.latency.ratio)
}

/** Curves that are drawn: those of the front, then the best others. */
const CURVES = 6

function recoveries(view: View): Markup | false {
  const recovered = view.candidates.filter((c) => (c.result.losses?.length ?? 0) > 1)
  if (recovered.length === 0) return false
  const shown = [...recovered.filter((c) => c.onFront), ...recovered.filter((c) => !c.onFront)].slice(0, CURVES)
  const series = shown.map(({ number, result: { losses } }, i): Series => {
    const last = losses!.length - 1
    return {
      name: String(number),
      kind: `hue${i}`,
      points: losses!.map((y, k) => ({ x: Math.round((100 * k) / last), y: Math.max(y, 1e-12) })),
    }
  })
  const draw = ({ name, width, height }: Size): LinesSpec => ({
    id: `recoveries-${name}`,
    width,
    height,
    title: 'Loss over the course of recoveries',
    description: `${shown.length} of them.`,
    xTitle: '% of the steps',
    yTitle: 'loss',
    format: (v) => significant(v, 2),
    series,
  })
  return html`<section><h2>Recoveries</h2>${figure(HEIGHTS, (size) => lines(draw(size)), 'Training loss against the original’s answers, mean over blocks of steps; numbers are rows of the table.')}</section>`
}

const HEIGHTS = [320, 280] as const

function growth({ growth: volumes, drawn, screened, recoverySteps }: FrontSearch): Markup | false {
  if (volumes.length < 2) return false
  const draw = ({ name, width, height }: Size): LinesSpec => ({
    id: `growth-${name}`,
    width,
    height,
    title: 'Volume of the front',
    description: `After each of ${volumes.length} full trials.`,
    xTitle: 'candidates measured in full',
    yTitle: 'volume',
    isShare: true,
    format: (v) => significant(v, 2),
    series: [{ name: 'front', kind: 'good', points: volumes.map((y, i) => ({ x: i + 1, y })) }],
  })
  const steps = recoverySteps === null ? '' : ` A recovery takes ${recoverySteps} steps at most.`
  return html`<section><h2>How the front grew</h2>${figure(HEIGHTS, (size) => lines(draw(size)), `The volume that the front dominates, of log size × log latency × drop over the budget; flat means that more trials found nothing better. ${counted(drawn, 'recipe')} drawn, ${screened.length} screenings.${steps}`)}</section>`
}

function unused({ refused, screened }: FrontSearch): Markup | false {
  const failed = new Map(screened.flatMap(({ name, error }) => (error === undefined ? [] : [[name, error] as const])))
  if (refused.length + failed.size === 0) return false
  const row = ([what, why]: readonly [string, string]): Markup =>
    html`<tr><th class="mono" scope="row">${what}</th><td class="name">${why}</td></tr>`
  const rows = [...refused.map((r) => [r.transform, r.reason] as const), ...failed]
  return html`<section aria-labelledby="unused"><h2 id="unused">What was left out</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="unused"><table><caption>Transforms that have nothing to do on this model, and recipes that failed when they were screened.</caption><thead><tr><th scope="col">Transform or recipe</th><th scope="col">Reason</th></tr></thead><tbody>${rows.map(row)}</tbody></table></div></section>`
}
