/** Shapes: whether a sample's array is what an input declares, up to axes of length 1. */

export type InputDim = number | string

/**
 * The shape that the array takes for the input, or null where it does not fit. Ranks equal: every known length must
 * match. Else axes of length 1 are added or removed, at the front first; all other lengths keep their order.
 */
export function alignShape(have: readonly number[], want: readonly InputDim[]): readonly number[] | null {
  if (have.length === want.length && have.every((d, i) => typeof want[i] === 'string' || want[i] === d)) return have
  if (have.length === want.length) return null
  return place(
    have.filter((d) => d !== 1),
    want,
  )
}

/** Spreads the lengths over the wanted axes; those left over must be able to be 1. The leading axis is kept 1 if it can be. */
function place(lengths: readonly number[], want: readonly InputDim[]): readonly number[] | null {
  const [axis, ...rest] = want
  if (axis === undefined) return lengths.length === 0 ? [] : null
  const [length, ...others] = lengths
  const asOne = axis === 1 || typeof axis === 'string' ? place(lengths, rest) : null
  if (asOne) return [1, ...asOne]
  if (length === undefined || (typeof axis === 'number' && axis !== length)) return null
  const taken = place(others, rest)
  return taken && [length, ...taken]
}

/** `[N, 3, 240, 320]`, with `?` for lengths that have no name. */
export const shownShape = (shape: readonly InputDim[]): string =>
  `[${shape.map((d) => (d === '' ? '?' : d)).join(', ')}]`
