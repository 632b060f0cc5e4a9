/** The lower part of the report: layers, missed kernels, what the numbers mean, where and how they were measured. */

import type { InputShapes } from '../passes/with-shapes.js'
import { budgetText, errorText, isShare, measureDrop } from '../search/measure-text.js'
import { BROKEN, isBroken, type LayerSensitivity, type Missed, type Outcome } from '../search/outcome.js'
import type { MissedKernel } from '../search/trial.js'
import { isFaster, speed } from '../search/verdicts.js'
import { bytes, count, duration, percent, shorten } from '../util/format.js'
import { html, type Markup } from './html.js'
import type { Candidate, View } from './view.js'

const SHOWN_LAYERS = 15
const SHOWN_KERNELS = 12

export function details(view: View): Markup {
  return html`${sensitivity(view)}${missedKernels(view)}${meaning(view)}${reproduction(view)}`
}

function sensitivity({ outcome }: View): Markup | false {
  const layers = [...outcome.sensitivity].sort(
    (a, b) => worst(b.drop) - worst(a.drop) || worst(b.relativeError) - worst(a.relativeError),
  )
  if (layers.length === 0) return false
  const byDrop = layers.some((l) => l.drop > 0)
  const size = (l: LayerSensitivity) => worst(byDrop ? l.drop : l.relativeError)
  const largest = Math.max(0, ...layers.map(size).filter((v) => !isBroken(v))) || 1
  const width = (l: LayerSensitivity) => (100 * Math.min(1, Math.max(0, size(l) / largest))).toFixed(1)
  const rest = layers.slice(SHOWN_LAYERS)
  const caption = `${askedHow(outcome)} The worst first; bars show the ${byDrop ? 'drop' : 'relative error'}. ${keptHow(outcome)}`
  const head = html`<thead><tr><th scope="col">Layer</th><th scope="col">Op</th><th class="number" scope="col">Parameters</th><th class="number" scope="col">Drop</th><th class="number" scope="col">Relative error</th><th scope="col"><span aria-hidden="true"></span></th></tr></thead>`
  const row = (l: LayerSensitivity) =>
    html`<tr><th class="mono" scope="row">${shorten(l.node, 64)}${l.keptFloat && html` <span class="tag">kept in float</span>`}</th><td>${l.op}</td><td class="number">${count(l.parameters)}</td><td class="number">${measureDrop(outcome.measure, l.drop)}</td><td class="number">${errorText(l.relativeError)}</td><td class="track" aria-hidden="true"><span class="bar" style="width:${width(l)}%"></span></td></tr>`
  return html`<section aria-labelledby="layers"><h2 id="layers">Sensitivity of each layer</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="layers"><table><caption>${caption}</caption>${head}<tbody>${layers.slice(0, SHOWN_LAYERS).map(row)}</tbody></table></div>
${rest.length > 0 && html`<details><summary>${rest.length} more</summary><div class="scroll" tabindex="0" role="region" aria-label="More layers"><table>${head}<tbody>${rest.map(row)}</tbody></table></div></details>`}</section>`
}

function askedHow({ asked }: Outcome): string {
  if (asked === null) return 'What it costs to quantize one layer alone.'
  const on = `${asked.samples} held-out ${asked.samples === 1 ? 'sample' : 'samples'}`
  return `What “${asked.recipe}” costs when it is applied to one layer alone, on ${on}: enough for the order of layers, not for the last digit.`
}

/** What became of the layers in the list, and which ones it does not hold. */
function keptHow({ asked, chosen, sensitivity }: Outcome): string {
  const kept = sensitivity.filter((l) => l.keptFloat).length
  const fate =
    chosen === null
      ? 'The original is kept, with all its layers.'
      : asked?.isChosen === false
        ? 'The chosen model is made in another way.'
        : kept === 0
          ? 'None is left out in the chosen model.'
          : `${kept} of ${sensitivity.length} ${kept === 1 ? 'is' : 'are'} left out in the chosen model.`
  const others = (asked?.layers ?? 0) - sensitivity.length
  if (others <= 0) return fate
  return `${fate} ${others} more ${others === 1 ? 'layer with weights is' : 'layers with weights are'} not in the list: this recipe leaves them as they are.`
}

/** Whatever broke the model is equally bad. */
const worst = (value: number): number => (isBroken(value) ? BROKEN : value)

function missedKernels({ outcome, candidates }: View): Markup | false {
  const { missed } = outcome
  if (missed === null) return false
  const result = candidates.find((c) => c.result.trial.id === missed.trial)
  const text = html`<p>${whoseKernels(outcome, missed, result)}</p>`
  const head = html`<h2 id="missed">Ops that missed a fast kernel</h2>`
  if (missed.kernels.length === 0) return html`<section aria-labelledby="missed">${head}${text}</section>`
  const reasons = byReason(missed.kernels).sort((a, b) => b.length - a.length)
  return html`<section aria-labelledby="missed">${head}${text}
<div class="scroll" tabindex="0" role="region" aria-labelledby="missed"><table><caption>Computed in float by ${missed.engine} although integers lie around them.</caption><thead><tr><th scope="col">Op</th><th class="number" scope="col">Nodes</th><th scope="col">Reason</th><th scope="col">Which</th></tr></thead><tbody>${reasons.slice(0, SHOWN_KERNELS).map(kernelRow)}</tbody></table></div>${reasons.length > SHOWN_KERNELS && html`<p class="note">${reasons.length - SHOWN_KERNELS} more reasons are in the JSON result.</p>`}</section>`
}

