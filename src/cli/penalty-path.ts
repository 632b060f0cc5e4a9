/** A training whose penalty has a strength that is chosen, from options to what came of it. */

import { renderTraining } from '../report/training.js'
import { withoutDropout } from '../train/dropout.js'
import { FOLDS, type PathPoint, type TrainedPath, trainPath } from '../train/path.js'
import { PareError } from '../util/errors.js'
import { count, significant } from '../util/format.js'
import { augmentsOf } from './augment.js'
import { trainOptions, withWorkers } from './descent.js'
import { unused } from './inputs.js'
import { isAuto, penaltyAt } from './penalty.js'
import { table } from './table.js'
import { type Terminal, wrap } from './terminal.js'
import type { OtherChoices, TrainingChoices } from './training-options.js'
import { scoreIn, type Training, type Went, type World } from './training-run.js'
import { notBetter } from './training-text.js'

/** A fall of the loss along the path that rounding and chance may make. */
const SETTLED = 0.02

/** Throws `OPTION_UNUSED` for what means nothing on a path or without one, `OPTION_VALUE` for two penalties to choose. */
export function checkPath(options: TrainingChoices & OtherChoices): void {
  const { penalty, optimizer, select, folds, patience, checkpoint, roundTo, bestBy } = options
  const auto = penalty.filter(isAuto)
  const [first, second] = auto
  if (first === undefined) {
    const remedy = 'Leave it out, or ask for a strength: --penalty l1:auto.'
    if (select !== undefined) throw unused('--select', 'no penalty has a strength to choose', remedy)
    if (folds !== undefined) throw unused('--folds', 'no penalty has a strength to choose', remedy)
    return
  }
  penaltyAt(first)
  if (second !== undefined)
    throw new PareError('OPTION_VALUE', 'one strength is chosen at a time', {
      where: '--penalty',
      value: auto.join(', '),
      remedy: 'Give the others a strength.',
    })
  if (optimizer === 'lbfgs')
    throw new PareError('OPTION_VALUE', 'L-BFGS makes no path of strengths', {
      where: '--penalty',
      value: first,
      remedy: 'Take another --optimizer, or give a strength.',
    })
  const path = 'each strength is trained for all epochs'
  if (patience !== undefined) throw unused('--patience', path, 'Leave it out.')
  if (roundTo !== undefined)
    throw unused('--round-to', 'each strength goes on from weights that must not be rounded', 'Leave it out.')
  if (bestBy !== undefined) throw unused('--best-by', 'the loss chooses the strength', 'Leave it out.')
  if (checkpoint !== undefined) throw unused('--checkpoint', 'a path of strengths keeps no state', 'Leave it out.')
  if (folds !== undefined && select !== undefined && select !== 'cv')
    throw unused('--folds', `${select} looks at all samples at once`, 'Leave it out, or choose by cv.')
}

export async function alongPath(
  training: Training,
  options: TrainingChoices,
  { engine, context }: World,
): Promise<Went> {
  const { model, loss, data, validation, metrics = [], more, neverWorse = false } = training
  const augment = augmentsOf(options.augment)?.(data)
  const { select = 'cv', folds = FOLDS } = options
  // Of what a fold leaves.
  const rows = select === 'cv' ? data.count - Math.ceil(data.count / folds) : data.count
  const path = await withWorkers(options, context, async (workers) =>
    trainPath(model, {
      engine,
      workers,
      data,
      loss,
      metrics,
      ...(augment && { augment }),
      ...(await trainOptions(options, rows, context)),
      ...more,
      penalty: penaltyAt(options.penalty.find(isAuto)!),
      select,
      folds,
    }),
  )
  const { points, chosen, trained } = path
  const [first] = points
  // A stronger penalty cannot lower the loss that it competes with.
  if (select !== 'cv' && points[chosen]!.loss < (1 - SETTLED) * first!.loss)
    context.warn('The training loss still falls along the path: more --epochs make strengths comparable.')
  else if (chosen === points.length - 1)
    context.warn('The strongest that was tried was chosen: a stronger penalty may be better still.')
  const judge = scoreIn(training, engine, context)
  const judged = validation ?? data
  const [before, after] = [await judge(model, judged), await judge(trained.model, judged)]
  const isKept = !neverWorse || after.loss < before.loss
  if (!isKept) context.warn(notBetter('No strength was'))
  const best = isKept ? after : before
  return {
    model: isKept ? trained.model : withoutDropout(model),
    text: (terminal) => pathText(path, select, terminal),
    weights: isKept ? `weights at strength ${significant(points[chosen]!.strength)}` : 'the weights that were given',
    json: { select, chosen, path: points, before, [validation ? 'validation' : 'training']: best },
    scores: [before, best],
    report: (facts) => renderTraining({ ...facts, trained, bestBy: undefined }),
  }
}

function pathText({ points, chosen }: TrainedPath, select: string, terminal: Terminal): string {
  const isCv = select === 'cv'
  const cells = (p: PathPoint, i: number): readonly string[] => [
    i === chosen ? '→' : '',
    significant(p.strength),
    significant(p.loss),
    isCv ? significant(p.error ?? 0, 2) : significant(p.criterion ?? 0),
    p.parameters === undefined ? '' : count(p.parameters),
  ]
  const titles = ['', 'strength', isCv ? 'loss left out' : 'training loss', isCv ? '±' : select, 'not zero']
  const how = isCv
    ? 'Chosen is the strongest within one standard error of the least loss on left-out folds.'
    : `Chosen is the least ${select}.`
  const columns = titles.map((title) => ({ title, align: 'right' as const }))
  return `${table(columns, points.map(cells), terminal)}\n\n${wrap(how, terminal.columns)}`
}
