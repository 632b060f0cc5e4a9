/**
 * SmoothQuant (Xiao et al. 2023, "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language
 * Models"). One grid for a whole activation is as coarse as its largest channel asks for, while weights are even. The
 * difficulty is moved over: X becomes X·diag(s)⁻¹ and W becomes diag(s)·W, with
 *
 *   sⱼ = max|Xⱼ|^α / max|Wⱼ|^(1−α)   (eq. 4),   j an input channel of the layer, max|Xⱼ| over samples.
 *
 * The division goes into what makes X: a LayerNormalization, or a layer with nothing but positive-homogeneous functions
 * between. Elsewhere a Mul can be inserted for it, where that is allowed.
 */

import { nodeKey } from '../../ir/graphs.js'
import { f32 } from '../../ir/tensor.js'
import type { Model, Node } from '../../ir/types.js'
import { freshNames } from '../../passes/names.js'
import { type ChannelStats, channelStats } from '../channel-stats.js'
import { rewriter, withInput } from '../quantize/rewrite.js'
import type { Params, Transform } from '../transform.js'
import { type Entering, type Flow, findFlows, lookInto } from './flows.js'
import { type Part, sinkOf } from './parts.js'
import { rangesOf, type Slot, scaleFlow, slotOf, slotsOf, withSlots } from './rescale.js'

const params = {
  alpha: {
    kind: 'number',
    default: 0.5,
    min: 0,
    max: 1,
    doc: 'how much of the range moves from activations to weights: 0 evens the weights, 1 the activations',
    search: { low: 0.3, high: 0.8 },
  },
  insert: { kind: 'flag', default: false, doc: 'insert a Mul where nothing before the layer takes the scale in' },
  exclude: { kind: 'names', default: [], doc: 'nodes whose constants stay as they are' },
} as const

type SmoothParams = Params<typeof params>

export const equalizeSmooth: Transform<typeof params> = {
  id: 'equalize/smooth',
  summary: 'large channels of activations moved into the weights that read them, the outputs kept',
  params,
  needsCalibration: false,
  role: 'prepares',
  refuses(model, env) {
    if (env.samples === undefined) return 'smoothing needs samples'
    const has = smoothable(model, []).length > 0 || bareInputs(model, [], new Set()).length > 0
    return has ? null : 'no layers whose input channels can be scaled'
  },
  async apply(model: Model, p: SmoothParams, env) {
    if (env.samples === undefined) return model
    const flows = smoothable(model, p.exclude)
    const bare = p.insert ? bareInputs(model, p.exclude, new Set(flows.flatMap((f) => f.read.map((r) => r.node)))) : []
    const entering = [...flows.flatMap((f) => f.entering), ...bare.map((b) => b.entering)]
    const targets = new Map(entering.map((e) => [e.name, { name: e.name, rank: e.rank, axis: e.layout.axis }]))
    const seen = await channelStats(model, [...targets.values()], env.samples, env, { kind: 'range' })
    const slots = slotsOf([...flows, ...bare])
    const changed = new Set<Slot>()
    const smoothed = (flow: Pick<Flow, 'made' | 'read' | 'channels' | 'entering'>): Float64Array | null => {
      const activations = peaksOf(flow, seen)
      if (activations === null) return null
      const scales = smoothingScales(activations, rangesOf(slots, flow.read, flow.channels), p.alpha)
      scaleFlow(slots, flow, scales)
      for (const part of [...flow.made, ...flow.read]) changed.add(slotOf(slots, part))
      return scales
    }
    for (const flow of flows) smoothed(flow)
    const inserted = bare.map((b) => ({ bare: b, scales: smoothed({ ...b, entering: [b.entering] }) }))
    // Constants first: they are changed in nodes as they were.
    return withDivisions(withSlots(model, changed), inserted)
  },
}

const smoothable = (model: Model, exclude: readonly string[]): readonly Flow[] => {
  const excluded = new Set(exclude)
  return findFlows(model).filter(
    ({ made, read }) => ![...made, ...read].some(({ node }) => excluded.has(nodeKey(node))),
  )
}

/** No channel is scaled by more. */
const MOST = 2 ** 16

/** Eq. 4; 1 for a channel that is nowhere but zero. */
export function smoothingScales(activations: Float64Array, weights: Float64Array, alpha: number): Float64Array {
  return activations.map((x, j) => {
    const w = weights[j]!
    if (!(x > 0 && w > 0)) return 1
    return Math.min(MOST, Math.max(1 / MOST, x ** alpha / w ** (1 - alpha)))
  })
}

/** The largest magnitude of each channel over samples, of all values that enter; null where one was not seen. */
function peaksOf(
  { entering, channels }: Pick<Flow, 'entering' | 'channels'>,
  seen: ReadonlyMap<string, ChannelStats>,
): Float64Array | null {
  const peaks = new Float64Array(channels)
  for (const { name, layout } of entering) {
    const stats = seen.get(name)
    if (stats?.max.length !== channels * layout.repeat) return null
    stats.max.forEach((high, k) => {
      const c = Math.floor(k / layout.repeat)
      peaks[c] = Math.max(peaks[c]!, high, -stats.min[k]!)
    })
  }
  return peaks
}

/** A value that nothing before it can scale, with the products that read it. */
interface Bare {
  readonly entering: Entering
  readonly channels: number
  readonly made: readonly Part[]
  readonly read: readonly Part[]
}

function bareInputs(model: Model, exclude: readonly string[], done: ReadonlySet<Node>): readonly Bare[] {
  const look = lookInto(model)
  const excluded = new Set(exclude)
  const byInput = new Map<string, Bare>()
  for (const node of model.graph.nodes) {
    if ((node.op !== 'MatMul' && node.op !== 'Gemm') || done.has(node) || excluded.has(nodeKey(node))) continue
    const [name, weight] = [node.inputs[0] ?? '', node.inputs[1] ?? '']
    const shape = look.shapeOf(name)
    const channels = shape?.at(-1)
    if (shape === null || typeof channels !== 'number' || !look.isPrivate(weight)) continue
    const layout = { axis: shape.length - 1, repeat: 1 }
    const part = sinkOf(node, layout, shape.length, look.constantOf)
    if (part === null || name === weight) continue
    const known = byInput.get(name)?.read ?? []
    byInput.set(name, { entering: { name, layout, rank: shape.length }, channels, made: [], read: [...known, part] })
  }
  return [...byInput.values()]
}

/** One Mul by 1/s for each of the values, read by the products in question alone. */
function withDivisions(
  model: Model,
  inserted: readonly { readonly bare: Bare; readonly scales: Float64Array | null }[],
): Model {
  const divided = inserted.flatMap(({ bare, scales }) => (scales === null ? [] : [{ bare, scales }]))
  if (divided.length === 0) return model
  const r = rewriter(model.graph, freshNames(model))
  for (const { bare, scales } of divided) {
    const { name } = bare.entering
    const factor = r.constant(
      f32(
        [scales.length],
        scales.map((s) => 1 / s),
      ),
      `${name}_i`,
    )
    const smooth = r.node('Mul', [name, factor], r.fresh(`${name}_n`))
    const readers = new Set(bare.read.map((part) => part.node.outputs[0]))
    for (const node of model.graph.nodes) if (readers.has(node.outputs[0])) r.replace(node, withInput(node, 0, smooth))
  }
  return { ...model, graph: r.finish() }
}
