/** Types of values in the text form: `float32[N, 3, ?]`, `sequence(int64)`, `map(string, float32[])`, `?`. */

import { isKnownDType } from '../dtypes.js'
import type { Dim, DType, Value } from '../types.js'
import type { Lexer } from './lex.js'
import type { NotesParser } from './notes.js'

const MAX_DEPTH = 50

export function typeParser(lex: Lexer, notes: NotesParser) {
  const name = (): string => {
    const token = lex.peek()
    if (token.kind !== 'word' && token.kind !== 'string') throw lex.fail('a name')
    return lex.next().text
  }
  const { string, integer } = lex
  /** Items separated by commas, up to a closing mark, which is taken. */
  const listed = <T>(close: string, item: () => T): T[] => {
    const items: T[] = []
    if (lex.take(close)) return items
    do items.push(item())
    while (lex.take(','))
    lex.expect(close)
    return items
  }

  const dtype = (): DType => {
    const { kind, text } = lex.peek()
    const fits =
      kind === 'code' ? /^#-?\d+$/.test(text) : kind === 'word' && (isKnownDType(text as DType) || text === 'undefined')
    if (!fits) throw lex.fail('an element type')
    return lex.next().text as DType
  }

  const dim = (): Dim => (lex.take('?') ? null : lex.peek().kind === 'number' ? integer() : name())

  const tensor = <K extends 'tensor' | 'sparse'>(kind: K) => {
    const elements = dtype()
    if (!lex.take('[')) return { kind, dtype: elements, shape: null }
    return { kind, dtype: elements, shape: listed(']', dim), ...notes.dims() }
  }

  const bare = (depth: number): Value => {
    if (depth > MAX_DEPTH) throw lex.fail(`types nested at most ${MAX_DEPTH} deep`)
    if (lex.take('?')) return { kind: 'untyped' }
    const word = lex.peek().text
    if (lex.peek(1).text !== '(' || !['sparse', 'sequence', 'optional', 'map', 'opaque'].includes(word)) {
      return tensor('tensor')
    }
    lex.next()
    lex.next()
    const value = inParentheses(word, depth)
    lex.expect(')')
    return value
  }

  const inParentheses = (word: string, depth: number): Value => {
    if (word === 'sparse') return tensor('sparse')
    if (word === 'sequence' || word === 'optional') return { kind: word, element: type(depth + 1) }
    const first = word === 'map' ? dtype() : string()
    lex.expect(',')
    return word === 'map'
      ? { kind: 'map', key: first as DType, element: type(depth + 1) }
      : { kind: 'opaque', domain: first, name: string() }
  }

  const type = (depth = 0): Value => ({ ...bare(depth), ...notes.type(), ...notes.common() })

  return { type: () => type(), dtype, name, listed }
}
