/**
 * Falling back layer by layer: where a recipe breaks the budget, the layers that cost most quality for the least gain
 * return to float until the rest keeps it.
 */

import { applySteps } from '../compress/recipes.js'
import { encodeModel } from '../onnx/codec.js'
import { messageOf } from '../util/errors.js'
import { type Bench, isFatal, judged } from './evaluate.js'
import type { Layer } from './layers.js'
import type { LayerSensitivity } from './outcome.js'
import { BROKEN } from './outcome.js'
import type { Quality, Step } from './trial.js'

/**
 * What a layer falls back to.
 * - `stored`: it computes in float, its weights stay stored in 8 bits: mostly as good as float, and as small as before.
 * - `float`: its weights too return to float, kept in 16 bits in the file; in 32 where the steps do nothing but store them in 16.
 */
export type FallbackMode = 'stored' | 'float'

const HALF = 'store/f16'
const isHalf = (s: Step): boolean => s.transform === HALF
const isStore = (s: Step): boolean => s.transform.startsWith('store/')

/** The same steps with these nodes left in float. */
export const excluding = (steps: readonly Step[], keys: readonly string[]): readonly Step[] =>
  steps.map((s) => ({ ...s, params: { ...s.params, exclude: [...excludedBy(s), ...keys] } }))

export const excludedBy = (s: Step): readonly string[] => (s.params.exclude as readonly string[] | undefined) ?? []

const isInteger = (s: Step): boolean => s.transform === 'quantize/static' || s.transform === 'quantize/dynamic'

/**
 * Whether the steps keep this node in float: those that compute in integers leave it out, and where none does, those that
 * give its weights fewer bits than 16. In mixed precision each step leaves out what another one takes.
 */
export function keepsFloat(steps: readonly Step[], node: string): boolean {
  const deciding = [steps.filter(isInteger), steps.filter((s) => !isHalf(s)), steps].find((some) => some.length > 0)
  return deciding?.every((s) => excludedBy(s).includes(node)) ?? false
}

/** The same steps with these nodes fallen back. */
export const fallenBack = (steps: readonly Step[], keys: readonly string[], mode: FallbackMode): readonly Step[] =>
  mode === 'stored'
    ? [
        ...excluding(
          steps.filter((s) => !isStore(s)),
          keys,
        ),
        ...steps.filter(isStore),
      ]
    : [...excluding(steps, keys), ...(steps.every(isHalf) ? [] : [{ transform: HALF, params: {} }])]

/** The ways of falling back that make sense for these steps, mildest first. */
export const fallbackModes = (steps: readonly Step[]): readonly FallbackMode[] =>
  steps.some((s) => !isStore(s)) && steps.some(isStore) ? ['stored', 'float'] : ['float']

/** The nodes that a row is about. */
export const nodesOf = ({ node, nodes }: Pick<LayerSensitivity, 'node' | 'nodes'>): readonly string[] => nodes ?? [node]

export type Sensitivity = Omit<LayerSensitivity, 'keptFloat'>

/** Held-out samples that one layer's measurement sees, drawn from all of them: the order of layers matters here, not the last digit. */
export const LAYER_SAMPLES = 12

/** Quality when one layer alone is quantized; layers that the recipe does not touch are left out. */
export async function layerSensitivity(
  bench: Bench,
  steps: readonly Step[],
  layer: Layer,
  all: readonly Layer[],
): Promise<Sensitivity | null> {
  const others = all.filter((l) => l !== layer).flatMap((l) => l.nodes)
  const model = await applySteps(bench.prepared, excluding(steps, others), bench.env)
  if (model === bench.prepared) return null
  const quality = await qualityOf(bench, encodeModel(model).bytes, LAYER_SAMPLES)
  const { key: node, nodes, op, parameters } = layer
  const row = { node, ...(nodes.length > 1 && { nodes }), op, parameters }
  if (quality === null) return { ...row, drop: BROKEN, relativeError: BROKEN }
  return {
    ...row,
    drop: quality.drop,
    relativeError: Math.max(0, ...quality.outputs.map((o) => o.relativeError)),
  }
}

/** Null where the candidate does not run. Throws what is no fault of the candidate. */
export async function qualityOf(bench: Bench, bytes: Uint8Array, limit?: number): Promise<Quality | null> {
  try {
    return (await judged(bench, bytes, limit)) ?? null
  } catch (error) {
    bench.env.signal?.throwIfAborted()
    if (isFatal(error)) throw error
    bench.env.onProgress?.({ task: `candidate does not run: ${messageOf(error)}`, done: 0 })
    return null
  }
}

/**
 * Layers, by the nodes of each, in the order in which they should return to float: quality lost (errors of layers add as squares) for what
 * their quantization gains.
 */
export function fallbackOrder(
  sensitivity: readonly Sensitivity[],
  layers: readonly Layer[],
  objective: 'latency' | 'size',
): readonly (readonly string[])[] {
  const total = layers.reduce((n, l) => n + l.parameters, 0)
  const gain = new Map(
    layers.map((l) => [
      l.key,
      objective === 'size' ? l.parameters / total : 0.5 * l.costShare + (0.5 * l.parameters) / total,
    ]),
  )
  const worth = (s: Sensitivity): number =>
    (Math.max(0, s.drop) ** 2 + s.relativeError ** 2) / ((gain.get(s.node) ?? 0) + 1e-3)
  return sensitivity.toSorted((a, b) => worth(b) - worth(a)).map(nodesOf)
}

/** What was found of earlier runs, so that a killed search goes on. */
export interface FallbackMemo {
  recall(key: string): number | undefined
  record(key: string, drop: number): Promise<void>
}

/**
 * The part of the budget that a search for the least that keeps it may use up. It finds what only just passes on the
 * samples at hand, and a mean over n of them is uncertain by a part of the order of 1/√n.
 */
export const cautious = (maxDrop: number, samples: number): number =>
  maxDrop * (1 - Math.min(0.5, 1 / Math.sqrt(samples)))

/**
 * The fewest layers from the front of `order` whose return keeps the budget with some room (`cautious`), found by
 * bisection on full quality; all of them where they keep it without; null where even they do not.
 */
export async function fewestExcluded(
  bench: Bench,
  steps: readonly Step[],
  order: readonly (readonly string[])[],
  mode: FallbackMode,
  memo: FallbackMemo,
): Promise<number | null> {
  const dropAt = async (count: number): Promise<number> => {
    const known = memo.recall(`${mode} ${count}`)
    if (known !== undefined) return known
    const model = await applySteps(bench.prepared, fallenBack(steps, order.slice(0, count).flat(), mode), bench.env)
    const quality = await qualityOf(bench, encodeModel(model).bytes)
    const drop = quality?.drop ?? BROKEN
    await memo.record(`${mode} ${count}`, drop)
    return drop
  }
  let low = 0
  let high = order.length
  if ((await dropAt(high)) > bench.maxDrop) return null
  const allowed = cautious(bench.maxDrop, bench.judge!.samples)
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((await dropAt(middle)) <= allowed) high = middle
    else low = middle
  }
  return high
}
