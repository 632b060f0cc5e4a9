/**
 * Text to models. The grammar, with NAME a bare word or a quoted string and NOTE an @annotation of what precedes it:
 *
 *     model    = "model" "ir" INT fields NOTE* opset* graph function*
 *     graph    = "graph" STRING "(" sign,* ")" "->" "(" sign,* ")" "{" line* "}" NOTE*     sign = NAME [":" type NOTE*]
 *     line     = "const" NAME "=" tensor | "sparse" NAME "=" sparse | "value" NAME ":" type NOTE* | quant | node
 *     node     = [NAME ":"] [NAME,* "="] [NAME "::"] NAME ["!" NAME] ["<" attr,* ">"] "(" NAME,* ")" NOTE*
 *     attr     = NAME "=" ["ref" NAME] value        tensor = DTYPE "[" INT,* "]" ("[" element,* "]" | x"hex") NOTE*
 *     function = "function" [NAME "::"] NAME ["!" NAME] ["<" (NAME | attr),* ">"] signature "{" opset* line* "}" NOTE*
 */

import { PareError } from '../../util/errors.js'
import { MAX_GRAPH_DEPTH } from '../check.js'
import { stringTensor } from '../tensor.js'
import type { Attr, DType, Func, Graph, Model, Node, QuantAnnotation, SparseTensor, Tensor, Value } from '../types.js'
import { readNumber, tensorOfHex, tensorOfNumbers } from './data.js'
import { hexBytes, type Lexer, lexer } from './lex.js'
import { notesParser } from './notes.js'
import { typeParser } from './type.js'

/**
 * Reads what `printModel` wrote in full. Throws `TEXT_SYNTAX` with line and column, `TENSOR_SIZE`. Does not check the
 * graph: `checkModel` does.
 */
export function parseModel(text: string, where = 'text'): Model {
  const lex = lexer(text, where)
  const p = parser(lex)
  const model = p.model()
  if (lex.peek().kind !== 'end') throw lex.fail('the end')
  return model
}

/** Reads what `printGraph` wrote. Throws as `parseModel`. */
export function parseGraph(text: string, where = 'text'): Graph {
  const lex = lexer(text, where)
  const graph = parser(lex).graph(1)
  if (lex.peek().kind !== 'end') throw lex.fail('the end')
  return graph
}

