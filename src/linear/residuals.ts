/** What is left of y by each of many models, on the rows themselves and in float64: proof that owes nothing to moments. */

import type { Engine, Session } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { i64, numbers, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { openGramKernel, wholeBlocks } from '../kernels/gram-kernel.js'
import { encodeModel } from '../onnx/codec.js'
import type { RunOptions } from '../util/env.js'
import { inFlight } from '../util/in-flight.js'
import { addTo } from '../util/sums.js'
import { type DenseMatrix, stridesOf } from './design.js'

export interface ResidualOptions extends Pick<RunOptions, 'signal'> {
  readonly weights?: ArrayLike<number>
  /** Of X and, last, of y: what is taken off them first; zeros where there is no intercept. */
  readonly means: Float64Array
  readonly engine?: Engine | undefined
}

/** Of one model. */
export interface ResidualMoments {
  /** Σ w r² / Σ w */
  readonly meanSquare: number
  /** Σ w (x − mean) r / Σ w of each column. */
  readonly correlations: Float64Array
}

/** Multiplications from which on the engine is worth its way. */
const MANY = 1e8

/** Numbers of X that are worked on at once: by the engine, and in the cache. */
const CHUNK = { engine: 8_000_000, kernel: 32_768 } as const

/** Of r = (y − mean) − Σ βⱼ (xⱼ − meanⱼ), for each β of `models`. */
export async function gatherResiduals(
  x: DenseMatrix,
  y: ArrayLike<number>,
  models: readonly Float64Array[],
  options: ResidualOptions,
): Promise<readonly ResidualMoments[]> {
  const { engine, signal } = options
  const onEngine = engine !== undefined && x.rows * x.columns * models.length > MANY
  const sums = onEngine ? await engineSums(engine, x.columns, models) : kernelSums(x.columns, models)
  const chunk = Math.max(1, Math.floor((onEngine ? CHUNK.engine : CHUNK.kernel) / x.columns))
  let total = 0
  try {
    // The next rows are centred while the engine works on the last ones.
    const tasks = inFlight(1)
    for (let from = 0; from < x.rows; from += chunk) {
      throwIfAborted(signal)
      const to = Math.min(x.rows, from + chunk)
      const rows = centredRows(x, y, options, from, to, sums.room((to - from) * x.columns))
      for (const w of rows.weights) total += w
      await tasks.push(sums.add(rows))
    }
    await tasks.end()
    return sums.end().map(({ meanSquare, correlations }) => ({
      meanSquare: meanSquare / total,
      correlations: correlations.map((v) => v / total),
    }))
  } finally {
    await sums.close?.()
  }
}

interface Rows {
  /** [count, columns] */
  readonly x: Float64Array
  readonly y: Float64Array
  readonly weights: Float64Array
}

interface Sums {
  /** For the rows, with whatever it held before. */
  room(length: number): Float64Array
  /** The room is gone until it is done. */
  add(rows: Rows): Promise<void>
  end(): readonly ResidualMoments[]
  close?(): Promise<void>
}

function centredRows(
  { columns, data, ...x }: DenseMatrix,
  y: ArrayLike<number>,
  { means, weights }: ResidualOptions,
  from: number,
  to: number,
  out: Float64Array,
): Rows {
  const [byRow, byColumn] = stridesOf({ columns, data, ...x })
  const left = new Float64Array(to - from)
  const own = Float64Array.from(left, (_, i) => weights?.[from + i] ?? 1)
  for (let i = from; i < to; i++) {
    const start = (i - from) * columns
    // A row without weight has no say, whatever stands there: it is 0, as 0 times an infinite square is no number.
    if (own[i - from] === 0) {
      out.fill(0, start, start + columns)
      continue
    }
    for (let j = 0; j < columns; j++) out[start + j] = data[i * byRow + j * byColumn]! - means[j]!
    left[i - from] = y[i]! - means[columns]!
  }
  return { x: out, y: left, weights: own }
}

/** Columns that some model uses, and the coefficients of all models on these: [columns, models]. */
function usedBy(models: readonly Float64Array[]): { readonly used: readonly number[]; readonly matrix: Float64Array } {
  const some = [...models[0]!.keys()].filter((j) => models.some((beta) => beta[j] !== 0))
  const used = some.length > 0 ? some : [0]
  return { used, matrix: Float64Array.from(used.flatMap((j) => models.map((beta) => beta[j]!))) }
}

/** By the loops of the Gram kernel, some rows at a time. */
function kernelSums(columns: number, models: readonly Float64Array[]): Sums {
  const { used, matrix } = usedBy(models)
  const many = models.length
  const [wide, deep] = [wholeBlocks(columns), wholeBlocks(many)]
  const most = wholeBlocks(Math.max(1, Math.floor(CHUNK.kernel / columns)))
  const lengths = [used.length * deep, deep, wholeBlocks(used.length), most * wide, most, many * wide]
  const kernel = openGramKernel(lengths.reduce((a, b) => a + b))
  let at = 0
  const [coefficients, left, row, rows, factors, correlations] = lengths.map((n) => {
    at += n
    return kernel.memory.subarray(at - n, at)
  }) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array]
  for (let k = 0; k < used.length; k++) coefficients.set(matrix.subarray(k * many, (k + 1) * many), k * deep)
  const squares = new Float64Array(many)
  const held = { count: used.length, length: many, data: coefficients, stride: deep }
  const whole = new Float64Array(CHUNK.kernel + columns)
  return {
    room: (length) => whole.subarray(0, length),
    async add({ x, y, weights }) {
      const count = y.length
      const residuals = new Float64Array(many * count)
      for (let i = 0; i < count; i++) {
        rows.set(x.subarray(i * columns, (i + 1) * columns), i * wide)
        for (const [k, j] of used.entries()) row[k] = x[i * columns + j]!
        left.fill(y[i]!)
        kernel.subtractRows(held, row, left)
        for (let l = 0; l < many; l++) {
          squares[l]! += weights[i]! * left[l]! ** 2
          // The kernel subtracts.
          residuals[l * count + i] = -weights[i]! * left[l]!
        }
      }
      for (let l = 0; l < many; l++) {
        factors.set(residuals.subarray(l * count, (l + 1) * count))
        const all = { count, length: columns, data: rows, stride: wide }
        kernel.subtractRows(all, factors, correlations.subarray(l * wide, (l + 1) * wide))
      }
    },
    end: () =>
      models.map((_, l) => ({
        meanSquare: squares[l]!,
        correlations: correlations.slice(l * wide, l * wide + columns),
      })),
  }
}

