/** Help texts, made from what the commands declare. */

import { kebab } from './args.js'
import { COMMON_OPTIONS, type Command, type OptionSpec } from './command.js'
import { styled, type Terminal, wrap } from './terminal.js'

const HELP_COLUMNS = 80

function usageLine({ name, positionals, options }: Command): string {
  const { names, min, max } = positionals
  const args = names.map((n, i) => (i < min ? `<${n}>` : `[${n}]`))
  const needed = Object.entries(options).filter(([, spec]) => 'required' in spec && spec.required)
  const flags = needed.map(([n, spec]) => `${spec.short ? `-${spec.short}` : `--${kebab(n)}`} ${valueHint(spec)}`)
  return ['pare', name, ...args, ...(max > names.length ? ['…'] : []), ...flags, '[options]'].join(' ')
}

export function commandHelp(command: Command, terminal: Terminal): string {
  const columns = Math.min(HELP_COLUMNS, terminal.columns)
  const options = Object.entries({ ...command.options, ...COMMON_OPTIONS })
  const labels = options.map(([name, spec]) => optionLabel(name, spec))
  const width = Math.min(30, Math.max(...labels.map((l) => l.length)))
  const lines = options.map(([, spec], i) => row(labels[i]!, description(spec), width, columns))
  return [
    wrap(`${command.summary}.`, columns),
    '',
    title(terminal, 'Usage'),
    wrap(usageLine(command), columns, '      ', '  '),
    '',
    title(terminal, 'Options'),
    ...lines,
    ...(command.examples.length > 0
      ? ['', title(terminal, 'Examples'), ...command.examples.map((e) => wrap(e, columns, '      ', '  '))]
      : []),
    ...(command.notes ?? []).flatMap((note) => ['', wrap(note, columns)]),
  ].join('\n')
}

export interface CommandSummary {
  readonly name: string
  readonly summary: string
}

export function mainHelp(commands: readonly CommandSummary[], version: string, terminal: Terminal): string {
  const columns = Math.min(HELP_COLUMNS, terminal.columns)
  const width = Math.max(...commands.map(({ name }) => name.length))
  return [
    `pare ${version}: make ONNX models smaller and faster, and measure it.`,
    '',
    title(terminal, 'Usage'),
    '  pare <command> [options]',
    '',
    title(terminal, 'Commands'),
    ...commands.map(({ name, summary }) => row(name, summary, width, columns)),
    '',
    title(terminal, 'Options'),
    row('-h, --help', 'show this help, or that of a command', 13, columns),
    row('-v, --version', 'print the version', 13, columns),
    '',
    'pare <command> --help says more. Exit codes: docs/exit-codes.md.',
  ].join('\n')
}

const title = (terminal: Terminal, text: string): string => styled(terminal, 'bold', text)

function row(label: string, text: string, width: number, columns: number): string {
  const indent = ' '.repeat(width + 4)
  if (label.length > width) return `  ${label}\n${wrap(text, columns, indent, indent)}`
  return wrap(text, columns, indent, `  ${label.padEnd(width)}  `)
}

function optionLabel(name: string, spec: OptionSpec): string {
  const short = spec.short === undefined ? '    ' : `-${spec.short}, `
  const hint = valueHint(spec)
  return `${short}--${kebab(name)}${hint === '' ? '' : ` ${hint}`}`
}

/** Longer lists of choices stand in the description, where they can be broken. */
const CHOICES = 60

const listed = (spec: OptionSpec): string => (spec.kind === 'choice' ? spec.choices.join('|') : '')

function valueHint(spec: OptionSpec): string {
  if (spec.kind === 'flag') return ''
  if (spec.kind !== 'choice') return `<${spec.value}>`
  return listed(spec).length > CHOICES ? '<choice>' : listed(spec)
}

function description(spec: OptionSpec): string {
  const many = spec.kind === 'texts' ? ' (may be repeated)' : ''
  const fallback = 'default' in spec && spec.default !== undefined ? ` (default ${spec.default})` : ''
  const needed = 'required' in spec && spec.required ? ' (needed)' : ''
  const choices = spec.kind === 'choice' && listed(spec).length > CHOICES ? `: ${spec.choices.join(', ')}` : ''
  return `${spec.doc}${choices}${many}${fallback}${needed}`
}
