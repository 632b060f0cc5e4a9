/** What the demo runs on, and that it leaves the files of others alone. docs/commands/demo.md runs the demo itself. */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { photographsAsVideo } from '../../../scripts/make-demo.js'
import { collect } from '../../../test/collect.js'
import { dataPath, repositoryRoot } from '../../../test/data.js'
import { openSamples } from '../../data/open.js'
import { elements } from '../../ir/tensor.js'
import { readModel } from '../../onnx/files.js'
import { interfaceOf } from '../models.js'
import { run } from '../run.js'

const folder = mkdtempSync(join(tmpdir(), 'pare-demo-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const bundled = (name: string): string => join(repositoryRoot, 'demo', name)
const photographs = dataPath('samples/faces')
const model = dataPath('models/ultraface-slim-320.onnx')

async function demo(...args: readonly string[]) {
  const text = { out: '', err: '' }
  const sink = (name: 'out' | 'err') => ({
    write(chunk: string) {
      text[name] += chunk
    },
  })
  const { signal } = new AbortController()
  const status = await run(['demo', ...args], { stdout: sink('out'), stderr: sink('err'), env: {}, signal })
  return { status, ...text }
}

describe('the bundled samples', () => {
  test('are 24 photographs in four views, fitted to the model, normalized, all different, the same at each reading', async () => {
    const { inputs } = interfaceOf(await readModel(bundled('ultraface-slim-320.onnx')))
    const samples = await openSamples(bundled('samples.mjs'), { inputs })
    const names: string[] = []
    const sums = new Set<number>()
    let [low, high] = [0, 0]
    for await (const { name, feeds } of samples.read()) {
      expect(Object.keys(feeds)).toEqual(['input'])
      expect(feeds.input).toMatchObject({ dtype: 'float32', shape: [1, 3, 240, 320] })
      const values = elements(feeds.input!) as Float32Array
      names.push(name)
      sums.add(values.reduce((sum, v, i) => sum + v * (i % 977), 0))
      low = values.reduce((a, b) => Math.min(a, b), low)
      high = values.reduce((a, b) => Math.max(a, b), high)
    }
    expect(new Set(names).size).toBe(96)
    expect(sums.size).toBe(96)
    expect([low, high]).toEqual([-127 / 128, 1])
    const again = await collect(samples.read())
    expect(again.map(({ name }) => name)).toEqual(names)
  })

  test.skipIf(photographs === null)('are what scripts/make-demo.ts makes of the photographs', async () => {
    const made = await photographsAsVideo(photographs!)
    expect(Buffer.compare(gunzipSync(readFileSync(bundled('faces.y4m.gz'))), made)).toBe(0)
  })

  test.skipIf(model === null)('and the unchanged model', () => {
    expect(Buffer.compare(readFileSync(bundled('ultraface-slim-320.onnx')), readFileSync(model!))).toBe(0)
  })
})

describe('files of others', () => {
  test.each(['small.onnx', 'report.html', 'run'])('%s is not touched', async (name) => {
    const at = join(folder, `with-${name}`)
    mkdirSync(at)
    writeFileSync(join(at, name), 'mine')
    const { status, err } = await demo('-o', at)
    expect(err).toContain('[OUTPUT_EXISTS]')
    expect(status).toBe(2)
    expect(readFileSync(join(at, name), 'utf8')).toBe('mine')
    expect(existsSync(join(at, 'run/journal.jsonl'))).toBe(false)
  })
})

test('a demo that was interrupted is no reason to refuse the next one', async () => {
  const at = join(folder, 'interrupted')
  mkdirSync(join(at, 'run'), { recursive: true })
  writeFileSync(join(at, 'run/journal.jsonl'), '{"key":"identity","value":{}}\n{"key":"baseline","value":1}\n')
  const stop = new AbortController()
  // The first sign of progress is enough.
  const stderr = { write: () => stop.abort(new Error('enough')) }
  const status = await run(['demo', '-o', at], { stdout: { write: () => {} }, stderr, env: {}, signal: stop.signal })
  expect(status).toBe(130)
})
