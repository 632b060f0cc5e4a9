/** Turns what a search found into its outcome: plain JSON with everything that a report says. */

import { QUANTIZE_KINDS } from '../compress/quantize/kinds.js'
import { recipeFor } from '../compress/recipes.js'
import { whyNothing } from '../compress/why-nothing.js'
import type { Model } from '../ir/types.js'
import { inspectModel } from '../passes/inspect.js'
import { VERSION } from '../util/version.js'
import { frontOf } from './choose.js'
import type { CompressOptions } from './compress.js'
import { type Found, layersAside } from './explore.js'
import { keepsFloat, LAYER_SAMPLES, nodesOf } from './fallback.js'
import { layersOf } from './layers.js'
import { machineOf } from './machine.js'
import { budgetText, measureDrop } from './measure-text.js'
import type { Measure, Missed, Outcome } from './outcome.js'
import { type Setup, settingsOf } from './setup.js'
import type { TrialResult } from './trial.js'
import { speed } from './verdicts.js'

export interface SummaryInput extends Found {
  readonly setup: Setup
  readonly model: Model
  /** As they were given. */
  readonly options: CompressOptions
  readonly chosen: TrialResult | null
  readonly missed: Missed | null
  readonly peakMemory: { readonly original: number | null; readonly chosen: number | null }
  /** When the search came to its end, ISO 8601, and the seconds that it took in all its runs. */
  readonly date: string
  readonly seconds: number
}

const NO_MEASURE: Measure = {
  kind: 'none',
  explanation: 'No samples were given, so quality was not measured: run again with --data before relying on the model.',
  higherIsBetter: true,
  baseline: null,
}

export async function summarize(input: SummaryInput): Promise<Outcome> {
  const { setup, model, options, results, chosen, baseline } = input
  const inspection = inspectModel(setup.prepared)
  const { objective, target, portable } = settingsOf(options)
  return {
    schema: 1,
    tool: { name: 'pare', version: VERSION },
    date: input.date,
    command: options.command ?? '',
    machine: await machineOf(),
    engine: {
      name: setup.target.name,
      version: setup.target.version,
      device: setup.target.device,
      threads: setup.target.threads,
    },
    model: {
      name: options.name ?? model.graph.name,
      sha256: setup.sha256,
      isFile: options.original !== undefined,
      shapes: options.shapes ?? {},
      bytes: setup.original.byteLength,
      parameters: inspection.parameters,
      macs: inspection.macs,
      opset: model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 0,
    },
    data: setup.data,
    measure: setup.judge?.measure ?? NO_MEASURE,
    budget: {
      maxDrop: setup.maxDrop,
      ...(setup.limits.bytes !== undefined && { maxBytes: setup.limits.bytes }),
      ...(setup.limits.latency !== undefined && { maxLatency: setup.limits.latency }),
      for: objective,
      target,
      portable,
    },
    baseline: { bytes: setup.original.byteLength, latency: baseline, peakMemoryBytes: input.peakMemory.original },
    trials: results,
    front: frontOf(results, setup.original.byteLength),
    ...(input.search && { search: input.search }),
    chosen: chosen?.trial.id ?? null,
    chosenPeakMemoryBytes: input.peakMemory.chosen,
    verdict: verdictOf(input),
    ...sensitivityOf(input),
    missed: input.missed,
    warnings: setup.warnings,
    seconds: input.seconds,
  }
}

function verdictOf({ chosen, setup, results }: SummaryInput): string {
  const idle = results.every((r) => r.status === 'ok' && r.trial.steps.length === 0) ? nothingBy(setup) : null
  if (chosen === null) {
    if (idle !== null) return `The original stays. ${idle}`
    const reason = results.some((r) => r.status === 'ok')
      ? 'no candidate kept the budget and was smaller or faster'
      : 'no candidate ran'
    return `The original stays: ${reason}.`
  }
  const size = chosen.bytes! / setup.original.byteLength
  const measure = setup.judge?.measure ?? NO_MEASURE
  const quality =
    chosen.quality === undefined
      ? 'quality not measured'
      : `within the budget (drop ${measureDrop(measure, chosen.quality.drop)} of at most ${budgetText(measure, setup.maxDrop)}${chosen.quality.worst === undefined ? '' : `, in output ${chosen.quality.worst}`})`
  const said = `${chosen.trial.name}: ${(100 * size).toFixed(0)} % of the size, ${speed(chosen.latency!)}, ${quality}.`
  return idle === null ? said : `${said} ${idle}`
}

/** Where no recipe changed anything: why. */
function nothingBy({ prepared, env }: Setup): string {
  // That it was not trained for grids of signs is no reason.
  const kinds = QUANTIZE_KINDS.filter((kind) => kind !== 'binary' && kind !== 'ternary')
  const steps = kinds.flatMap((kind) => recipeFor(kind, true).steps)
  return `There is nothing to quantize. ${whyNothing(prepared, steps, env.portable === true)}`
}

/** Of the chosen trial where its layers were asked about, else of the first that were. Worst first. */
function sensitivityOf(input: SummaryInput): Pick<Outcome, 'sensitivity' | 'asked'> {
  const { sensitivity, chosen, results, setup } = input
  const own = chosen === null ? undefined : layersAside(chosen.trial.steps)
  const key = own !== undefined && sensitivity.has(own) ? own : [...sensitivity.keys()][0]
  const rows = sensitivity.get(key ?? '') ?? []
  if (rows.length === 0) return { sensitivity: [], asked: null }
  const isChosen = key === own
  const steps = isChosen && chosen !== null ? chosen.trial.steps : []
  const made = results.find(({ trial }) => layersAside(trial.steps) === key)
  return {
    sensitivity: rows
      .map((r) => ({ ...r, keptFloat: nodesOf(r).some((node) => keepsFloat(steps, node)) }))
      .toSorted((a, b) => b.drop - a.drop || b.relativeError - a.relativeError),
    asked: {
      recipe: recipeName(made?.trial.name ?? ''),
      isChosen,
      samples: Math.min(LAYER_SAMPLES, setup.judge?.samples ?? 0),
      layers: layersOf(setup.prepared).length,
    },
  }
}

/** Without what was left out: `static int8, mse; 3 layers in float`. */
const recipeName = (trial: string): string => trial.split('; ')[0]!
