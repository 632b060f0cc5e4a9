import { expect, test } from 'vitest'
import { importsOf, LAYERS, violations } from '../../scripts/check-layers.js'

const file = (path: string, ...imports: string[]) => ({ path, text: imports.map((i) => `import '${i}'`).join('\n') })

test('imports go from later layers to earlier ones, and inside a folder', () => {
  expect(violations([file('passes/a.ts', '../engine/engine.js', './pass.js', 'node:fs')])).toEqual([])
  expect(violations([file('util/a.ts', '../ir/types.js')])).toHaveLength(1)
  expect(violations([file('engine/a.ts', '../passes/pass.js')])).toHaveLength(1)
  expect(violations([file('ops/a.ts', '../onnx/codec.js')])).toHaveLength(1)
  expect(violations([file('util/deep/a.ts', '../../cli/main.js')])).toHaveLength(1)
})

test('unknown folders, stray files, entries and what lies outside are refused', () => {
  expect(violations([file('helpers/a.ts')])).toHaveLength(1)
  expect(violations([file('passes/a.ts', '../helpers/b.js')])).toEqual([])
  expect(violations([file('stray.ts')])).toHaveLength(1)
  expect(violations([file('cli/a.ts', '../index.js')])).toHaveLength(1)
  expect(violations([file('cli/a.ts', '../../test/data.js')])).toHaveLength(1)
})

test('node modules that a browser entry reaches statically are found, however far', () => {
  const far = [file('browser.ts', './ir/a.js'), file('ir/a.ts', '../util/b.js'), file('util/b.ts', 'node:fs')]
  expect(violations(far)).toEqual([expect.stringContaining('browser.ts -> ir/a.ts -> util/b.ts imports node:fs')])
  const lazy = [file('browser.ts', './ir/a.js'), { path: 'ir/a.ts', text: "const x = await import('node:fs')" }]
  expect(violations(lazy)).toEqual([])
  const typed = [file('browser.ts', './ir/a.js'), { path: 'ir/a.ts', text: "import type { Stats } from 'node:fs'" }]
  expect(violations(typed)).toEqual([])
})

test('every form of import is seen, those in comments are not', () => {
  const text = `
/** import { no } from './no.js' */
// import './no.js'
import a from './a.js'
import * as b from './b.js'
import {
  c,
  type D,
} from './c.js'
import type { E } from './e.js'
export * from './f.js'
export { g } from './g.js'
export type { H } from './h.js'
const i = () => import('./i.js')
`
  expect(importsOf(text).map(({ specifier, kind }) => `${kind} ${specifier}`)).toEqual([
    'static ./a.js',
    'static ./b.js',
    'static ./c.js',
    'type ./e.js',
    'static ./f.js',
    'static ./g.js',
    'type ./h.js',
    'dynamic ./i.js',
  ])
})

test('no folder stands in two layers', () => {
  const all = LAYERS.flat()
  expect(new Set(all).size).toBe(all.length)
})
