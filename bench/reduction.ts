/**
 * `npm run bench:reduction -- PYTHON [PACKAGES] [--only NAME] [--threads 2]`: components, maps and information here and in
 * other tools, turn by turn, a fresh process each time; writes bench/reduction.md where all is measured. PYTHON has
 * scikit-learn and openTSNE; PACKAGES is a folder in which `npm install @saehrimnir/druidjs ml-pca` was run.
 */

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { markdown, type Report, writeReport } from './markdown.js'
import { chainedSection } from './reduction/chained.js'
import { componentContests } from './reduction/components.js'
import { type Contest, held, type Peers, type Section } from './reduction/contest.js'
import { browserSection } from './reduction/in-browser.js'
import { informationContests } from './reduction/information.js'
import { mapContests } from './reduction/maps.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: 'string', default: '2' }, only: { type: 'string' } },
})
const [python, packages = null] = positionals
if (python === undefined) {
  console.error('usage: npm run bench:reduction -- PYTHON [PACKAGES] [--only NAME] [--threads 2]')
  process.exit(2)
}
const { threads, only } = values
const variables = Object.fromEntries(
  ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'].map((name) => [name, threads]),
)
const isAsked = (name: string): boolean => only === undefined || name.includes(only)

const peers: Peers = { python, packages, threads }
const contests: readonly Contest[] = [...componentContests(peers), ...mapContests(peers), ...informationContests(peers)]
const sections: Section[] = []
const versions: Record<string, string> = {}
for (const contest of contests.filter(({ name }) => isAsked(name))) {
  const found = await held(contest, variables)
  sections.push(found.section)
  Object.assign(versions, found.versions)
}
if (isAsked('browser')) {
  const section = await browserSection(threads)
  if (section !== null) sections.push(section)
}
if (isAsked('chain')) sections.push(await chainedSection(threads, join(import.meta.dirname, 'reduction-chain.svg')))

const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
const report: Report = {
  title: 'Time of reduction',
  about: [
    `The same data for all tools, ${threads} threads, the tools by turns in fresh processes; seconds of the work alone, without the start of the process and reading of data. Medians. "Peak" is all that the process ever held.`,
  ],
  versions: { 'onnxruntime-node': runtime.version, ...versions },
  sections,
}
if (only === undefined) writeReport(join(import.meta.dirname, 'reduction.md'), report)
else console.log(markdown(report))
