/**
 * Repulsion in the plane by a grid, in time that does not depend on pairs (Linderman et al. 2019). The potential
 * φ(y) = Σ 1 / (1 + |y − yⱼ|²) is one convolution, of points spread by cubic splines; its gradient is what two would give:
 * −½ ∇φ = Σ (y − yⱼ) / (1 + |y − yⱼ|²)². What a point of the grid's own density does to itself is known, and taken off.
 */

import type { Crew } from './crew.js'
import type { Arena } from './memory.js'
import type { Points, Repulsion } from './repulsion.js'

/**
 * Between nodes: at most, where the map is not too large for that, and at least. With 0.4 forces are about as near to the
 * exact ones as those of three nodes per unit without splines, and finer grids cost more than they give.
 */
const COARSE = 0.4
const FINE = 0.1

/** By which spacings differ, so that a map that grows keeps its grid for a while. */
const STEP = 1.1

/** More nodes than needed that are kept for a map that breathes. */
const AMPLE = 1.3

/** Nodes beside the box on either side, for splines. */
const BESIDE = 2

/** Blocks of columns, and of rows, that are transformed together. */
const BLOCK = 16

/** Nodes along a side, at least and, by the number of points, at most. */
const LEAST = 64
const mostCells = (count: number): number => cellsFrom(Math.min(2048, Math.max(512, Math.ceil(8 * Math.sqrt(count)))))

/** The least length of a transform that will do: 2ᵃ3ᵇ. */
function sizeFrom(length: number): number {
  let best = Number.POSITIVE_INFINITY
  for (let three = 1; three < 2 * length; three *= 3)
    for (let size = three; ; size *= 2)
      if (size >= length) {
        // In fours as far as may be, and whole vectors.
        if (size % 4 === 0) best = Math.min(best, size)
        if (size % 4 === 0 || size > 4 * length) break
      }
  return best
}

const wholeBlocks = (cells: number): number => Math.ceil(cells / BLOCK) * BLOCK

/** As many as the transform has room for. */
const cellsFrom = (needed: number): number => {
  const size = sizeFrom(2 * wholeBlocks(needed))
  return Math.floor(size / 2 / BLOCK) * BLOCK
}

const paddedOf = (size: number): number => Math.ceil((size / 2 + 1) / 8) * 8

/** Bytes that it takes for so many points. */
export function gridBytes(count: number, parts: number): number {
  const cells = mostCells(count)
  const size = sizeFrom(2 * cells)
  const padded = paddedOf(size)
  return 4 * ((parts + 1) * cells ** 2 + 2 * padded * cells + 2 * padded ** 2) + parts * 128 * size + 12 * size + 4096
}

interface Grid {
  readonly cells: number
  readonly size: number
  readonly padded: number
  /** Addresses. */
  readonly density: number
  readonly potential: number
  readonly re: number
  readonly im: number
  readonly spectrum: number
  readonly table: number
  /** What a charge does to itself, by nodes apart: [4, 4], twice where there are two such. */
  readonly selves: number
  readonly buffers: readonly (readonly [number, number])[]
}

export function gridRepulsion(arena: Arena, crew: Crew, count: number): Repulsion {
  const most = mostCells(count)
  const base = arena.take(0)
  let grid: Grid | null = null
  let placed = { x: 0, y: 0, inverse: 1, spacing: COARSE }
  return {
    place(points, box) {
      const spans = [0, 1].map((d) => box.high[d]! - box.low[d]!)
      const span = Math.max(...spans)
      const room = most - 2 * BESIDE - 1
      const asked = Math.max(span / room, Math.min(COARSE, Math.max(FINE, span / (LEAST - 2 * BESIDE - 1))))
      const spacing = COARSE * STEP ** Math.ceil(Math.log(asked / COARSE) / Math.log(STEP) - 1e-9)
      const needed = Math.max(LEAST, Math.ceil(span / spacing) + 2 * BESIDE + 1)
      const cells = Math.min(most, cellsFrom(needed))
      const isGood = grid !== null && grid.cells >= needed && grid.cells <= AMPLE * cells && placed.spacing === spacing
      if (!isGood) {
        arena.reset(base)
        grid = openGrid(arena, crew, cells, spacing)
      }
      const [x, y] = [0, 1].map((d) => box.low[d]! - 0.5 * spacing) as [number, number]
      placed = { x, y, inverse: 1 / spacing, spacing }
      convolve(grid!, crew, points, placed)
    },
    callsOf: ({ at, out, values, isCharge }, from, to) => {
      const { x, y, inverse } = placed
      const { potential, cells, selves } = grid!
      return [['gather', at, from, to, x, y, inverse, potential, cells, isCharge ? selves : 0, out, values]]
    },
  }
}

type Placed = { readonly x: number; readonly y: number; readonly inverse: number }

