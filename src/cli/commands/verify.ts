/** `pare verify a b`: do two models give the same outputs on the same inputs? */

import { percent, significant } from '../../report/format.js'
import type { OutputAgreement } from '../../search/trial.js'
import { type Context, defineCommand } from '../command.js'
import { feedsFor, requireSamples } from '../feeds.js'
import { DATA_OPTIONS, DEVICE_NOTE, ENGINE_OPTIONS, engineOptions, SHAPE_OPTION } from '../inputs.js'
import { table } from '../table.js'
import { safeLine, styled, wrap } from '../terminal.js'

interface Verdict {
  readonly agree: boolean
  readonly inputs: { readonly kind: 'samples' | 'random'; readonly name: string; readonly count: number }
  readonly tolerance: number
  readonly outputs: readonly OutputAgreement[]
}

export const verify = defineCommand({
  name: 'verify',
  summary: 'Tell whether two models give the same outputs',
  positionals: { names: ['reference', 'candidate'], min: 2, max: 2 },
  options: {
    ...DATA_OPTIONS,
    random: { kind: 'flag', doc: 'random inputs: shows that two models compute the same, says nothing of quality' },
    tolerance: {
      kind: 'number',
      value: 'error',
      min: 0,
      max: 10,
      default: 0.001,
      percent: true,
      doc: 'largest relative L2 error of any output',
    },
    limit: { kind: 'number', value: 'n', min: 1, max: 1e9, whole: true, doc: 'read at most so many samples' },
    ...SHAPE_OPTION,
    ...ENGINE_OPTIONS,
  },
  examples: [
    'pare verify model.onnx small.onnx --data samples.npz --tolerance 1%',
    'pare verify model.onnx cleaned.onnx --random',
  ],
  notes: [
    'Exits with 1 where an output differs by more than the tolerance. The relative error is ‖candidate − reference‖ / ‖reference‖ over all samples.',
    DEVICE_NOTE,
  ],
  async run(paths, options, context) {
    const [reference, candidate] = paths as [string, string]
    const [{ openEngine }, { comparison }, { checkModelFiles }] = await Promise.all([
      import('../../engine/node/open.js'),
      import('../../engine/compare.js'),
      import('../models.js'),
    ])
    await checkModelFiles([reference, candidate])
    const engine = await openEngine(engineOptions(options, context.warn))
    try {
      const { signal } = context
      const [a, b] = await Promise.all([reference, candidate].map((path) => engine.load({ path }, { signal })))
      const feeds = await feedsFor(a!, options, context)
      const sums = comparison()
      let count = 0
      for await (const { feed, remember } of feeds.read()) {
        const expected = await a!.run(feed, { signal })
        sums.add(expected, await b!.run(feed, { signal }))
        remember(expected)
        count++
        context.onProgress({ task: 'comparing', done: count, ...(feeds.count === null ? {} : { total: feeds.count }) })
      }
      requireSamples(count, feeds)
      const outputs = [...sums.differences()].map(([name, d]) => ({
        name,
        cosine: d.cosine,
        relativeError: d.relativeL2,
        maxAbsolute: d.maxAbs,
        ...(d.top1Agreement === null ? {} : { top1: d.top1Agreement }),
      }))
      const agree = outputs.length > 0 && outputs.every((o) => o.relativeError <= options.tolerance)
      const verdict: Verdict = {
        agree,
        inputs: { kind: feeds.kind, name: feeds.name, count },
        tolerance: options.tolerance,
        outputs,
      }
      return {
        text: shown(verdict, context),
        json: { ...verdict, engine: engine.name, device: engine.device },
        exit: agree ? 0 : 1,
      }
    } finally {
      await engine.close()
    }
  },
})

function shown({ agree, inputs, tolerance, outputs }: Verdict, { terminal }: Context): string {
  const said = agree ? 'agree' : 'differ'
  const on =
    inputs.kind === 'random'
      ? `${inputs.count} random inputs (not a statement about quality)`
      : `${inputs.count} samples of ${safeLine(inputs.name)}`
  // Wrapped while it is plain: colour has no width.
  const sentence = wrap(
    `The models ${said} within ${significant(tolerance)} on ${on}.`,
    Math.min(100, terminal.columns),
  )
  return [
    table(
      [
        { title: 'output', shrinkTo: 12 },
        { title: 'cosine', align: 'right' },
        { title: 'relative error', align: 'right' },
        { title: 'largest difference', align: 'right' },
        { title: 'same top class', align: 'right' },
      ],
      outputs.map((o) => [
        o.name,
        o.cosine.toFixed(6),
        significant(o.relativeError),
        significant(o.maxAbsolute),
        o.top1 === undefined ? '' : percent(o.top1),
      ]),
      terminal,
    ),
    '',
    sentence.replace(said, styled(terminal, agree ? 'good' : 'bad', said)),
  ].join('\n')
}
