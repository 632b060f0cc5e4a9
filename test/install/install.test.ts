/**
 * A new user: the packed package in an empty folder, the README word for word, nothing but Node and npm; and the same
 * where the native engine did not arrive. `npm run test:install`; takes minutes and needs the npm registry.
 */

import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { npzOf } from '../../bench/samples/npz.js'
import { openSamples } from '../../src/data/open.js'
import type { Sample } from '../../src/data/samples.js'
import { repositoryRoot } from '../data.js'

const README = readFileSync(join(repositoryRoot, 'README.md'), 'utf8')
const INSTALL = /^npm install .*tgz.*$/m.exec(README)![0]
const FLAG = /--onnxruntime-node-install=skip/.exec(INSTALL)![0]
const TARBALL = /\S+\.tgz/.exec(INSTALL)![0]
const LIBRARY = /^```ts\n([\s\S]*?)^```$/m.exec(README)![1]!

const MINUTES = 60_000

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  readonly seconds: number
}

/** A shell line as a user types it: without what `npm run` puts into the environment of its scripts. */
function shell(line: string, cwd: string): Ran {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|INIT_CWD|ONNXRUNTIME)/i.test(name)),
  )
  const begin = performance.now()
  const { status, stdout, stderr } = spawnSync(line, { cwd, shell: true, encoding: 'utf8', env, timeout: 8 * MINUTES })
  return { status, stdout, stderr, seconds: (performance.now() - begin) / 1000 }
}

function ran(line: string, cwd: string): Ran {
  const result = shell(line, cwd)
  expect(result, `${line}\n${result.stdout}\n${result.stderr}`).toMatchObject({ status: 0 })
  return result
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

const root = mkdtempSync(join(tmpdir(), 'pare-install-'))
const withFlag = join(root, 'with-flag')
const withoutFlag = join(root, 'without-flag')
const measured: Record<string, string> = {}

beforeAll(() => {
  ran(`mkdir with-flag without-flag && cd "${repositoryRoot}" && npm pack --pack-destination "${root}"`, root)
  for (const folder of [withFlag, withoutFlag]) copyFileSync(join(root, TARBALL), join(folder, TARBALL))
  measured.tarball = `${(statSync(join(root, TARBALL)).size / 1e6).toFixed(1)} MB`
}, 3 * MINUTES)

afterAll(() => {
  rmSync(root, { recursive: true, force: true })
  console.log(measured)
})

describe("with the README's line", () => {
  beforeAll(() => {
    ran(INSTALL, withFlag)
    measured['folder with the flag'] = `${(folderBytes(withFlag) / 1e6).toFixed(0)} MB`
  }, 5 * MINUTES)

  test(
    'the demo runs on the native engine and leaves a model and a report',
    () => {
      const { stdout, seconds } = ran('npx pare demo', withFlag)
      measured['demo, native'] = `${seconds.toFixed(0)} s`
      expect(stdout).toContain('onnxruntime-node')
      expect(stdout).not.toContain('onnxruntime-web')
      expect(stdout).toContain('Report: pare-demo/report.html')
      expect(readFileSync(join(withFlag, 'pare-demo/report.html'), 'utf8')).toContain('<svg')
      expect(statSync(join(withFlag, 'pare-demo/small.onnx')).size).toBeLessThan(1_047_549 / 3)
    },
    5 * MINUTES,
  )

  test(
    'the library example runs',
    async () => {
      const demo = join(withFlag, 'node_modules/pare/demo')
      copyFileSync(join(demo, 'ultraface-slim-320.onnx'), join(withFlag, 'model.onnx'))
      const bundled = await openSamples(join(demo, 'samples.mjs'), {
        inputs: [{ name: 'input', dtype: 'float32', shape: [1, 3, 240, 320] }],
      })
      const samples: Sample[] = []
      for await (const sample of bundled.read()) samples.push(sample)
      writeFileSync(join(withFlag, 'samples.npz'), npzOf(samples))
      writeFileSync(join(withFlag, 'example.mjs'), LIBRARY)
      const { stdout, seconds } = ran('node example.mjs', withFlag)
      measured['library example'] = `${seconds.toFixed(0)} s`
      expect(stdout).toMatch(/size|fast/)
      expect(statSync(join(withFlag, 'stored.onnx')).size).toBeLessThan(1_047_549 / 3)
    },
    5 * MINUTES,
  )
})

describe('without the flag', () => {
  const native = join(withoutFlag, 'node_modules/onnxruntime-node')

  beforeAll(() => {
    ran(INSTALL.replace(FLAG, ''), withoutFlag)
    measured['native engine arrives without the flag'] = existsSync(native) ? 'yes' : 'no'
    // Where the installer's fetch works the engine is there: then it is taken away, as npm does where the fetch fails.
    rmSync(native, { recursive: true, force: true })
    measured['folder without the native engine'] = `${(folderBytes(withoutFlag) / 1e6).toFixed(0)} MB`
  }, 5 * MINUTES)

  test(
    'the demo warns, names the remedy, and finishes on WebAssembly',
    () => {
      const { stdout, stderr, seconds } = ran('npx pare demo', withoutFlag)
      measured['demo, WebAssembly'] = `${seconds.toFixed(0)} s`
      expect(stderr).toContain('The native engine is not there')
      expect(stderr).toContain(`npm install onnxruntime-node@1 ${FLAG}`)
      expect(stdout).toContain('onnxruntime-web')
      expect(statSync(join(withoutFlag, 'pare-demo/small.onnx')).size).toBeLessThan(1_047_549)
    },
    8 * MINUTES,
  )

  test(
    'pare doctor names the remedy, and the remedy works',
    () => {
      const { stdout } = shell('npx pare doctor', withoutFlag)
      const remedy = new RegExp(`npm install onnxruntime-node\\S* ${FLAG}`).exec(stdout)?.[0]
      expect(remedy, stdout).toBeDefined()
      ran(remedy!, withoutFlag)
      expect(ran('npx pare doctor', withoutFlag).stdout).toContain('onnxruntime-node')
      expect(existsSync(native)).toBe(true)
    },
    5 * MINUTES,
  )
})
