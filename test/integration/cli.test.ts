/** The program as a process: speed of its help, exit codes, pipes, signals, JSON. */

import { type ChildProcess, spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.js'
import { builder, modelOf } from '../../src/ir/builder.js'
import { f32, tensor } from '../../src/ir/tensor.js'
import type { Model } from '../../src/ir/types.js'
import { writeModel } from '../../src/onnx/files.js'
import { dataPath, repositoryRoot } from '../data.js'

const PROGRAM = join(repositoryRoot, 'dist/cli/main.js')
const folder = mkdtempSync(join(tmpdir(), 'pare-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], { cwd: folder, env: { ...process.env, ...env } })
}

const pare = (args: readonly string[], env: Record<string, string> = {}): Promise<Ran> => finished(start(args, env))

function finished(child: ChildProcess): Promise<Ran> {
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk) => {
    stdout += String(chunk)
  })
  child.stderr!.on('data', (chunk) => {
    stderr += String(chunk)
  })
  return new Promise((done) => child.on('close', (status) => done({ status, stdout, stderr })))
}

const model = dataPath('models/mnist-cntk.onnx')
const digits = dataPath('mnist/t10k-images-idx3-ubyte.gz')

/** A call, and the names of the modules that it loads. */
async function loading(args: readonly string[]): Promise<Ran & { readonly loaded: string }> {
  const coverage = mkdtempSync(join(folder, 'coverage-'))
  const ran = await pare(args, { NODE_V8_COVERAGE: coverage })
  const loaded = readdirSync(coverage).map((name) => readFileSync(join(coverage, name), 'utf8'))
  return { ...ran, loaded: loaded.join() }
}
/** What takes long to load: lists of names (`kinds.js`, `names.js`) don't, wherever they lie. */
const HEAVY = /node_modules|dist\/(engine|onnx|passes|data|compress|search)\/(?!([\w-]+\/)*(kinds|names)\.js)/

describe('without a model', () => {
  // How long it takes is measured in bench/inspect.md.
  test.each([[['--help']], ...COMMANDS.map(({ name }) => [[name, '--help']])])(
    '%s loads neither engine, codec nor any package',
    async (args) => {
      const { status, stdout, loaded } = await loading(args)
      expect([status, stdout]).toEqual([0, expect.stringContaining('Usage')])
      expect(HEAVY.exec(loaded)?.[0]).toBeUndefined()
    },
  )

  test('work loads them', async () => {
    expect((await loading(['inspect', 'missing.onnx'])).loaded).toMatch(HEAVY)
  })

  test.skipIf(process.platform !== 'linux')('a folder that cannot be made ends the work', async () => {
    expect(await pare(['demo', '-o', '/proc/pare-demo'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('FILE_UNWRITABLE'),
    })
  })

  test('exit codes of usage and input errors', async () => {
    expect(await pare([])).toMatchObject({ status: 2 })
    expect(await pare(['inspct'])).toMatchObject({ status: 2, stderr: expect.stringContaining('pare inspect') })
    expect(await pare(['inspect'])).toMatchObject({ status: 2, stdout: '' })
    expect(await pare(['inspect', 'x', '--al'])).toMatchObject({ status: 2, stderr: expect.stringContaining('--all') })
    expect(await pare(['inspect', 'missing.onnx'])).toMatchObject({ status: 3, stdout: '' })
    writeFileSync(join(folder, 'garbage.onnx'), 'this is no model')
    const { status, stderr } = await pare(['inspect', 'garbage.onnx'])
    expect(status).toBe(3)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect((await pare(['inspect', 'garbage.onnx'], { PARE_DEBUG: '1' })).stderr).toMatch(/\n\s+at /)
  })

  test('--json prints one document for errors too', async () => {
    const { status, stdout, stderr } = await pare(['inspect', 'missing.onnx', '--json'])
    expect(status).toBe(3)
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      exit: 3,
      error: { code: 'FILE_MISSING', remedy: expect.any(String) },
    })
  })
})

/** y = factor (a + b) of shape [N, 3]. */
function sums(factor: number): Model {
  const b = builder()
  const value = { kind: 'tensor', dtype: 'float32', shape: ['N', 3] } as const
  const sum = b.op('Add', [b.input('a', value), b.input('b', value)])
  b.output(b.op('Mul', [sum, b.constant(f32([], [factor]))]), value)
  return modelOf(b.graph())
}

