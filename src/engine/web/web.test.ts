import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../../test/data.js'
import { linearModel } from '../../../test/small-models.js'
import { f32, floats } from '../../ir/tensor.js'
import { openEngine } from '../node/open.js'

const CHROMIUM = process.env.PARE_CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

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

async function bundle(folder: string) {
  const common = { bundle: true, format: 'esm', platform: 'browser', metafile: true, logLevel: 'silent' } as const
  const page = await build({
    ...common,
    stdin: { contents: PAGE, resolveDir: repositoryRoot, sourcefile: 'page.ts', loader: 'ts' },
    outfile: join(folder, 'page.js'),
    conditions: ['onnxruntime-web-use-extern-wasm'],
  })
  const worker = await build({
    ...common,
    entryPoints: [source('worker.ts')],
    outfile: join(folder, 'worker.js'),
    conditions: ['onnxruntime-web-use-extern-wasm'],
  })
  return [page, worker]
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.html': 'text/html',
}

/** Serves the bundle and the runtime's files on this machine only; `/plain` lacks the headers that isolate a page. */
async function serve(folder: string): Promise<Server> {
  const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'))
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    try {
      const page = path === '/' || path === '/plain'
      const body = page
        ? '<!doctype html><script type="module" src="/page.js"></script>'
        : await readFile(path.startsWith('/ort/') ? join(runtime, path.slice(5)) : join(folder, path))
      response.writeHead(200, {
        'content-type': page ? 'text/html' : (TYPES[extname(path)] ?? 'application/octet-stream'),
        ...(path !== '/plain' && {
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-embedder-policy': 'require-corp',
        }),
      })
      response.end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

let folder: string
let bundled: Awaited<ReturnType<typeof bundle>>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-web-'))
  bundled = await bundle(folder)
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

describe.skipIf(!existsSync(CHROMIUM))('in Chromium', () => {
  let browser: Browser
  let server: Server
  let page: Page
  const model = [...linearModel(8, 4)]
  const x = Array.from({ length: 16 }, (_, i) => (i - 8) / 3)
  let expected: Float32Array

  const visit = async (path: string) => {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
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
    server = await serve(folder)
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
    page = await browser.newPage()
    const engine = await openEngine()
    const session = await engine.load(Uint8Array.from(model))
    expected = floats((await session.run({ x: f32([2, 8], x) })).y!)
    await engine.close()
  })
  afterAll(async () => {
    await browser?.close()
    server?.closeAllConnections()
    await new Promise((resolve) => server?.close(resolve))
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

describe.skipIf(!existsSync(CHROMIUM))('in Chromium with WebGPU by SwiftShader', () => {
  test('computes what Node computes', async () => {
    const server = await serve(folder)
    const flags = FLAGS.filter((flag) => flag !== '--disable-gpu')
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [...flags, '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    })
    try {
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
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
      server.closeAllConnections()
      server.close()
    }
  })
})
