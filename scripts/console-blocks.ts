/**
 * The examples in the documentation: ```console blocks, where `$ pare …` is a command and what follows is its output.
 * A line `…` stands for any number of lines, `…` inside a line for any text. `npx tsx scripts/console-blocks.ts FOLDER`
 * runs them in a folder that holds the files they name, and renews outputs that have no `…`.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { COMMANDS } from '../src/cli/commands.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PROGRAM = join(ROOT, 'dist/cli/main.js')

export interface Example {
  readonly command: string
  /** Expected standard output; empty: not shown, and not compared. */
  readonly output: string
}

export function examplesIn(page: string): readonly Example[] {
  return [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, body]) =>
    body!
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const end = part.indexOf('\n')
        return { command: part.slice(0, end), output: part.slice(end + 1).trimEnd() }
      }),
  )
}

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a `pare …` line in a folder, 80 columns wide. Quotes are not understood: examples need none. */
export function runExample(command: string, folder: string): Ran {
  const [program, ...args] = command.split(/\s+/)
  if (program !== 'pare') throw new Error(`not a pare command: ${command}`)
  const env = { ...process.env, COLUMNS: '80', NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  return { status, stdout: stdout.trimEnd(), stderr }
}

export function matches(actual: string, expected: string): boolean {
  const escaped = expected
    .split('\n')
    .map((line) => (line === '…' ? '[\\s\\S]*?' : line.split('…').map(quote).join('.*')))
    .join('\n')
  return new RegExp(`^${escaped.replaceAll('\n[\\s\\S]*?', '(?:\n[\\s\\S]*?)?')}$`).test(actual)
}

const quote = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** A page for each command, in the order in which one command's example makes what the next one's reads. */
export const documentationPages = (): readonly string[] =>
  COMMANDS.map(({ name }) => join(ROOT, 'docs/commands', `${name}.md`))

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2]!
  for (const path of documentationPages()) {
    let page = readFileSync(path, 'utf8')
    for (const { command, output } of examplesIn(page)) {
      if (output.split('\n').includes('…')) continue
      const { stdout, stderr, status } = runExample(command, folder)
      if (status !== 0) throw new Error(`${command}: ${stderr}`)
      if (output !== '') page = page.replace(`$ ${command}\n${output}\n`, () => `$ ${command}\n${stdout}\n`)
    }
    writeFileSync(path, page)
  }
}
