/** Training in a real browser: in WebAssembly with threads, off the main thread, and on WebGPU. */

import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, bundlePage, hasChromium, openBrowser, serveFolder, stopServer } from '../../test/browser.js'
import { dataPath, repositoryRoot } from '../../test/data.js'
import { openEngine } from '../engine/node/open.js'
import { numbers } from '../ir/tensor.js'
import type { Dataset } from './dataset.js'
import { scoreOf } from './evaluate.js'
import { dense, relu, scale } from './layers/index.js'
import { sequential } from './layers/sequential.js'
import { crossEntropy } from './losses/cross-entropy.js'
import { sgd } from './optimizers/sgd.js'
import { train } from './train.js'

const mnist = dataPath('mnist')
const [TRAINED, JUDGED] = [4000, 1000]

/** The same in the page and here: pixels and classes as two files. */
const SHARED = `
  const column = (dtype, shape, data) => ({ dtype, shape, data })
  const dataset = (pixels, classes, from, to) => ({
    count: to - from,
    inputs: new Map([['input', column('float32', [784], pixels.slice(784 * from, 784 * to))]]),
    targets: new Map([['output', column('int64', [], classes.slice(from, to))]]),
  })`
const PAGE = `
import { layers, losses, openEngine, optimizers, scoreOf, sequential, train } from ${JSON.stringify(join(repositoryRoot, 'src/browser.ts'))}
${SHARED}
window.trainHere = async ({ device, threads, epochs, count, batchSize, judged, rate }) => {
  const read = async (name) => (await fetch(name)).arrayBuffer()
  const pixels = Float32Array.from(new Uint8Array(await read('/pixels')))
  const classes = BigInt64Array.from(new Uint8Array(await read('/classes')), BigInt)
  const worker = () => new Worker('/worker.js', { type: 'module' })
  const engine = await openEngine({ device, threads, assets: '/ort/', worker })
  try {
    const { dense, relu, scale } = layers
    const model = sequential([scale(1 / 255), dense(256), relu(), dense(128), relu(), dense(10)], { input: [784] })
    const loss = losses.crossEntropy()
    const data = dataset(pixels, classes, 0, count)
    const how = rate === undefined ? {} : { optimizer: optimizers.sgd(), learningRate: rate }
    const result = await train(model, { engine, data, loss, validation: null, epochs, batchSize, ...how })
    const held = judged > 0 ? await scoreOf(result.model, { engine, loss, data: dataset(pixels, classes, ${TRAINED}, ${TRAINED} + judged) }) : null
    const bias = result.model.graph.constants.get('layer5.bias')
    return {
      device: engine.device, threads: engine.threads, accuracy: held?.accuracy, steps: result.steps,
      loss: result.epochs.at(-1).trainingLoss, bias: [...new Float32Array(bias.bytes().slice().buffer)],
    }
  } finally {
    await engine.close()
  }
}`

interface Wanted {
  readonly device?: string
  readonly threads: number
  readonly epochs: number
  readonly count: number
  readonly batchSize: number
  readonly judged: number
  /** Plain gradient descent at this rate, whose step is the gradient itself. Default: Adam. */
  readonly rate?: number
}

interface Trained {
  readonly accuracy: number
  readonly loss: number
  readonly steps: number
  readonly bias: readonly number[]
  readonly device?: string
  readonly threads?: number
}

let folder: string
let pixels: Uint8Array
let classes: Uint8Array
beforeAll(async () => {
  if (mnist === null || !hasChromium) return
  folder = await mkdtemp(join(tmpdir(), 'pare-train-web-'))
  const read = (name: string, header: number) => gunzipSync(readFileSync(join(mnist, name))).subarray(header)
  const count = TRAINED + JUDGED
  pixels = read('train-images-idx3-ubyte.gz', 16).subarray(0, 784 * count)
  classes = read('train-labels-idx1-ubyte.gz', 8).subarray(0, count)
  await Promise.all([
    bundlePage(folder, PAGE),
    writeFile(join(folder, 'pixels'), pixels),
    writeFile(join(folder, 'classes'), classes),
  ])
})
afterAll(() => (folder ? rm(folder, { recursive: true, force: true }) : undefined))

async function inChromium(wanted: Wanted, hasGpu: boolean): Promise<Trained> {
  const server = await serveFolder(folder)
  const browser = await openBrowser({ hasGpu })
  try {
    const page = await browser.newPage()
    await page.goto(addressOf(server))
    await page.waitForFunction('window.trainHere !== undefined')
    return await page.evaluate(
      (w) => (globalThis as unknown as { trainHere: (w: unknown) => Promise<Trained> }).trainHere(w),
      wanted as never,
    )
  } finally {
    await browser.close()
    await stopServer(server)
  }
}

async function inNode({ epochs, count, batchSize, judged, rate }: Wanted): Promise<Trained> {
  const dataset = (from: number, to: number): Dataset => ({
    count: to - from,
    inputs: new Map([
      ['input', { dtype: 'float32', shape: [784], data: Float32Array.from(pixels.subarray(784 * from, 784 * to)) }],
    ]),
    targets: new Map([
      ['output', { dtype: 'int64', shape: [], data: BigInt64Array.from(classes.subarray(from, to), BigInt) }],
    ]),
  })
  const model = sequential([scale(1 / 255), dense(256), relu(), dense(128), relu(), dense(10)], { input: [784] })
  const engine = await openEngine()
  const loss = crossEntropy()
  try {
    const how = rate === undefined ? {} : { optimizer: sgd(), learningRate: rate }
    const options = { engine, data: dataset(0, count), loss, validation: null, epochs, batchSize, ...how }
    const { model: trained, epochs: rows, steps } = await train(model, options)
    const score = judged > 0 ? await scoreOf(trained, { engine, loss, data: dataset(TRAINED, TRAINED + judged) }) : null
    const bias = [...numbers(trained.graph.constants.get('layer5.bias')!)]
    return { accuracy: score?.accuracy ?? Number.NaN, loss: rows.at(-1)!.trainingLoss, steps, bias }
  } finally {
    await engine.close()
  }
}

describe.skipIf(mnist === null || !hasChromium)('in Chromium', () => {
  test('a multilayer perceptron reaches the accuracy that it reaches in Node, in WebAssembly with threads', async () => {
    const wanted: Wanted = { threads: 2, epochs: 3, count: TRAINED, batchSize: 64, judged: JUDGED }
    const [browser, node] = [await inChromium(wanted, false), await inNode(wanted)]
    expect([browser.device, browser.threads, browser.steps]).toEqual(['wasm', 2, node.steps])
    expect(node.accuracy).toBeGreaterThan(0.9)
    expect(browser.accuracy).toBeCloseTo(node.accuracy, 1)
    expect(browser.loss).toBeCloseTo(node.loss, 2)
  }, 120_000)

  test('a step on WebGPU gives the numbers of the CPU', async () => {
    const wanted: Wanted = { device: 'webgpu', threads: 1, epochs: 1, count: 64, batchSize: 64, judged: 0, rate: 1 }
    const [browser, node] = [await inChromium(wanted, true), await inNode(wanted)]
    expect([browser.device, browser.steps]).toEqual(['webgpu', 1])
    expect(browser.loss).toBeCloseTo(node.loss, 3)
    expect(Math.max(...node.bias.map(Math.abs))).toBeGreaterThan(0.05)
    for (const [i, v] of node.bias.entries()) expect(browser.bias[i]).toBeCloseTo(v, 3)
  }, 120_000)
})
