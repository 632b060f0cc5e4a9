/** Maps and components in Chromium: frames of a live map, and the time of principal components, both in Web Workers. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressOf, bundlePage, hasChromium, openBrowser, serveFolder, stopServer } from '../../test/browser.js'
import { table } from '../markdown.js'
import { median } from '../peers/latency.js'
import { brightness, readDigits } from '../samples/digits.js'
import type { Section } from './contest.js'

const [MAPPED, ROWS, ROUNDS] = [2000, 10_000, 3] as const

/** The page starts itself once more as the worker that makes the map. */
const PAGE = `
  import { openEngine, reduce } from './src/browser.js'

  const pixels = async (rows) => {
    const data = new Float32Array(await (await fetch('/pixels')).arrayBuffer())
    return { rows, columns: 784, data: data.subarray(0, rows * 784), order: 'row-major' }
  }

  if (typeof document === 'undefined') {
    onmessage = async ({ data: rows }) => {
      const x = await pixels(rows)
      const { transform } = await reduce.pca(x, { nComponents: 50 })
      const scores = await transform(x)
      const begin = performance.now()
      const onIteration = ({ iteration, embedding }) => postMessage({ iteration, points: embedding() })
      const { klDivergence } = await reduce.tsne(scores, { onIteration })
      postMessage({ klDivergence, seconds: (performance.now() - begin) / 1000 })
    }
  } else {
    window.mapped = (rows) => new Promise((resolve) => {
      const canvas = Object.assign(document.body.appendChild(document.createElement('canvas')), { width: 800, height: 800 })
      const context = canvas.getContext('2d')
      let [latest, frames, iterations, first] = [null, 0, 0, 0]
      const draw = () => {
        if (latest !== null) {
          const points = latest
          latest = null
          const reach = 1.05 * points.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-9)
          context.clearRect(0, 0, 800, 800)
          for (let i = 0; i < points.length; i += 2)
            context.fillRect(400 + (400 * points[i]) / reach, 400 + (400 * points[i + 1]) / reach, 2, 2)
          frames++
        }
        requestAnimationFrame(draw)
      }
      requestAnimationFrame(draw)
      const worker = new Worker('/page.js', { type: 'module' })
      worker.onmessage = ({ data }) => {
        if (data.points === undefined)
          return resolve({ frames, iterations, seconds: data.seconds, moving: (performance.now() - first) / 1000 })
        if (iterations === 0) first = performance.now()
        iterations = data.iteration
        latest = data.points
      }
      worker.postMessage(rows)
    })
    window.components = async (rows, threads) => {
      const x = await pixels(rows)
      const worker = () => new Worker('/worker.js', { type: 'module' })
      const engine = await openEngine({ device: 'wasm', threads, assets: '/ort/', worker })
      const begin = performance.now()
      const { explainedVarianceRatio } = await reduce.pca(x, { engine, nComponents: 50 })
      const seconds = (performance.now() - begin) / 1000
      await engine.close()
      return { seconds, share: explainedVarianceRatio.reduce((a, b) => a + b, 0) }
    }
  }
`

interface Page {
  mapped(rows: number): Promise<{ frames: number; iterations: number; seconds: number; moving: number }>
  components(rows: number, threads: number): Promise<{ seconds: number; share: number }>
}

/** Null where there is no Chromium. */
export async function browserSection(threads: string): Promise<Section | null> {
  if (!hasChromium) return null
  const folder = mkdtempSync(join(tmpdir(), 'pare-browser-'))
  await bundlePage(folder, PAGE)
  writeFileSync(join(folder, 'pixels'), new Uint8Array(brightness(await readDigits('t10k', ROWS)).buffer))
  const server = await serveFolder(folder)
  const browser = await openBrowser()
  try {
    const page = await browser.newPage()
    await page.goto(addressOf(server))
    const maps: Awaited<ReturnType<Page['mapped']>>[] = []
    const found: Awaited<ReturnType<Page['components']>>[] = []
    for (let round = 0; round < ROUNDS; round++) {
      maps.push(await page.evaluate((rows) => (window as unknown as Page).mapped(rows), MAPPED))
      found.push(
        await page.evaluate(([rows, n]) => (window as unknown as Page).components(rows, n), [
          ROWS,
          Number(threads),
        ] as const),
      )
      console.log('browser', maps.at(-1), found.at(-1))
    }
    const of = (pick: (m: (typeof maps)[number]) => number): number => median(maps.map(pick))
    return {
      heading: 'In Chromium',
      text: `A map of ${MAPPED} test images of MNIST by t-SNE, made in a Web Worker that hands over the points after each of 750 iterations, while the page draws them; and 50 principal components of 10,000 x 784 pixels, on the engine in WebAssembly with ${threads} threads. Medians of ${ROUNDS}.`,
      table: table(
        ['', 'seconds', 'iterations a second', 'frames a second'],
        [
          [
            `t-SNE, ${MAPPED} rows`,
            of((m) => m.seconds).toFixed(2),
            of((m) => m.iterations / m.seconds).toFixed(0),
            of((m) => m.frames / m.moving).toFixed(0),
          ],
          ['50 components', median(found.map((f) => f.seconds)).toFixed(2), '', ''],
        ],
      ),
    }
  } finally {
    await browser.close()
    await stopServer(server)
    rmSync(folder, { recursive: true, force: true })
  }
}
