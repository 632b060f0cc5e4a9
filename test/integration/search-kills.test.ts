/**
 * A search of every lever that is killed again and again: nothing that was journaled is lost or measured twice, and what
 * the journal holds gives the same front and the same bytes. PARE_KILLS says how often (`npm run test:kills`: 20).
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeModel } from '../../src/onnx/files.js'
import { sha256 } from '../../src/util/hash.js'
import { random } from '../../src/util/random.js'
import { repositoryRoot } from '../data.js'
import { spareModel } from '../prunable.js'

const KILLS = Number(process.env.PARE_KILLS ?? 2)
/** More kills need more that is interrupted. */
const TRIALS = KILLS > 2 ? 14 : 8
const PROGRAM = join(repositoryRoot, 'dist/cli/main.js')
const folder = mkdtempSync(join(tmpdir(), 'pare-kills-'))
const journal = join(folder, 'run', 'journal.jsonl')
const args = [
  'compress',
  'model.onnx',
  '--data',
  'rows.mjs',
  '--trials',
  `${TRIALS}`,
  '--max-drop',
  '0.05',
  '--threads',
  '1',
]
const written = ['-o', 'out.onnx', '--run-folder', 'run', '--front', 'front']

beforeAll(async () => {
  await writeModel(spareModel(), join(folder, 'model.onnx'))
  const rows = Array.from({ length: 40 }, (_, i) => ({
    x: [Array.from({ length: 64 }, (_, j) => Math.sin(7 * i + j * j))],
  }))
  writeFileSync(join(folder, 'rows.mjs'), `export default ${JSON.stringify(rows)}`)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `killed`: once the journal has grown by so many lines, and a while later. */
function pare(line: readonly string[], killed?: { readonly lines: number; readonly ms: number }): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, ...line], { cwd: folder })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk)
  })
  const before = lines().length
  const watch = setInterval(() => {
    if (killed === undefined || lines().length < before + killed.lines) return
    clearInterval(watch)
    setTimeout(() => child.kill('SIGKILL'), killed.ms)
  }, 5)
  return new Promise((done) =>
    child.on('close', (status) => {
      clearInterval(watch)
      done({ status, stdout, stderr })
    }),
  )
}

const lines = (): readonly string[] =>
  existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').slice(0, -1) : []
const keysOf = (all: readonly string[]): readonly string[] => all.map((line) => JSON.parse(line).key as string)

test('killed at random moments, resumed each time', { timeout: 60_000 + 30_000 * KILLS }, async () => {
  const { integer } = random(11)
  let kept: readonly string[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    const more = kill === 0 ? [] : ['--resume']
    await pare([...args, ...written, ...more], { lines: 1 + integer(6), ms: integer(80) })
    const now = lines()
    expect(now.slice(0, kept.length)).toEqual(kept)
    kept = now
  }
  expect(kept.length).toBeGreaterThan(KILLS)
  const ended = await pare([...args, ...written, '--resume', '--json'])
  expect([0, 1], ended.stderr).toContain(ended.status)
  const all = lines()
  expect(all.slice(0, kept.length)).toEqual(kept)
  const keys = keysOf(all)
  expect(new Set(keys).size).toBe(keys.length)
  const { outcome, front } = JSON.parse(ended.stdout).result
  expect(outcome.search.drawn).toBe(TRIALS)

  // What is recorded decides everything: without its end, the journal gives the same end again.
  writeFileSync(journal, `${all.filter((_, i) => keys[i] !== 'finished').join('\n')}\n`)
  const again = await pare([...args, ...written, '--resume', '--json'])
  const second = JSON.parse(again.stdout).result.outcome
  expect([second.front, second.chosen, second.trials]).toEqual([outcome.front, outcome.chosen, outcome.trials])
  expect(keysOf(lines()).toSorted()).toEqual([...keys].toSorted())

  expect(front.length).toBeGreaterThan(0)
  const hashes = new Set(outcome.trials.map((t: { readonly sha256?: string }) => t.sha256))
  for (const recipe of front.slice(0, 2)) {
    expect(JSON.parse(readFileSync(join(folder, recipe), 'utf8')).samples).toBe(true)
    const made = await pare(['apply', recipe, 'model.onnx', '--data', 'rows.mjs', '--threads', '1', '-o', 'made.onnx'])
    expect(made.status, made.stderr).toBe(0)
    expect(hashes).toContain(await sha256(readFileSync(join(folder, 'made.onnx'))))
  }
})

test('what came to its end goes on for more', { timeout: 60_000 }, async () => {
  const before = lines()
  const more = await pare([...args, ...written, '--more', '2s', '--json'])
  expect([0, 1], more.stderr).toContain(more.status)
  expect(lines().slice(0, before.length)).toEqual(before)
  expect(lines().length).toBeGreaterThan(before.length)
  const { search, trials } = JSON.parse(more.stdout).result.outcome
  expect(search.drawn).toBeGreaterThan(TRIALS)
  // Of trials that came to one file the first stays.
  const files = trials.map((t: { readonly sha256?: string }) => t.sha256)
  const measured = before.map((line) => JSON.parse(line)).filter(({ key }) => key.startsWith('trial '))
  for (const { value } of measured) expect(files).toContain(value.sha256)
})
