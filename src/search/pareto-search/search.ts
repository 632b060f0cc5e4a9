/**
 * The search of every lever: recipes are drawn or bred, screened by successive halving, and what is measured in full
 * makes the front of quality, latency and bytes. Everything that it decides follows from the seed and the results, so
 * that a journal of these gives the same front again.
 */

import { TRANSFORMS } from '../../compress/index.js'
import type { Transform } from '../../compress/transform.js'
import { type Random, random } from '../../util/random.js'
import type { CompressOptions } from '../compress.js'
import { makeTrial, runTrial } from '../evaluate.js'
import { type Exploration, type Found, runOff, withNew } from '../explore.js'
import { remember } from '../journal.js'
import type { ScreenedTrial } from '../outcome.js'
import type { Step, TrialResult } from '../trial.js'
import { type Base, baseOf, type Learned, mixedOver, nextBase } from './mixed.js'
import { nameOf } from './names.js'
import { nothingYet, quantizedAlone } from './quick.js'
import { aimsOf, recoveriesFor, recoveryPace } from './recovery.js'
import { BRACKET, benchOn, onRung, RUNGS, samplesOn } from './rungs.js'
import { bred, type Sampler } from './samplers.js'
import { openSpace, type Space } from './space.js'
import { usualRecipes } from './usual.js'
import { type Goal, promising, volumeOf } from './worth.js'

export interface FrontOptions extends Pick<CompressOptions, 'minutes' | 'trials' | 'more' | 'recover'> {
  readonly sampler?: Sampler
  /** Of those that are known, what recipes are drawn from. Default: all. */
  readonly transforms?: readonly Transform[]
}

/** A recipe on its way up the rungs. */
interface Runner {
  readonly name: string
  readonly steps: readonly Step[]
}

interface Course extends Exploration {
  readonly goal: Goal
  readonly space: Space
  readonly sampler: Sampler
  readonly limit: Limit
  /** What rounding is learned with; null where it cannot be. */
  readonly rounding: Step['params'] | null
}

/** Until when: seconds of all runs together, recipes. */
interface Limit {
  readonly seconds: number | null
  readonly trials: number | null
  /** Minutes more that a search was given that had come to its end. */
  readonly more?: number
}

/** Decided once: with more time or recipes what was tried first stays what it was. */
interface Kind {
  /** Bounded by minutes alone: it begins with quantization alone, and gives layers their bits. */
  readonly isMinutes: boolean
  /** Of the first run. */
  readonly seconds: number | null
}

/** Bounds recoveries where `minutes` alone are given: no single one may take more of them. */
const RECOVERY_SHARE = 1 / 10
/** The rung of what is measured in full. */
const FULL = RUNGS.length - 1
/** Draws in vain, one after the other, that end a search: everything that there is was tried. */
const VAIN = 200

export async function searchFront(exploration: Exploration, options: FrontOptions): Promise<Found> {
  const { setup, journal } = exploration
  const limit = await limitOf(exploration, options)
  const { isMinutes, seconds: whole } = await remember<Kind>(journal, 'kind', async () => ({
    isMinutes: limit.trials === null && options.transforms === undefined,
    seconds: limit.seconds,
  }))
  const quick = await (isMinutes ? quantizedAlone(exploration, whole) : nothingYet(exploration))
  const seconds = options.recover ?? (options.minutes === undefined ? null : 60 * options.minutes * RECOVERY_SHARE)
  const pace = await recoveryPace(setup, journal, seconds)
  const most = pace?.steps ?? null
  const aims = aimsOf(setup)
  const transforms = recoveriesFor(options.transforms ?? TRANSFORMS, most, aims)
  const fixed = { activations: setup.activations, ...(pace && { batch: pace.batch }) }
  const space = await openSpace(transforms, setup.prepared, setup.env, fixed)
  const goal: Goal = { originalBytes: setup.original.byteLength, maxDrop: setup.maxDrop, limits: setup.limits }
  const usual = usualRecipes(space, pace, aimOf(aims))
  const recipes = [...usual.map((steps) => ({ name: nameOf(steps), steps })), ...(isMinutes ? [] : exploration.recipes)]
  const rounding = roundingIn(space, pace?.roundingSteps ?? null, aims)
  const course: Course = { ...exploration, recipes, goal, space, limit, rounding, sampler: options.sampler ?? bred }
  const { results, screened, drawn, growth } = await brackets(course, isMinutes, quick.results)
  const settled = await runOff(exploration, results)
  const search = { drawn, screened, refused: space.refused, recoverySteps: most, growth }
  return { results: settled, baseline: quick.baseline, sensitivity: quick.sensitivity, search }
}

