/**
 * `npm run bench:large-table -- [PYTHON]`: `pare fit` of a CSV of 20 million rows, and of a small one beside
 * scikit-learn, and `pare reduce` of wide ones; writes bench/large-table.md. The largest file, 3.2 GB, lies in the folder
 * for temporary files meanwhile.
 */

import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { random } from '../src/util/random.js'
import { table, writeReport } from './markdown.js'
import { median } from './peers/latency.js'
import { megabytes, PROGRAM, run } from './processes.js'
import { requiredPath } from './samples/types.js'

const SIZES = [1_000_000, 20_000_000]
const COLUMNS = 20
/** Of the tables of `pare reduce`, and how many components are found. */
const WIDE = { rows: [1_000_000, 2_000_000, 4_000_000], columns: 50, components: 10 }
const ROUNDS = 5
const [python] = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'pare-large-'))

/** Uniform numbers of five decimals, and y = Σ j xⱼ over each third column j, with noise. */
async function writeTable(path: string, rows: number, columns = COLUMNS): Promise<void> {
  const { integer } = random(1)
  const texts = Array.from({ length: 100_000 }, (_, i) => (i / 1e5).toFixed(5))
  const file = createWriteStream(path)
  const names = Array.from({ length: columns - 1 }, (_, j) => `x${j + 1}`)
  let lines = `${names},y\n`
  for (let i = 0; i < rows; i++) {
    let y = 0
    for (let j = 1; j < columns; j++) {
      const at = integer(texts.length)
      if (j % 3 === 0) y += (j * at) / 1e5
      lines += `${texts[at]},`
    }
    lines += `${(y + integer(texts.length) / 1e5).toFixed(5)}\n`
    if (lines.length < 1 << 20 && i < rows - 1) continue
    if (!file.write(lines)) await new Promise<void>((done) => file.once('drain', () => done()))
    lines = ''
  }
  await new Promise<void>((done, fail) => file.on('error', fail).end(() => done()))
}

const fitted = (path: string, target: string) =>
  run(process.execPath, [
    PROGRAM,
    'fit',
    path,
    '--target',
    target,
    '--json',
    '-o',
    join(folder, 'm.onnx'),
    '--report',
    join(folder, 'm.html'),
  ])

const componentsOf = (path: string) =>
  run(process.execPath, [
    PROGRAM,
    'reduce',
    path,
    '--method',
    'pca',
    '--components',
    String(WIDE.components),
    '--json',
    '-o',
    join(folder, 'scores.csv'),
  ])

const large: (string | number)[][] = []
try {
  for (const rows of SIZES) {
    const path = join(folder, `${rows}.csv`)
    await writeTable(path, rows)
    const { seconds, peakBytes } = await fitted(path, 'y')
    large.push([
      rows.toLocaleString('en'),
      megabytes((await stat(path)).size),
      seconds.toFixed(1),
      megabytes(peakBytes),
    ])
    console.log(large.at(-1)!.join('  '))
    await rm(path)
  }
  const reduced: string[][] = []
  for (const rows of WIDE.rows) {
    const path = join(folder, `${rows}.csv`)
    await writeTable(path, rows, WIDE.columns)
    const { peakBytes } = await componentsOf(path)
    const all = 8 * rows * WIDE.columns
    const scores = 8 * rows * WIDE.components
    const sizes = [(await stat(path)).size, all, scores, peakBytes].map(megabytes)
    reduced.push([rows.toLocaleString('en'), ...sizes])
    console.log(reduced.at(-1)!.join('  '))
    await rm(path)
  }
  const housing = requiredPath('tabular/california-housing.csv')
  const tools: Record<string, number[]> = { 'pare fit, with its report': [] }
  if (python !== undefined) tools['scikit-learn, LassoCV'] = []
  for (let round = 0; round < ROUNDS; round++) {
    tools['pare fit, with its report']!.push((await fitted(housing, 'target')).seconds)
    const script = join(import.meta.dirname, 'peers/lasso_cv.py')
    if (python !== undefined) tools['scikit-learn, LassoCV']!.push((await run(python, [script, housing])).seconds)
  }
  const small = Object.entries(tools).map(([name, times]) => [name, median(times).toFixed(2)])
  for (const row of small) console.log(row.join('  '))
  writeReport(join(import.meta.dirname, 'large-table.md'), {
    title: 'Tables that are fitted, and reduced',
    about: [
      `\`pare fit\`: a lasso of 100 strengths, 10-fold cross-validation, the model and the report written; a fresh process each time, from its start to its end. The peak is that of the whole process.`,
    ],
    versions: {},
    sections: [
      {
        heading: 'A table that is read as a stream',
        text: `CSV of ${COLUMNS} columns of numbers, in one pass; once each.`,
        table: table(['rows', 'MiB', 'seconds', 'peak MiB'], large),
      },
      {
        heading: 'Components of rows that are read in blocks',
        text: `\`pare reduce --method pca --components ${WIDE.components}\` of a CSV of ${WIDE.columns} columns of numbers. Their scores are held, and the numbers themselves never.`,
        table: table(['rows', 'MiB', 'MiB of numbers', 'MiB of scores', 'peak MiB'], reduced),
      },
      {
        heading: 'A small one',
        text: `California housing: 20,640 rows of 9 columns, 1.7 MB. scikit-learn reads it by NumPy, standardizes, and fits; its start counts as ours does. Median of ${ROUNDS}, by turns.`,
        table: table(['tool', 'seconds'], small),
      },
    ],
  })
} finally {
  await rm(folder, { recursive: true })
}
