/** The problems that are solved side by side, each with data of its own. */

import { random } from '../../src/util/random.js'
import { readDigits } from '../samples/digits.js'

/** What is asked of a tool: a path, one with cross-validation, one of classes, a ridge with leave-one-out. */
export type Kind = 'path' | 'cv' | 'binomial' | 'multinomial' | 'ridge'

export interface Problem {
  readonly name: string
  readonly about: string
  readonly kind: Kind
  /** How ours wants its columns: those of a tall matrix by rows. */
  readonly order: 'row-major' | 'column-major'
  /** Smaller ones are for trying. */
  readonly make: (scale: number) => Promise<Data>
}

/** The least squares ones have mean 0 in y, all have mean 0 and standard deviation 1 in each column of X but MNIST. */
export interface Data {
  readonly rows: number
  readonly columns: number
  /** Column by column. */
  readonly x: Float64Array
  readonly y: Float64Array
  /** From the largest down. */
  readonly lambdas: Float64Array
  /** The fold of each row. */
  readonly folds?: Float64Array
}

interface Simulation {
  readonly rows: number
  readonly columns: number
  /** Correlation of neighbouring columns. */
  readonly rho: number
  readonly nonzeros: number
  readonly seed: number
}

const TALL: Simulation = { rows: 100_000, columns: 1000, rho: 0.5, nonzeros: 50, seed: 1 }
const WIDE: Simulation = { rows: 1000, columns: 20_000, rho: 0.6, nonzeros: 50, seed: 2 }
const CLASSES: Simulation = { rows: 100_000, columns: 500, rho: 0.5, nonzeros: 30, seed: 3 }

/** Variance of the signal over that of the noise. */
const SIGNAL_TO_NOISE = 3
const FOLDS = 10

export const PROBLEMS: readonly Problem[] = [
  {
    name: 'B1',
    about: 'Lasso path, 100,000 x 1,000, neighbouring columns with correlation 0.5, 50 nonzeros, 100 λ to 1e-3 λmax',
    kind: 'path',
    order: 'row-major',
    make: async (scale) => gaussian(scaled(TALL, scale), 1e-3),
  },
  {
    name: 'B2',
    about: 'Lasso with 10-fold cross-validation, the first 500 columns of B1, 100 λ to 1e-3 λmax',
    kind: 'cv',
    order: 'row-major',
    make: async (scale) => {
      const simulation = scaled(TALL, scale)
      const { rows, x, y } = linear(simulation)
      const columns = simulation.columns / 2
      const part = { rows, columns, x: x.slice(0, rows * columns), y }
      const { shuffle } = random(TALL.seed + 100)
      const folds = shuffle(Float64Array.from({ length: rows }, (_, i) => i % FOLDS))
      return { ...part, lambdas: grid(strongest(part), 1e-3), folds }
    },
  },
  {
    name: 'B3',
    about: 'Lasso path, 1,000 x 20,000, neighbouring columns with correlation 0.6, 50 nonzeros, 100 λ to 1e-2 λmax',
    kind: 'path',
    order: 'column-major',
    make: async (scale) => gaussian(scaled(WIDE, scale), 1e-2),
  },
  {
    name: 'B5',
    about:
      'Binomial lasso path, 100,000 x 500, neighbouring columns with correlation 0.5, 30 nonzeros, 100 λ to 1e-3 λmax',
    kind: 'binomial',
    order: 'row-major',
    make: async (scale) => {
      const { seed, ...simulation } = scaled(CLASSES, scale)
      const { rows, columns, x, signal } = signalOf({ seed, ...simulation })
      const { uniform } = random(seed + 200)
      const y = signal.map((eta) => Number(uniform() < 1 / (1 + Math.exp(-eta))))
      return { rows, columns, x, y, lambdas: grid(strongest({ rows, columns, x, y }), 1e-3) }
    },
  },
  {
    name: 'B6',
    about:
      'Multinomial regression with an l2 penalty (λ = 1/n), the 10,000 test images of MNIST divided by 255, 784 pixels, 10 classes',
    kind: 'multinomial',
    order: 'row-major',
    make: async (scale) => digits(scale),
  },
  {
    name: 'B7',
    about: 'Ridge with leave-one-out, the data of B1, 100 λ from 10 to 1e-5',
    kind: 'ridge',
    order: 'row-major',
    make: async (scale) => ({ ...linear(scaled(TALL, scale)), lambdas: grid(10, 1e-6) }),
  },
]

const scaled = (s: Simulation, scale: number): Simulation => ({
  ...s,
  rows: Math.round(s.rows * scale),
  columns: 2 * Math.round((s.columns * scale) / 2),
  nonzeros: Math.max(5, Math.round(s.nonzeros * scale)),
})

function gaussian(simulation: Simulation, ratio: number): Data {
  const data = linear(simulation)
  return { ...data, lambdas: grid(strongest(data), ratio) }
}

function linear(simulation: Simulation): Omit<Data, 'lambdas'> {
  const { rows, columns, x, signal } = signalOf(simulation)
  const { normal } = random(simulation.seed + 200)
  const deviation = Math.sqrt(signal.reduce((sum, v) => sum + v * v, 0) / rows / SIGNAL_TO_NOISE)
  const y = signal.map((v) => v + normal(0, deviation))
  const mean = y.reduce((sum, v) => sum + v, 0) / rows
  return { rows, columns, x, y: y.map((v) => v - mean) }
}

/** x_j = ρ x_{j−1} + √(1 − ρ²) ε, then standardized; the signal is Xβ, β ~ N(0, 1) in columns that are drawn. */
function signalOf({ rows, columns, rho, nonzeros, seed }: Simulation) {
  const { normal, shuffle } = random(seed)
  const x = new Float64Array(rows * columns)
  const fresh = Math.sqrt(1 - rho * rho)
  for (let at = 0; at < x.length; at++) x[at] = at < rows ? normal() : rho * x[at - rows]! + fresh * normal()
  for (let j = 0; j < columns; j++) standardize(x.subarray(j * rows, (j + 1) * rows))
  const signal = new Float64Array(rows)
  for (const j of shuffle(Array.from({ length: columns }, (_, k) => k)).slice(0, nonzeros)) {
    const beta = normal()
    for (let i = 0; i < rows; i++) signal[i]! += beta * x[j * rows + i]!
  }
  return { rows, columns, x, signal }
}

function standardize(column: Float64Array): void {
  const n = column.length
  const mean = column.reduce((sum, v) => sum + v, 0) / n
  const deviation = Math.sqrt(column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n)
  for (let i = 0; i < n; i++) column[i] = (column[i]! - mean) / deviation
}

/** The least λ that keeps all coefficients at zero: max |xⱼᵀ(y − ȳ)| / n. */
function strongest({ rows, columns, x, y }: Omit<Data, 'lambdas'>): number {
  const mean = y.reduce((sum, v) => sum + v, 0) / rows
  let most = 0
  for (let j = 0; j < columns; j++) {
    let sum = 0
    for (let i = 0; i < rows; i++) sum += x[j * rows + i]! * (y[i]! - mean)
    most = Math.max(most, Math.abs(sum) / rows)
  }
  return most
}

const grid = (from: number, ratio: number, count = 100): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => from * ratio ** (i / (count - 1)))

async function digits(scale: number): Promise<Data> {
  const { rows, columns, pixels, classes } = await readDigits('t10k', Math.round(10_000 * scale))
  const x = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) x[j * rows + i] = pixels[i * columns + j]! / 255
  return { rows, columns, x, y: Float64Array.from(classes), lambdas: Float64Array.of(1 / rows) }
}
