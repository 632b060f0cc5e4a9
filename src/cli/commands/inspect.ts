/** `pare inspect`: what is in a model and what is heavy. Loads no engine and no weights. */

import type { Inspection, LayerRow, ValueRow } from '../../passes/inspect.js'
import { bytes, count, percent } from '../../util/format.js'
import { type Context, defineCommand } from '../command.js'
import { shapesOf } from '../feeds.js'
import { SHAPE_OPTION } from '../inputs.js'
import { facts, table } from '../table.js'
import { safeLine, styled, wrap } from '../terminal.js'

const TOP = 12

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'Show what is in a model and what is heavy',
  positionals: { names: ['model'], min: 1, max: 1 },
  options: {
    all: { kind: 'flag', doc: 'a row for every layer, in the order of the file' },
    ...SHAPE_OPTION,
  },
  examples: [
    'pare inspect model.onnx',
    'pare inspect model.onnx --all --shape batch=1,seq=128',
    'pare inspect model.onnx --json',
  ],
  notes: [
    'MACs are the multiplications of one run. Open dimensions count as 1 unless --shape fixes them. A weight that several layers share counts once, at the first.',
  ],
  async run([path], { all, shape }, context) {
    const [{ readModel }, { modelBytes }, { inspectModel }, { withShapes }, shapes] = await Promise.all([
      import('../../onnx/files.js'),
      import('../models.js'),
      import('../../passes/inspect.js'),
      import('../../passes/with-shapes.js'),
      shapesOf(shape),
    ])
    const model = await readModel(path!)
    const size = await modelBytes(path!, model)
    const found = inspectModel(withShapes(model, shapes), { ...(size !== null && { fileBytes: size }), top: TOP })
    return { text: shown(path!, found, all, context), json: found }
  },
})

function shown(path: string, found: Inspection, all: boolean, { terminal }: Context): string {
  const rows = all ? found.layers : heaviest(found)
  const hidden = found.layers.length - rows.length
  const title = all
    ? 'Layers'
    : hidden > 0
      ? `Heaviest layers (${rows.length} of ${found.layers.length}; --all shows them all)`
      : 'Layers, the heaviest first'
  const opsets = Object.entries(found.opsets).map(([domain, version]) =>
    domain === '' ? String(version) : `${domain} ${version}`,
  )
  const assumed = Object.entries(found.assumed).map(([name, size]) => `${name}=${size}`)
  const unknown = found.unknownMacs.filter((u) => u.why !== 'no convention counts it')
  const ops = Object.entries(found.ops).map(([op, n]) => `${op} ${n}`)
  const paragraph = (text: string): string => wrap(safeLine(text), Math.min(100, terminal.columns), '  ')
  return [
    facts(
      [
        ['model', path],
        [
          'size',
          `${found.fileBytes === null ? 'unknown' : bytes(found.fileBytes)}, of which weights ${bytes(found.weightBytes)}`,
        ],
        ['made by', `${found.producer || 'unknown'}; opset ${opsets.join(', ')}; IR version ${found.irVersion}`],
        ...interfaceLines('input', found.inputs),
        ...interfaceLines('output', found.outputs),
        ['nodes', String(found.nodes)],
        ['parameters', count(found.parameters)],
        [
          'MACs',
          `${count(found.macs)}${assumed.length > 0 ? ` with ${assumed.join(', ')}` : ''}${unknown.length > 0 ? `, and ${unknown.length} nodes of unknown cost` : ''}`,
        ],
      ],
      terminal,
    ),
    '',
    ...(rows.length > 0
      ? [styled(terminal, 'bold', title), layerTable(rows, terminal)]
      : ['No layer has weights or costs products.']),
    '',
    ...(ops.length > 0 ? [paragraph(`Ops: ${ops.join(', ')}.`)] : []),
    ...(found.unknownOps.length > 0
      ? [paragraph(`Carried along as they are, unknown to pare: ${found.unknownOps.join(', ')}.`)]
      : []),
    ...found.problems.map((p) => paragraph(`Problem: ${p}`)),
    ...Object.entries(found.branchProblems).map(([name, all]) =>
      paragraph(
        `Note: in a branch of ${name}, ${all.length === 1 ? 'a node does' : `${all.length} nodes do`} not fit these shapes. Inputs of these shapes may never take it; --json lists what does not fit.`,
      ),
    ),
  ].join('\n')
}

function interfaceLines(kind: string, rows: readonly ValueRow[]): readonly (readonly [string, string])[] {
  return rows.map((row, i) => [
    i === 0 ? `${kind}${rows.length > 1 ? 's' : ''}` : '',
    `${row.name}  ${row.type} ${shapeText(row)}`,
  ])
}

const shapeText = ({ shape }: ValueRow): string =>
  shape === null ? 'of unknown shape' : `[${shape.map((d) => d ?? '?').join(', ')}]`

/** The layers that make up most of the products or of the bytes, whichever of a layer's two shares is larger. */
function heaviest(found: Inspection): readonly LayerRow[] {
  const weight = (row: LayerRow): number => Math.max(row.macShare ?? 0, row.byteShare)
  return [...found.layers].sort((a, b) => weight(b) - weight(a)).slice(0, TOP)
}

function layerTable(rows: readonly LayerRow[], terminal: Context['terminal']): string {
  return table(
    [
      { title: 'layer', shrinkTo: 16 },
      { title: 'op', shrinkTo: 10 },
      { title: 'output', shrinkTo: 12 },
      { title: 'params', align: 'right' },
      { title: 'bytes', align: 'right' },
      { title: '%', align: 'right' },
      { title: 'MACs', align: 'right' },
      { title: '%', align: 'right' },
    ],
    rows.map((r) => [
      [...r.path, r.name].join('/'),
      r.op,
      r.output?.shape ? r.output.shape.map((d) => d ?? '?').join('x') : '',
      count(r.parameters),
      bytes(r.bytes),
      share(r.byteShare),
      r.macs === null ? '?' : count(r.macs),
      r.macShare === null ? '' : share(r.macShare),
    ]),
    terminal,
  )
}

const share = (fraction: number): string => percent(fraction, 1).replace(' %', '')
