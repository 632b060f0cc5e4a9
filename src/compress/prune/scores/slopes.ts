/**
 * Slopes of the loss of each sample by gates on units: with a factor z on all weights that read a unit, ∂L/∂z at z = 1 is
 * Σ w ∂L/∂w over these weights, and z = 0 is the unit cut out.
 */

import { joined } from '../../../autodiff/gradient.js'
import { withStates } from '../../../data/state.js'
import type { Engine, Feeds, Session } from '../../../engine/engine.js'
import { int } from '../../../ir/attrs.js'
import { isFloat } from '../../../ir/dtypes.js'
import { i64, numbers } from '../../../ir/tensor.js'
import type { Model, Tensor } from '../../../ir/types.js'
import { encodeModel } from '../../../onnx/codec.js'
import { withShapes } from '../../../passes/with-shapes.js'
import { withoutDropout } from '../../../train/dropout.js'
import { floatOf, trainingBuilder, trainingPass } from '../../../train/pass.js'
import { prepared } from '../../../train/prepare.js'
import { withUnrolled } from '../../../train/unroll.js'
import { PareError } from '../../../util/errors.js'
import type { Group, Slice } from '../groups.js'
import { type Likelihood, likelihoodOf } from './likelihood.js'
import { samplesOf } from './samples.js'
import type { ScoreContext } from './score.js'

/** Means over samples, by group, in the order of its units. */
export interface Slopes {
  /** mean |∂L/∂z| */
  readonly sizes: ReadonlyMap<Group, Float64Array>
  /** mean (∂L/∂z)² */
  readonly squares: ReadonlyMap<Group, Float64Array>
}

/**
 * Sample by sample, as the square of a mean over a batch is no mean of squares. What the loss is: see `likelihoodOf`.
 * Throws `PRUNE_SAMPLES`, `PRUNE_SCORE` where the weights that read units are no floats of the main graph, `GRADIENT_…`.
 */
export async function slopesOf(groups: readonly Group[], context: ScoreContext): Promise<Slopes> {
  const { model, env } = context
  const plain = withoutDropout(await prepared(model))
  const readers = readersOf(groups, plain)
  if (readers.length === 0) return { sizes: noneOf(groups), squares: noneOf(groups) }
  const engine = await env.engine()
  const samples = await samplesOf(context)
  const original = await engine.load(encodeModel(model).bytes)
  const likelihood = await likelihoodOf(plain, withStates(samples, original), context)
  const sessions = new Map<string, Promise<Slope>>()
  const sums = groups.map(({ units }) => ({
    sizes: new Float64Array(units.length),
    squares: new Float64Array(units.length),
  }))
  let count = 0
  try {
    for await (const sample of withStates(samples, original).read(env.signal ? { signal: env.signal } : {})) {
      const shapes = shapesOf(sample.feeds, plain)
      const key = JSON.stringify(shapes)
      const slope = sessions.get(key) ?? openSlope(withShapes(plain, shapes), readers, likelihood, engine)
      sessions.set(key, slope)
      const { read } = await slope
      const slopes = await read(sample.feeds, likelihood.targets(sample, count), env.signal)
      for (const [g, { units }] of groups.entries()) {
        for (const [u, { slices }] of units.entries()) {
          const s = slices.reduce((sum, slice) => sum + sumOf(slopes.get(keyOf(slice)), slice), 0)
          sums[g]!.sizes[u]! += Math.abs(s)
          sums[g]!.squares[u]! += s ** 2
        }
      }
      count++
      env.onProgress?.({
        task: 'slopes by units',
        done: count,
        ...(samples.count !== null && { total: samples.count }),
      })
    }
  } finally {
    await original.close()
    for (const slope of sessions.values()) await (await slope.catch(() => null))?.close()
  }
  const mean = (what: 'sizes' | 'squares') => new Map(groups.map((g, i) => [g, sums[i]![what].map((v) => v / count)]))
  return { sizes: mean('sizes'), squares: mean('squares') }
}

