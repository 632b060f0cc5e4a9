/** Models as text. The grammar is that of `parse.ts`; what a model carries besides its meaning follows as @notes. */

import type {
  Annotated,
  Attr,
  Dim,
  Func,
  Graph,
  Model,
  Node,
  SparseTensor,
  Tensor,
  TypeUnknown,
  UnknownField,
  Value,
} from '../types.js'
import { bytesText, dataText, floatText, hexText, labelText, nameText, quote } from './data.js'

interface PrintOptions {
  /**
   * `full` (default) can be parsed back. `summary` shows a hash in place of large data, for reading and comparing;
   * it loads the data all the same.
   */
  readonly weights?: 'full' | 'summary'
}

/** The text form of a model; equal models have equal texts. */
export function printModel(model: Model, { weights = 'full' }: PrintOptions = {}): string {
  const p = printer(weights === 'summary')
  return `${p.model(model)}\n`
}

/** The text form of a single graph. */
export function printGraph(graph: Graph, { weights = 'full' }: PrintOptions = {}): string {
  return `${printer(weights === 'summary').graph(graph, '')}\n`
}

const list = (items: readonly string[]): string => items.join(', ')
const valueName = (name: string): string => (name === '' ? '_' : nameText(name))

function printer(summary: boolean) {
  const model = (m: Model): string => {
    const head = [
      `model ir ${m.irVersion}`,
      m.producer.name === '' && m.producer.version === ''
        ? ''
        : ` producer ${quote(m.producer.name)} ${quote(m.producer.version)}`,
      m.domain === '' ? '' : ` domain ${quote(m.domain)}`,
      m.version === 0n ? '' : ` version ${m.version}`,
      notes(m),
    ]
    return [head.join(''), ...opsets(m.opsets), graph(m.graph, ''), ...m.functions.map(func)].join('\n')
  }

  const opsets = (map: ReadonlyMap<string, number>): string[] =>
    [...map].map(([domain, version]) => `opset ${quote(domain)} ${version}`)

  const graph = (g: Graph, indent: string): string => {
    const signed = new Set<string>()
    const sign = (name: string): string => {
      const value = signed.has(name) ? undefined : g.values.get(name)
      signed.add(name)
      return valueName(name) + (value === undefined ? '' : `: ${type(value)}${notes(value)}`)
    }
    const inputs = g.inputs.map(sign)
    const outputs = g.outputs.map(sign)
    const lines = [
      ...[...g.constants].map(([name, t]) => `const ${nameText(name)} = ${tensor(t)}`),
      ...[...(g.sparseConstants ?? [])].map(([name, s]) => `sparse ${nameText(name)} = ${sparse(s)}`),
      ...[...g.values].filter(([name]) => !signed.has(name)).map(known),
      ...(g.quantAnnotations ?? []).map(
        (q) =>
          `quant ${nameText(q.tensor)} (${list([...q.parameters].map(([k, v]) => `${quote(k)}: ${quote(v)}`))})${notes(q)}`,
      ),
      ...g.nodes.map((n) => node(n, `${indent}  `)),
    ]
    return `graph ${quote(g.name)} (${list(inputs)}) -> (${list(outputs)}) ${block(lines, indent)}${notes(g)}`
  }

  const known = ([name, value]: readonly [string, Value]): string =>
    `value ${nameText(name)}: ${type(value)}${notes(value)}`

  const block = (lines: readonly string[], indent: string): string =>
    lines.length === 0 ? '{}' : `{\n${lines.map((line) => `${indent}  ${line}\n`).join('')}${indent}}`

  const func = (f: Func): string => {
    const lines = [...opsets(f.opsets), ...[...f.values].map(known), ...f.nodes.map((n) => node(n, '  '))]
    const attributes = [...f.attributes.map(labelText), ...attrs(f.defaults, '')]
    const shown = attributes.length === 0 ? '' : `<${list(attributes)}>`
    const signature = `(${list(f.inputs.map(valueName))}) -> (${list(f.outputs.map(valueName))})`
    return `function ${called(f.domain, f.name, f.overload)}${shown}${signature} ${block(lines, '')}${notes(f)}`
  }

  const called = (domain: string, op: string, overload: string | undefined): string =>
    `${domain === '' ? '' : `${nameText(domain)}::`}${nameText(op)}${overload === undefined ? '' : `!${nameText(overload)}`}`

  const node = (n: Node, indent: string): string => {
    const label = n.name === '' ? '' : `${nameText(n.name)}: `
    const outputs = n.outputs.length === 0 ? '' : `${list(n.outputs.map(valueName))} = `
    const given = attrs(n.attrs, indent)
    const shown = given.length === 0 ? '' : `<${list(given)}>`
    return `${label}${outputs}${called(n.domain, n.op, n.overload)}${shown}(${list(n.inputs.map(valueName))})${notes(n)}`
  }

  const attrs = (all: Readonly<Record<string, Attr>>, indent: string): string[] =>
    Object.entries(all).map(([name, a]) => {
      const own = notes(a)
      const value = attr(a, indent)
      // Parentheses tell the attribute's notes from those of the tensor or graph in it.
      const shown = own === '' ? value : `(${value})${own}`
      return `${labelText(name)} = ${a.ref === undefined ? '' : `ref ${labelText(a.ref)} `}${shown}`
    })

  const attr = (a: Attr, indent: string): string => {
    switch (a.type) {
      case 'float':
        return floatText(a.value)
      case 'int':
        return String(a.value)
      case 'string':
        return bytesText(a.value)
      case 'tensor':
        return tensor(a.value)
      case 'graph':
        return graph(a.value, indent)
      case 'sparse':
        return `sparse ${sparse(a.value)}`
      case 'type':
        return `type ${type(a.value)}${notes(a.value)}`
      case 'floats':
        return `${a.value.length === 0 ? 'floats' : ''}[${list(a.value.map(floatText))}]`
      case 'ints':
        return `${a.value.length === 0 ? 'ints' : ''}[${list(a.value.map(String))}]`
      case 'strings':
        return `${a.value.length === 0 ? 'strings' : ''}[${list(a.value.map(bytesText))}]`
      case 'tensors':
        return `tensors[${list(a.value.map(tensor))}]`
      case 'graphs':
        return `graphs[${list(a.value.map((g) => graph(g, indent)))}]`
      case 'sparses':
        return `sparses[${list(a.value.map(sparse))}]`
      case 'types':
        return `types[${list(a.value.map((t) => type(t) + notes(t)))}]`
      case 'undefined':
        return a.code === undefined ? 'none' : `none ${a.code}`
    }
  }

  const tensor = (t: Tensor): string =>
    `${t.dtype}[${list(t.shape.map(String))}] ${dataText(t, summary)}${t.name === undefined ? '' : ` @name(${quote(t.name)})`}${notes(t)}`

  const sparse = (s: SparseTensor): string =>
    `[${list(s.shape.map(String))}] (${tensor(s.values)}, ${tensor(s.indices)})${notes(s)}`

  return { model, graph }
}

