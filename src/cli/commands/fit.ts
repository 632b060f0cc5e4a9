/** `pare fit`: a linear model of a table, its strength chosen. */

import type { LinearFit } from '../../linear/fit.js'
import { count, counted, significant } from '../../util/format.js'
import { type Context, defineCommand } from '../command.js'
import { gapLine, glmAnswer } from '../glm-answer.js'
import { SEED_OPTION } from '../inputs.js'
import { facts, table } from '../table.js'

const MODELS = ['lasso', 'ridge', 'elastic-net'] as const
const FAMILIES = ['gaussian', 'binomial', 'multinomial', 'poisson'] as const
const SELECTIONS = ['cv', 'cv-1se', 'aic', 'bic', 'ebic'] as const

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
    select: { kind: 'choice', choices: SELECTIONS, default: 'cv', doc: 'how the strength is chosen' },
    folds: { kind: 'number', value: 'n', min: 2, max: 1e6, whole: true, default: 10, doc: 'parts of cross-validation' },
    category: { kind: 'texts', value: 'column', doc: 'a column of numbers that are names' },
    missing: {
      kind: 'choice',
      choices: ['error', 'mean'],
      default: 'error',
      doc: 'what stands for missing numbers',
    },
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
      { readColumns },
      { fitTable },
      { familyOf, fitGlm },
      { protectInput, writtenBytes },
      { writeModel },
      { checkWritable, writeFileAtomic },
      { renderFit },
    ] = await Promise.all([
      import('../../data/files.js'),
      import('../../data/columns.js'),
      import('../../linear/fit.js'),
      import('../../linear/fit-glm.js'),
      import('../models.js'),
      import('../../onnx/files.js'),
      import('../../util/files.js'),
      import('../../report/fit.js'),
    ])
    const { target, select, folds, seed, missing, category, output, report } = options
    const { signal, onProgress } = context
    await protectInput(undefined, output, false, { read: [path], report })
    for (const written of [output, report]) if (written !== undefined) await checkWritable(written)
    const data = await readColumns(await fileSource(path!), { categories: category, signal, onWarning: context.warn })
    const l1Ratio = { lasso: 1, ridge: 0, 'elastic-net': options.l1Ratio ?? 0.5 }[options.model]
    const model = options.model === 'elastic-net' ? `elastic net (${l1Ratio} lasso)` : options.model
    const words = { table: path!, model, select, commandLine: context.commandLine }
    const family = options.family ?? familyOf(data, target)
    if (family !== 'gaussian') {
      const run = { target, family, select, folds, seed, missing, l1Ratio, signal, onProgress, onWarning: context.warn }
      const found = await fitGlm(data, run)
      await writeModel(found.model, output)
      if (report !== undefined) await writeFileAtomic(report, renderFit({ ...words, fit: found }))
      const shape = { from: path!, model: options.model, select, output, report, bytes: await writtenBytes(output) }
      return glmAnswer(found, shape, context.terminal)
    }
    const found = await fitTable(data, { target, select, folds, seed, missing, l1Ratio, signal, onProgress })
    await writeModel(found.model, output)
    const size = await writtenBytes(output)
    if (report !== undefined) await writeFileAtomic(report, renderFit({ ...words, fit: found }))
    return { text: shown(path!, found, options, context), json: { output, bytes: size, ...summary(found) } }
  },
})

function summary({ names, path, chosen, linear, crossValidation, criteria }: LinearFit) {
  return {
    lambda: linear.lambda,
    devianceRatio: path.devianceRatio[chosen],
    dualGap: path.dualGap[chosen],
    nonzero: path.df[chosen],
    intercept: linear.intercept,
    coefficients: Object.fromEntries(names.map((name, j) => [name, linear.coefficients[j]!])),
    ...(crossValidation && {
      meanSquaredError: crossValidation.error[chosen],
      standardError: crossValidation.standardError[chosen],
    }),
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
  const { path, chosen, linear, names, crossValidation, deviations } = fit
  const size = (j: number): number => Math.abs(linear.coefficients[j]! * deviations[j]!)
  const error = crossValidation?.error[chosen]
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
                `${significant(Math.sqrt(error), 4)} on rows left out (mean squared error ${significant(error, 4)} ± ${significant(crossValidation!.standardError[chosen]!, 2)})`,
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
