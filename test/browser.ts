/** A real browser for tests: a page that is bundled from source, served on this machine only, and opened in Chromium. */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, extname, join } from 'node:path'
import { type BuildOptions, type BuildResult, build } from 'esbuild'
import { type Browser, chromium } from 'playwright-core'
import { repositoryRoot } from './data.js'

const CHROMIUM = process.env.PARE_CHROMIUM ?? '/usr/bin/chromium'
export const hasChromium = existsSync(CHROMIUM)

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** With `hasGpu` WebGPU is there, by a software adapter. */
export const openBrowser = ({ hasGpu = false } = {}): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [...FLAGS, ...(hasGpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : ['--disable-gpu'])],
  })

const OPTIONS: BuildOptions = {
  bundle: true,
  format: 'esm',
  platform: 'browser',
  metafile: true,
  logLevel: 'silent',
  conditions: ['onnxruntime-web-use-extern-wasm'],
}

/** Writes `page.js`, from TypeScript text that may import from `src/`, and the engine's `worker.js` to a folder. */
export async function bundlePage(folder: string, contents: string): Promise<readonly BuildResult[]> {
  const stdin = { contents, resolveDir: repositoryRoot, sourcefile: 'page.ts', loader: 'ts' } as const
  const worker = join(repositoryRoot, 'src/engine/web/worker.ts')
  return [
    await build({ ...OPTIONS, stdin, outfile: join(folder, 'page.js') }),
    await build({ ...OPTIONS, entryPoints: [worker], outfile: join(folder, 'worker.js') }),
  ]
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.html': 'text/html',
}

/** Serves a folder's bundle and files, and the runtime's below `/ort/`; `/plain` lacks the headers that isolate a page. */
export async function serveFolder(folder: string): Promise<Server> {
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

export const addressOf = (server: Server, path = '/'): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`

export async function stopServer(server: Server | undefined): Promise<void> {
  server?.closeAllConnections()
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)))
}