async function engineSums(engine: Engine, columns: number, models: readonly Float64Array[]): Promise<Sums> {
  const many = models.length
  const session: Session = await engine.load(encodeModel(residualGraph(columns, models)).bytes)
  const squares = new Float64Array(many)
  const correlations = new Float64Array(many * columns)
  const spare: Float64Array[] = []
  return {
    room(length) {
      const at = spare.findIndex((room) => room.length === length)
      return at < 0 ? new Float64Array(length) : spare.splice(at, 1)[0]!
    },
    async add({ x, y, weights }) {
      const count = y.length
      const feeds = {
        x: tensor('float64', [count, columns], x),
        y: tensor('float64', [count, 1], y),
        weights: tensor('float64', [count, 1], weights),
      }
      const results = await session.run(feeds, { lend: ['x'] })
      spare.push(numbers(results.x!) as Float64Array)
      addTo(squares, numbers(results.squares!))
      addTo(correlations, numbers(results.correlations!))
    },
    end: () =>
      models.map((_, l) => ({
        meanSquare: squares[l]!,
        correlations: correlations.slice(l * columns, (l + 1) * columns),
      })),
    close: () => session.close(),
  }
}

/** R = y − X B, then Σ w R² and (w R)ᵀ X. */
function residualGraph(columns: number, models: readonly Float64Array[]): Model {
  const { used, matrix } = usedBy(models)
  const many = models.length
  const b = builder(['x', 'y', 'weights', 'squares', 'correlations'], 'float64')
  const shaped = (width: number) => ({ kind: 'tensor', dtype: 'float64', shape: ['N', width] }) as const
  b.input('x', shaped(columns))
  b.input('y', shaped(1))
  b.input('weights', shaped(1))
  const own = b.op('Gather', ['x', b.constant(i64([used.length], used), 'used')], { attrs: { axis: int(1) } })
  const fitted = b.op('MatMul', [own, b.constant(b.tensor([used.length, many], matrix), 'coefficients')])
  const residuals = b.op('Sub', ['y', fitted])
  const weighted = b.op('Mul', [residuals, 'weights'])
  const product = b.op('Mul', [residuals, weighted])
  b.ops('ReduceSum', [product, b.constant(i64([1], [0]), 'axis')], {
    outputs: ['squares'],
    attrs: { keepdims: int(0) },
  })
  b.ops('MatMul', [b.op('Transpose', [weighted]), 'x'], { outputs: ['correlations'] })
  b.output('squares', { kind: 'tensor', dtype: 'float64', shape: [many] })
  b.output('correlations', { kind: 'tensor', dtype: 'float64', shape: [many, columns] })
  return modelOf(b.graph('residuals'))
}
