/** Markdown for measurements: tables, and a heading that names the machine, the versions and the day. */

import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  /** The instruction sets that decide the speed of integer and float kernels; empty where the system does not list them. */
  readonly features: readonly string[]
}

export interface Report {
  readonly title: string
  /** Paragraphs above the first table. */
  readonly about: readonly string[]
  readonly versions: Readonly<Record<string, string>>
  readonly sections: readonly { readonly heading?: string; readonly text?: string; readonly table?: string }[]
}

const FEATURES = /^(avx2|avx512f|avx512_vnni|avx_vnni|avx512_bf16|amx_int8|amx_tile|asimddp|i8mm|sve)$/

/** The machine that this process runs on. */
export function machine(): Machine {
  const list = cpus()
  return {
    cpu: list[0]?.model.trim() ?? 'unknown',
    cores: list.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    features: flags().filter((flag) => FEATURES.test(flag)),
  }
}

/** A table. Columns whose every cell is a number, with or without a unit, are aligned right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')))
  const isNumeric = header.map(
    (_, i) => cells.length > 0 && cells.every((row) => /^[-+]?[\d.,]*\S?%?$/.test(row[i] ?? '')),
  )
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`
  return [line(header), line(isNumeric.map((right) => (right ? '--:' : '---'))), ...cells.map(line)].join('\n')
}

/** The whole document as text. */
export function markdown(report: Report, date: Date = new Date()): string {
  const { cpu, cores, memoryGiB, features } = machine()
  const versions = Object.entries({ node: process.versions.node, ...report.versions })
  const facts = [
    `Machine: ${cpu}, ${cores} cores, ${memoryGiB} GiB${features.length > 0 ? `, ${features.join(', ')}` : ''}.`,
    `Versions: ${versions.map(([name, version]) => `${name} ${version}`).join(', ')}.`,
    `Date: ${date.toISOString().slice(0, 10)}.`,
  ]
  const sections = report.sections.flatMap(({ heading, text, table: rows }) => [
    ...(heading === undefined ? [] : [`## ${heading}`]),
    ...(text === undefined ? [] : [text]),
    ...(rows === undefined ? [] : [rows]),
  ])
  return `${[`# ${report.title}`, ...report.about, facts.join(' '), ...sections].join('\n\n')}\n`
}

/** Writes the document to a file. */
export function writeReport(path: string, report: Report): void {
  writeFileSync(path, markdown(report))
}

/** The CPU's feature flags as Linux lists them. */
function flags(): string[] {
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))
    return line?.[1]?.split(' ') ?? []
  } catch {
    return []
  }
}
