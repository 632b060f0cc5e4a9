/** What the engine does to the process around it, seen from outside: real processes on the built package. */

import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../../test/data.js'
import { linearModel, loopModel } from '../../../test/small-models.js'

const modules = join(repositoryRoot, 'node_modules')
const folder = mkdtempSync(join(tmpdir(), 'pare-process-'))
beforeAll(() => {
  writeFileSync(join(folder, 'linear.onnx'), linearModel(4, 2))
  writeFileSync(join(folder, 'loop.onnx'), loopModel())
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly out: string
  readonly err: string
  readonly code: number | string | null
}

/** Runs a module in a process of its own; one that does not end by itself within 30 s is killed and fails. */
function node(
  code: string,
  { cwd = folder, env = {} as Record<string, string>, flags = [] as string[] } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...flags, '--input-type=module', '-e', code],
      { cwd, env: { ...process.env, ...env }, timeout: 30_000 },
      (error, out, err) => {
        resolve({
          out,
          err,
          code: error === null ? 0 : (error.code ?? error.signal ?? null),
        })
      },
    )
  })
}

const preamble = (root: string) => `
import { openEngine } from ${JSON.stringify(join(root, 'dist/engine/node/open.js'))}
const x = { dtype: 'float32', shape: [1, 4], byteLength: 16, bytes: () => new Uint8Array(16) }
`
const BUILT = preamble(repositoryRoot)

/** A run of about a second. */
const LONG = `
      const s = await engine.load({ path: 'loop.onnx' })
      const long = { x: { ...x, shape: [64], byteLength: 256, bytes: () => new Uint8Array(256) },
        count: { dtype: 'int64', shape: [], byteLength: 8, bytes: () => new Uint8Array(BigInt64Array.of(300000n).buffer) } }`

describe.each([`device: 'cpu'`, `device: 'wasm'`, `isolated: true`])(
  'with %s, the process ends by itself',
  (option) => {
    const open = `const engine = await openEngine({ ${option}, threads: 2 })`

    test('after close', async () => {
      const { out, code } = await node(`${BUILT}${open}
      const s = await engine.load({ path: 'linear.onnx' })
      const { y } = await s.run({ x })
      await engine.measure([{ path: 'linear.onnx' }], [{ x }], { rounds: 5 })
      await engine.close()
      console.log(y.shape.join())`)
      expect({ out, code }).toEqual({ out: '1,2\n', code: 0 })
    })

    test('even where nobody closes', async () => {
      const { out, code } = await node(`${BUILT}${open}
      const s = await engine.load({ path: 'linear.onnx' })
      await engine.measure([{ path: 'linear.onnx' }], [{ x }], { rounds: 5 })
      console.log((await s.run({ x })).y.shape.join())`)
      expect({ out, code }).toEqual({ out: '1,2\n', code: 0 })
    })

    test('while a run that was cancelled is still going on', async () => {
      const { out, code } = await node(`${BUILT}${open}${LONG}
      await s.run(long, { signal: AbortSignal.timeout(50) }).catch((e) => console.log(e.code))
      await engine.close()`)
      expect({ out, code }).toEqual({ out: 'ABORTED\n', code: 0 })
    })

    test('while a run that was cancelled is still going on, and nobody closes', async () => {
      const { out, code } = await node(`${BUILT}${open}${LONG}
      await s.run(long, { signal: AbortSignal.timeout(50) }).catch((e) => console.log(e.code))`)
      expect({ out, code }).toEqual({ out: 'ABORTED\n', code: 0 })
    })

    test('closed in the middle of a run', async () => {
      const { out, code } = await node(`${BUILT}${open}${LONG}
      s.run(long).catch((e) => console.log(e.code))
      s.run(long).catch((e) => console.log(e.code))
      setTimeout(() => engine.close().then(() => console.log('closed')), 50)`)
      expect({ out, code }).toEqual({ out: 'ENGINE_CLOSED\nENGINE_CLOSED\nclosed\n', code: 0 })
    })

    test('a measurement that was cancelled', async () => {
      const { out, code } = await node(`${BUILT}${open}${LONG}
      const signal = AbortSignal.timeout(300)
      await engine.measure([{ path: 'loop.onnx' }], [long], { signal }).catch((e) => console.log(e.code))
      await engine.close()`)
      expect({ out, code }).toEqual({ out: 'ABORTED\n', code: 0 })
    })

    test('a run that is waited for keeps it alive', async () => {
      const { out } = await node(`${BUILT}${open}
      engine.load({ path: 'linear.onnx' }).then((s) => s.run({ x })).then(({ y }) => console.log(y.shape.join()))`)
      expect(out).toBe('1,2\n')
    })
  },
)

describe('in a process of its own', () => {
  const open = `
      import processes from 'node:child_process'
      import { syncBuiltinESMExports } from 'node:module'
      const { fork } = processes
      let child
      processes.fork = (...given) => (child = fork(...given))
      syncBuiltinESMExports()
      const engine = await openEngine({ isolated: true, threads: 1 })`

  test('its end is an error of what it was at, and the next model finds a new one', async () => {
    const { out, code } = await node(`${BUILT}${open}${LONG}
      const run = s.run(long).catch((e) => console.log(e.code, e.detail.cause?.message ?? e.message))
      setTimeout(() => child.kill('SIGKILL'), 100)
      await run
      const again = await engine.load({ path: 'linear.onnx' })
      console.log((await again.run({ x })).y.shape.join())
      await engine.close()`)
    expect(out).toMatch(/^ENGINE_LOST .*SIGKILL\n1,2\n$/)
    expect(code).toBe(0)
  })

  test('one that cannot be started says why', async () => {
    const { out } = await node(`${BUILT}
      process.env.NODE_OPTIONS = '--no-such-option'
      await openEngine({ isolated: true }).catch((e) => console.log(e.code, e.message))`)
    expect(out).toMatch(/^ENGINE_START .*ended with code 9/)
  })

  test.each(['process.exit(0)', `process.kill(process.pid, 'SIGKILL')`])(
    'it ends with the one that started it, in the middle of a run too: %s',
    async (end) => {
      const { out, err } = await node(`${BUILT}${open}${LONG}
      long.count.bytes = () => new Uint8Array(BigInt64Array.of(30_000_000n).buffer)
      s.run(long)
      console.log(child.pid)
      setTimeout(() => ${end}, 200)`)
      expect(err).toBe('')
      const child = Number(out.trim())
      expect(child).toBeGreaterThan(0)
      await expect.poll(() => isRunning(child), { timeout: 5000 }).toBe(false)
    },
  )
})

