/** The @notes of the text form: documentation, metadata, names, fields of later versions of the file format. */

import type { Annotated, TypeUnknown, UnknownField } from '../types.js'
import { hexBytes, type Lexer } from './lex.js'

export interface NotesParser {
  /** @doc, @meta, @unknown, in any order and number. */
  common(): Annotated
  /** @name */
  named(): { readonly name?: string }
  /** @dims */
  dims(): { readonly denotations?: readonly string[] }
  /** @denotation, and unknown fields inside a type. */
  type(): { readonly denotation?: string; readonly typeUnknown?: TypeUnknown }
}

export function notesParser(lex: Lexer): NotesParser {
  /** Takes `@word(` for one of these words. */
  const open = (...words: readonly string[]): string | undefined => {
    if (lex.peek().text !== '@' || lex.peek().kind !== 'mark') return undefined
    const word = lex.peek(1).text
    if (!words.includes(word)) return undefined
    lex.next()
    lex.next()
    lex.expect('(')
    return word
  }
  const { string, integer } = lex
  const field = (): UnknownField => {
    const no = integer()
    lex.expect(',')
    const wireType = integer()
    lex.expect(',')
    if (lex.peek().kind !== 'hex') throw lex.fail('x"..."')
    return { no, wireType, data: hexBytes(lex.next()) }
  }
  const closed = <T>(value: T): T => {
    lex.expect(')')
    return value
  }

  return {
    common() {
      let doc: string | undefined
      const metadata = new Map<string, string>()
      const unknown: UnknownField[] = []
      for (let word = open('doc', 'meta', 'unknown'); word !== undefined; word = open('doc', 'meta', 'unknown')) {
        if (word === 'doc') doc = string()
        else if (word === 'unknown') unknown.push(field())
        else {
          const key = string()
          lex.expect(',')
          metadata.set(key, string())
        }
        lex.expect(')')
      }
      return {
        ...(doc !== undefined && { doc }),
        ...(metadata.size > 0 && { metadata }),
        ...(unknown.length > 0 && { unknown }),
      }
    },
    named: () => (open('name') === undefined ? {} : { name: closed(string()) }),
    dims() {
      if (open('dims') === undefined) return {}
      const denotations: string[] = []
      do denotations.push(string())
      while (lex.take(','))
      return closed({ denotations })
    },
    type() {
      const denotation = open('denotation') === undefined ? undefined : closed(string())
      const parts: Record<'type' | 'kind' | 'shape', UnknownField[]> = { type: [], kind: [], shape: [] }
      const dims = new Map<number, UnknownField[]>()
      for (;;) {
        const word = open('type', 'kind', 'shape', 'dim')
        if (word === undefined) break
        if (word === 'dim') {
          const i = integer()
          lex.expect(',')
          dims.set(i, [...(dims.get(i) ?? []), field()])
        } else parts[word as 'type' | 'kind' | 'shape'].push(field())
        lex.expect(')')
      }
      const { type, kind, shape } = parts
      const some = type.length + kind.length + shape.length + dims.size > 0
      const typeUnknown: TypeUnknown = {
        ...(type.length > 0 && { type }),
        ...(kind.length > 0 && { kind }),
        ...(shape.length > 0 && { shape }),
        ...(dims.size > 0 && { dims }),
      }
      return { ...(denotation !== undefined && { denotation }), ...(some && { typeUnknown }) }
    },
  }
}
