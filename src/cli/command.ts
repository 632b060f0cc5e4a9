/** What a command is: its options, declared once for parsing, help and documentation, and a function that answers. */

import type { Progress } from '../util/env.js'
import type { Terminal } from './terminal.js'

interface OptionBase {
  /** One line of help, without a full stop. */
  readonly doc: string
  /** One letter: `o` for `-o`. */
  readonly short?: string
}

export type OptionSpec =
  | (OptionBase & { readonly kind: 'flag' })
  /** `value` names what is given: `<file>`. */
  | (OptionBase & { readonly kind: 'text'; readonly value: string; readonly required?: boolean })
  /** May be given several times. */
  | (OptionBase & { readonly kind: 'texts'; readonly value: string })
  | (OptionBase & {
      readonly kind: 'choice'
      readonly choices: readonly string[]
      readonly default?: string
      readonly required?: boolean
    })
  /** `whole` numbers only; `percent`: `1%` is understood as 0.01. */
  | (OptionBase & {
      readonly kind: 'number'
      readonly value: string
      readonly min: number
      readonly max: number
      readonly whole?: boolean
      readonly percent?: boolean
      readonly default?: number
    })

export type OptionSpecs = Readonly<Record<string, OptionSpec>>

type OptionValue<S extends OptionSpec> = S extends { kind: 'flag' }
  ? boolean
  : S extends { kind: 'texts' }
    ? readonly string[]
    : S extends { kind: 'number' }
      ? S extends { default: number }
        ? number
        : number | undefined
      : S extends { kind: 'choice'; choices: readonly (infer C)[] }
        ? S extends { default: string } | { required: true }
          ? C
          : C | undefined
        : S extends { required: true }
          ? string
          : string | undefined

export type OptionValues<S extends OptionSpecs> = { readonly [K in keyof S]: OptionValue<S[K]> }

/** Positional arguments: their names in order, and how many there may be. */
export interface Positionals {
  readonly names: readonly string[]
  readonly min: number
  readonly max: number
}

/** What a command may use of the world. */
export interface Context {
  readonly terminal: Terminal
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
  /** Says at once what the user should know; the JSON answer holds it too. */
  readonly warn: (message: string) => void
  /** The command line as the user would type it to find the same again. */
  readonly commandLine: string
}

/** What a command found: for people, and the same for programs. */
export interface Answer {
  readonly text: string
  readonly json: unknown
  /** 0; 1 where the answer is no; 4 where nothing can run here. */
  readonly exit?: 0 | 1 | 4
}

export interface Command<S extends OptionSpecs = OptionSpecs> {
  readonly name: string
  readonly summary: string
  readonly positionals: Positionals
  readonly options: S
  /** Command lines worth copying. */
  readonly examples: readonly string[]
  /** Paragraphs after the options. */
  readonly notes?: readonly string[]
  run(args: readonly string[], options: OptionValues<S>, context: Context): Promise<Answer>
}

/** Keeps the types of the options for `run`, and forgets them for those who only parse and show. */
export function defineCommand<const S extends OptionSpecs>(command: Command<S>): Command {
  return command as unknown as Command
}

/** Understood by every command. */
export const COMMON_OPTIONS = {
  json: { kind: 'flag', doc: 'print one JSON document, also for errors' },
  quiet: { kind: 'flag', short: 'q', doc: 'no progress' },
  help: { kind: 'flag', short: 'h', doc: 'show this help' },
} as const satisfies OptionSpecs
