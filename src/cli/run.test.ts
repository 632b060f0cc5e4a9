import { expect, test } from 'vitest'
import type { CommandEntry } from './commands.js'
import { run } from './run.js'

const broken: CommandEntry = {
  name: 'broken',
  summary: 'Cannot be loaded',
  load: () => Promise.reject(new Error('a file of the installation is missing')),
}

test.each([['broken'], ['help']])(
  'a command that cannot be loaded ends with a code, and in JSON (%s)',
  async (first) => {
    const said = { out: '', err: '' }
    const world = {
      stdout: { write: (text: string) => (said.out += text) },
      stderr: { write: (text: string) => (said.err += text) },
      env: {},
      signal: new AbortController().signal,
    }
    const args = first === 'help' ? ['help', 'broken'] : ['broken']
    expect(await run(args, world, [broken])).toBe(5)
    expect(said.err).toContain('a file of the installation is missing')
    expect(await run([...args, '--json'], world, [broken])).toBe(5)
    expect(JSON.parse(said.out)).toMatchObject({ ok: false, exit: 5, error: { code: 'FAULT' } })
  },
)
