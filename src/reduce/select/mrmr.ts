/** Columns that say much of a target and little of each other (Peng, Long and Ding 2005). */

import { type Features, namesOf, type Ranking, type Target } from './columns.js'
import { isCopy } from './copies.js'
import { checkCount } from './keep.js'
import { type InformationOptions, type InformationProblem, problemOf } from './mutual-information.js'
import { informationOf } from './pairs.js'

export interface MrmrOptions extends InformationOptions {
  /** Relevance minus redundancy, or divided by it. Default `mid`. */
  readonly scheme?: 'mid' | 'miq'
  /** Columns to take. Default: all. */
  readonly nFeatures?: number
}

export interface MrmrRanking extends Ranking {
  /** In the order in which they were taken. */
  readonly order: readonly number[]
  /** By column, as it was when the column was taken: of the first its relevance; NaN where it was not taken. */
  readonly scores: Float64Array
  /** I(xⱼ; y), by column, in nats. */
  readonly relevance: Float64Array
  /** Mean I(xⱼ; xₛ) with the columns before it, by column; NaN where it was not taken. */
  readonly redundancy: Float64Array
}

/** Candidates that are looked into at once, for each thread. */
const TOGETHER = 2

/** Below this a quotient would be of noise alone. */
const LEAST_REDUNDANCY = 1e-3

/**
 * Greedy: each time the column with the largest I(xⱼ; y) − mean I(xⱼ; xₛ), or their quotient, over the columns s taken
 * before (eq. 6 and 7), I as `mutualInformation` estimates it. A column that is a copy of one before comes after all that
 * are none: each is a function of the other that only grows or falls, or they are the same classes. Pairs are measured
 * when it takes them to find the best. Throws as `mutualInformation`.
 */
export async function mrmr(x: Features, y: Target, options: MrmrOptions = {}): Promise<MrmrRanking> {
  const problem = await problemOf(x, y, options)
  const { columns, variables, target, share } = problem
  const count = columns.length
  const { nFeatures = count } = options
  checkCount(nFeatures, count)
  const relevance = Float64Array.from(
    await informationOf(
      variables.map((variable) => [variable, target]),
      options,
      share,
    ),
  )
  const taking = takingFrom(problem, relevance, options)
  const [scores, redundancy] = [new Float64Array(count).fill(Number.NaN), new Float64Array(count).fill(Number.NaN)]
  const order: number[] = []
  while (order.length < nFeatures) {
    const best = await taking.next()
    scores[best.column] = best.score
    redundancy[best.column] = best.redundancy
    order.push(best.column)
    share.onProgress?.({ task: 'taking columns', done: order.length, total: nFeatures })
  }
  return { names: namesOf(columns), scores, order, relevance, redundancy }
}

interface Candidate {
  readonly column: number
  /** Σ I(xⱼ; xₛ) over the first so many columns that were taken. */
  sum: number
  known: number
  isCopy: boolean
}

/** What is taken next, one after the other. */
function takingFrom(
  { columns, variables, share }: InformationProblem,
  relevance: Float64Array,
  { scheme = 'mid', ...options }: MrmrOptions,
) {
  const candidates = new Set(columns.map((_, column): Candidate => ({ column, sum: 0, known: 0, isCopy: false })))
  const taken: number[] = []
  const together = TOGETHER * (1 + (share.engine?.tasks?.threads ?? 0))

  /** As pairs that are not known say nothing below 0, the score can but fall. */
  const boundOf = ({ column, sum }: Candidate): number => {
    if (taken.length === 0) return relevance[column]!
    const redundancy = sum / taken.length
    return scheme === 'mid'
      ? relevance[column]! - redundancy
      : relevance[column]! / Math.max(redundancy, LEAST_REDUNDANCY)
  }
  const inOrder = (): Candidate[] =>
    [...candidates].sort(
      (a, b) => Number(a.isCopy) - Number(b.isCopy) || boundOf(b) - boundOf(a) || a.column - b.column,
    )
  const isKnown = ({ known }: Candidate): boolean => known === taken.length

  const look = async (into: readonly Candidate[]): Promise<void> => {
    const open = into.flatMap((candidate) => taken.slice(candidate.known).map((other) => ({ candidate, other })))
    const { onProgress: _, ...quiet } = share
    const found = await informationOf(
      open.map(({ candidate, other }) => [variables[candidate.column]!, variables[other]!]),
      options,
      quiet,
    )
    const prepared = (column: number) => ({ column: columns[column]!, variable: variables[column]! })
    for (const [i, { candidate, other }] of open.entries()) {
      candidate.sum += found[i]!
      candidate.known++
      candidate.isCopy ||= isCopy(prepared(candidate.column), prepared(other))
    }
  }

  return {
    async next() {
      let ordered = inOrder()
      while (!isKnown(ordered[0]!)) {
        await look(ordered.filter((candidate) => !isKnown(candidate)).slice(0, together))
        ordered = inOrder()
      }
      const [best] = ordered as [Candidate]
      const score = boundOf(best)
      const redundancy = taken.length === 0 ? 0 : best.sum / taken.length
      candidates.delete(best)
      taken.push(best.column)
      return { column: best.column, score, redundancy }
    },
  }
}
