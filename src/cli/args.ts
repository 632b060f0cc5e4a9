/** Command lines to typed options, strictly: what is not understood is an error that names what may be meant. */

import { parseArgs as tokenize } from 'node:util'
import { PareError } from '../util/errors.js'
import { nearest } from '../util/nearest.js'
import { COMMON_OPTIONS, type Command, type OptionSpec, type OptionSpecs } from './command.js'

export interface ParsedArgs {
  readonly positionals: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
  readonly json: boolean
  readonly quiet: boolean
  readonly help: boolean
}

/**
 * Throws `OPTION_UNKNOWN`, `OPTION_VALUE` (missing, unwanted or out of range), `OPTION_REPEATED`, `OPTION_MISSING`,
 * `ARGUMENT_COUNT`. With `--help` nothing else is checked.
 */
export function parseCommandLine(command: Command, argv: readonly string[]): ParsedArgs {
  const specs: OptionSpecs = { ...COMMON_OPTIONS, ...command.options }
  const { tokens } = tokenize({
    args: [...argv],
    options: Object.fromEntries(Object.entries(specs).map(([name, spec]) => [kebab(name), tokenOption(spec)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const given = new Map<string, (string | undefined)[]>()
  const positionals: string[] = []
  const names = new Map(Object.keys(specs).map((name) => [kebab(name), name]))
  const help = tokens.some((t) => t.kind === 'option' && t.name === 'help')
  if (help) return { positionals: [], options: {}, json: false, quiet: false, help }
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const name = names.get(token.name)
    if (name === undefined) throw unknownOption(command, token.rawName, [...names.keys()])
    checkShape(token.rawName, specs[name]!, token.value, token.inlineValue === true)
    given.set(name, [...(given.get(name) ?? []), token.value])
  }
  checkCount(command, positionals)
  positionals.forEach((given, i) => {
    checkPath(command.positionals.names[i] ?? command.positionals.names.at(-1)!, given)
  })
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      optionValue(command, `--${kebab(name)}`, spec, given.get(name) ?? []),
    ]),
  )
  return { positionals, options, json: options.json === true, quiet: options.quiet === true, help }
}

/** maxDrop -> max-drop */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
}

function tokenOption(spec: OptionSpec) {
  const type = spec.kind === 'flag' ? ('boolean' as const) : ('string' as const)
  return { type, multiple: true, ...(spec.short === undefined ? {} : { short: spec.short }) }
}

/** What options call values that are places in the file system. */
const PATHS = ['file', 'folder', 'path', 'module']

/** Throws `OPTION_VALUE` for an empty path, and for `-`: nothing is read from standard input or written to standard output. */
function checkPath(where: string, given: string): void {
  if (given === '') throw badValue(where, 'the path is empty', given, 'Give the name of a file.')
  if (given !== '-') return
  throw badValue(where, '- is no file', given, 'Give the name of a file; one that is called - is written ./-.')
}

const NUMBER = /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?%?$/i

function checkShape(option: string, spec: OptionSpec, value: string | undefined, inline: boolean): void {
  if (spec.kind === 'flag') {
    if (value !== undefined) throw badValue(option, 'the option takes no value', value, `Write ${option} alone.`)
    return
  }
  if (value === '') throw badValue(option, 'the value is empty', value, `Leave ${option} out, or give it a value.`)
  if (value !== undefined && 'value' in spec && PATHS.includes(spec.value)) checkPath(option, value)
  const looksLikeOption = !inline && value !== undefined && value.length > 1 && value.startsWith('-')
  if (value === undefined || (looksLikeOption && !NUMBER.test(value))) {
    const shown = 'value' in spec ? `<${spec.value}>` : spec.choices.join('|')
    throw badValue(
      option,
      'the option needs a value',
      value,
      `Write ${option} ${shown}; a value that begins with - goes after =.`,
    )
  }
}

function optionValue(
  command: Command,
  option: string,
  spec: OptionSpec,
  given: readonly (string | undefined)[],
): unknown {
  if (spec.kind === 'flag') return given.length > 0
  if (spec.kind === 'texts') return given
  if (given.length > 1) {
    throw new PareError('OPTION_REPEATED', 'the option is given more than once', {
      where: option,
      value: given,
      remedy: 'Give it once.',
    })
  }
  const text = given[0]
  if (text === undefined) {
    if ('required' in spec && spec.required) {
      throw new PareError('OPTION_MISSING', `the option ${option} is needed`, {
        remedy: `See \`pare ${command.name} --help\`.`,
      })
    }
    return 'default' in spec ? spec.default : undefined
  }
  if (spec.kind === 'text') return text
  return spec.kind === 'choice' ? choice(option, spec, text) : number(option, spec, text)
}

function choice(option: string, spec: OptionSpec & { kind: 'choice' }, text: string): string {
  if (spec.choices.includes(text)) return text
  const meant = nearest(text, spec.choices)
  throw badValue(option, 'not one of the choices', text, `${didYouMean(meant)}Give one of: ${spec.choices.join(', ')}.`)
}

function number(option: string, spec: OptionSpec & { kind: 'number' }, text: string): number {
  const percent = text.endsWith('%')
  const value = Number(percent ? text.slice(0, -1) : text) / (percent ? 100 : 1)
  const fits = NUMBER.test(text) && value >= spec.min && value <= spec.max && (!spec.whole || Number.isInteger(value))
  if (fits && (!percent || spec.percent)) return value
  const kind = spec.whole ? 'a whole number' : 'a number'
  const range = Number.isFinite(spec.max) ? `from ${spec.min} to ${spec.max}` : `of at least ${spec.min}`
  throw badValue(option, `${kind} ${range} is needed`, text, `Write for example ${option} ${spec.default ?? spec.min}.`)
}

function checkCount({ name, positionals: { names, min, max } }: Command, given: readonly string[]): void {
  if (given.length >= min && given.length <= max) return
  const few = given.length < min
  throw new PareError(
    'ARGUMENT_COUNT',
    few ? `${names[given.length] ?? names.at(-1)} is missing` : 'too many arguments',
    {
      where: `pare ${name}`,
      ...(few ? {} : { value: given.slice(max).join(' ') }),
      remedy: `Write pare ${name} ${names.map((n) => `<${n}>`).join(' ')}${max > names.length ? ' …' : ''}; see \`pare ${name} --help\`.`,
    },
  )
}

function badValue(option: string, what: string, value: string | undefined, remedy: string): PareError {
  return new PareError('OPTION_VALUE', what, { where: option, ...(value === undefined ? {} : { value }), remedy })
}

function unknownOption(command: Command, rawName: string, known: readonly string[]): PareError {
  const meant = nearest(rawName.replace(/^-+/, ''), known)
  return new PareError('OPTION_UNKNOWN', 'there is no such option', {
    where: `pare ${command.name}`,
    value: rawName,
    remedy: `${didYouMean(meant && `--${meant}`)}See \`pare ${command.name} --help\`.`,
  })
}

export const didYouMean = (name: string | null): string => (name === null ? '' : `Did you mean ${name}? `)
