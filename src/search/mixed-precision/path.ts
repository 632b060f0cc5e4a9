/**
 * The path through mixed precision: which layer goes to which form next. The error of the outputs is about the root of the
 * sum of what each layer adds to its square, and costs add up, so that the best choice for a budget is a knapsack with a
 * few choices a layer. Taking steps in the order of error per saved cost, along the lower hull of each layer's choices,
 * gives the best choice at every step's total but for the last step itself (Sinha and Zoltners 1979, "The
 * Multiple-Choice Knapsack Problem").
 */

/** What a layer in one form costs and errs, the other layers as they were. */
export interface Choice {
  /** Index of the form. */
  readonly form: number
  /** Bytes or milliseconds less than in float. */
  readonly saved: number
  /** Squared error that it adds. */
  readonly error: number
}

/** One layer goes on to a coarser form. */
export interface Move {
  readonly layer: number
  readonly form: number
  /** What is saved more than by the layer's last move. */
  readonly saved: number
  readonly error: number
}

/** All moves, the cheapest error first; those of a layer in their order. `choices`: by layer. */
export function pathOf(choices: readonly (readonly Choice[])[]): readonly Move[] {
  const moves = choices.flatMap((own, layer) => {
    const hull = lowerHull(own)
    return hull.slice(1).map((choice, i): Move => {
      const before = hull[i]!
      return { layer, form: choice.form, saved: choice.saved - before.saved, error: choice.error - before.error }
    })
  })
  return moves.toSorted((a, b) => a.error / a.saved - b.error / b.saved)
}

/** Of float and the choices those that no mixture of two others beats, by what they save: each saves more, at a higher price. */
function lowerHull(choices: readonly Choice[]): readonly Choice[] {
  const float: Choice = { form: -1, saved: 0, error: 0 }
  const sorted = choices
    .filter((c) => c.saved > 0 && Number.isFinite(c.error))
    .toSorted((a, b) => a.saved - b.saved || b.error - a.error)
  const hull: Choice[] = [float]
  for (const choice of sorted) {
    const isBeaten = (last: Choice): boolean => {
      if (last === float) return false
      return choice.error <= last.error || price(hull.at(-2)!, last) >= price(last, choice)
    }
    while (isBeaten(hull.at(-1)!)) hull.pop()
    hull.push(choice)
  }
  return hull
}

const price = (a: Choice, b: Choice): number => (b.error - a.error) / (b.saved - a.saved)

/** The form of each layer after so many moves; null where it is in float. */
export function formsAfter(moves: readonly Move[], count: number, layers: number): readonly (number | null)[] {
  const forms: (number | null)[] = Array.from({ length: layers }, () => null)
  for (const { layer, form } of moves.slice(0, count)) forms[layer] = form
  return forms
}