const aimOf = (aims: readonly string[]): string => (aims.includes('scores') ? 'scores' : 'outputs')

const roundingIn = (
  { learnsRounding, fixed }: Space,
  steps: number | null,
  aims: readonly string[],
): Course['rounding'] =>
  learnsRounding
    ? {
        aim: aimOf(aims),
        ...(steps !== null && { steps }),
        ...(fixed.batch !== undefined && { batch: fixed.batch }),
      }
    : null

/**
 * What was asked for, or what an earlier run was given where that is no shorter. `more` counts from what is spent, once:
 * not again where the run that it was given to was killed.
 */
async function limitOf({ journal }: Exploration, { minutes, trials, more }: FrontOptions): Promise<Limit> {
  const before = journal.recall<Limit>('limit')
  const asked: Limit =
    more === undefined
      ? { seconds: minutes === undefined ? null : 60 * minutes, trials: trials ?? null }
      : // More time is for more recipes.
        { seconds: journal.spent() + 60 * more, trials: null, more }
  if (more !== undefined && more === before?.more && !journal.isFinished()) return before
  if (before !== undefined && more === undefined && !isLonger(asked, before)) return before
  if (JSON.stringify(asked) !== JSON.stringify(before)) await journal.record('limit', asked)
  return asked
}

/** No limit is the longest. */
const isLonger = (a: Limit, b: Limit): boolean =>
  (a.seconds ?? 0) > (b.seconds ?? Number.POSITIVE_INFINITY) || (a.trials ?? 0) > (b.trials ?? Number.POSITIVE_INFINITY)

interface Progress {
  /** Of full trials, one a file. */
  results: readonly TrialResult[]
  readonly screened: ScreenedTrial[]
  readonly growth: number[]
  /** Of each recipe the result of the highest rung that it came to, as of the whole recipe. */
  readonly latest: Map<string, TrialResult>
  /** By rung and file: what comes to the same file is not measured twice. */
  readonly files: Map<string, TrialResult>
  /** Recipes that came at least to the first rung's end. */
  drawn: number
}

/** `hasMixed`: between brackets the best so far is given bits layer by layer. */
async function brackets(course: Course, hasMixed: boolean, before: readonly TrialResult[]): Promise<Progress> {
  const planned: Runner[] = [...course.recipes]
  const progress: Progress = { results: [], screened: [], growth: [], latest: new Map(), files: new Map(), drawn: 0 }
  for (const result of before) note(course, progress, result)
  const bases = new Set<string>()
  for (let bracket = 0; ; bracket++) {
    if (hasMixed) await mixBest(course, progress, bases)
    const most = await sizeOf(course, bracket, progress.drawn)
    const runners = drawRunners(course, progress, planned, random(course.setup.env.seed ?? 0).fork(bracket), most)
    if (runners.length === 0) break
    await climb(course, progress, runners)
  }
  return progress
}

/**
 * How many recipes a bracket starts with, none where the search is over. What the journal holds counts whatever the
 * limit is now: among more recipes others would be promoted, and what was measured would be lost.
 */
async function sizeOf({ limit, journal }: Course, bracket: number, drawn: number): Promise<number> {
  const key = `bracket ${bracket}`
  const known = journal.recall<number>(key)
  if (known !== undefined) return known
  const size = Math.min(BRACKET, (limit.trials ?? Number.POSITIVE_INFINITY) - drawn)
  if (size <= 0 || isLate({ limit, journal })) return 0
  await journal.record(key, size)
  return size
}

/** Recipes that are new, `most` of them: those that were planned first. */
function drawRunners(
  { space, sampler, goal }: Course,
  { latest }: Progress,
  planned: Runner[],
  generator: Random,
  most: number,
): readonly Runner[] {
  const runners = new Map<string, Runner>()
  for (let vain = 0; runners.size < most && vain < VAIN; vain++) {
    const steps = planned[0]?.steps ?? sampler(space, generator, [...latest.values()], goal)
    const name = planned.shift()?.name ?? nameOf(steps)
    const key = JSON.stringify(steps)
    if (latest.has(key) || runners.has(key)) continue
    runners.set(key, { name, steps })
    vain = 0
  }
  return [...runners.values()]
}

/** What was measured in full. */
function note({ setup, goal }: Course, progress: Progress, result: TrialResult): void {
  if (result.sha256 !== undefined) progress.files.set(`${FULL} ${result.sha256}`, result)
  progress.latest.set(JSON.stringify(result.trial.steps), result)
  progress.results = withNew(progress.results, result, setup)
  progress.growth.push(volumeOf(goal, progress.results))
}