const noneOf = (groups: readonly Group[]) => new Map(groups.map((g) => [g, new Float64Array(g.units.length)]))

const keyOf = ({ constant, axis }: Slice): string => `${axis}:${constant}`

const sumOf = (values: ArrayLike<number> | undefined, { indices }: Slice): number =>
  values === undefined ? 0 : indices.reduce((sum, k) => sum + values[k]!, 0)

/** A weight, and an axis along which it reads units. */
interface Reader {
  readonly constant: string
  readonly axis: number
  readonly size: number
}

function readersOf(groups: readonly Group[], { graph }: Model): readonly Reader[] {
  const found = new Map<string, Reader>()
  for (const group of groups) {
    const own = group.units[0]!.slices.filter(({ role }) => role === 'contraction')
    for (const slice of own) {
      const t = graph.constants.get(slice.constant)
      if (t !== undefined && isFloat(t.dtype))
        found.set(keyOf(slice), { constant: slice.constant, axis: slice.axis, size: t.shape[slice.axis]! })
    }
    // What nothing reads is worth nothing.
    if (own.length === 0 || own.some((slice) => found.has(keyOf(slice)))) continue
    throw new PareError('PRUNE_SCORE', 'no float weights read these units, by which a loss could be differentiated', {
      where: group.name,
      remedy: 'Choose a score that takes no gradients, or exclude the layer.',
    })
  }
  return [...found.values()]
}

/** The shapes of the inputs with those of a sample. */
const shapesOf = (feeds: Feeds, { graph }: Model): Readonly<Record<string, readonly number[]>> =>
  Object.fromEntries(
    graph.inputs.flatMap((name) =>
      feeds[name] === undefined || graph.constants.has(name) ? [] : [[name, feeds[name].shape]],
    ),
  )

interface Slope {
  read(feeds: Feeds, targets: Feeds, signal?: AbortSignal): Promise<ReadonlyMap<string, ArrayLike<number>>>
  close(): Promise<void>
}

async function openSlope(
  fixed: Model,
  readers: readonly Reader[],
  { objectives }: Likelihood,
  engine: Engine,
): Promise<Slope> {
  const trainable = [...new Set(readers.map(({ constant }) => constant))]
  const model = withUnrolled(fixed, floatOf(fixed, trainable))
  const b = trainingBuilder(model, trainable)
  const pass = trainingPass(b, model, { objectives, trainable })
  const known = readers.filter(({ constant }) => pass.gradients.has(constant))
  const parts = known.map(({ constant, axis }) => {
    const { shape } = model.graph.constants.get(constant)!
    const others = shape.flatMap((_, i) => (i === axis ? [] : [i]))
    const product = b.op('Mul', [constant, pass.gradients.get(constant)!])
    return others.length === 0
      ? product
      : b.op('ReduceSum', [product, b.constant(i64([others.length], others), 'axes')], { attrs: { keepdims: int(0) } })
  })
  const output = b.op('Concat', parts, { attrs: { axis: int(0) }, outputs: [b.fresh('slopes')] })
  const weights = new Set(trainable)
  const graph = {
    ...joined({ ...pass.open, constants: model.graph.constants }, b.graph()),
    inputs: pass.open.inputs.filter((name) => !weights.has(name)),
    outputs: [output],
  }
  const session: Session = await engine.load(encodeModel({ ...model, graph }).bytes)
  return {
    async read(feeds, targets, signal) {
      const named = [...pass.targets].map(([of, input]): [string, Tensor] => [input, targets[of]!])
      const results = await session.run({ ...feeds, ...Object.fromEntries(named) }, signal ? { signal } : {})
      const values = numbers(results[output]!)
      let from = 0
      return new Map(
        known.map((reader) => {
          from += reader.size
          return [
            `${reader.axis}:${reader.constant}`,
            Array.from({ length: reader.size }, (_, k) => values[from - reader.size + k]!),
          ]
        }),
      )
    },
    close: () => session.close(),
  }
}