describe('with small models', () => {
  const [one, two] = ['one.onnx', 'two.onnx']
  beforeAll(async () => {
    await writeModel(sums(1), join(folder, one))
    await writeModel(sums(2), join(folder, two))
    writeFileSync(join(folder, 'vectors.mjs'), 'export default [{ a: [[1, 2, 3]], b: [[1, 1, 1]] }]')
  })

  test('models do not agree on no samples, and nothing is measured on them', async () => {
    writeFileSync(join(folder, 'none.mjs'), 'export default []')
    for (const command of [
      ['verify', one, two],
      ['bench', one],
    ]) {
      const { status, stdout, stderr } = await pare([...command, '--data', 'none.mjs'])
      expect([status, stdout]).toEqual([3, ''])
      expect(stderr).toContain('SAMPLES_EMPTY')
    }
  })

  test('--shape means the same to a session as to a model', async () => {
    const verify = (shape: string) => pare(['verify', one, one, '--random', '--shape', shape])
    expect(await verify('a=2x3')).toMatchObject({ status: 0, stdout: expect.stringContaining('agree') })
    expect(await verify('a=2x5')).toMatchObject({ status: 2, stderr: expect.stringContaining('SHAPE_FIXED') })
    expect(await verify('M=2')).toMatchObject({ status: 2, stderr: expect.stringContaining('SHAPE_NAME') })
  })

  test('sentences are wrapped', async () => {
    const long = join('a-folder-of-a-rather-long-name', 'vectors.mjs')
    mkdirSync(join(folder, dirname(long)))
    copyFileSync(join(folder, 'vectors.mjs'), join(folder, long))
    const args = ['verify', one, one, '--data', long]
    const { stdout } = await pare(args, { COLUMNS: '72' })
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(72)
    expect((await pare(args)).stdout).toContain(`The models agree within 0.001 on 1 sample of ${long}.`)
  })

  test('a module that throws is at fault, not pare', async () => {
    writeFileSync(join(folder, 'boom.mjs'), 'export default async function* () { throw new Error("boom") }')
    const { status, stderr } = await pare(['verify', one, two, '--data', 'boom.mjs'])
    expect([status, stderr]).toEqual([3, expect.stringMatching(/boom.*MODULE_RUN/)])
  })

  test('a closed pipe does not change the answer', async () => {
    const child = start(['verify', one, two, '--data', 'vectors.mjs', '--quiet'])
    child.stdout!.destroy()
    expect(await finished(child)).toMatchObject({ status: 1, stderr: '' })
    // Progress comes after two seconds.
    const slow = `export default async function* () {
      await new Promise((r) => setTimeout(r, 2300))
      for (let i = 0; i < 2; i++) yield { a: [[1, 2, 3]], b: [[1, 1, 1]] }
    }`
    writeFileSync(join(folder, 'slow.mjs'), slow)
    const patient = start(['verify', one, two, '--data', 'slow.mjs'])
    patient.stderr!.destroy()
    expect(await finished(patient)).toMatchObject({ status: 1, stdout: expect.stringContaining('differ') })
  })

  test.skipIf(process.platform === 'win32')('a model from a pipe', async () => {
    const piped = (command: string) => {
      const script = `cat ${one} | "$0" "$1" ${command}`
      return finished(spawn('sh', ['-c', script, process.execPath, PROGRAM], { cwd: folder }))
    }
    expect(await piped('inspect /dev/stdin')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('unknown, of which weights 4 B'),
    })
    const { status, stderr } = await piped('verify /dev/stdin two.onnx --random')
    expect([status, stderr]).toEqual([3, expect.stringContaining('a pipe can be read once')])
  })

  test('the output may not be what the model is read from; its size is that of the files', async () => {
    const b = builder()
    const x = b.input('x', { kind: 'tensor', dtype: 'float32', shape: [1, 64] })
    const weights = Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i))
    const indices = { kind: 'tensor', dtype: 'int32', shape: [8000] } as const
    b.output(b.op('MatMul', [x, b.constant(f32([64, 64], weights))]))
    b.output(b.op('Identity', [b.constant(tensor('int32', [8000], new Int32Array(8000).fill(7)))]), indices)
    await writeModel(modelOf(b.graph()), join(folder, 'ext.onnx'), { externalAbove: 1000 })
    const before = readFileSync(join(folder, 'ext.onnx.data'))
    const quantize = (output: string, ...more: readonly string[]) =>
      pare(['quantize', 'ext.onnx', '--to', 'store-int8', '-o', output, ...more])
    for (const force of [[], ['--force']]) {
      expect(await quantize('ext.onnx.data', ...force)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('OUTPUT_IS_INPUT'),
      })
    }
    expect(readFileSync(join(folder, 'ext.onnx.data')).equals(before)).toBe(true)
    const { status, stdout, stderr } = await quantize('stored.onnx', '--json')
    expect([status, stderr]).toEqual([0, ''])
    const { result, warnings } = JSON.parse(stdout)
    expect([result.bytes, warnings]).toEqual([statSync(join(folder, 'stored.onnx')).size, []])
    expect(result.originalBytes).toBe(statSync(join(folder, 'ext.onnx')).size + before.byteLength)
  })
})

