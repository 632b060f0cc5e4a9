/** Runs one command line: picks the command, gives it the world, prints its answer or its error, returns the exit code. */

import { messageOf, PareError } from '../util/errors.js'
import { nearest } from '../util/nearest.js'
import { VERSION } from '../util/version.js'
import { didYouMean, parseCommandLine } from './args.js'
import type { Context } from './command.js'
import { COMMANDS, type CommandEntry } from './commands.js'
import { EXIT, type ExitCode, exitCodeOf, systemCode } from './exit.js'
import { commandHelp, mainHelp } from './help.js'
import { type ProgressSink, progressView, SILENT } from './progress.js'
import { shellLine } from './shell.js'
import { safe, styled, terminalOf } from './terminal.js'
import { namingModel } from './where.js'

export interface World {
  readonly stdout: ProgressSink
  readonly stderr: ProgressSink
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

export async function run(
  argv: readonly string[],
  world: World,
  commands: readonly CommandEntry[] = COMMANDS,
): Promise<ExitCode> {
  const out = terminalOf(world.stdout, world.env)
  const [first, ...rest] = argv
  const print = (text: string): ExitCode => {
    world.stdout.write(`${text}\n`)
    return EXIT.ok
  }
  if (first === '--version' || first === '-v') return print(VERSION)
  if (first === undefined || first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    print(mainHelp(COMMANDS, VERSION, out))
    return first === undefined ? EXIT.usage : EXIT.ok
  }
  const json = argv.includes('--json')
  const name = first === 'help' ? rest[0]! : first
  const found = commands.find((c) => c.name === name)
  if (!found) return fail(unknownCommand(name), { world, json, warnings: [] })
  const warnings: string[] = []
  let clear = (): void => {}
  let model: string | undefined
  try {
    const command = await found.load()
    if (first === 'help') return print(commandHelp(command, out))
    const args = parseCommandLine(command, rest)
    if (args.help) return print(commandHelp(command, out))
    model = args.positionals[0]
    const view = args.json || args.quiet ? SILENT : progressView(world.stderr)
    clear = view.clear
    const context: Context = {
      terminal: out,
      signal: world.signal,
      onProgress: view.show,
      commandLine: shellLine(argv.filter((arg) => !THIS_RUN_ALONE.has(arg))),
      warn(message) {
        warnings.push(message)
        if (args.json) return
        view.clear()
        world.stderr.write(`${styled(terminalOf(world.stderr, world.env), 'bold', 'warning:')} ${safe(message)}\n`)
      },
    }
    const answer = await command.run(args.positionals, args.options as never, context)
    clear()
    print(args.json ? asJson({ ok: true, command: command.name, result: answer.json, warnings }) : answer.text)
    return answer.exit ?? EXIT.ok
  } catch (error) {
    clear()
    return fail(namingModel(error, model), { world, json, warnings })
  }
}

/** Flags that say nothing of what is found: how it is told, and what becomes of an earlier run. */
const THIS_RUN_ALONE: ReadonlySet<string> = new Set(['--json', '--quiet', '-q', '--resume', '--restart'])

interface Failure {
  readonly world: World
  readonly json: boolean
  readonly warnings: readonly string[]
}

function fail(error: unknown, { world, json, warnings }: Failure): ExitCode {
  const exit = world.signal.aborted ? EXIT.interrupted : exitCodeOf(error)
  const interrupted = exit === EXIT.interrupted
  if (json) world.stdout.write(`${asJson({ ok: false, error: errorFacts(error, interrupted), exit, warnings })}\n`)
  else world.stderr.write(`${interrupted ? 'interrupted' : errorText(error, world)}\n`)
  if (world.env.PARE_DEBUG === '1' && error instanceof Error) world.stderr.write(`${causes(error)}\n`)
  return exit
}

function errorText(error: unknown, world: World): string {
  const label = styled(terminalOf(world.stderr, world.env), 'bad', 'error:')
  if (error instanceof PareError) return `${label} ${safe(error.message)} [${error.code}]`
  if (systemCode(error) !== null) return `${label} ${safe(messageOf(error))} [${systemCode(error)}]`
  return `${label} ${safe(messageOf(error))}\nThis is a fault in pare. PARE_DEBUG=1 shows where; please report it.`
}

function errorFacts(error: unknown, interrupted: boolean): Readonly<Record<string, unknown>> {
  if (interrupted) return { code: 'ABORTED', message: 'interrupted' }
  if (!(error instanceof PareError)) return { code: systemCode(error) ?? 'FAULT', message: messageOf(error) }
  const { where, value, remedy, cause } = error.detail
  const facts = { code: error.code, message: error.message, what: error.what, where, value: plain(value), remedy }
  return cause === undefined ? facts : { ...facts, cause: messageOf(cause) }
}

function causes(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${causes(error.cause)}` : ''
  return `${error.stack ?? error.message}${cause}`
}

/** JSON that never fails and keeps what JSON has no words for: bigints and non-finite numbers become strings. */
function asJson(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => plain(v), 2)
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

function unknownCommand(name: string): PareError {
  const meant = nearest(
    name,
    COMMANDS.map((c) => c.name),
  )
  return new PareError('COMMAND_UNKNOWN', 'there is no such command', {
    value: name,
    remedy: `${didYouMean(meant && `pare ${meant}`)}See \`pare --help\`.`,
  })
}
