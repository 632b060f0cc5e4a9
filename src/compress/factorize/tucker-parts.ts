/**
 * Tucker-2 of a convolution's weight [M, C, k…]: a core [r₂, r₁, k…] between two convolutions that see one position
 * (Kim et al., Compression of deep convolutional neural networks for fast and low power mobile applications, ICLR 2016).
 */

import type { Engine } from '../../engine/engine.js'
import { cholesky, inverseTransposed } from '../../linalg/cholesky.js'
import { multiplied, transposed } from '../../linalg/products.js'
import {
  type Cut,
  type Decomposition,
  depthOf,
  type Part,
  type Principal,
  principal,
  type Weight,
} from './decompose.js'
import { rankByCriterion, rankByTail, type Spectrum } from './rank.js'

/** Sweeps of the higher-order orthogonal iteration (De Lathauwer, De Moor and Vandewalle 2000); few are needed. */
const SWEEPS = 3

/** Shares of what may be left out that the inputs' side takes; the outputs' takes the rest. */
const SHARES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]

/**
 * With a metric the basis of the outputs is the best in it, that of the input channels is the best where their covariance
 * is the same at every position of the kernel, with none between positions, and the core is fitted in the metric. The
 * error of both bases is at most the sum of those of each alone (De Lathauwer et al. 2000).
 */
export async function tuckerParts(weight: Weight, metric: Float64Array | null, engine: Engine): Promise<Decomposition> {
  const { matrix, rows, channels } = weight
  const positions = depthOf(weight) / channels
  const unfolded = byChannel(matrix, rows, channels)
  const scale = metric === null ? null : channelScale(metric, channels)
  /** Of a weight unfolded by channels, the map to the first `r` of them: [r, channels]. */
  const into = async (by: Float64Array, r: number): Promise<Float64Array> =>
    unscaled(firstRows((await channelPrincipal(by, channels, scale, engine)).vectors, r, channels), r, scale, engine)
  const out = await principal(matrix, rows, metric, engine)
  const { squares } = await channelPrincipal(unfolded, channels, scale, engine)
  const outputs: Spectrum = { squares: out.squares, long: Math.max(rows, channels * positions) }
  const inputs: Spectrum = { squares, long: Math.max(channels, rows * positions) }
  const cut = (wantedInner: number, wantedOuter: number): Cut => {
    // A core [r₂, r₁ · positions] has no more than r₁ · positions independent rows, nor the other way round.
    const inner = Math.min(wantedInner, wantedOuter * positions)
    const outer = Math.min(wantedOuter, inner * positions)
    const ends = (inner < channels ? inner * channels : 0) + (outer < rows ? outer * rows : 0)
    return { ranks: [inner, outer], parameters: inner * outer * positions + ends }
  }
  return {
    byTail: (tail) =>
      SHARES.map((share) => cut(rankByTail(inputs, share * tail), rankByTail(outputs, (1 - share) * tail))).reduce(
        (a, b) => (b.parameters < a.parameters ? b : a),
      ),
    byCriterion: (criterion) => cut(rankByCriterion(inputs, criterion), rankByCriterion(outputs, criterion)),
    async parts({ ranks: [inner, outer] }) {
      const sizes = { r: inner!, s: outer! }
      let u = firstRows(out.vectors, sizes.s, rows)
      let v: Float64Array = new Float64Array(0)
      for (let sweep = 0; sweep < SWEEPS; sweep++) {
        const seen = await outputsOf(weight, u, sizes.s, engine)
        v = await into(byChannel(seen, sizes.s, channels), sizes.r)
        if (metric !== null) break
        const narrow = await multiplied(v, unfolded, { m: sizes.r, k: channels, n: rows * positions }, engine)
        const right = await principal(byChannel(narrow, sizes.r, rows), rows, null, engine)
        u = firstRows(right.vectors, sizes.s, rows)
      }
      return chain(weight, { u, v, ...sizes }, metric, engine)
    },
  }
}

/** S = L Lᵀ of what enters a channel, the mean over the positions of the kernel. */
interface Scale {
  readonly l: Float64Array
  readonly inverse: Float64Array
}

function channelScale(metric: Float64Array, channels: number): Scale | null {
  const depth = Math.sqrt(metric.length)
  const positions = depth / channels
  const s = new Float64Array(channels * channels)
  for (let i = 0; i < channels; i++)
    for (let j = 0; j < channels; j++)
      for (let k = 0; k < positions; k++)
        s[i * channels + j]! += metric[(i * positions + k) * depth + j * positions + k]! / positions
  const l = cholesky(s, channels)
  return l && { l, inverse: transposed(inverseTransposed(l, channels), channels, channels) }
}