/** One that has ended may still be listed, where nobody asks how it ended. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const stat = `/proc/${pid}/stat`
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, 'utf8'))
}

test('flags of the process do not break the worker', async () => {
  const { out } = await node(`${BUILT}const e = await openEngine(); console.log(e.name)`, {
    flags: ['--max-old-space-size=200'],
  })
  expect(out).toBe('onnxruntime-node\n')
})

/** The built package with only some of the modules it depends on. */
function install(name: string, packages: readonly string[]): string {
  const root = join(folder, name)
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  cpSync(join(repositoryRoot, 'dist'), join(root, 'dist'), { recursive: true })
  cpSync(join(repositoryRoot, 'package.json'), join(root, 'package.json'))
  for (const p of packages) {
    if (p.startsWith('@')) mkdirSync(join(root, 'node_modules', p.split('/')[0]!), { recursive: true })
    // Links would resolve to their real folder and find the others there.
    if (existsSync(join(modules, p))) cpSync(join(modules, p), join(root, 'node_modules', p), { recursive: true })
  }
  return root
}

describe('without the native package', () => {
  const OPEN =
    'const e = await openEngine({ onWarning: (m) => console.log(m) }).catch((e) => e); console.log(e.name, e.device ?? e.code)'

  test('WebAssembly takes over, and the warning names the remedy', async () => {
    const root = install('web-only', [
      'onnxruntime-web',
      'onnxruntime-common',
      'long',
      'flatbuffers',
      'platform',
      'protobufjs',
      'guid-typescript',
    ])
    const { out } = await node(
      `${preamble(root)}${OPEN}
      const s = await e.load({ path: ${JSON.stringify(join(folder, 'linear.onnx'))} })
      console.log((await s.run({ x })).y.shape.join())`,
      { cwd: root },
    )
    expect(out).toMatch(/WebAssembly takes over.*npm install onnxruntime-node@1 --onnxruntime-node-install=skip/)
    expect(out).toMatch(/onnxruntime-web wasm\n1,2\n$/)
  })

  test('with no runtime at all, the error names the remedy', async () => {
    const root = install('none', [])
    const { out } = await node(`${preamble(root)}${OPEN}; console.log(e.message)`, { cwd: root })
    expect(out).toMatch(/PareError ENGINE_MISSING/)
    expect(out).toMatch(/npm install onnxruntime-web@1/)
  })
})

test('from sources that are not built, the error says to build', async () => {
  const root = join(folder, 'sources')
  mkdirSync(root)
  cpSync(join(repositoryRoot, 'src'), join(root, 'src'), { recursive: true })
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  symlinkSync(modules, join(root, 'node_modules'))
  const main = `import { openEngine } from './src/engine/node/open.ts'
    openEngine().catch((e) => console.log(e.code, e.message))`
  writeFileSync(join(root, 'main.ts'), main)
  const { out } = await node(`await import('./main.ts')`, { cwd: root, flags: ['--import', 'tsx'] })
  expect(out).toMatch(/ENGINE_NOT_BUILT.*npm run build/)
})

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json'
const LOADER = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib/chromium'].find(
  (path) => existsSync(path) && readdirSync(path).includes('libvulkan.so.1'),
)

describe.skipIf(!existsSync(SWIFTSHADER) || LOADER === undefined)('WebGPU in Node, by SwiftShader', () => {
  test('computes what the CPU computes, and parity says so', async () => {
    const { out } = await node(
      `${BUILT}
      import { checkParity } from ${JSON.stringify(join(repositoryRoot, 'dist/engine/parity.js'))}
      const gpu = await openEngine({ device: 'webgpu' })
      const cpu = await openEngine()
      const feeds = { x: { ...x, bytes: () => new Uint8Array(Float32Array.of(1, -2, 3, 0.5).buffer) } }
      const [y] = await checkParity(gpu, cpu, { path: 'linear.onnx' }, feeds)
      console.log(gpu.device, y.output, y.ok)
      await gpu.close(); await cpu.close()`,
      { env: { VK_ICD_FILENAMES: SWIFTSHADER, LD_LIBRARY_PATH: LOADER! } },
    )
    expect(out).toBe('webgpu y true\n')
  })
})

test('a device that is listed but does not work is refused when the engine is opened, and its driver is silent', async () => {
  const { out, err } = await node(
    `${BUILT}await openEngine({ device: 'webgpu' }).then((e) => console.log('opened', e.device), (e) => console.log(e.code, e.detail.remedy))`,
    { env: { VK_ICD_FILENAMES: '/nowhere.json' } },
  )
  expect(out).toMatch(/^ENGINE_DEVICE It needs a GPU.*\n$/)
  expect(err).toBe('')
})
