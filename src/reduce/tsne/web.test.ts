/** A map in a real browser: made in a Web Worker and drawn while it moves, in a page that is isolated and in one that is not. */

import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, bundlePage, hasChromium, openBrowser, serveFolder, stopServer } from '../../../test/browser.js'

/** The page starts itself once more as a worker. */
const PAGE = `
  import { reduce } from './src/browser.js'

  const ROWS = 600
  const COLUMNS = 12
  const data = Float64Array.from({ length: ROWS * COLUMNS }, (_, at) => {
    const [i, j] = [Math.floor(at / COLUMNS), at % COLUMNS]
    return 5 * Math.sin((i % 3) * 7 + j) + Math.sin(at * at)
  })
  const x = { rows: ROWS, columns: COLUMNS, data, order: 'row-major' }

  if (typeof document === 'undefined') {
    const onIteration = ({ iteration, embedding }) => postMessage({ iteration, points: embedding() })
    reduce.tsne(x, { onIteration, iterations: 100, earlyIterations: 60, perplexity: 20 }).then(
      ({ embedding, klDivergence }) => postMessage({ embedding, klDivergence }),
      (error) => postMessage({ error: String(error) }),
    )
  } else {
    window.mapped = () => new Promise((resolve) => {
      const canvas = document.body.appendChild(document.createElement('canvas'))
      const context = canvas.getContext('2d')
      let iterations = 0
      new Worker('/page.js', { type: 'module' }).onmessage = ({ data }) => {
        if (data.points === undefined) return resolve({ ...data, embedding: [...(data.embedding ?? [])], iterations })
        iterations = data.iteration
        context.clearRect(0, 0, canvas.width, canvas.height)
        for (let i = 0; i < ROWS; i++) context.fillRect(150 + 5 * data.points[2 * i], 75 + 3 * data.points[2 * i + 1], 1, 1)
      }
    })
    window.onMainThread = async () => {
      const { embedding } = await reduce.tsne(x, { iterations: 5, earlyIterations: 5, perplexity: 20 })
      return [...embedding]
    }
  }
`

describe.skipIf(!hasChromium)('in Chromium', () => {
  let browser: Browser
  let folder: string
  let server: Server

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pare-map-'))
    await bundlePage(folder, PAGE)
    server = await serveFolder(folder)
    browser = await openBrowser()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await stopServer(server)
    await rm(folder, { recursive: true, force: true })
  })

  test.each(['/', '/plain'])(
    'a worker of %s makes a map and shows each step of it',
    async (path) => {
      const page = await browser.newPage()
      await page.goto(addressOf(server, path))
      const found = await page.evaluate(() =>
        (window as unknown as { mapped(): Promise<Record<string, number & number[]>> }).mapped(),
      )
      expect(found.error).toBeUndefined()
      expect(found.iterations).toBe(160)
      expect(found.klDivergence).toBeLessThan(1.2)
      const points = found.embedding as number[]
      expect(points).toHaveLength(1200)
      expect(points.every(Number.isFinite)).toBe(true)
      const drawn = await page.evaluate(() => {
        const canvas = document.querySelector('canvas')!
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
        return data.filter((v, at) => at % 4 === 3 && v > 0).length
      })
      expect(drawn).toBeGreaterThan(200)
      await page.close()
    },
    60_000,
  )

  test('the main thread can make one too', async () => {
    const page = await browser.newPage()
    await page.goto(addressOf(server))
    const points = await page.evaluate(() =>
      (window as unknown as { onMainThread(): Promise<number[]> }).onMainThread(),
    )
    expect(points).toHaveLength(1200)
    expect(points.every(Number.isFinite)).toBe(true)
    await page.close()
  }, 60_000)
})