/** Which model was looked at and on what engine, and where nothing was missed, that. */
function whoseKernels({ engine: target, chosen }: Outcome, missed: Missed, of: Candidate | undefined): string {
  const isChosen = missed.trial === chosen
  const pace = of === undefined ? '' : ` (${speed(of.latency)})`
  const whose = isChosen ? 'the chosen model' : `${of?.result.trial.name}, the fastest static candidate${pace}`
  const unseen = `${target.name} on ${target.device} does not show the graph that it runs`
  if (missed.engine === null) return `Not known of ${whose}: ${unseen}, and the native engine is not there to show one.`
  const where = missed.isTarget ? '' : ` ${unseen}; this is what ${missed.engine} makes of it on the CPU.`
  if (missed.kernels.length > 0) return `In ${whose}.${where}`
  const vain = !isChosen && of !== undefined && !isFaster(of.latency) ? ', and is no faster for it' : ''
  return `In ${whose}.${where} None: whatever was meant to run in integers does${vain}.`
}

function byReason(missed: readonly MissedKernel[]): (readonly MissedKernel[])[] {
  const groups = new Map<string, MissedKernel[]>()
  for (const kernel of missed) {
    const key = `${kernel.op}\n${kernel.reason}`
    groups.set(key, [...(groups.get(key) ?? []), kernel])
  }
  return [...groups.values()]
}

function kernelRow(group: readonly MissedKernel[]): Markup {
  const names = group.slice(0, 3).map((m) => shorten(m.node, 40))
  const which = group.length > 3 ? `${names.join(', ')} and ${group.length - 3} more` : names.join(', ')
  return html`<tr><th scope="row">${group[0]!.op}</th><td class="number">${group.length}</td><td class="name">${group[0]!.reason}</td><td class="name mono">${which}</td></tr>`
}

function meaning(view: View): Markup {
  const { outcome } = view
  const { measure, data } = outcome
  const where = measure.output === undefined ? '' : ` (output ${measure.output})`
  const share = isShare(measure) && !measure.judgesOthers
  const used =
    data &&
    html`<p>Samples: ${data.name}; ${data.calibration} to calibrate, ${data.heldOut} held out to judge, of ${data.total} that there are${data.labels ? ', with labels' : ', without labels'}.${share && data.heldOut > 0 && ` One held-out sample weighs ${percent(1 / data.heldOut)}; differences of that order are chance.`}</p>`
  return html`<section aria-labelledby="meaning"><h2 id="meaning">How quality was measured, and what is not promised</h2>
<p>${measure.kind === 'none' ? 'Quality was not measured.' : `Measure: ${measure.kind}${where}.`} ${measure.explanation}</p>${used}
<p>Latency and memory hold for the machine, engine and thread count below; elsewhere they differ.${data && ' Quality holds for data like the samples.'}</p>${agreement(view)}</section>`
}

function agreement({ chosen }: View): Markup | false {
  const outputs = chosen?.result.quality?.outputs ?? []
  if (outputs.length === 0) return false
  const hasTop1 = outputs.some((o) => o.top1 !== undefined)
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Agreement of each output"><table><caption>Outputs of the chosen model against the original's, over the held-out samples</caption><thead><tr><th scope="col">Output</th><th class="number" scope="col">Cosine</th><th class="number" scope="col">Relative error</th><th class="number" scope="col">Largest difference</th>${hasTop1 && html`<th class="number" scope="col">Same top class</th>`}</tr></thead><tbody>${outputs.map((o) => html`<tr><th class="mono" scope="row">${shorten(o.name, 64)}</th><td class="number">${o.cosine.toFixed(6)}</td><td class="number">${errorText(o.relativeError)}</td><td class="number">${errorText(o.maxAbsolute)}</td>${hasTop1 && html`<td class="number">${o.top1 === undefined ? '—' : percent(o.top1)}</td>`}</tr>`)}</tbody></table></div>`
}

function reproduction({ outcome, chosen }: View): Markup {
  const { machine, engine, model, budget } = outcome
  const features = machine.features.length > 0 ? `; ${machine.features.join(', ')}` : ''
  const limit = outcome.measure.kind === 'none' ? '' : `, drop at most ${budgetText(outcome.measure, budget.maxDrop)}`
  const facts: readonly (readonly [string, string])[] = [
    [
      'Model',
      `${model.name}, ${bytes(model.bytes)}, opset ${model.opset}, ${count(model.parameters)} parameters${model.macs === null ? '' : `, ${count(model.macs)} multiply-adds`}`,
    ],
    [model.isFile ? 'SHA-256' : 'SHA-256 as one file', model.sha256],
    ...(Object.keys(model.shapes).length === 0 ? [] : [['Sizes', shapesText(model.shapes)] as const]),
    ...(chosen?.result.sha256 === undefined ? [] : [['SHA-256 of the result', chosen.result.sha256] as const]),
    ['Goal', `${budget.for}${limit}, target ${budget.target}${budget.portable ? ', standard ONNX ops only' : ''}`],
    [
      'Engine',
      `${engine.name} ${engine.version}, ${engine.device}, ${engine.threads} ${engine.threads === 1 ? 'thread' : 'threads'}`,
    ],
    ['Machine', `${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)} memory${features}`],
    ['System', `${machine.platform}, ${machine.runtime}`],
    ['Measured', `${outcome.date.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}, in ${duration(outcome.seconds)}`],
  ]
  return html`<section aria-labelledby="again"><h2 id="again">Do it again</h2><pre>${outcome.command}</pre>
<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>`
}

const shapesText = (shapes: InputShapes): string =>
  Object.entries(shapes)
    .map(([name, size]) => `${name}=${typeof size === 'number' ? size : size.join('x')}`)
    .join(', ')
