/** Tokens of the text form, with their places for messages. */

import { PareError } from '../../util/errors.js'
import { fromHex } from './data.js'

export type TokenKind = 'word' | 'string' | 'hex' | 'number' | 'code' | 'mark' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** A string's content, a hexadecimal literal's digits, else as written. */
  readonly text: string
  readonly at: number
}

const SPACE = /(?:\s+|\/\/[^\n]*)*/y
const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ['hex', /x"(?:[0-9a-f]{2})*"/y],
  ['string', /"(?:[^"\\\n]|\\.)*"/y],
  ['number', /-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?\b|inf(?![\w/.]))/y],
  ['code', /#-?[0-9a-f]+/y],
  ['word', /[A-Za-z_/][A-Za-z0-9_/.]*/y],
  ['mark', /->|::|[()[\]{}<>,:=@!?]/y],
]

/** Reads a text token by token. All failures are `TEXT_SYNTAX`, with line and column. */
export interface Lexer {
  peek(ahead?: number): Token
  next(): Token
  /** Whether this mark or word comes next; it is taken if so. */
  take(text: string): boolean
  expect(text: string): void
  /** The content of the quoted string that comes next. */
  string(): string
  /** The whole number that comes next. */
  integer(): number
  fail(expected: string): PareError
}

export function lexer(source: string, where: string): Lexer {
  const ahead: Token[] = []
  let at = 0

  const scan = (): Token => {
    SPACE.lastIndex = at
    SPACE.exec(source)
    at = Math.max(at, SPACE.lastIndex)
    if (at >= source.length) return { kind: 'end', text: 'the end', at }
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = at
      const match = pattern.exec(source)
      if (match === null) continue
      const token = { kind, text: content(kind, match[0], at), at }
      at = pattern.lastIndex
      return token
    }
    throw failure('a character of the grammar', { kind: 'mark', text: source[at]!, at })
  }

  const content = (kind: TokenKind, text: string, place: number): string => {
    if (kind === 'hex') return text.slice(2, -1)
    if (kind !== 'string') return text
    try {
      return JSON.parse(text) as string
    } catch {
      throw failure('a string with valid escapes', { kind, text, at: place })
    }
  }

  const failure = (expected: string, found: Token): PareError => {
    const before = source.slice(0, found.at).split('\n')
    return new PareError('TEXT_SYNTAX', `expected ${expected}`, {
      where: `${where}:${before.length}:${before.at(-1)!.length + 1}`,
      value: found.text,
      remedy: 'Compare with what printModel writes; a text with hashes in place of weights cannot be read.',
    })
  }

  const peek = (n = 0): Token => {
    while (ahead.length <= n) ahead.push(scan())
    return ahead[n]!
  }
  const next = (): Token => {
    const token = peek()
    ahead.shift()
    return token
  }
  const isPlain = (token: Token, text: string): boolean =>
    token.text === text && (token.kind === 'mark' || token.kind === 'word')
  return {
    peek,
    next,
    take(text) {
      if (!isPlain(peek(), text)) return false
      ahead.shift()
      return true
    },
    expect(text) {
      if (!isPlain(peek(), text)) throw failure(JSON.stringify(text), peek())
      ahead.shift()
    },
    string() {
      if (peek().kind !== 'string') throw failure('a string', peek())
      return next().text
    },
    integer() {
      const n = Number(peek().text)
      if (peek().kind !== 'number' || !Number.isSafeInteger(n)) throw failure('a whole number', peek())
      next()
      return n
    },
    fail: (expected) => failure(expected, peek()),
  }
}

export const hexBytes = (token: Token): Uint8Array => fromHex(token.text)