/** Mixed precision of what promises most and was not given it yet. */
async function mixBest(course: Course, progress: Progress, bases: Set<string>): Promise<void> {
  const base = bases.size === 0 ? [] : nextBase(course.goal, progress.results, bases)
  if (base === null) return
  bases.add(JSON.stringify(base))
  const over = baseOf(course.setup, base)
  const { rounding, goal } = course
  await mixed(course, progress, over)
  let slack: number = LEARNED_SLACK
  for (let i = 0; rounding !== null && slack > 1 && i < LEARNED_TRIES; i++) {
    const drop = await mixed(course, progress, over, { slack, params: rounding })
    if (drop === null || drop <= goal.maxDrop) return
    slack = slackAfter(slack, drop / goal.maxDrop)
  }
}

/** Times the budget that rounding layer by layer may lose before rounding is learned. */
const LEARNED_SLACK = 2
const LEARNED_TRIES = 3
/** Of the slack that would just do. */
const CAUTION = 0.95

/** What learning brings back is about the same part of any loss. */
const slackAfter = (slack: number, over: number): number => Number(((CAUTION * slack) / over).toFixed(2))

/** What the choice of bits loses, measured in full; null where there is none, or time is up. */
async function mixed(course: Course, progress: Progress, over: Base, learned?: Learned): Promise<number | null> {
  const recipe = await mixedOver(course, over, () => isLate(course), learned)
  if (recipe === null) return null
  const { name, steps, begun } = recipe
  const setup = { ...course.setup, ...(begun && { begun }) }
  const result = await tried({ ...course, setup }, { name, steps }, FULL, progress)
  if (result === null) return null
  note(course, progress, result)
  return result.quality?.drop ?? Number.POSITIVE_INFINITY
}

/** All recipes on the first rung, and on each further one those that promise most. */
async function climb(course: Course, progress: Progress, bracket: readonly Runner[]): Promise<void> {
  const { goal } = course
  let runners = bracket
  for (const [level, rung] of RUNGS.entries()) {
    const done = new Map<TrialResult, Runner>()
    for (const runner of runners) {
      const result = await tried(course, runner, level, progress)
      if (result === null) break
      done.set(result, runner)
      if (level === 0) progress.drawn++
      if (rung.share === 1) {
        note(course, progress, result)
        continue
      }
      const { steps } = runner
      if (result.sha256 !== undefined) progress.files.set(`${level} ${result.sha256}`, result)
      progress.latest.set(JSON.stringify(steps), { ...result, trial: { ...result.trial, steps } })
      progress.screened.push(screenedOf(result, level))
    }
    const next = promising({ ...goal, slack: rung.slack }, [...done.keys()], Math.ceil(runners.length * rung.kept))
    runners = next.map((r) => done.get(r)!)
  }
}

const isLate = ({ limit, journal }: Pick<Course, 'limit' | 'journal'>): boolean =>
  journal.spent() >= (limit.seconds ?? Number.POSITIVE_INFINITY)

/** Null where time is over; what the journal knows is handed back all the same. */
async function tried(
  course: Course,
  { name, steps }: Runner,
  level: number,
  { files, drawn }: Progress,
): Promise<TrialResult | null> {
  const { setup, journal, limit } = course
  const rung = RUNGS[level]!
  const isFull = rung.share === 1
  const trial = await makeTrial(setup, name, onRung(steps, rung))
  const key = isFull ? `trial ${trial.id}` : `screen ${level} ${trial.id}`
  const known = journal.recall<TrialResult>(key)
  if (known !== undefined) return known
  if (isLate(course)) return null
  const { seconds, trials } = limit
  setup.env.onProgress?.({
    task: `${isFull ? 'measuring' : 'screening'} ${name}`,
    ...(seconds === null
      ? { done: drawn, ...(trials !== null && { total: trials }) }
      : { done: journal.spent(), total: seconds }),
  })
  const samples = samplesOn(rung, setup.judge?.samples ?? 0)
  const result = await runTrial(benchOn(setup, rung), trial, {
    isWritten: isFull,
    known: (hash) => files.get(`${level} ${hash}`),
    ...(samples !== undefined && { samples }),
  })
  await journal.record(key, result)
  return result
}

const screenedOf = ({ trial, bytes, latency, quality, error }: TrialResult, rung: number): ScreenedTrial => ({
  name: trial.name,
  rung,
  ...(bytes !== undefined && { bytes }),
  ...(latency && { ratio: latency.ratio }),
  ...(quality && { drop: quality.drop }),
  ...(error !== undefined && { error }),
})
