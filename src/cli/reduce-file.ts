/** `pare reduce` from the file that is read to the files that are written. */

import { extname } from 'node:path'
import { checkFormat, writeTable } from '../data/write-table.js'
import { openEngine } from '../engine/node/open.js'
import type { PcaGraphOptions } from '../reduce/pca-model.js'
import { checkWritable, writeFileAtomic } from '../util/files.js'
import type { Answer, Context, OptionValues } from './command.js'
import { type DATABASE_OPTIONS, type ENGINE_OPTIONS, engineOptions, type SEED_OPTION } from './inputs.js'
import { protectInput } from './models.js'
import { reduceAnswer } from './reduce-answer.js'
import { type Reduced, reduced } from './reduce-methods.js'
import { checkNames } from './reduce-names.js'
import type { ReduceValues } from './reduce-options.js'
import { reducePicture, reduceReport } from './reduce-report.js'
import { type Rows, readRows } from './reduce-rows.js'

interface Outputs {
  readonly output: string
  readonly model: string | undefined
  readonly report: string | undefined
  readonly picture: string | undefined
}

export type ReduceChoice = ReduceValues &
  OptionValues<typeof DATABASE_OPTIONS & typeof ENGINE_OPTIONS & typeof SEED_OPTION> &
  Outputs

/** `much`: bytes of rows from which on they are not held where that can be. Throws what readers, methods and writers do. */
export async function reduceFile(path: string, choice: ReduceChoice, context: Context, much?: number): Promise<Answer> {
  const { output, model, report, picture, labels } = choice
  await checkFormat(output)
  await protectInput(undefined, output, false, {
    read: [path, labels],
    report,
    more: { model, picture },
    outputIs: 'table',
  })
  for (const written of [output, model, report, picture]) if (written !== undefined) await checkWritable(written)
  const rows = await readRows(path, choice, context)
  try {
    checkNames(rows, choice)
    const found = await reducedOn(rows, choice, context, much)
    const shown = { rows, reduced: found, from: path, choice, commandLine: context.commandLine }
    const columns = isNpy(output) ? found.scores : [...found.scores, ...rows.colours]
    await writeTable(output, { name: output, rows: rows.x.rows, columns })
    if (model !== undefined && found.found.method === 'pca') {
      const { writeModel } = await import('../onnx/files.js')
      await writeModel(found.found.pca.toOnnx(graphNames(rows, found.scores)), model)
    }
    if (report !== undefined) await writeFileAtomic(report, reduceReport(shown))
    if (picture !== undefined) await writeFileAtomic(picture, reducePicture(shown, picture))
    return reduceAnswer(rows, found, { from: path, output, model, report, picture }, context.terminal)
  } finally {
    rows.close()
  }
}

async function reducedOn(rows: Rows, choice: ReduceChoice, context: Context, much?: number): Promise<Reduced> {
  const { signal, onProgress, warn } = context
  const engine = await openEngine(engineOptions(choice, warn))
  try {
    return await reduced(rows, choice, { signal, onProgress, warn, engine }, much)
  } finally {
    await engine.close()
  }
}

/** Of a table the model takes and gives columns by name, as `pare predict` does; of samples the whole rows. */
function graphNames({ kind, names }: Rows, scores: Reduced['scores']): PcaGraphOptions {
  if (kind === 'samples') return {}
  return { precision: 'float64', input: names, output: scores.map(({ name }) => name) }
}

/** An array has no names by which a number could be told from a score. */
const isNpy = (path: string): boolean => extname(path).toLowerCase() === '.npy'