describe.skipIf(model === null || digits === null)('with shared/data models/mnist-cntk.onnx', () => {
  test('inspect as JSON', async () => {
    const { status, stdout } = await pare(['inspect', model!, '--json'])
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      command: 'inspect',
      result: { fileBytes: 26454 },
      warnings: [],
    })
  })

  test('a reader that closes the pipe is no error', async () => {
    const child = start(['inspect', model!, '--json'])
    child.stdout!.destroy()
    const { status, stderr } = await finished(child)
    expect([status, stderr]).toEqual([0, ''])
  })

  test('the output may not be the input, unless forced', async () => {
    const own = join(folder, 'own.onnx')
    copyFileSync(model!, own)
    const before = readFileSync(own)
    const args = ['quantize', own, '--to', 'store-int8', '-o', `${folder}/./own.onnx`]
    expect(await pare(args)).toMatchObject({ status: 2, stderr: expect.stringContaining('OUTPUT_IS_INPUT') })
    expect(readFileSync(own).equals(before)).toBe(true)
    expect(await pare([...args, '--force'])).toMatchObject({ status: 0 })
    expect(readFileSync(own).byteLength).toBeLessThan(before.byteLength / 2)
  })

  test('verify needs inputs, agrees with itself, and exits with 1 beyond the tolerance', async () => {
    const stored = join(folder, 'stored.onnx')
    expect(await pare(['quantize', model!, '--to', 'store-int8', '-o', stored])).toMatchObject({ status: 0 })
    expect(await pare(['verify', model!, stored])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--data'),
    })
    const random = await pare(['verify', model!, model!, '--random'])
    expect(random).toMatchObject({ status: 0, stdout: expect.stringContaining('not a statement about quality') })
    const data = ['--data', digits!, '--limit', '50']
    expect(await pare(['verify', model!, stored, ...data, '--tolerance', '5%'])).toMatchObject({ status: 0 })
    expect(await pare(['verify', model!, stored, ...data, '--tolerance', '1e-9'])).toMatchObject({ status: 1 })
  })

  test.skipIf(process.platform === 'win32')(
    'Ctrl-C stops a search cleanly, --resume goes on',
    { timeout: 240_000 },
    async () => {
      const out = join(folder, 'searched.onnx')
      const args = [
        'compress',
        model!,
        ...['--data', digits!, '--limit', '400', '--threads', '1'],
        ...['-o', out, '--run-folder', join(folder, 'run')],
      ]
      const child = start(args)
      const journal = join(folder, 'run', 'journal.jsonl')
      const lines = (): number => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').length : 0)
      const ended = finished(child)
      for (let i = 0; i < 1000 && lines() < 5 && child.exitCode === null; i++)
        await new Promise((r) => setTimeout(r, 50))
      child.kill('SIGINT')
      const { status, stderr } = await ended
      expect([status, stderr]).toEqual([130, expect.stringContaining('interrupted')])
      expect(readdirSync(folder).filter((name) => name.includes('searched'))).toEqual([])
      const kept = lines()
      const resumed = await pare([...args, '--resume', '--json'])
      expect(resumed.status, resumed.stderr).toBe(0)
      expect(lines()).toBeGreaterThan(kept)
      expect(existsSync(out)).toBe(true)
    },
  )
})

const slow = dataPath('models/dnsmos-sig-bak-ovr.onnx')

test.skipIf(slow === null || process.platform === 'win32')(
  'a second Ctrl-C ends the process at once, in the middle of a native run too',
  async () => {
    const child = start(['bench', slow!, slow!, '--threads', '1'])
    const ended = new Promise((done) => child.on('close', (status, signal) => done(status ?? signal)))
    await new Promise((r) => setTimeout(r, 3000))
    child.kill('SIGINT')
    await new Promise((r) => setTimeout(r, 20))
    child.kill('SIGINT')
    // An abort inside the engine would be SIGABRT; 130 where the work had stopped before the second signal came.
    expect(['SIGINT', 130]).toContain(await ended)
  },
)
