/**
 * The rule of the house: which folder of src may import which. Run by `npm run check`; prints every import that
 * breaks the rule and exits with 1.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A folder imports itself and what stands in earlier rows; folders in one row do not know each other. */
export const LAYERS: readonly (readonly string[])[] = [
  ['util'],
  ['kernels', 'ir'],
  ['onnx', 'ops'],
  ['engine'],
  ['passes'],
  ['linalg'],
  ['data', 'autodiff'],
  ['penalties', 'grids'],
  ['train', 'linear'],
  ['reduce'],
  ['compress'],
  ['search'],
  ['cluster', 'export', 'report'],
  ['cli'],
]

/** Files directly in src: the public entries. They import anything, and nothing imports them. */
const ENTRIES = ['index.ts', 'node.ts', 'browser.ts']

/** From these, only modules that a browser can load are reached by static imports. */
const BROWSER_ENTRIES = ['index.ts', 'browser.ts']

export interface SourceFile {
  /** Relative to src, with `/`. */
  readonly path: string
  readonly text: string
}

interface Import {
  readonly specifier: string
  /** `import type` and `export type` leave nothing at run time. */
  readonly kind: 'static' | 'dynamic' | 'type'
}

/** Everything that breaks the rule, one sentence each. Test files may import what they like. */
export function violations(files: readonly SourceFile[]): readonly string[] {
  const sources = files.filter(({ path }) => !path.endsWith('.test.ts'))
  return [...sources.flatMap((file) => [...misplaced(file), ...forbidden(file)]), ...nodeInBrowser(sources)]
}

function misplaced({ path }: SourceFile): readonly string[] {
  const folder = folderOf(path)
  if (folder === null) {
    return ENTRIES.includes(path) ? [] : [`src/${path}: only ${ENTRIES.join(', ')} lie directly in src`]
  }
  return layerOf(folder) < 0 ? [`src/${path}: the folder ${folder} is in no layer (scripts/check-layers.ts)`] : []
}

function forbidden({ path, text }: SourceFile): readonly string[] {
  const from = folderOf(path)
  if (from === null || layerOf(from) < 0) return []
  return importsOf(text).flatMap(({ specifier }) => {
    if (!specifier.startsWith('.')) return []
    const target = posix.join(posix.dirname(path), specifier)
    if (target.startsWith('..')) return [`src/${path} imports ${specifier}, outside of src`]
    const to = folderOf(target)
    if (to === null) return [`src/${path} imports the entry ${target}`]
    return to === from || layerOf(to) < layerOf(from)
      ? []
      : [`src/${path} imports ${target}: ${from} stands below ${to}`]
  })
}

function nodeInBrowser(files: readonly SourceFile[]): readonly string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const cameFrom = new Map<string, string>(BROWSER_ENTRIES.filter((e) => byPath.has(e)).map((e) => [e, '']))
  const found: string[] = []
  for (const [path] of cameFrom) {
    for (const { specifier, kind } of importsOf(byPath.get(path)!.text)) {
      if (kind !== 'static') continue
      if (specifier.startsWith('node:')) found.push(`${chain(cameFrom, path)} imports ${specifier}`)
      const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
      if (specifier.startsWith('.') && byPath.has(target) && !cameFrom.has(target)) cameFrom.set(target, path)
    }
  }
  return found
}

function chain(cameFrom: ReadonlyMap<string, string>, path: string): string {
  const before = cameFrom.get(path)
  return before ? `${chain(cameFrom, before)} -> ${path}` : `for browsers, src/${path}`
}

const folderOf = (path: string): string | null => (path.includes('/') ? path.slice(0, path.indexOf('/')) : null)

const layerOf = (folder: string): number => LAYERS.findIndex((row) => row.includes(folder))

/** Imports by pattern: the formatter gives every import the same form, and comments are cut out first. */
export function importsOf(text: string): readonly Import[] {
  const code = text.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '')
  const statements = code.matchAll(/^(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?'([^']+)'/gm)
  const calls = code.matchAll(/\bimport\(\s*'([^']+)'/g)
  return [
    ...[...statements].map(
      ([, type, specifier]): Import => ({ specifier: specifier!, kind: type ? 'type' : 'static' }),
    ),
    ...[...calls].map(([, specifier]): Import => ({ specifier: specifier!, kind: 'dynamic' })),
  ]
}

/** All TypeScript files under a folder. */
export function sourceFiles(root: string): readonly SourceFile[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => ({ path: name.split(sep).join('/'), text: readFileSync(join(root, name), 'utf8') }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../src', import.meta.url))
  const files = sourceFiles(root)
  const found = violations(files)
  for (const line of found) console.error(line)
  console.log(
    `layers: ${files.length} files in ${relative(process.cwd(), root)}, ${found.length} imports against the rule`,
  )
  process.exitCode = found.length === 0 ? 0 : 1
}
