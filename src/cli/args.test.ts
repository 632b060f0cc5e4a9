import { expect, test } from 'vitest'
import { PareError } from '../util/errors.js'
import { parseCommandLine } from './args.js'
import { defineCommand } from './command.js'
import { COMMANDS } from './commands.js'

const command = defineCommand({
  name: 'try',
  summary: 'Try',
  positionals: { names: ['a', 'b'], min: 1, max: 2 },
  options: {
    output: { kind: 'text', short: 'o', value: 'file', doc: 'd' },
    to: { kind: 'choice', choices: ['int8', 'int4'], default: 'int8', doc: 'd' },
    maxDrop: { kind: 'number', value: 'x', min: 0, max: 1, percent: true, default: 0.01, doc: 'd' },
    threads: { kind: 'number', value: 'n', min: 1, max: 64, whole: true, doc: 'd' },
    with: { kind: 'texts', value: 'x', doc: 'd' },
    force: { kind: 'flag', doc: 'd' },
  },
  examples: [],
  run: async () => ({ text: '', json: null }),
})

const parse = (line: string) => parseCommandLine(command, line.split(' '))
const failure = (line: string): string => {
  try {
    parse(line)
  } catch (error) {
    if (error instanceof PareError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'parsed'
}

test('options of every kind, in any order and both spellings', () => {
  const { positionals, options } = parse('x -o out.onnx --max-drop=2% --threads 4 --with a=1 --with b --force y')
  expect(positionals).toEqual(['x', 'y'])
  expect(options).toMatchObject({
    output: 'out.onnx',
    to: 'int8',
    maxDrop: 0.02,
    threads: 4,
    with: ['a=1', 'b'],
    force: true,
  })
  expect(parse('x').options).toMatchObject({
    output: undefined,
    maxDrop: 0.01,
    threads: undefined,
    with: [],
    force: false,
  })
  expect(parse('x --max-drop 1e-3').options).toMatchObject({ maxDrop: 0.001 })
  expect(parse('-- -x').positionals).toEqual(['-x'])
  expect(parse('--output=-odd- x').options).toMatchObject({ output: '-odd-' })
  expect(parse('--nonsense --help').help).toBe(true)
})

test('an empty value and - are no paths', () => {
  for (const argv of [['x', '-o', ''], ['x', '--output='], ['x', '-o', '-'], [''], ['x', '-'], ['x', '--with', '']]) {
    expect(() => parseCommandLine(command, argv), argv.join('|')).toThrow(
      expect.objectContaining({ code: 'OPTION_VALUE', detail: expect.objectContaining({ where: expect.any(String) }) }),
    )
  }
  expect(parse('./- -o ./-').options).toMatchObject({ output: './-' })
})

test.each([
  ['x --ouput y', /^OPTION_UNKNOWN.*Did you mean --output\?/],
  ['x -z', /^OPTION_UNKNOWN/],
  ['x --no-force', /^OPTION_UNKNOWN/],
  ['x --output', /^OPTION_VALUE.*needs a value/],
  ['x --output --force', /^OPTION_VALUE.*needs a value/],
  ['x --force=yes', /^OPTION_VALUE.*no value/],
  ['x --to int9', /^OPTION_VALUE.*Did you mean int8\?/],
  ['x --threads 1.5', /^OPTION_VALUE.*whole/],
  ['x --threads 0', /^OPTION_VALUE/],
  ['x --threads 5%', /^OPTION_VALUE/],
  ['x --max-drop -0.1', /^OPTION_VALUE/],
  ['x --max-drop 0x1', /^OPTION_VALUE/],
  ['x --max-drop 150%', /^OPTION_VALUE/],
  ['x -o a -o b', /^OPTION_REPEATED/],
  ['x y z', /^ARGUMENT_COUNT.*too many/],
  ['--force', /^ARGUMENT_COUNT.*a is missing/],
])('%s', (line, expected) => {
  expect(failure(line)).toMatch(expected)
})

test('every command says of itself what the list says, and its short options are its own', async () => {
  for (const entry of COMMANDS) {
    const loaded = await entry.load()
    expect([loaded.name, loaded.summary]).toEqual([entry.name, entry.summary])
    const shorts = ['q', 'h', ...Object.values(loaded.options).flatMap((o) => o.short ?? [])]
    expect(new Set(shorts).size).toBe(shorts.length)
    for (const example of loaded.examples) {
      const argv = example.split(' ').slice(2)
      expect(example).toMatch(new RegExp(`^pare ${entry.name}( |$)`))
      expect(() => parseCommandLine(loaded, argv)).not.toThrow()
    }
  }
})
