/** Principal components: rows in memory as float64 or float32, or read from the file some thousand at a time. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { random } from '../../src/util/random.js'
import { writeArray } from '../linear/arrays.js'
import { type Contest, type Peers, script, type Told, type Tool } from './contest.js'

const here = import.meta.dirname
const [ROWS, COLUMNS, COMPONENTS] = [100_000, 1000, 50]

const ABOUT = {
  float64: 'rows in memory as float64',
  float32: 'rows in memory as float32',
  streamed: 'rows that come from a file of float64, 8192 at a time; those of scikit-learn go to IncrementalPCA',
} as const
type Way = keyof typeof ABOUT

/** xⱼ = ρ xⱼ₋₁ + √(1 − ρ²) ε with ρ = 0.5, the data of the lasso path in bench/linear. */
function autoregressive(rows: number, columns: number): Float64Array {
  const { normal } = random(0)
  const x = new Float64Array(rows * columns)
  for (let at = 0; at < x.length; at++)
    x[at] = at % columns === 0 ? normal() : 0.5 * x[at - 1]! + Math.sqrt(0.75) * normal()
  return x
}

interface Variances extends Told {
  readonly variances: readonly number[]
}

export function componentContests({ python, packages, threads }: Peers): readonly Contest[] {
  const toolsFor = (way: Way): readonly Tool[] => [
    {
      name: 'pare',
      command: (folder) => [...script('pca-ours.ts'), ...[join(folder, 'x.npy'), way, String(COMPONENTS), threads]],
    },
    {
      name: 'scikit-learn',
      command: (folder) => [
        ...([python, join(here, 'pca_peer.py'), join(folder, 'x.npy')] as const),
        ...[way, String(COMPONENTS), threads],
      ],
      ...(way === 'streamed' && { rounds: 1 }),
    },
  ]
  const contest = (name: string, about: string, rows: number, columns: number, tools: readonly Tool[]): Contest => {
    const truth = new Map<string, readonly number[]>()
    return {
      name,
      about,
      rounds: 3,
      tools,
      write: (v) => v.toExponential(1),
      async prepare(folder) {
        const data = autoregressive(rows, columns)
        writeArray(join(folder, 'x.npy'), { shape: [rows, columns], data, isFortran: false })
        truth.clear()
      },
      // Against those of ours, which all are exact but for rounding.
      async qualities(told) {
        const { variances } = told as Variances
        if (!truth.has(name)) truth.set(name, variances)
        return { 'variances apart': Math.max(...variances.map((v, k) => Math.abs(v / truth.get(name)![k]! - 1))) }
      },
    }
  }
  const ways = (Object.keys(ABOUT) as Way[]).map((way) =>
    contest(
      `B8: ${COMPONENTS} principal components of ${ROWS.toLocaleString('en')} x ${COLUMNS.toLocaleString('en')}, ${way}`,
      `Neighbouring columns have a correlation of 0.5; ${ABOUT[way]}. "Variances apart": the largest relative difference from ours.`,
      ROWS,
      COLUMNS,
      toolsFor(way),
    ),
  )
  if (packages === null || !existsSync(packages)) return ways
  const [ours] = toolsFor('float64')
  const small = contest(
    `B8: ${COMPONENTS} principal components of 10,000 x 200, float64`,
    'Smaller, for a tool in JavaScript.',
    10_000,
    200,
    [
      ours!,
      {
        name: 'ml-pca',
        command: (folder) => [...script('pca-ml.ts'), join(folder, 'x.npy'), String(COMPONENTS), packages],
      },
    ],
  )
  return [...ways, small]
}
