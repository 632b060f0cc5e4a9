/**
 * Mixed precision: for each layer one of several forms (float, weights in 8 bits, 4 bits, fewer), chosen by what each form
 * of each layer was measured to cost and to err. The forms' costs and errors are measured one layer at a time;
 * how far the path of moves may be gone is measured on whole candidates.
 */

import { TRANSFORMS } from '../../compress/index.js'
import { applySteps } from '../../compress/recipes.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import type { Bench } from '../evaluate.js'
import { cautious, excluding, LAYER_SAMPLES, qualityOf } from '../fallback.js'
import type { Layer } from '../layers.js'
import { BROKEN } from '../outcome.js'
import type { Step } from '../trial.js'
import { type Choice, formsAfter, type Move, pathOf } from './path.js'

/** A form that a layer may take: a step that brings it there, and leaves alone the nodes that it excludes. */
export type Form = Step

/** Weights of the layer alone: what else there is comes behind, all at once. */
const ALONE = { small: 'float32' } as const
const FEW = { range: 'mse', ...ALONE } as const

/**
 * Forms in the order in which their steps are applied: each takes what the ones before left, the finest store first. They
 * compute in float: integers save no more bytes than a store of 8 bits, and one layer in integers between others in float
 * may make the whole slower than the original, which then is not handed back.
 */
const FORMS: readonly Form[] = [
  { transform: 'quantize/nbits', params: { range: 'mse' } },
  { transform: 'store/int8', params: ALONE },
  { transform: 'store/int4', params: FEW },
  { transform: 'store/int3', params: FEW },
  { transform: 'store/int2', params: FEW },
]

/** What stays float is stored in 16 bits, and so are constants that are no layer's in 8. */
const REST: readonly string[] = ['store/int8', 'store/f16']

/** The forms that exist and have something to do on the model. `kinds`: ids among them; default all. */
export function formsFor(bench: Pick<Bench, 'prepared' | 'env'>, kinds?: readonly string[]): readonly Form[] {
  return FORMS.filter(({ transform }) => {
    if (kinds !== undefined && !kinds.includes(transform)) return false
    const found = TRANSFORMS.find((t) => t.id === transform)
    return found !== undefined && found.refuses(bench.prepared, bench.env) === null
  })
}

export interface MixedOptions {
  readonly forms: readonly Form[]
  readonly layers: readonly Layer[]
  /** Of a candidate's file: its bytes, or milliseconds measured. */
  cost(bytes: Uint8Array): number | Promise<number>
  /** Keep the quality (`maxDrop` of the bench) at the least cost, or reach a cost at the least error. */
  readonly goal: 'quality' | { readonly cost: number }
  /** Time is up: then nothing comes of it. */
  readonly isOver?: () => boolean
  /** Measured once and kept, so that a killed search goes on. */
  remember<T>(key: string, make: () => Promise<T>): Promise<T>
}

export interface Mixed {
  readonly steps: readonly Step[]
  /** The form's id of each layer that is not in float, by its key. */
  readonly forms: ReadonlyMap<string, string>
}

/** The steps that bring each layer to its form; null where no choice keeps the budget, or nothing is gained. */
export async function mixedPrecision(bench: Bench, options: MixedOptions): Promise<Mixed | null> {
  const { forms, layers, cost } = options
  const asking = { ...options, float: await cost(encodeModel(bench.prepared).bytes) }
  const choices: Choice[][] = []
  for (const [i, layer] of layers.entries()) {
    bench.env.onProgress?.({ task: 'asking layers about forms', done: i, total: layers.length })
    if (options.isOver?.()) return null
    const own: Choice[] = []
    for (const [form, step] of forms.entries()) own.push({ form, ...(await askedAbout(bench, asking, layer, step)) })
    choices.push(own)
  }
  return alongPath(bench, options, choices)
}

/** As many moves along the path of these choices, by layer, as the goal wants. */
export async function alongPath(
  bench: Bench,
  options: MixedOptions,
  choices: readonly (readonly Choice[])[],
): Promise<Mixed | null> {
  const { layers, forms } = options
  const moves = pathOf(choices)
  if (moves.length === 0) return null
  const count =
    options.goal === 'quality'
      ? await longestKept(bench, options, moves)
      : await shortestWithin(bench, options, moves, options.goal.cost)
  if (count === null || count === 0) return null
  const chosen = formsAfter(moves, count, layers.length)
  return {
    steps: stepsFor(chosen, options),
    forms: new Map(layers.flatMap((l, i) => (chosen[i] === null ? [] : [[l.key, forms[chosen[i]!]!.transform]]))),
  }
}

