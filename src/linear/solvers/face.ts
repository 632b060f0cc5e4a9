/**
 * A step to where the objective would be least if the coefficients that move kept their signs: a linear system. Where
 * columns nearly depend on each other descent takes thousands of passes for what this does at once.
 */

import { factorize, solve } from './direct.js'
import { descendAlong } from './line-search.js'
import type { Workspace } from './workspace.js'

/** Passes of descent that one step costs, about: n³/3 operations by n². */
export const passesOfFace = ({ working, room: { state } }: Workspace): number => {
  let moving = 0
  for (let j = 0; j < working.length; j++) moving += Number(state.beta[j] !== 0)
  return Math.ceil(moving / 3)
}

/** Goes as far that way as the objective falls: never up, and over a change of sign only where it pays. */
export function stepOnFace({ working, room }: Workspace): void {
  const { terms, state, coefficients } = room
  const { l1, l2, lower, upper } = terms
  const { beta, residual } = state
  const moving = [...working.keys()].filter((j) => beta[j] !== 0 && beta[j]! > lower[j]! && beta[j]! < upper[j]!)
  if (moving.length === 0) return
  const fall = (j: number): number => residual[j]! - l2[j]! * beta[j]! - l1[j]! * Math.sign(beta[j]!)
  const step = solve(factorize(terms, l2, moving), Float64Array.from(moving, fall))
  coefficients.fill(0)
  for (const [k, j] of moving.entries()) coefficients[j] = step[k]!
  descendAlong({ working, room })
}