function convolve(grid: Grid, crew: Crew, { at, count }: Points, { x, y, inverse }: Placed): void {
  const { cells, density } = grid
  const { parts } = crew
  const plane = 4 * cells * cells
  crew.run((k) => [
    ['spread', at, startOf(count, parts, k), startOf(count, parts, k + 1), x, y, inverse, density + k * plane, cells],
  ])
  transform(grid, crew)
}

/** The potential of the density. */
function transform(grid: Grid, crew: Crew): void {
  const { cells, size, padded, density, potential, re, im, spectrum, table, buffers } = grid
  const { parts } = crew
  crew.run((k) => [['columnsForward', density, parts, cells, size, re, im, ...buffers[k]!, table, k, parts]])
  crew.run((k) => [['rowsConvolved', cells, size, padded, re, im, spectrum, ...buffers[k]!, table, k, parts]])
  crew.run((k) => [['columnsInverse', cells, size, re, im, potential, ...buffers[k]!, table, k, parts]])
}

/** Where part k of so many begins. */
export const startOf = (count: number, parts: number, k: number): number => Math.floor((count * k) / parts)

function openGrid(arena: Arena, crew: Crew, cells: number, spacing: number): Grid {
  const size = sizeFrom(2 * cells)
  const padded = paddedOf(size)
  const { parts } = crew
  const take = (length: number): number => {
    const at = arena.take(4 * length)
    arena.floats(at, length).fill(0)
    return at
  }
  const grid: Grid = {
    cells,
    size,
    padded,
    // Cleared by what fills them.
    density: arena.take(4 * parts * cells * cells),
    potential: arena.take(4 * cells * cells),
    re: take(padded * cells),
    im: take(padded * cells),
    spectrum: take(padded * padded),
    table: take(2 * size),
    selves: take(16),
    buffers: Array.from({ length: parts }, () => [take(16 * size), take(16 * size)] as const),
  }
  const table = arena.floats(grid.table, 2 * size)
  for (let k = 0; k < size; k++) {
    const angle = (2 * Math.PI * k) / size
    table[2 * k] = Math.cos(angle)
    table[2 * k + 1] = -Math.sin(angle)
  }
  fillSpectrum(grid, crew, arena, spacing)
  fillSelves(grid, crew, arena)
  return grid
}

/** By a charge at one node: splines give it to 4 x 4 of them, and each would push at the others. */
function fillSelves(grid: Grid, crew: Crew, arena: Arena): void {
  const { cells, density, potential, selves } = grid
  const middle = Math.floor(cells / 2) * (cells + 1)
  arena.floats(density, crew.parts * cells * cells).fill(0)[middle] = 1
  transform(grid, crew)
  const found = arena.floats(potential, cells * cells)
  const out = arena.floats(selves, 16)
  for (let j = 0; j < 4; j++)
    for (let i = 0; i < 4; i++) out[4 * j + i] = (j === 0 ? 1 : 2) * (i === 0 ? 1 : 2) * found[middle + j * cells + i]!
}

/**
 * Of 1 / (1 + spacing² |m|²), which goes around, over those of the splines that charges and readings are made with, which
 * so give the kernel itself where both are nodes (Essmann et al. 1995, eq. 4.4).
 */
function fillSpectrum(
  { size, padded, spectrum, table, buffers }: Grid,
  crew: Crew,
  arena: Arena,
  spacing: number,
): void {
  const half = size / 2
  const splines = Float64Array.from({ length: half + 1 }, (_, k) => {
    const spline = (4 + 2 * Math.cos((2 * Math.PI * k) / size)) / 6
    return 1 / (size * spline * spline)
  })
  const [first, second] = buffers[0]!
  /** Eight transforms at a time, of values that are the same from both ends. */
  const along = (valueAt: (m: number, lane: number) => number, write: (k: number, lane: number, v: number) => void) => {
    for (let block = 0; block < padded; block += 8) {
      const buffer = arena.floats(first, 16 * size)
      for (let m = 0; m < size; m++) {
        const d = m <= half ? m : size - m
        for (let lane = 0; lane < 8; lane++) {
          buffer[16 * m + lane] = valueAt(d, block + lane)
          buffer[16 * m + 8 + lane] = 0
        }
      }
      const found = arena.floats(crew.calls.transform(size, first, second, table), 16 * size)
      for (let k = 0; k <= half; k++)
        for (let lane = 0; lane < 8; lane++) write(k, block + lane, splines[k]! * found[16 * k + lane]!)
    }
  }
  const rows = new Float32Array(padded * padded)
  const out = arena.floats(spectrum, padded * padded)
  along(
    (y, x) => 1 / (1 + spacing * spacing * (x * x + y * y)),
    (k, x, v) => {
      rows[k * padded + x] = v
    },
  )
  along(
    (x, k) => rows[k * padded + x]!,
    (kx, ky, v) => {
      out[kx * padded + ky] = v
    },
  )
}
