import { expect, test } from 'vitest'
import { PareError } from '../util/errors.js'
import { type Command, defineCommand } from './command.js'
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

test('the command line that finds the same again says nothing of how it was told, or of an earlier run', async () => {
  const heard: string[] = []
  const echo: Command = {
    name: 'echo',
    summary: 'Says its command line',
    positionals: { names: ['word'], min: 1, max: 1 },
    options: { resume: { kind: 'flag', doc: 'go on' }, out: { kind: 'text', value: 'file', doc: 'where to' } },
    examples: [],
    async run(_, __, context) {
      heard.push(context.commandLine)
      return { text: '', json: null }
    },
  }
  const world = {
    stdout: { write: () => true },
    stderr: { write: () => true },
    env: {},
    signal: new AbortController().signal,
  }
  const entry: CommandEntry = { name: 'echo', summary: '', load: async () => echo }
  expect(await run(['echo', 'a b', '-q', '--out', 'x', '--resume', '--json'], world, [entry])).toBe(0)
  expect(heard).toEqual(["pare echo 'a b' --out x"])
})

const refused: CommandEntry = {
  name: 'refused',
  summary: 'Is refused by the engine',
  load: async () =>
    defineCommand({
      name: 'refused',
      summary: '',
      positionals: { names: ['model'], min: 1, max: 1 },
      options: {},
      examples: [],
      run: () =>
        Promise.reject(
          new PareError('ENGINE_LOAD', 'no', { where: 'model, node n', remedy: 'r', cause: new Error('its words') }),
        ),
    }),
}

test('an error in JSON holds the words of its cause, and the model as it was given', async () => {
  let out = ''
  const stdout = {
    write: (text: string) => {
      out += text
    },
  }
  const world = { stdout, stderr: stdout, env: {}, signal: new AbortController().signal }
  expect(await run(['refused', 'net.onnx', '--json'], world, [refused])).toBe(3)
  expect(JSON.parse(out).error).toMatchObject({ code: 'ENGINE_LOAD', where: 'net.onnx, node n', cause: 'its words' })
})
