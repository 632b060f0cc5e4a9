/**
 * The affine grid: real = (q − zeroPoint) · scale for integers q in [qmin, qmax].
 * Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
 * Inference", eq. 1. Zero always lies on the grid, so that padding and Relu stay exact.
 */

export type IntType = 'int8' | 'uint8' | 'int4' | 'uint4'

export interface Grid {
  readonly dtype: IntType
  readonly qmin: number
  readonly qmax: number
  readonly scale: number
  readonly zeroPoint: number
}

export interface Limits {
  readonly qmin: number
  readonly qmax: number
}

const LIMITS: Readonly<Record<IntType, Limits>> = {
  int8: { qmin: -128, qmax: 127 },
  uint8: { qmin: 0, qmax: 255 },
  int4: { qmin: -8, qmax: 7 },
  uint4: { qmin: 0, qmax: 15 },
}

export const limitsOf = (dtype: IntType): Limits => LIMITS[dtype]

export interface GridOptions {
  readonly dtype: IntType
  /** Zero point in the middle of the integers: `max(|lo|, |hi|)` covers the longer side. */
  readonly symmetric?: boolean
  /** Narrower integer limits, e.g. ±64 where sums of pairs must not overflow. */
  readonly limits?: Limits
}

/** The grid that covers [lo, hi] and zero. A range too small for a normal float32 scale gives scale 1: all maps to zero. */
export function affineGrid(lo: number, hi: number, { dtype, symmetric = false, limits }: GridOptions): Grid {
  const { qmin, qmax } = limits ?? LIMITS[dtype]
  const low = Math.min(0, lo)
  const high = Math.max(0, hi)
  if (symmetric) {
    const zeroPoint = qmin < 0 ? 0 : Math.ceil((qmin + qmax) / 2)
    const steps = Math.min(qmax - zeroPoint, zeroPoint - qmin)
    const scale = safeScale(Math.max(-low, high) / steps)
    return { dtype, qmin: zeroPoint - steps, qmax: zeroPoint + steps, scale, zeroPoint }
  }
  const scale = safeScale((high - low) / (qmax - qmin))
  const zeroPoint = clamp(Math.round(qmin - low / scale), qmin, qmax)
  return { dtype, qmin, qmax, scale, zeroPoint }
}

/** Below it float32 loses digits, and engines may take it for zero. */
const SMALLEST_NORMAL = 2 ** -126

/** Scales are stored as float32: round first, so that every later computation sees what the engine sees. */
export function safeScale(scale: number): number {
  const rounded = Math.fround(scale)
  return rounded >= SMALLEST_NORMAL && Number.isFinite(rounded) ? rounded : 1
}

export const clamp = (x: number, lo: number, hi: number): number => Math.min(Math.max(x, lo), hi)

/** Rounds half to even, as QuantizeLinear does. */
export function roundEven(x: number): number {
  const r = Math.round(x)
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r
}

/** As QuantizeLinear does it: the quotient is a float32, which decides ties. */
export const quantizeValue = (x: number, g: Grid): number =>
  clamp(roundEven(Math.fround(x / g.scale)) + g.zeroPoint, g.qmin, g.qmax)

export const dequantizeValue = (q: number, g: Grid): number => (q - g.zeroPoint) * g.scale

/** The smallest and the largest real value on the grid. */
export const gridRange = (g: Grid): readonly [number, number] => [
  dequantizeValue(g.qmin, g),
  dequantizeValue(g.qmax, g),
]
