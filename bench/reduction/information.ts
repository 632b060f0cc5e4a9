/** Mutual information of 50 columns with classes and with numbers. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { random } from '../../src/util/random.js'
import { writeArray } from '../linear/arrays.js'
import { type Contest, type Peers, script, type Told, type Tool } from './contest.js'

const here = import.meta.dirname
const [ROWS, COLUMNS] = [100_000, 50]
/** Correlation of neighbouring columns. */
const RHO = 0.5
/** Of the data on which each tool is run once before its clock starts. */
const WARM_SCALE = 0.02

const ABOUT = {
  classes: 'a target of three classes, numbers without ties (Ross 2014)',
  numbers: 'a target of numbers, all without ties (Kraskov, Stögbauer and Grassberger 2004)',
  ties: 'the same with each number rounded to a tenth, so that noise parts them',
} as const
type Kind = keyof typeof ABOUT

/** y = x₁ + x₂² + sin 3x₃ + noise; columns are normal, neighbours with correlation RHO. */
function writeData(folder: string, kind: Kind, rows: number): void {
  mkdirSync(folder)
  const { normal } = random(10)
  const x = new Float64Array(rows * COLUMNS)
  const y = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    const at = i * COLUMNS
    for (let j = 0; j < COLUMNS; j++)
      x[at + j] = j === 0 ? normal() : RHO * x[at + j - 1]! + Math.sqrt(1 - RHO * RHO) * normal()
    y[i] = x[at]! + x[at + 1]! ** 2 + Math.sin(3 * x[at + 2]!) + normal()
  }
  if (kind === 'classes') for (const [i, v] of y.entries()) y[i] = Number(v > 0) + Number(v > 2)
  if (kind === 'ties') for (const list of [x, y]) for (const [i, v] of list.entries()) list[i] = Math.round(10 * v) / 10
  writeArray(join(folder, 'x.npy'), { shape: [rows, COLUMNS], data: x, isFortran: false })
  writeArray(join(folder, 'y.npy'), { shape: [rows], data: y, isFortran: false })
}

interface Scores extends Told {
  readonly scores: readonly number[]
}

export const informationContests = ({ python, threads }: Peers): readonly Contest[] =>
  (Object.keys(ABOUT) as Kind[]).map((kind): Contest => {
    const peer = (name: string, jobs: string, rounds: number): Tool => ({
      name,
      command: (folder) => [python, join(here, 'information_peer.py'), folder, kind, jobs],
      rounds,
    })
    let own: readonly number[] = []
    return {
      name: `B10: mutual information of ${ROWS.toLocaleString('en')} x ${COLUMNS}, ${kind}`,
      about: `With ${ABOUT[kind]}; three neighbours. "Apart": the largest difference from our scores, in nats.`,
      rounds: 3,
      tools: [
        {
          name: 'pare',
          command: (folder) => [...script('information-ours.ts'), ...[folder, kind, threads]],
        },
        peer('scikit-learn', '1', 2),
        peer(`scikit-learn, n_jobs=${threads}`, threads, 2),
      ],
      write: (v) => v.toExponential(1),
      async prepare(folder) {
        writeData(join(folder, 'warm'), kind, Math.round(WARM_SCALE * ROWS))
        writeData(join(folder, 'problem'), kind, ROWS)
      },
      async qualities(told) {
        const { scores } = told as Scores
        if (own.length === 0) own = scores
        return { apart: Math.max(...scores.map((v, k) => Math.abs(v - own[k]!))) }
      },
    }
  })
