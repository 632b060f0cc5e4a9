/** `pare verify a b`: do two models give the same outputs on the same inputs? */

import type { OutputAgreement } from '../../search/trial.js'
import { PareError } from '../../util/errors.js'
import { counted, percent, significant } from '../../util/format.js'
import { type Context, defineCommand } from '../command.js'
import { feedsFor, requireSamples } from '../feeds.js'
import { DATA_OPTIONS, DEVICE_NOTE, ENGINE_OPTIONS, engineOptions, SHAPE_OPTION, unused } from '../inputs.js'
import { table } from '../table.js'
import { safeLine, styled, wrap } from '../terminal.js'

/** As plain JSON, which has no NaN: null where nothing could be compared. */
interface ComparedOutput extends Omit<OutputAgreement, 'cosine' | 'relativeError' | 'maxAbsolute'> {
  readonly cosine: number | null
  readonly relativeError: number | null
  readonly maxAbsolute: number | null
  /** Elements that are NaN or infinite in both models alike: the numbers leave them out. */
  readonly nonFinite: number
}

interface Verdict {
  readonly agree: boolean
  readonly inputs: { readonly kind: 'samples' | 'random'; readonly name: string; readonly count: number }
  readonly tolerance: number
  readonly outputs: readonly ComparedOutput[]
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
    scores: {
      kind: 'text',
      value: 'output',
      doc: 'the output that holds class scores, where it is not found by itself',
    },
    ...SHAPE_OPTION,
    ...ENGINE_OPTIONS,
  },
  examples: [
    'pare verify model.onnx small.onnx --data samples.npz --tolerance 1%',
    'pare verify model.onnx cleaned.onnx --random',
  ],
  notes: [
    'Exits with 1 where an output differs by more than the tolerance. The relative error is ‖candidate − reference‖ / ‖reference‖ over all samples. The same top class is counted where an output holds class scores: rows of probabilities, or what --scores names.',
    DEVICE_NOTE,
  ],
  async run(paths, options, context) {
    const [reference, candidate] = paths as [string, string]
    if (options.random && options.data !== undefined) {
      throw unused('--random', 'the models run on the samples of --data', 'Give one of the two.')
    }
    const [
      { openEngine },
      { comparison },
      { finiteness, whereNonFinite },
      { checkScores, scoreFinder },
      { checkModelFiles },
    ] = await Promise.all([
      import('../../engine/node/open.js'),
      import('../../engine/compare.js'),
      import('../../engine/finite.js'),
      import('../../engine/scores.js'),
      import('../models.js'),
    ])
    await checkModelFiles([reference, candidate])
    const engine = await openEngine(engineOptions(options, context.warn))
    try {
      const { signal } = context
      const [a, b] = await Promise.all([reference, candidate].map((path) => engine.load({ path }, { signal })))
      const feeds = await feedsFor(a!, options, context)
      const sums = comparison()
      const [finder, answers, inputs] = [scoreFinder(), finiteness(), finiteness()]
      let count = 0
      for await (const { feed, name, remember } of feeds.read()) {
        const expected = await a!.run(feed, { signal })
        if (count === 0 && options.scores !== undefined) checkScores(expected, options.scores)
        finder.see(expected)
        answers.add(expected, name)
        inputs.add(feed, name)
        sums.add(expected, await b!.run(feed, { signal }))
        remember(expected)
        count++
        context.onProgress({ task: 'comparing', done: count, ...(feeds.count === null ? {} : { total: feeds.count }) })
      }
      requireSamples(count, feeds)
      const scores = new Set([...finder.found(), options.scores])
      const outputs = [...sums.differences()].map(
        ([name, d]): ComparedOutput => ({
          name,
          cosine: orNull(d.cosine),
          relativeError: orNull(d.relativeL2),
          maxAbsolute: orNull(d.maxAbs),
          nonFinite: d.nonFinite,
          ...(d.top1Agreement !== null && scores.has(name) && { top1: d.top1Agreement }),
        }),
      )
      const isWithin = ({ relativeError }: ComparedOutput): boolean | null =>
        relativeError === null ? null : relativeError <= options.tolerance
      const agree = outputs.length > 0 && outputs.every((o) => isWithin(o) === true)
      const causes = [...inputs.found().values()].map((s) => `input ${s.name} ${whereNonFinite(s)}`)
      checkCompared(outputs, agree || outputs.some((o) => isWithin(o) === false), causes)
      for (const { name, nonFinite } of outputs) {
        if (nonFinite > 0)
          context.warn(
            `Output ${name} ${whereNonFinite(answers.found().get(name)!)}, in both models alike: the numbers leave these values out.`,
          )
      }
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

/** The models neither agree nor differ where that hangs on an output that is NaN throughout. Throws `COMPARE_NAN`. */
function checkCompared(outputs: readonly ComparedOutput[], isDecided: boolean, causes: readonly string[]): void {
  const empty = outputs.find((o) => o.relativeError === null)
  if (isDecided || empty === undefined) return
  throw new PareError('COMPARE_NAN', 'both models answer nothing but NaN and infinities: nothing can be compared', {
    where: `output ${empty.name}`,
    remedy:
      causes.length > 0
        ? `Mend the samples: ${causes.join('; ')}.`
        : 'Look at how the samples are scaled, and for NaN in the weights.',
  })
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value)

function shown({ agree, inputs, tolerance, outputs }: Verdict, { terminal }: Context): string {
  const said = agree ? 'agree within' : 'differ by more than'
  const verb = agree ? 'agree' : 'differ'
  const on =
    inputs.kind === 'random'
      ? `${counted(inputs.count, 'random input')} (not a statement about quality)`
      : `${counted(inputs.count, 'sample')} of ${safeLine(inputs.name)}`
  // Wrapped while it is plain: colour has no width.
  const sentence = wrap(
    `The models ${said} ${Number(tolerance.toPrecision(12))} on ${on}.`,
    Math.min(100, terminal.columns),
  )
  const hasScores = outputs.some((o) => o.top1 !== undefined)
  return [
    table(
      [
        { title: 'output', shrinkTo: 12 },
        { title: 'cosine', align: 'right' },
        { title: 'relative error', align: 'right' },
        { title: 'largest difference', align: 'right' },
        ...(hasScores ? [{ title: 'same top class', align: 'right' } as const] : []),
      ],
      outputs.map((o) => [
        o.name,
        o.cosine === null ? 'NaN' : o.cosine.toFixed(6),
        significant(o.relativeError ?? Number.NaN),
        significant(o.maxAbsolute ?? Number.NaN),
        ...(hasScores ? [o.top1 === undefined ? '' : percent(o.top1)] : []),
      ]),
      terminal,
    ),
    '',
    sentence.replace(verb, styled(terminal, agree ? 'good' : 'bad', verb)),
  ].join('\n')
}
