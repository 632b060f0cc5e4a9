/** What rows err by ridges without them, read once in float32: for problems that lose little by it. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { codeOfDType } from '../ir/dtypes.js'
import { numbers, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { BESIDE } from '../linalg/gram.js'
import { encodeModel } from '../onnx/codec.js'
import { inFlight } from '../util/in-flight.js'
import type { RidgeBasis } from './ridge-basis.js'
import { type LeftOut, leftOutSums } from './ridge-pass.js'
import { leftOutOutputs } from './ridge-products.js'
import { openRowTile } from './row-tile.js'
import type { Rows } from './rows.js'

/** Of the strengths, in the directions b of the basis. */
export interface Fits {
  readonly count: number
  /** c of β = Σ c b: [r, count] */
  readonly along: Float64Array
  /** 1 / (bᵀGb + λbᵀDb): [r, count] */
  readonly shrinkage: Float64Array
}

export interface LeftOutOptions {
  readonly engine: Engine
  readonly signal?: AbortSignal | undefined
  readonly hasIntercept: boolean
}

/** Rows that are read together. */
const HEIGHT = 1552

/** `y`: of the rows that count, about its mean where there is an intercept. */
export async function leftOutInSingle(
  { x, index, isAll, shifts, factors, shares }: Rows,
  y: Float64Array,
  basis: RidgeBasis,
  fits: Fits,
  { engine, signal, hasIntercept }: LeftOutOptions,
): Promise<LeftOut> {
  const p = x.columns
  const total = index.length
  const session = await engine.load(encodeModel(modelOfFits(basis, fits, p, hasIntercept)).bytes, { config: BESIDE })
  const tile = openRowTile(x, null, { columns: p, height: HEIGHT, isSingle: true })
  tile.begin({ shifts, factors })
  const sums = leftOutSums(fits.count)
  const spare: Float32Array[] = []
  try {
    // The next chunk is filled while the engine is at the last one.
    const tasks = inFlight(1)
    for (let from = 0; from < total; from += HEIGHT) {
      throwIfAborted(signal)
      const to = Math.min(total, from + HEIGHT)
      const rows = spare.pop() ?? new Float32Array(p * HEIGHT)
      tile.fill(from, to, isAll ? {} : { rows: index })
      tile.copy({ from: 0, to: p }, rows, 0)
      const part = (values: Float64Array) => {
        const own = new Float64Array(HEIGHT)
        own.set(values.subarray(from, to))
        return tensor('float64', [HEIGHT, 1], own)
      }
      const feeds = { rows: tensor('float32', [p, HEIGHT], rows), y: part(y), shares: part(shares) }
      const task = session.run(feeds, { lend: ['rows'] }).then((results) => {
        spare.push(numbers(results.rows!) as Float32Array)
        sums.add({
          errors: numbers(results.leftErrors!),
          squaredErrors: numbers(results.leftSquares!),
          largest: numbers(results.largest!)[0]!,
        })
      })
      await tasks.push(task)
    }
    await tasks.end()
  } finally {
    await session.close()
  }
  return sums.end()
}

/** By u = Bᵀx of a row: y − Σ c u, and h = ω (1 + Σ shrinkage u²). */
function modelOfFits(
  { directions, energies }: RidgeBasis,
  { count, along, shrinkage }: Fits,
  p: number,
  hasIntercept: boolean,
): Model {
  const r = energies.length
  const b = builder(['rows', 'y', 'shares', 'leftErrors', 'leftSquares', 'largest'], 'float64')
  const single = (shape: readonly number[], values: Float64Array): string =>
    b.constant(tensor('float32', shape, Float32Array.from(values)))
  const double = (name: string): string => b.op('Cast', [name], { attrs: { to: int(codeOfDType('float64')) } })
  const rows = b.input('rows', { kind: 'tensor', dtype: 'float32', shape: [p, HEIGHT] })
  const [y, shares] = ['y', 'shares'].map((name) =>
    b.input(name, { kind: 'tensor', dtype: 'float64', shape: [HEIGHT, 1] }),
  ) as [string, string]
  const turned = { domain: 'com.microsoft', attrs: { transA: int(1) } }
  const u = b.op('FusedMatMul', [rows, single([p, r], directions)], turned)
  const errors = b.op('Sub', [y, double(b.op('MatMul', [u, single([r, count], along)]))])
  const leverages = double(b.op('MatMul', [b.op('Mul', [u, u]), single([r, count], shrinkage)]))
  leftOutOutputs(b, { errors, leverages, shares, count, hasIntercept })
  return modelOf(b.graph('left-out'), { '': 21, 'com.microsoft': 1 })
}