function parser(lex: Lexer) {
  const notes = notesParser(lex)
  const { string, integer } = lex
  const { type, dtype, name, listed } = typeParser(lex, notes)

  /** The name of a value; `_` stands for none. */
  const valueName = (): string => (lex.take('_') ? '' : name())

  const model = (): Model => {
    lex.expect('model')
    lex.expect('ir')
    const irVersion = integer()
    const producer = lex.take('producer') ? { name: string(), version: string() } : { name: '', version: '' }
    const domain = lex.take('domain') ? string() : ''
    const version = lex.take('version') ? bigint() : 0n
    const carried = notes.common()
    return {
      irVersion,
      producer,
      domain,
      version,
      opsets: opsets(),
      graph: graph(1),
      functions: functions(),
      ...carried,
      metadata: carried.metadata ?? new Map(),
    }
  }

  const bigint = (): bigint => {
    const token = lex.peek()
    if (token.kind !== 'number' || !/^-?\d+$/.test(token.text)) throw lex.fail('a whole number')
    lex.next()
    return BigInt(token.text)
  }

  const opsets = (): ReadonlyMap<string, number> => {
    const map = new Map<string, number>()
    while (lex.take('opset')) map.set(string(), integer())
    return map
  }

  const functions = (): readonly Func[] => {
    const all: Func[] = []
    while (lex.take('function')) all.push(func())
    return all
  }

  const graph = (depth: number): Graph => {
    if (depth > MAX_GRAPH_DEPTH) throw lex.fail(`graphs nested at most ${MAX_GRAPH_DEPTH} deep`)
    lex.expect('graph')
    const title = string()
    const values = new Map<string, Value>()
    const sign = (): string => {
      const signed = valueName()
      if (lex.take(':')) values.set(signed, type())
      return signed
    }
    const inputs = parenthesized(sign)
    lex.expect('->')
    const outputs = parenthesized(sign)
    const body = lines(depth, values)
    const { sparse, quant, constants, nodes } = body
    return {
      name: title,
      inputs,
      outputs,
      nodes,
      constants,
      ...(sparse.size > 0 && { sparseConstants: sparse }),
      values,
      ...(quant.length > 0 && { quantAnnotations: quant }),
      ...notes.common(),
    }
  }

  const parenthesized = <T>(item: () => T): T[] => {
    lex.expect('(')
    return listed(')', item)
  }

  const lines = (depth: number, values: Map<string, Value>) => {
    const constants = new Map<string, Tensor>()
    const sparse = new Map<string, SparseTensor>()
    const quant: QuantAnnotation[] = []
    const nodes: Node[] = []
    lex.expect('{')
    const versions = opsets()
    while (!lex.take('}')) {
      if (lex.take('const')) once(constants, name(), '=', tensor)
      else if (lex.take('sparse')) once(sparse, name(), '=', sparseTensor)
      else if (lex.take('value')) once(values, name(), ':', type)
      else if (lex.take('quant')) quant.push(quantAnnotation())
      else nodes.push(node(depth))
    }
    return { constants, sparse, quant, nodes, versions }
  }

  const once = <T>(map: Map<string, T>, key: string, mark: string, read: () => T): void => {
    if (map.has(key)) throw lex.fail(`one definition of ${key}`)
    lex.expect(mark)
    map.set(key, read())
  }

  const quantAnnotation = (): QuantAnnotation => {
    const of = name()
    const pairs = parenthesized(() => {
      const key = string()
      lex.expect(':')
      return [key, string()] as const
    })
    return { tensor: of, parameters: new Map(pairs), ...notes.common() }
  }

  const called = () => {
    const first = name()
    const [domain, op] = lex.take('::') ? [first, name()] : ['', first]
    return { domain, op, ...(lex.take('!') && { overload: name() }) }
  }

  const func = (): Func => {
    const { domain, op, overload } = called()
    const attributes: string[] = []
    const defaults: [string, Attr][] = []
    if (lex.take('<')) {
      listed('>', () => {
        const attribute = name()
        if (lex.take('=')) defaults.push([attribute, attr(1)])
        else attributes.push(attribute)
      })
    }
    const inputs = parenthesized(valueName)
    lex.expect('->')
    const outputs = parenthesized(valueName)
    const values = new Map<string, Value>()
    const { nodes, versions } = lines(1, values)
    return {
      name: op,
      domain,
      ...(overload !== undefined && { overload }),
      inputs,
      outputs,
      attributes,
      defaults: Object.fromEntries(defaults),
      opsets: versions,
      nodes,
      values,
      ...notes.common(),
    }
  }

  const node = (depth: number): Node => {
    const label = lex.peek(1).text === ':' && lex.peek(1).kind === 'mark' ? name() : ''
    if (label !== '') lex.expect(':')
    const outputs: string[] = []
    const second = lex.peek(1)
    if (second.kind === 'mark' && (second.text === ',' || second.text === '=')) {
      do outputs.push(valueName())
      while (lex.take(','))
      lex.expect('=')
    }
    const { domain, op, overload } = called()
    const attrs = lex.take('<') ? listed('>', () => assignment(depth)) : []
    return {
      name: label,
      domain,
      op,
      ...(overload !== undefined && { overload }),
      inputs: parenthesized(valueName),
      outputs,
      attrs: Object.fromEntries(attrs),
      ...notes.common(),
    }
  }

  const assignment = (depth: number): readonly [string, Attr] => {
    const attribute = name()
    lex.expect('=')
    return [attribute, attr(depth)]
  }

  const attr = (depth: number): Attr => {
    const ref = lex.take('ref') ? { ref: name() } : {}
    if (!lex.take('(')) return { ...payload(depth), ...ref }
    const inner = payload(depth)
    lex.expect(')')
    return { ...inner, ...ref, ...notes.common() }
  }

  const payload = (depth: number): Attr => {
    const token = lex.peek()
    if (token.kind === 'string' || token.kind === 'hex') return { type: 'string', value: text() }
    if (isNumber()) return isWhole() ? { type: 'int', value: bigint() } : { type: 'float', value: number() }
    if (lex.take('[')) return list()
    if (token.kind === 'word' && lex.peek(1).text === '[') {
      const lists: Readonly<Record<string, (() => Attr) | undefined>> = {
        floats: () => ({ type: 'floats', value: listed(']', number) }),
        ints: () => ({ type: 'ints', value: listed(']', bigint) }),
        strings: () => ({ type: 'strings', value: listed(']', text) }),
        tensors: () => ({ type: 'tensors', value: listed(']', tensor) }),
        graphs: () => ({ type: 'graphs', value: listed(']', () => graph(depth + 1)) }),
        sparses: () => ({ type: 'sparses', value: listed(']', sparseTensor) }),
        types: () => ({ type: 'types', value: listed(']', type) }),
      }
      const read = Object.hasOwn(lists, token.text) ? lists[token.text] : undefined
      if (read !== undefined) {
        lex.next()
        lex.expect('[')
        return read()
      }
    }
    if (token.kind === 'word' && token.text === 'graph') return { type: 'graph', value: graph(depth + 1) }
    if (lex.take('sparse')) return { type: 'sparse', value: sparseTensor() }
    if (lex.take('type')) return { type: 'type', value: type() }
    if (lex.take('none')) return { type: 'undefined', ...(lex.peek().kind === 'number' && { code: integer() }) }
    return { type: 'tensor', value: tensor() }
  }

  const isNumber = (): boolean => {
    const { kind, text: shown } = lex.peek()
    return kind === 'number' || (kind === 'word' && (shown === 'nan' || shown === 'inf'))
  }

  const isWhole = (): boolean => lex.peek().kind === 'number' && /^-?\d+$/.test(lex.peek().text)

  /** A 32-bit float, as attributes have them. */
  const number = (): number => {
    if (!isNumber()) throw lex.fail('a number')
    return Math.fround(readNumber(lex.next().text))
  }

  const text = (): Uint8Array => {
    const token = lex.peek()
    if (token.kind !== 'string' && token.kind !== 'hex') throw lex.fail('a string or x"..."')
    lex.next()
    return token.kind === 'hex' ? hexBytes(token) : new TextEncoder().encode(token.text)
  }

  /** A list whose first element tells what it holds. */
  const list = (): Attr => {
    if (!isNumber()) return { type: 'strings', value: listed(']', text) }
    if (isWhole()) return { type: 'ints', value: listed(']', bigint) }
    return { type: 'floats', value: listed(']', number) }
  }

  const dims = (): number[] => {
    lex.expect('[')
    return listed(']', integer)
  }

  const tensor = (): Tensor => {
    const elements = dtype()
    const shape = dims()
    const data = tensorData(elements, shape)
    return { ...notes.named(), ...data, ...notes.common() }
  }

  const tensorData = (elements: DType, shape: readonly number[]): Tensor => {
    const token = lex.peek()
    if (token.kind === 'hex') return tensorOfHex(elements, shape, lex.next().text)
    lex.expect('[')
    if (elements === 'string') return stringTensor(shape, listed(']', text))
    const texts = listed(']', () => {
      if (!isNumber()) throw lex.fail('a number')
      return lex.next().text
    })
    try {
      const made = tensorOfNumbers(elements, shape, texts)
      if (made !== null) return made
    } catch (error) {
      if (error instanceof PareError) throw error
    }
    throw lex.fail(`numbers of type ${elements} before`)
  }

  const sparseTensor = (): SparseTensor => {
    const shape = dims()
    lex.expect('(')
    const values = tensor()
    lex.expect(',')
    const indices = tensor()
    lex.expect(')')
    return { values, indices, shape, ...notes.common() }
  }

  return { model, graph }
}