function type(value: Value): string {
  const denotation = value.denotation === undefined ? '' : ` @denotation(${quote(value.denotation)})`
  return `${bareType(value)}${denotation}${typeNotes(value.typeUnknown)}`
}

function bareType(value: Value): string {
  switch (value.kind) {
    case 'tensor':
      return tensorType(value.dtype, value.shape, value.denotations)
    case 'sparse':
      return `sparse(${tensorType(value.dtype, value.shape, value.denotations)})`
    case 'sequence':
    case 'optional':
      return `${value.kind}(${type(value.element)}${notes(value.element)})`
    case 'map':
      return `map(${value.key}, ${type(value.element)}${notes(value.element)})`
    case 'opaque':
      return `opaque(${quote(value.domain)}, ${quote(value.name)})`
    case 'untyped':
      return '?'
  }
}

function tensorType(dtype: string, shape: readonly Dim[] | null, denotations: readonly string[] | undefined): string {
  if (shape === null) return dtype
  const dims = shape.map((d) => (d === null ? '?' : typeof d === 'number' ? String(d) : nameText(d)))
  const meant = denotations === undefined || denotations.length === 0 ? '' : ` @dims(${list(denotations.map(quote))})`
  return `${dtype}[${list(dims)}]${meant}`
}

function notes({ doc, metadata, unknown }: Annotated): string {
  return [
    doc === undefined ? '' : ` @doc(${quote(doc)})`,
    ...[...(metadata ?? [])].map(([k, v]) => ` @meta(${quote(k)}, ${quote(v)})`),
    ...(unknown ?? []).map((u) => ` @unknown(${field(u)})`),
  ].join('')
}

const field = ({ no, wireType, data }: UnknownField): string => `${no}, ${wireType}, ${hexText(data)}`

const typeNotes = (unknown: TypeUnknown | undefined): string =>
  unknown === undefined
    ? ''
    : [
        ...(unknown.type ?? []).map((u) => ` @type(${field(u)})`),
        ...(unknown.kind ?? []).map((u) => ` @kind(${field(u)})`),
        ...(unknown.shape ?? []).map((u) => ` @shape(${field(u)})`),
        ...[...(unknown.dims ?? [])].flatMap(([i, fields]) => fields.map((u) => ` @dim(${i}, ${field(u)})`)),
      ].join('')
