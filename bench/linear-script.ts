/**
 * `npm run bench:linear-script -- PYTHON`: a lasso of a table with 10-fold cross-validation, from the start of the process
 * to its end, here and in scikit-learn, turn by turn; writes bench/linear-script.md. PYTHON has scikit-learn and
 * onnxruntime.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileSource } from '../src/data/files.js'
import { readColumns } from '../src/data/read-columns.js'
import { fitTable } from '../src/linear/fit.js'
import { significant } from '../src/util/format.js'
import { readArray } from './linear/arrays.js'
import { table, writeReport } from './markdown.js'
import { median } from './peers/latency.js'
import { megabytes, PROGRAM, type Ran, ROOT, run } from './processes.js'
import { requiredPath } from './samples/types.js'

const REPEATS = 5
const TARGET = 'target'

/** What was chosen, as the tool tells it. */
interface Answer {
  readonly lambda: number
  /** Mean square on rows that were left out. */
  readonly error: number
  readonly explained: number
  readonly version?: string
}

interface Tool {
  readonly name: string
  readonly start: () => Promise<Ran>
  readonly answer: (stdout: string) => Answer
}

const [python] = process.argv.slice(2)
if (python === undefined) {
  console.error('usage: npm run bench:linear-script -- PYTHON')
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'pare-linear-script-'))
try {
  const data = requiredPath('tabular/california-housing.csv')
  const script = join(ROOT, 'bench/linear/california.py')
  const model = join(folder, 'california.onnx')
  const fit = [PROGRAM, 'fit', data, '--target', TARGET, '--output', model, '--json']
  const told = (stdout: string): Answer => {
    const { lambda, meanSquaredError, devianceRatio } = (JSON.parse(stdout) as { result: Record<string, number> })
      .result
    return { lambda: lambda!, error: meanSquaredError!, explained: devianceRatio! }
  }
  const tools: readonly Tool[] = [
    {
      name: '`pare fit --report`',
      start: () => run(process.execPath, [...fit, '--report', join(folder, 'california.html')]),
      answer: told,
    },
    { name: '`pare fit`', start: () => run(process.execPath, fit), answer: told },
    {
      name: 'scikit-learn, StandardScaler and LassoCV',
      start: () => run(python, [script, 'fit', data, TARGET, join(folder, 'california.joblib')]),
      answer: (stdout) => JSON.parse(stdout) as Answer,
    },
  ]
  const readings = tools.map((): Ran[] => [])
  for (let i = 0; i < REPEATS; i++) for (const [k, tool] of tools.entries()) readings[k]!.push(await tool.start())
  const answers = tools.map(({ answer }, k) => answer(readings[k]![0]!.stdout))
  const seconds = readings.map((runs) => median(runs.map((r) => r.seconds)))
  const rows = tools.map(({ name }, k) => {
    const { lambda, error, explained } = answers[k]!
    const peaks = readings[k]!.flatMap(({ peakBytes }) => peakBytes ?? [])
    return [
      name,
      seconds[k]!.toFixed(2),
      `${(seconds[k]! / seconds[0]!).toFixed(2)}x`,
      peaks.length === 0 ? '' : megabytes(median(peaks)),
      significant(lambda, 4),
      significant(error, 5),
      significant(explained, 5),
    ]
  })

  const { fitted } = await fitTable(await readColumns(await fileSource(data)), { target: TARGET })
  const out = join(folder, 'predictions.npy')
  const predicted = await run(python, [script, 'predict', data, TARGET, model, out])
  const difference = readArray(out).data.reduce((most, v, i) => Math.max(most, Math.abs(v - fitted[i]!)), 0)

  const native = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  writeReport(join(import.meta.dirname, 'linear-script.md'), {
    title: 'A table from the command line',
    about: [
      `A lasso of california-housing.csv (20,640 x 8) with 10-fold cross-validation over 100 λ, and the model written: from the start of the process to its end, in seconds. Median of ${REPEATS} fresh processes, the tools by turns. The folds of the tools are different ones, drawn by each. "Error" is the mean square on rows that were left out, R² that of all rows. scikit-learn's λ end at 1e-3 of the largest, those of pare at 1e-4.`,
    ],
    versions: {
      'onnxruntime-node': native.version,
      'scikit-learn': answers.at(-1)!.version!,
      'onnxruntime (Python)': predicted.stdout.trim(),
    },
    sections: [
      { table: table(['tool', 'seconds', '÷ ours', 'peak MiB', 'chosen λ', 'error', 'R²'], rows) },
      {
        text: `The ONNX file in Python's onnxruntime and the library differ by at most ${difference.toExponential(1)} over all rows (test/integration/california.test.ts holds the same for Node and WebAssembly).`,
      },
    ],
  })
  for (const row of rows) console.log(row.join('  '))
  console.log('largest difference', difference)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
