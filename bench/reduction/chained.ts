/**
 * Components in front of a network, as one graph: the same layers on the first 50 principal components of MNIST and on its
 * pixels, by accuracy, parameters and latency.
 */

import { writeFileSync } from 'node:fs'
import { f32 } from '../../src/ir/tensor.js'
import {
  chain,
  type Dataset,
  type Engine,
  encodeModel,
  inspectModel,
  layers,
  losses,
  type Model,
  openEngine,
  optimizers,
  reduce,
  schedules,
  scoreOf,
  sequential,
  train,
} from '../../src/node.js'
import { table } from '../markdown.js'
import { median } from '../peers/latency.js'
import { brightness, type Digits, readDigits } from '../samples/digits.js'
import type { Section } from './contest.js'

const COMPONENTS = 50
const HIDDEN = [512, 256] as const
const EPOCHS = 10
const BATCHES = [1, 100] as const

const { dense, relu } = layers

const network = (inputs: number, seed: number): Model =>
  sequential([...HIDDEN.flatMap((width) => [dense(width), relu()]), dense(10)], { input: [inputs], seed })

const datasetOf = (data: Float32Array, { rows, classes }: Digits): Dataset => ({
  count: rows,
  inputs: new Map([['input', { dtype: 'float32', shape: [data.length / rows], data }]]),
  targets: new Map([['output', { dtype: 'int64', shape: [], data: BigInt64Array.from(classes, BigInt) }]]),
})

async function trained(engine: Engine, data: Dataset, inputs: number): Promise<Model> {
  const { model } = await train(network(inputs, 1), {
    engine,
    data,
    loss: losses.crossEntropy(),
    epochs: EPOCHS,
    batchSize: 128,
    optimizer: optimizers.adam(),
    learningRate: 3e-3,
    schedule: schedules.oneCycle(),
    seed: 1,
  })
  return model
}

interface Measured {
  readonly name: string
  readonly accuracy: number
  readonly parameters: number
  readonly bytes: number
  /** Milliseconds of each size of batch. */
  readonly latencies: readonly number[]
}

/** `picture`: where it goes. */
export async function chainedSection(threads: string, picture: string): Promise<Section> {
  const engine = await openEngine({ threads: Number(threads) })
  const single = await openEngine({ threads: 1 })
  try {
    const [training, test] = [await readDigits('train', 60_000), await readDigits('t10k', 10_000)]
    const [pixels, tested] = [brightness(training), brightness(test)]
    const x = { rows: training.rows, columns: training.columns, data: pixels, order: 'row-major' } as const
    const pca = await reduce.pca(x, { engine, nComponents: COMPONENTS, whiten: true })
    const scores = Float32Array.from((await pca.transform(x)).data)
    const models: readonly (readonly [string, Model])[] = [
      ['pixels', await trained(engine, datasetOf(pixels, training), training.columns)],
      [
        `${COMPONENTS} components, in the graph`,
        chain(pca.toOnnx(), await trained(engine, datasetOf(scores, training), COMPONENTS)),
      ],
    ]
    const files = models.map(([, model]) => encodeModel(model).bytes)
    const latencies: number[][] = models.map(() => [])
    for (const batch of BATCHES) {
      const rows = f32([batch, test.columns], tested.subarray(0, batch * test.columns))
      const feeds = models.map(([, { graph }]) => graph.inputs[0]!)
      const timings = await single.measure(
        files,
        [Object.fromEntries([...new Set(feeds)].map((name) => [name, rows]))],
        { rounds: 300, budgetMs: 10_000 },
      )
      for (const [k, { runs }] of timings.entries()) latencies[k]!.push(median(runs))
    }
    const found: Measured[] = []
    for (const [k, [name, model]] of models.entries())
      found.push({
        name,
        accuracy: await accuracyOf(engine, model, test),
        parameters: (await inspectModel(model)).parameters,
        bytes: files[k]!.length,
        latencies: latencies[k]!,
      })
    writeFileSync(picture, drawn(found))
    return {
      heading: 'Components in front of a network, one graph',
      text: `The layers ${[...HIDDEN, 10].join('-')} with ReLU, ${EPOCHS} epochs of the 60,000 training images of MNIST with Adam, on pixels and on their first ${COMPONENTS} principal components (whitened), which \`chain\` puts in front of it: both files take pixels. Accuracy of the 10,000 test images; latency at one thread, the files by turns.\n\n![Accuracy, parameters and latency of both](reduction-chain.svg)`,
      table: table(
        ['input', 'accuracy', 'parameters', 'bytes', ...BATCHES.map((n) => `ms for ${n}`)],
        found.map((m) => [
          m.name,
          `${(100 * m.accuracy).toFixed(2)}%`,
          m.parameters,
          m.bytes,
          ...m.latencies.map((ms) => ms.toFixed(4)),
        ]),
      ),
    }
  } finally {
    await engine.close()
    await single.close()
  }
}

async function accuracyOf(engine: Engine, model: Model, test: Digits): Promise<number> {
  const [input, output] = [model.graph.inputs[0]!, model.graph.outputs[0]!]
  const data = datasetOf(brightness(test), test)
  const renamed: Dataset = {
    count: data.count,
    inputs: new Map([[input, data.inputs.get('input')!]]),
    targets: new Map([[output, data.targets.get('output')!]]),
  }
  return (await scoreOf(model, { engine, data: renamed, loss: losses.crossEntropy() })).accuracy!
}

const [WIDTH, LEFT, BAR, ROW] = [640, 190, 300, 26] as const

/** Bars as parts of the larger of the two, by aspect. */
function drawn(found: readonly Measured[]): string {
  const aspects: readonly (readonly [string, (m: Measured) => number, (m: Measured) => string])[] = [
    ['test error', (m) => 1 - m.accuracy, (m) => `${(100 * (1 - m.accuracy)).toFixed(2)} %`],
    ['parameters', (m) => m.parameters, (m) => m.parameters.toLocaleString('en')],
    ...BATCHES.map(
      (n, k) =>
        [
          `latency, batch of ${n}`,
          (m: Measured) => m.latencies[k]!,
          (m: Measured) => `${m.latencies[k]!.toFixed(3)} ms`,
        ] as const,
    ),
  ]
  const fills = ['#7a869a', '#0b7285']
  const rows = aspects.flatMap(([title, of, text], a) => {
    const most = Math.max(...found.map(of))
    const top = 40 + a * (2 * ROW + 22)
    return [
      `<text x="${LEFT - 12}" y="${top + ROW + 4}" text-anchor="end">${title}</text>`,
      ...found.flatMap((m, k) => {
        const width = Math.max(1, (BAR * of(m)) / most)
        const y = top + k * ROW
        return [
          `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 6}" rx="2" fill="${fills[k]}"/>`,
          `<text x="${LEFT + width + 8}" y="${y + 15}" font-size="13">${text(m)}</text>`,
        ]
      }),
    ]
  })
  const height = 40 + aspects.length * (2 * ROW + 22)
  const legend = found.map(
    ({ name }, k) =>
      `<rect x="${LEFT + k * 110}" y="10" width="12" height="12" fill="${fills[k]}"/><text x="${LEFT + 18 + k * 110}" y="21" font-size="13">${name}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="14" fill="#212529" role="img" aria-label="A network on pixels and on principal components"><rect width="100%" height="100%" fill="#fff"/>${[...legend, ...rows].join('')}</svg>\n`
}
