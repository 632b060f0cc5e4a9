/** Writes docs/errors.md: every error code in the source, what it says, and the exit code of the command line. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exitCodeOf } from '../src/cli/exit.js'
import { PareError } from '../src/util/errors.js'
import { type SourceFile, sourceFiles } from './check-layers.js'

export interface ErrorEntry {
  readonly code: string
  /** The fact as the source states it, where it is a literal. */
  readonly what: string | null
}

/** Calls of PareError with a literal code, and of helpers that take code and fact as their first arguments. */
const THROWN =
  /(?:PareError|[a-z]\w*)\(\s*'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|ABORTED)',\s*(?:'((?:[^'\\\n]|\\.)*)'|`([^`]*)`|"([^"\n]*)")?/g

export function errorsIn(files: readonly SourceFile[]): readonly ErrorEntry[] {
  return files
    .filter(({ path }) => !path.endsWith('.test.ts') && !path.endsWith('_pb.ts'))
    .flatMap(({ text }) =>
      [...text.matchAll(THROWN)].map(([, code, plain, template, quoted]) => ({
        code: code!,
        what:
          plain?.replace(/\\'/g, "'") ??
          quoted ??
          (template === undefined ? null : template.replace(/\$\{[^}]*\}/g, '…')),
      })),
    )
}

export function errorPage(entries: readonly ErrorEntry[]): string {
  const codes = [...new Set(entries.map(({ code }) => code))].sort()
  const rows = codes.map((code) => {
    const facts = [...new Set(entries.flatMap((e) => (e.code === code && e.what !== null ? [e.what] : [])))].sort()
    const exit = exitCodeOf(new PareError(code, '', { remedy: '' }))
    return `| \`${code}\` | ${exit} | ${facts.map(cell).join('; ')} |`
  })
  return `# Error codes

Every error of the library is a \`PareError\` with a \`code\` that does not change between versions. The message says where it happened, what is wrong, the value, and what to do. This page is generated from the source by \`npx tsx scripts/error-codes.ts\`.

| code | [exit code](exit-codes.md) | what it says |
|---|---|---|
${rows.join('\n')}
`
}

/** The codes that a page lists, in its order. */
export function documentedErrors(page: string): readonly string[] {
  return [...page.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, code]) => code!)
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ')

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  writeFileSync(join(root, 'docs/errors.md'), errorPage(errorsIn(sourceFiles(join(root, 'src')))))
}
