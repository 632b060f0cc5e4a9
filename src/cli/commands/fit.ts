/** `pare fit`: a linear model of a table, its strength chosen. */

import type { LinearFit } from '../../linear/fit.js'
import type { GlmFit } from '../../linear/fit-glm.js'
import { bytes as bytesText, count, counted, significant } from '../../util/format.js'
import { type Context, defineCommand } from '../command.js'
import { gapLine, glmAnswer } from '../glm-answer.js'
import { DATABASE_OPTIONS, SEED_OPTION, unused } from '../inputs.js'
import { facts, table } from '../table.js'

const MODELS = ['lasso', 'ridge', 'elastic-net'] as const
const FAMILIES = ['gaussian', 'binomial', 'multinomial', 'poisson'] as const
const SELECTIONS = ['cv', 'cv-1se', 'loo', 'aic', 'bic', 'ebic'] as const

/** Cells of a table from which on a Gaussian fit reads it as a stream: 64 MiB of numbers. */
const MANY_CELLS = 2 ** 23

/** A file of this size holds about as many. */
const MANY_BYTES = 2 ** 26

/** Coefficients that are shown; --json has them all. */
const TOP = 12

export const fit = defineCommand({
  name: 'fit',
  summary: 'Fit a linear model to a table, and choose its strength',
  positionals: { names: ['table'], min: 1, max: 1 },
  options: {
    target: { kind: 'text', value: 'column', required: true, doc: 'the column to predict' },
    model: { kind: 'choice', choices: MODELS, default: 'lasso', doc: 'what holds the coefficients down' },
    family: {
      kind: 'choice',
      choices: FAMILIES,
      doc: 'what is predicted: numbers, one of two classes, of several, counts (default by the column: numbers, or classes where it is text)',
    },
    l1Ratio: {
      kind: 'number',
      value: 'share',
      min: 0,
      max: 1,
      doc: 'share of the lasso in an elastic net (default 0.5)',
    },
    select: {
      kind: 'choice',
      choices: SELECTIONS,
      default: 'cv',
      doc: 'how the strength is chosen: cross-validation, each row of a ridge left out, a criterion',
    },
    folds: { kind: 'number', value: 'n', min: 2, max: 1e6, whole: true, default: 10, doc: 'parts of cross-validation' },
    category: { kind: 'texts', value: 'column', doc: 'a column of numbers that are names' },
    missing: {
      kind: 'choice',
      choices: ['error', 'mean'],
      default: 'error',
      doc: 'what stands for missing numbers',
    },
    ...DATABASE_OPTIONS,
    ...SEED_OPTION,
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the file to write' },
    report: { kind: 'text', value: 'file', doc: 'write path, choice and residuals as an HTML page' },
  },
  examples: [
    'pare fit houses.csv --target price -o price.onnx',
    'pare fit patients.csv --target diagnosis -o diagnosis.onnx',
    'pare fit houses.csv --target price --model elastic-net --select bic -o price.onnx --report price.html',
  ],
  notes: [
    'The model takes the columns of the table as they are, one input a column: scaling, categories and missing numbers are inside. pare predict applies it.',
  ],
  async run([path], options, context) {
    const [
      { fileSource },
      { openTable },
      { describeTable },
      { wholeTable },
      { familyOf, fitGlm },
      streams,
      models,
      written,
    ] = await Promise.all([
      import('../../data/files.js'),
      import('../../data/open-table.js'),
      import('../../data/describe.js'),
      import('../../data/columns.js'),
      import('../../linear/fit-glm.js'),
      import('../../linear/fit-stream.js'),
      import('../models.js'),
      import('../../util/files.js'),
    ])
    const { target, select, folds, seed, missing, category, output, report, table, query } = options
    const { signal, onProgress, warn: onWarning } = context
    if (options.l1Ratio !== undefined && options.model !== 'elastic-net')
      throw unused(
        '--l1-ratio',
        'only an elastic net has a share of the lasso',
        'Add --model elastic-net, or leave it out.',
      )
    await models.protectInput(undefined, output, false, { read: [path], report })
    for (const file of [output, report]) if (file !== undefined) await written.checkWritable(file)
    const l1Ratio = { lasso: 1, ridge: 0, 'elastic-net': options.l1Ratio ?? 0.5 }[options.model]
    const model = options.model === 'elastic-net' ? `elastic net (${l1Ratio} lasso)` : options.model
    const write = async (found: LinearFit | GlmFit): Promise<number | null> => {
      await (await import('../../onnx/files.js')).writeModel(found.model, output)
      if (report !== undefined) {
        const { renderFit } = await import('../../report/fit.js')
        const page = renderFit({ table: path!, model, select, commandLine: context.commandLine, fit: found })
        await written.writeFileAtomic(report, page)
      }
      return models.writtenBytes(output)
    }
    const source = await fileSource(path!)
    const cells = await openTable(source, { table, query })
    try {
      // Of a large file the rows are worth gathering before it is known what they are.
      const early =
        source.size > MANY_BYTES && select !== 'loo' ? streams.earlyRows({ target, select, folds, seed }) : null
      const described = await describeTable(cells, {
        categories: category,
        signal,
        onProgress,
        onWarning,
        ...(early && { onNumbers: early.onNumbers }),
      })
      const size = described.rows * described.columns.length
      const family = options.family ?? familyOf(described, target)
      const run = { target, select, folds, seed, missing, l1Ratio, signal, onProgress, onWarning }
      if (family !== 'gaussian') {
        if (size > MANY_CELLS)
          onWarning(heldInMemory(described.rows, described.columns.length, `a model that is ${family}`))
        const found = await fitGlm(await wholeTable(cells, described, { signal }), { ...run, family })
        const shape = { from: path!, model: options.model, select, output, report, bytes: await write(found) }
        return glmAnswer(found, shape, context.terminal)
      }
      const isHeld = size <= MANY_CELLS || select === 'loo'
      if (isHeld && size > MANY_CELLS)
        onWarning(heldInMemory(described.rows, described.columns.length, 'leaving each row out'))
      const found = !isHeld
        ? await streams.fitStream(cells, described, early === null ? run : { ...run, early })
        : await (await import('../../linear/fit.js')).fitTable(await wholeTable(cells, described, { signal }), run)
      const bytes = await write(found)
      return { text: shown(path!, found, options, context), json: { output, bytes, ...summary(found) } }
    } finally {
      cells.close()
    }
  },
})

