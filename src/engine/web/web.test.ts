import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, bundlePage, hasChromium, openBrowser, serveFolder, stopServer } from '../../../test/browser.js'
import { repositoryRoot } from '../../../test/data.js'
import { linearModel } from '../../../test/small-models.js'
import { f32, floats } from '../../ir/tensor.js'
import { openEngine } from '../node/open.js'

const source = (path: string) => join(repositoryRoot, 'src/engine/web', path)

/** What the page runs: kept on the window, so that a test can pass it numbers. */
const PAGE = `
import { openEngine } from ${JSON.stringify(source('open.ts'))}
window.tryEngine = async (options, model, x, shape) => {
  const warnings = []
  const bytes = new Uint8Array(new Float32Array(x).buffer)
  const own = { assets: '/ort/', onWarning: (m) => warnings.push(m) }
  if (options.worker === 'bundled') own.worker = () => new Worker('/worker.js', { type: 'module' })
  else if (options.worker === 'absent') own.worker = () => new Worker('/nowhere.js', { type: 'module' })
  else own.worker = false
  const engine = await openEngine({ ...options, ...own })
  try {
    const session = await engine.load(new Uint8Array(model))
    const feeds = { x: { dtype: 'float32', shape, byteLength: bytes.length, bytes: () => bytes } }
    const { y } = await session.run(feeds)
    const bad = await session.run({}).catch((e) => e.code)
    const [timing] = await engine.measure([new Uint8Array(model)], [feeds], { rounds: 5 })
    const profile = await engine.profile(new Uint8Array(model), feeds)
    return {
      name: engine.name, device: engine.device, threads: engine.threads, version: engine.version, warnings, bad, profile,
      y: [...new Float32Array(y.bytes().slice().buffer)], shape: y.shape, rounds: timing.runs.length,
    }
  } finally {
    await engine.close()
  }
}
window.tryDevice = (device) => openEngine({ device, assets: '/ort/', worker: false }).then(() => 'opened', (e) => e.code)
`

let folder: string
let bundled: Awaited<ReturnType<typeof bundlePage>>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-web-'))
  bundled = await bundlePage(folder, PAGE)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('the engine bundles for browsers without anything of Node', () => {
  for (const { metafile, errors } of bundled) {
    expect(errors).toEqual([])
    const imports = Object.values(metafile!.inputs).flatMap(({ imports }) => imports.map(({ path }) => path))
    expect(imports.filter((path) => path.startsWith('node:'))).toEqual([])
    const inputs = Object.keys(metafile!.inputs)
    expect(inputs.some((path) => path.includes('engine/web/ort.ts'))).toBe(true)
    expect(inputs.filter((path) => path.includes('engine/node/') || path.includes('onnxruntime-node'))).toEqual([])
  }
})

describe.skipIf(!hasChromium)('in Chromium', () => {
  let browser: Browser
  let server: Server
  let page: Page
  const model = [...linearModel(8, 4)]
  const x = Array.from({ length: 16 }, (_, i) => (i - 8) / 3)
  let expected: Float32Array

  const visit = async (path: string) => {
    await page.goto(addressOf(server, path))
    await page.waitForFunction('window.tryEngine !== undefined')
  }
  const run = (options: { device?: string; threads?: number; worker?: string }) =>
    page.evaluate(
      ([o, m, v]) =>
        (globalThis as unknown as { tryEngine: (...args: unknown[]) => Promise<Record<string, unknown>> }).tryEngine(
          o,
          m,
          v,
          [2, 8],
        ),
      [options, model, x] as const,
    )

  beforeAll(async () => {
    server = await serveFolder(folder)
    browser = await openBrowser()
    page = await browser.newPage()
    const engine = await openEngine()
    const session = await engine.load(Uint8Array.from(model))
    expected = floats((await session.run({ x: f32([2, 8], x) })).y!)
    await engine.close()
  })
  afterAll(async () => {
    await browser?.close()
    await stopServer(server)
  })

  const close = (values: unknown) => {
    const y = values as number[]
    expect(y).toHaveLength(expected.length)
    for (const [i, v] of expected.entries()) expect(y[i]).toBeCloseTo(v, 4)
  }

  test.each(['bundled', 'page'])('computes what Node computes, with threads (worker: %s)', async (worker) => {
    await visit('/')
    const result = await run({ threads: 2, worker })
    expect(result).toMatchObject({
      name: 'onnxruntime-web',
      device: 'wasm',
      threads: 2,
      warnings: [],
      bad: 'ENGINE_FEEDS',
    })
    expect(result).toMatchObject({ shape: [2, 4], rounds: 5, profile: [] })
    close(result.y)
  })

  test('one thread, and a warning, where the page is not isolated', async () => {
    await visit('/plain')
    const result = await run({ threads: 2, worker: 'bundled' })
    expect(result).toMatchObject({ threads: 1, warnings: [expect.stringContaining('COOP')] })
    close(result.y)
  })

  test('computes in the page, with a warning, where the worker does not load', async () => {
    await visit('/')
    const result = await run({ worker: 'absent' })
    expect(result).toMatchObject({ warnings: [expect.stringContaining('stands still')] })
    close(result.y)
  })

  test('a device that is not there is refused', async () => {
    await visit('/')
    const codes = await page.evaluate(() =>
      Promise.all(
        ['tpu', 'webgpu'].map((d) =>
          (globalThis as unknown as { tryDevice: (d: string) => Promise<string> }).tryDevice(d),
        ),
      ),
    )
    expect(codes).toEqual(['ENGINE_DEVICE', 'ENGINE_DEVICE'])
  })
})

describe.skipIf(!hasChromium)('in Chromium with WebGPU by SwiftShader', () => {
  test('computes what Node computes', async () => {
    const server = await serveFolder(folder)
    const browser = await openBrowser({ hasGpu: true })
    try {
      const page = await browser.newPage()
      await page.goto(addressOf(server))
      await page.waitForFunction('window.tryEngine !== undefined')
      const model = [...linearModel(8, 4)]
      const x = Array.from({ length: 8 }, (_, i) => i / 3)
      const result = await page.evaluate(
        ([m, v]) =>
          (globalThis as unknown as { tryEngine: (...args: unknown[]) => Promise<Record<string, unknown>> }).tryEngine(
            { device: 'webgpu', worker: 'bundled' },
            m,
            v,
            [1, 8],
          ),
        [model, x] as const,
      )
      expect(result).toMatchObject({ device: 'webgpu', shape: [1, 4] })
      const engine = await openEngine()
      const { y } = await (await engine.load(Uint8Array.from(model))).run({ x: f32([1, 8], x) })
      await engine.close()
      for (const [i, v] of floats(y!).entries()) expect((result.y as number[])[i]).toBeCloseTo(v, 3)
    } finally {
      await browser.close()
      await stopServer(server)
    }
  })
})
