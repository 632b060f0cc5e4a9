/** Maps of handwritten digits by t-SNE: time, divergence by one judge, and how well neighbours in the map tell the digit. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openEngine, reduce } from '../../src/node.js'
import { writeArray } from '../linear/arrays.js'
import { run } from '../processes.js'
import { brightness, readDigits } from '../samples/digits.js'
import { type Contest, type Peers, script, type Tool } from './contest.js'

const here = import.meta.dirname
const COMPONENTS = 50

interface Mapped {
  readonly name: string
  readonly set: 't10k' | 'train'
  /** The first ones. */
  readonly rows: number
  readonly rounds: number
  readonly tools: readonly Tool[]
}

const ours = (threads: string): Tool => ({
  name: 'pare',
  command: (folder, seed) => [...script('map-ours.ts'), ...[folder, String(seed), threads]],
})

const peer = ({ python, threads }: Peers, name: string, rounds?: number): Tool => ({
  name,
  command: (folder, seed) => [python, join(here, 'map-peers.py'), folder, String(seed), name, threads],
  ...(rounds !== undefined && { rounds }),
})

export const mapContests = (peers: Peers): readonly Contest[] => [
  contest(peers, {
    name: 'B9: t-SNE of the 10,000 test images of MNIST',
    set: 't10k',
    rows: 10_000,
    rounds: 5,
    tools: [ours(peers.threads), peer(peers, 'openTSNE'), peer(peers, 'scikit-learn', 1)],
  }),
  contest(peers, {
    name: 'B9: t-SNE of the 60,000 training images of MNIST',
    set: 'train',
    rows: 60_000,
    rounds: 1,
    tools: [ours(peers.threads), peer(peers, 'openTSNE')],
  }),
  ...(peers.packages === null || !existsSync(peers.packages)
    ? []
    : [
        contest(peers, {
          name: 'B9: t-SNE of 2,000 test images of MNIST',
          set: 't10k',
          rows: 2000,
          rounds: 3,
          tools: [
            ours(peers.threads),
            peer(peers, 'openTSNE'),
            {
              name: 'DruidJS',
              command: (folder, seed) => [...script('map-druid.ts'), folder, String(seed), peers.packages!],
              rounds: 1,
            },
          ],
        }),
      ]),
]

function contest({ python, threads }: Peers, { name, set, rows, rounds, tools }: Mapped): Contest {
  return {
    name,
    about: `On their first ${COMPONENTS} principal components, perplexity 30, 250 iterations with an exaggeration of 12 and 500 without, all else as the tool has it by default; a seed for each run. "KL" is the divergence from the same affinities for all tools, of exact neighbours and over all pairs; "10-NN" the share of images whose digit most of their 10 nearest neighbours in the map have (\`bench/reduction/map-quality.py\`).`,
    rounds,
    tools,
    async prepare(folder) {
      const digits = await readDigits(set, rows)
      const { columns, classes } = digits
      const engine = await openEngine({ threads: Number(threads) })
      const x = { rows, columns, data: brightness(digits), order: 'row-major' } as const
      const { transform } = await reduce.pca(x, { engine, nComponents: COMPONENTS, precision: 'float64' })
      const scores = Float64Array.from((await transform(x)).data)
      await engine.close()
      writeArray(join(folder, 'x.npy'), { shape: [rows, COMPONENTS], data: scores, isFortran: false })
      writeArray(join(folder, 'labels.npy'), { shape: [rows], data: Float64Array.from(classes), isFortran: false })
    },
    async qualities(_, folder) {
      const { stdout } = await run(python, [join(here, 'map-quality.py'), folder])
      return JSON.parse(stdout) as Record<string, number>
    },
  }
}