/** The left singular vectors of Lᵀ W, W [channels, rest]. */
async function channelPrincipal(
  w: Float64Array,
  channels: number,
  scale: Scale | null,
  engine: Engine,
): Promise<Principal> {
  if (scale === null) return principal(w, channels, null, engine)
  const shape = { m: channels, k: channels, n: w.length / channels }
  const scaled = await multiplied(transposed(scale.l, channels, channels), w, shape, engine)
  return principal(scaled, channels, null, engine)
}

/** Vectors of L⁻¹ x as maps of x itself: [count, channels]. */
async function unscaled(
  vectors: Float64Array,
  count: number,
  scale: Scale | null,
  engine: Engine,
): Promise<Float64Array> {
  if (scale === null) return vectors
  const channels = vectors.length / count
  return multiplied(vectors, scale.inverse, { m: count, k: channels, n: channels }, engine)
}

interface Bases {
  /** [s, rows], rows orthonormal, and [r, channels]. */
  readonly u: Float64Array
  readonly v: Float64Array
  readonly s: number
  readonly r: number
}

/** Uᵀ W: [s, depth]. */
const outputsOf = ({ matrix, rows }: Weight, u: Float64Array, s: number, engine: Engine): Promise<Float64Array> =>
  multiplied(u, matrix, { m: s, k: rows, n: matrix.length / rows }, engine)

/** A basis of all there is changes nothing: it is left out. */
async function chain(
  weight: Weight,
  { u, v, s, r }: Bases,
  metric: Float64Array | null,
  engine: Engine,
): Promise<readonly Part[]> {
  const { matrix, rows, channels } = weight
  const reduced = s < rows ? await outputsOf(weight, u, s, engine) : matrix
  const isNarrow = r < channels
  const core = isNarrow ? await coreOf(weight, reduced, { v, s, r }, metric, engine) : reduced
  return [
    ...(isNarrow ? [{ matrix: v, outputs: r, inputs: channels, isKernel: false }] : []),
    { matrix: core, outputs: s, inputs: r, isKernel: true },
    ...(s < rows ? [{ matrix: transposed(u, s, rows), outputs: rows, inputs: s, isKernel: false }] : []),
  ]
}

/** Share of the mean variance that is added to every input, so that the core's equations have one solution. */
const DAMPING = 1e-6

/**
 * The core G [s, r · positions] for which G z is nearest to `reduced` x, z being x with its channels brought to r: the
 * regression G = W H Zᵀ (Z H Zᵀ)⁻¹, Z = V ⊗ I. Without a metric that is W Zᵀ.
 */
async function coreOf(
  weight: Weight,
  reduced: Float64Array,
  { v, s, r }: Omit<Bases, 'u'>,
  metric: Float64Array | null,
  engine: Engine,
): Promise<Float64Array> {
  const { channels } = weight
  const depth = depthOf(weight)
  const width = (r * depth) / channels
  /** [count, depth] by Zᵀ. */
  const narrowed = async (a: Float64Array, count: number): Promise<Float64Array> =>
    byChannel(
      await multiplied(v, byChannel(a, count, channels), { m: r, k: channels, n: (count * depth) / channels }, engine),
      r,
      count,
    )
  if (metric === null) return narrowed(reduced, s)
  const half = await narrowed(metric, depth)
  const gram = await narrowed(transposed(half, depth, width), width)
  const damping = (DAMPING * gram.reduce((sum, x, i) => sum + (i % (width + 1) === 0 ? x : 0), 0)) / width
  for (let i = 0; i < width; i++) gram[i * (width + 1)]! += damping
  const l = cholesky(gram, width)
  if (l === null) return narrowed(reduced, s)
  const inverse = inverseTransposed(l, width)
  const right = await multiplied(reduced, half, { m: s, k: depth, n: width }, engine)
  const solved = await multiplied(right, inverse, { m: s, k: width, n: width }, engine)
  return multiplied(solved, transposed(inverse, width, width), { m: s, k: width, n: width }, engine)
}

/** [a, b, rest] as [b, a, rest]. */
function byChannel(data: Float64Array, a: number, b: number): Float64Array {
  const rest = data.length / (a * b)
  const out = new Float64Array(data.length)
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++) out.set(data.subarray((i * b + j) * rest, (i * b + j + 1) * rest), (j * a + i) * rest)
  return out
}

/** Where there are fewer, rows of zeros stand for what is nowhere. */
function firstRows(vectors: Float64Array, count: number, width: number): Float64Array {
  const out = new Float64Array(count * width)
  out.set(vectors.subarray(0, count * width))
  return out
}
