/**
 * Writes docs/ops.md: every op record, and what it says. `npx tsx scripts/op-table.ts`; a test fails where the file
 * is not what this gives.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OpDef, QuantRule } from '../src/ops/def.js'
import { FAMILIES } from '../src/ops/index.js'
import { noMacs } from '../src/ops/make.js'

export const OP_TABLE_PATH = join(import.meta.dirname, '../docs/ops.md')

const INTRO = `# Operators

Made by \`scripts/op-table.ts\` from the records in \`src/ops/\`. An op that is not listed is carried along untouched,
and \`pare inspect\` names it.

- **since**: the first version of the op's domain that has it.
- **MACs**: multiply-accumulate operations. \`counted\` follows from the shapes; \`0\` is an op that only moves or maps
  elements; \`body\` counts its subgraphs as often as they run; \`–\` is an op for which no convention counts.
- **quantization**: \`weighted\` is a product with a weight (the inputs that may be one, and that of the bias),
  \`move\` rearranges elements and keeps their grid, \`map\` is other arithmetic; \`–\` is left as it is.
- **gradient**: \`yes\` has one, \`flat\` is constant between its jumps, so that nothing flows back; \`–\` has none here.
- **axes**: \`yes\` knows which indices along its axes go together, so that pruning can make them fewer; \`–\` keeps
  the sizes of all that it reads and makes.
`

/** The whole page. Types and shapes are inferred for every op listed. */
export function opTable(): string {
  const count = Object.values(FAMILIES).flat().length
  const sections = Object.entries(FAMILIES).map(([family, records]) => section(family, records))
  return `${INTRO}\nTypes and shapes of all ${count} are inferred.\n\n${sections.join('\n')}`
}

function section(family: string, records: readonly OpDef[]): string {
  const rows = [...records].sort((a, b) => (label(a) < label(b) ? -1 : 1)).map(row)
  return [
    `## ${family}`,
    '',
    '| op | since | MACs | quantization | gradient | axes |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

const label = ({ domain, op }: OpDef): string => (domain === '' ? op : `${domain}.${op}`)

const row = (def: OpDef): string =>
  `| ${label(def)} | ${def.since} | ${cost(def)} | ${quant(def, def.quant)} | ${gradient(def)} | ${def.axes === 'none' ? '–' : 'yes'} |`

function cost(def: OpDef): string {
  if (def.runs !== undefined) return 'body'
  return def.cost === 'none' ? '–' : def.cost === noMacs ? '0' : 'counted'
}

const gradient = ({ grad }: OpDef): string => (grad === 'none' ? '–' : grad === 'flat' ? 'flat' : 'yes')

function quant(def: OpDef, rule: QuantRule | 'none'): string {
  if (rule === 'none') return '–'
  if (rule.kind !== 'weighted') return rule.kind
  const name = (i: number): string => def.schema.inputs[i]?.name ?? String(i)
  const bias = rule.bias === undefined ? '' : `, bias ${name(rule.bias)}`
  return `weighted: ${rule.weights.map(name).join(', ')}${bias}`
}

if (import.meta.filename === process.argv[1]) writeFileSync(OP_TABLE_PATH, opTable())
