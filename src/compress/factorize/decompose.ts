/** What the ways of taking a weight apart share: a weight as numbers, what a cut of it costs and keeps, and its parts. */

import type { Engine } from '../../engine/engine.js'
import { elementCount } from '../../ir/tensor.js'
import type { Graph } from '../../ir/types.js'
import { multiplied, openProducts, transposed } from '../../linalg/products.js'
import { symmetricEigen } from '../../linalg/symmetric-eigen.js'
import { qrBy } from '../../linalg/tall-qr.js'
import { type Layer, weightMatrix } from '../layers/layer.js'
import type { RankCriterion } from './rank.js'

export interface Weight {
  /** [rows, channels · positions of the kernel], row-major. */
  readonly matrix: Float64Array
  readonly rows: number
  readonly channels: number
  /** Sizes of a convolution's kernel; null of a product. */
  readonly kernel: readonly number[] | null
}

export const depthOf = ({ channels, kernel }: Weight): number => channels * elementCount(kernel ?? [])

export function weightOf(layer: Layer, graph: Graph): Weight {
  const kernel = layer.node.op === 'Conv' ? graph.constants.get(layer.weight)!.shape.slice(2) : null
  return {
    matrix: Float64Array.from(weightMatrix(layer, graph)),
    rows: layer.rows,
    channels: layer.depth / elementCount(kernel ?? []),
    kernel,
  }
}

/** Where a weight may be cut off. */
export interface Cut {
  /** What lies between the parts: from the input's side to the output's. */
  readonly ranks: readonly number[]
  /** Of all parts. */
  readonly parameters: number
}

/** One of the layers that stand for one, in their order. */
export interface Part {
  /** [outputs, inputs · positions of its kernel]. */
  readonly matrix: Float64Array
  readonly outputs: number
  readonly inputs: number
  /** Whether it has the layer's kernel, and slides as the layer does; the others see one position. */
  readonly isKernel: boolean
}

export interface Decomposition {
  /** The smallest cut that leaves out no more than this share of the energy. */
  byTail(tail: number): Cut
  byCriterion(criterion: RankCriterion): Cut
  parts(cut: Cut): Promise<readonly Part[]>
}

/**
 * `metric`: H, symmetric [depth, depth], or null where all inputs are alike. The energy of a weight W in it is
 * tr(W H Wᵀ) = ‖W L‖² with L Lᵀ = H.
 */
export type Decompose = (weight: Weight, metric: Float64Array | null, engine: Engine) => Promise<Decomposition>

export interface Principal {
  /** Squared singular values of W L, descending: min(rows, depth) of them. */
  readonly squares: Float64Array
  /** Left singular vectors of W L, as rows: [min(rows, depth), rows]. */
  readonly vectors: Float64Array
}

/**
 * The singular value decomposition of W L without L: the squares of its singular values are the eigenvalues of
 * W L Lᵀ Wᵀ = W H Wᵀ, and its left vectors U are the eigenvectors. The best W' of rank r in the metric, ‖(W − W') L‖
 * least, is U Uᵀ W (Eckart and Young 1936), so that H need not be inverted. `w`: [rows, depth].
 */
export async function principal(
  w: Float64Array,
  rows: number,
  metric: Float64Array | null,
  engine: Engine,
): Promise<Principal> {
  const depth = w.length / rows
  if (rows <= depth) return descending(await within(w, rows, metric, engine), rows, engine)
  // W = QR: its left vectors are those of R, turned by Q.
  const products = openProducts(engine)
  try {
    const { q, r } = await qrBy(products, w, rows, depth)
    const { squares, vectors } = await descending(await within(r, depth, metric, engine), depth, engine)
    const turned = await products.multiply(vectors, transposed(q, rows, depth), { m: depth, k: depth, n: rows })
    return { squares, vectors: turned }
  } finally {
    await products.close()
  }
}

/** A H Aᵀ of `a`: [rows, depth]. */
export async function within(
  a: Float64Array,
  rows: number,
  metric: Float64Array | null,
  engine: Engine,
): Promise<Float64Array> {
  const depth = a.length / rows
  const seen = metric === null ? a : await multiplied(a, metric, { m: rows, k: depth, n: depth }, engine)
  return multiplied(seen, transposed(a, rows, depth), { m: rows, k: depth, n: rows }, engine)
}

/** Eigenvalues of a symmetric matrix, none below zero, and eigenvectors as rows, both from the largest on. */
export async function descending(matrix: Float64Array, n: number, engine: Engine): Promise<Principal> {
  const { values, vectors } = await symmetricEigen(matrix, n, { engine })
  const turned = new Float64Array(n * n)
  for (let k = 0; k < n; k++) turned.set(vectors.subarray((n - 1 - k) * n, (n - k) * n), k * n)
  return { squares: values.map((v) => Math.max(0, v)).reverse(), vectors: turned }
}

/** What the parts make together, as a weight of the layer: [rows, depth]. */
export async function composed(parts: readonly Part[], weight: Weight, engine: Engine): Promise<Float64Array> {
  const positions = depthOf(weight) / weight.channels
  const [first, ...rest] = parts
  let { matrix } = first!
  for (const part of rest) {
    const { outputs, inputs } = part
    if (part.isKernel) {
      // [outputs · positions, inputs] by [inputs, channels], and the positions back to their place.
      const turned = swapped(part.matrix, outputs, inputs, positions)
      const width = matrix.length / inputs
      const product = await multiplied(turned, matrix, { m: outputs * positions, k: inputs, n: width }, engine)
      matrix = swapped(product, outputs, positions, width)
    } else matrix = await multiplied(part.matrix, matrix, { m: outputs, k: inputs, n: matrix.length / inputs }, engine)
  }
  return matrix
}

/** [a, b, c] as [a, c, b]. */
function swapped(data: Float64Array, a: number, b: number, c: number): Float64Array {
  const out = new Float64Array(data.length)
  for (let i = 0; i < a; i++) out.set(transposed(data.subarray(i * b * c, (i + 1) * b * c), b, c), i * b * c)
  return out
}
