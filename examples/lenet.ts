/**
 * Deep Compression (Han et al. 2016) of LeNet-300-100: `npx tsx examples/lenet.ts FOLDER`, where the folder holds the four
 * idx files of MNIST. The network is trained; then small weights are cut step by step, after the cubic schedule of Zhu and
 * Gupta (2017), while the others train on; then the weights of each layer come to share 16 values, which train on too; and
 * what is left is stored as these values and the gaps between the weights that are not zero. Of the test images 98.37 %
 * are told right as trained, 98.18 % in the end, in a file that is 42 times smaller (Deep Compression, which codes its
 * places by Huffman as well: 40 times).
 */

import {
  cleanModel,
  encodeModel,
  layers,
  losses,
  type Model,
  openEngine,
  quantize,
  schedules,
  scoreOf,
  sequential,
  sharedWeights,
  type Tensor,
  type TrainOptions,
  train,
} from '../src/node.js'
import { readMnist } from './mnist.js'

const { dense, flatten, relu, scale } = layers

const network = (): Model =>
  sequential([scale(1 / 255), flatten(), dense(300), relu(), dense(100), relu(), dense(10)], { input: [28, 28] })

/** Shares of the weights of each layer that are left in the end: the last layer has few, and needs them. */
const LEFT = [0.06, 0.09, 0.25]
const BITS = 4

const isWeight = ({ dtype, shape }: Tensor): boolean => dtype === 'float32' && shape.length === 2
const valuesOf = (t: Tensor): Float32Array => new Float32Array(t.bytes().slice().buffer)
const weightsOf = (model: Model): readonly (readonly [string, Tensor])[] =>
  [...model.graph.constants].filter(([, t]) => isWeight(t))

/** Of each weight the given share of largest magnitude; the others are zero. */
function pruned(model: Model, shares: readonly number[]): Model {
  const constants = new Map(model.graph.constants)
  for (const [i, [name, t]] of weightsOf(model).entries()) {
    const values = valuesOf(t)
    const sizes = values.map(Math.abs).sort()
    const least = sizes[Math.min(sizes.length - 1, Math.round((1 - shares[i]!) * sizes.length))]!
    const kept = values.map((v) => (Math.abs(v) >= least ? v : 0))
    constants.set(name, { ...t, bytes: () => new Uint8Array(kept.buffer) })
  }
  return { ...model, graph: { ...model.graph, constants } }
}

const countLeft = (model: Model): number =>
  weightsOf(model).reduce((n, [, t]) => n + valuesOf(t).reduce((m, v) => m + Number(v !== 0), 0), 0)

export interface Step {
  readonly name: string
  /** Share of the test images that are told right. */
  readonly accuracy: number
  /** Weights that are not zero, and bytes of the file. */
  readonly nonzeros: number
  readonly bytes: number
}

export interface Options {
  readonly folder: string
  /** Passes over the data: of the first training, of each round of pruning, after the last one, and with shared weights. */
  readonly epochs?: readonly [number, number, number, number]
  readonly rounds?: number
  /** Training images; the rest is left out. */
  readonly limit?: number
  readonly threads?: number
  readonly onStep?: (step: Step) => void
}

/** The network as trained, pruned, with shared weights, and stored. */
export async function lenet({
  folder,
  epochs: [first, each, last, sharing] = [8, 1, 10, 3],
  rounds = 8,
  limit = 60_000,
  threads = 1,
  onStep = () => {},
}: Options): Promise<readonly Step[]> {
  const loss = losses.crossEntropy()
  const data = await readMnist(folder, 'train', limit, network())
  const test = await readMnist(folder, 't10k', 10_000, network())
  const engine = await openEngine({ threads })
  const env = { engine: async () => engine }
  const steps: Step[] = []

  const trained = async (model: Model, more: Partial<TrainOptions>): Promise<Model> =>
    (await train(model, { engine, data, loss, validation: null, batchSize: 128, learningRate: 2e-3, ...more })).model
  const see = async (name: string, model: Model, file: Model): Promise<void> => {
    const { accuracy } = await scoreOf(file, { engine, data: test, loss })
    const step = { name, accuracy: accuracy!, nonzeros: countLeft(model), bytes: encodeModel(file).byteLength }
    steps.push(step)
    onStep(step)
  }

  try {
    let model = await trained(network(), { epochs: first, schedule: schedules.oneCycle() })
    await see('trained', model, await cleanModel(model, env))

    for (let round = 1; round <= rounds; round++) {
      const left = (1 - round / rounds) ** 3
      const cut = pruned(
        model,
        LEFT.map((share) => share + (1 - share) * left),
      )
      const ends = round === rounds ? { epochs: last, schedule: schedules.cosine() } : { epochs: each }
      model = await trained(cut, { keepZeros: true, seed: round, ...ends })
    }
    await see('pruned, stored sparsely', model, await quantize(model, { to: 'sparse' }, env))

    const shared = sharedWeights(model, { bits: BITS })
    const settings = { keepZeros: true, epochs: sharing, learningRate: 1e-4, schedule: schedules.cosine() }
    const tuned = shared.plain(await trained(shared.model, settings))
    await see(`sharing ${2 ** BITS} values a layer`, tuned, await quantize(tuned, { to: 'codebook' }, env))
    return steps
  } finally {
    await engine.close()
  }
}

const rowOf = ({ name, accuracy, nonzeros, bytes }: Step): string =>
  `${name.padEnd(28)}${(100 * accuracy).toFixed(2).padStart(7)} %${String(nonzeros).padStart(9)} weights${String(bytes).padStart(9)} bytes`

if (process.argv[1]?.endsWith('lenet.ts')) {
  const steps = await lenet({
    folder: process.argv[2] ?? '../shared/data/mnist',
    onStep: (step) => console.log(rowOf(step)),
  })
  console.log(`${(steps[0]!.bytes / steps.at(-1)!.bytes).toFixed(1)} times smaller`)
}
