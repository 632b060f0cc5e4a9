/** Tools that do the same work on the same data, by turns, a fresh process each time. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { table } from '../markdown.js'
import { median } from '../peers/latency.js'
import { megabytes, run } from '../processes.js'

export interface Peers {
  /** A Python with scikit-learn and openTSNE. */
  readonly python: string
  /** A folder with DruidJS and ml-pca in its `node_modules`; null where there is none. */
  readonly packages: string | null
  readonly threads: string
}

/** A script of this folder, as a program and its arguments. */
export const script = (name: string): [string, ...string[]] => [
  process.execPath,
  ...['--import', 'tsx', join(import.meta.dirname, name)],
]

export interface Tool {
  readonly name: string
  /** The program and its arguments. */
  readonly command: (folder: string, round: number) => readonly [string, ...string[]]
  /** Rounds that it takes part in; default all. */
  readonly rounds?: number
}

/** What a tool tells in its last line. */
export interface Told {
  readonly seconds: number
  readonly version: string
}

export interface Contest {
  readonly name: string
  readonly about: string
  readonly rounds: number
  /** Writes what the tools read into a folder. */
  prepare(folder: string): Promise<void>
  readonly tools: readonly Tool[]
  /** Of what a tool told or left in the folder, by title, in the order of the columns. */
  qualities?(told: Told, folder: string): Promise<Readonly<Record<string, number>>>
  /** How these are written; default with 4 digits after the point. */
  readonly write?: (quality: number) => string
}

interface Measured {
  readonly seconds: number[]
  readonly peaks: number[]
  readonly qualities: Readonly<Record<string, number>>[]
  version: string
}

export interface Section {
  readonly heading: string
  readonly text: string
  readonly table: string
}

/** All rounds, and their medians as a table; `pare` is the first tool. */
export async function held(
  contest: Contest,
  variables: Readonly<Record<string, string>>,
): Promise<{ readonly section: Section; readonly versions: Readonly<Record<string, string>> }> {
  const folder = mkdtempSync(join(tmpdir(), 'pare-reduction-'))
  try {
    await contest.prepare(folder)
    const found = new Map<string, Measured>(
      contest.tools.map(({ name }) => [name, { seconds: [], peaks: [], qualities: [], version: '' }]),
    )
    for (let round = 0; round < contest.rounds; round++)
      for (const { name, command, rounds = contest.rounds } of contest.tools) {
        if (round >= rounds) continue
        const [program, ...script] = command(folder, round)
        const { stdout, peakBytes } = await run(program, script, variables)
        const told = JSON.parse(stdout.trim().split('\n').at(-1)!) as Told
        const own = found.get(name)!
        own.seconds.push(told.seconds)
        if (peakBytes !== null) own.peaks.push(peakBytes)
        own.version = told.version
        if (contest.qualities) own.qualities.push(await contest.qualities(told, folder))
        console.log(contest.name, name, told.seconds.toFixed(2), JSON.stringify(own.qualities.at(-1) ?? {}))
      }
    return {
      section: { heading: contest.name, text: contest.about, table: tableOf(contest, found) },
      versions: Object.fromEntries([...found].map(([name, { version }]) => [name.split(',')[0]!, version])),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function tableOf({ write = (v) => v.toFixed(4) }: Contest, found: ReadonlyMap<string, Measured>): string {
  const own = median([...found.values()][0]!.seconds)
  const titles = Object.keys([...found.values()].find(({ qualities }) => qualities.length > 0)?.qualities[0] ?? {})
  const rows = [...found].map(([name, { seconds, peaks, qualities }], i) => [
    name,
    median(seconds).toFixed(2),
    i === 0 ? '' : `${(median(seconds) / own).toFixed(1)}x`,
    peaks.length === 0 ? '' : megabytes(median(peaks)),
    seconds.length,
    ...titles.map((title) => write(median(qualities.map((q) => q[title]!)))),
  ])
  return table(['tool', 'seconds', 'its time ÷ ours', 'peak MiB', 'runs', ...titles], rows)
}