const heldInMemory = (rows: number, columns: number, what: string): string =>
  `${count(rows)} rows of ${counted(columns, 'column')} are held in memory, about ${bytesText(2 * 8 * rows * columns)}: ${what} asks for each of them again; gaussian models chosen by other means are fitted from a stream`

function summary({ names, path, chosen, linear, crossValidation, leaveOneOut, criteria }: LinearFit) {
  const leftOut = crossValidation ?? leaveOneOut
  return {
    lambda: linear.lambda,
    devianceRatio: path.devianceRatio[chosen],
    dualGap: path.dualGap[chosen],
    nonzero: path.df[chosen],
    intercept: linear.intercept,
    coefficients: Object.fromEntries(names.map((name, j) => [name, linear.coefficients[j]!])),
    ...(leftOut && { meanSquaredError: leftOut.error[chosen], standardError: leftOut.standardError[chosen] }),
    ...(criteria && { aic: criteria.aic[chosen], bic: criteria.bic[chosen], ebic: criteria.ebic[chosen] }),
  }
}

function shown(
  from: string,
  fit: LinearFit,
  options: {
    readonly model: string
    readonly select: string
    readonly output: string
    readonly report: string | undefined
  },
  { terminal }: Context,
): string {
  const { path, chosen, linear, names, deviations } = fit
  const leftOut = fit.crossValidation ?? fit.leaveOneOut
  const size = (j: number): number => Math.abs(linear.coefficients[j]! * deviations[j]!)
  const error = leftOut?.error[chosen]
  const order = [...linear.coefficients.keys()]
    .filter((j) => linear.coefficients[j] !== 0)
    .sort((a, b) => size(b) - size(a))
  const rows = [
    ['intercept', significant(linear.intercept, 6)],
    ...order.slice(0, TOP).map((j) => [names[j]!, significant(linear.coefficients[j]!, 6)]),
  ]
  const rest = order.length > TOP ? `${order.length - TOP} smaller ones are in --json.` : ''
  return [
    facts(
      [
        ['table', `${from}: ${count(fit.rows)} rows, ${counted(names.length, 'column')} for the fit`],
        ['model', `${options.model} of ${fit.target}, λ = ${significant(linear.lambda, 6)} by ${options.select}`],
        ['columns', `${path.df[chosen]} of ${names.length} kept`],
        ['R²', significant(path.devianceRatio[chosen]!, 4)],
        ...(error === undefined
          ? []
          : [
              [
                'RMSE',
                `${significant(Math.sqrt(error), 4)} on rows left out (mean squared error ${significant(error, 4)} ± ${significant(leftOut!.standardError[chosen]!, 2)})`,
              ] as const,
            ]),
        ...gapLine(path.dualGap[chosen]!),
        ['written', options.output],
        ...(options.report === undefined ? [] : [['report', options.report] as const]),
      ],
      terminal,
    ),
    '',
    table(
      [
        { title: 'column', shrinkTo: 20 },
        { title: 'coefficient', align: 'right' },
      ],
      rows,
      terminal,
    ),
    ...(rest === '' ? [] : [rest]),
  ].join('\n')
}