export interface Asking extends Pick<MixedOptions, 'layers' | 'cost' | 'remember'> {
  /** The cost of the model in float. */
  readonly float: number
}

/** What one layer in a form saves and errs, the others in float. */
export async function askedAbout(
  bench: Bench,
  { layers, cost, remember, float }: Asking,
  layer: Layer,
  step: Form,
): Promise<Omit<Choice, 'form'>> {
  bench.env.signal?.throwIfAborted()
  const found = await remember(`form ${JSON.stringify(step)} ${layer.key}`, async () => {
    const model = await alone(bench, layers, layer, step)
    if (model === bench.prepared) return { saved: 0, error: 0 }
    const { bytes } = encodeModel(model)
    const quality = await qualityOf(bench, bytes, LAYER_SAMPLES)
    const worst = Math.max(0, ...(quality?.outputs.map((o) => o.relativeError) ?? []))
    const error = quality === null ? BROKEN : Math.max(0, quality.drop) ** 2 + worst ** 2
    return { saved: float - (await cost(bytes)), error }
  })
  // A form that does not run, or whose error is no number, is none.
  return { ...found, error: found.error < BROKEN ? found.error : Number.POSITIVE_INFINITY }
}

/** The model with one layer in a form, the others in float; the model itself where there is nothing to do. */
export function alone(bench: Bench, layers: readonly Layer[], layer: Layer, step: Form): Promise<Model> {
  const others = layers.filter((l) => l !== layer).flatMap((l) => l.nodes)
  return applySteps(bench.prepared, excluding([step], others), bench.env)
}

/** One step a form, which leaves out all layers that take another one. */
function stepsFor(
  chosen: readonly (number | null)[],
  { forms, layers }: Pick<MixedOptions, 'forms' | 'layers'>,
): readonly Step[] {
  const without = (takes: (form: number | null) => boolean): readonly string[] =>
    layers.flatMap((l, i) => (takes(chosen[i]!) ? [] : l.nodes))
  const own = forms.flatMap((step, f): readonly Step[] => {
    if (!chosen.includes(f) && !REST.includes(step.transform)) return []
    return excluding(
      [step],
      without((form) => form === f),
    )
  })
  const isStored = forms.some((f) => REST[0] === f.transform)
  const rest: readonly Step[] = [
    ...(isStored
      ? []
      : excluding(
          [{ transform: REST[0]!, params: {} }],
          without(() => false),
        )),
    { transform: REST[1]!, params: {} },
  ]
  return [...own, ...rest]
}

const buildAfter = async (bench: Bench, options: MixedOptions, moves: readonly Move[], count: number) => {
  const steps = stepsFor(formsAfter(moves, count, options.layers.length), options)
  return encodeModel(await applySteps(bench.prepared, steps, bench.env)).bytes
}

/** The most moves that keep the quality, found by bisection with some room; null where not even the first does. */
async function longestKept(bench: Bench, options: MixedOptions, moves: readonly Move[]): Promise<number | null> {
  const allowed = cautious(bench.maxDrop, bench.judge!.samples)
  const keeps = async (count: number): Promise<boolean> => {
    const drop = await options.remember(`mixed ${count} of ${moves.length}`, async () => {
      const quality = await qualityOf(bench, await buildAfter(bench, options, moves, count))
      return quality?.drop ?? BROKEN
    })
    return drop <= allowed
  }
  return bisect(moves.length, keeps, options.isOver)
}

/** The fewest moves that come within a cost; null where all of them do not. */
async function shortestWithin(
  bench: Bench,
  options: MixedOptions,
  moves: readonly Move[],
  most: number,
): Promise<number | null> {
  const isOver = async (count: number): Promise<boolean> =>
    (await options.cost(await buildAfter(bench, options, moves, count))) > most
  if (await isOver(moves.length)) return null
  const over = await bisect(moves.length - 1, isOver)
  return over === null ? 0 : over + 1
}

/** The largest of 0 … `most` for which `holds`, which holds from 0 up to somewhere; null where it does not for 0, or time is up. */
async function bisect(
  most: number,
  holds: (count: number) => Promise<boolean>,
  isOver = () => false,
): Promise<number | null> {
  if (await holds(most)) return most
  if (!(await holds(0))) return null
  let [low, high] = [0, most]
  while (high - low > 1) {
    if (isOver()) return null
    const middle = (low + high) >> 1
    if (await holds(middle)) low = middle
    else high = middle
  }
  return low
}
