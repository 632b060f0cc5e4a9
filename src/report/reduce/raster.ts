/** Discs drawn into an array of pixels, with smooth edges: for pictures, and for browsers without WebGL. */

import { partsOf } from './colours.js'

/** Row by row from the top, four bytes a pixel: red, green, blue, opacity (not multiplied in). */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly data: Uint8ClampedArray<ArrayBuffer>
}

export interface Discs {
  readonly count: number
  /** In pixels, from the top left corner. */
  x(i: number): number
  y(i: number): number
  /** Index of the colour of a disc; −1 where it is not drawn. */
  colour(i: number): number
  /** `#rrggbb` each. */
  readonly colours: readonly string[]
  readonly opacities: readonly number[]
  readonly diameter: number
}

/** Places of the stamp between pixels, along each axis. */
const SHIFTS = 4

/** Paints the discs in their order over what is there. */
export function paintDiscs({ width, height, data }: Pixels, discs: Discs): void {
  const { count, colours, opacities, diameter } = discs
  const parts = colours.map(partsOf)
  const stamps = Array.from({ length: SHIFTS * SHIFTS }, (_, k) =>
    stamp(diameter, (k % SHIFTS) / SHIFTS, Math.floor(k / SHIFTS) / SHIFTS),
  )
  const side = sideOf(diameter)
  const half = diameter / 2 + 0.5
  for (let i = 0; i < count; i++) {
    const colour = discs.colour(i)
    if (colour < 0) continue
    const [fx, fy] = [discs.x(i) - half, discs.y(i) - half]
    const [x, y] = [Math.floor(fx), Math.floor(fy)]
    if (x + side < 0 || y + side < 0 || x >= width || y >= height) continue
    const cover = stamps[Math.floor((fy - y) * SHIFTS) * SHIFTS + Math.floor((fx - x) * SHIFTS)]!
    const [red, green, blue] = parts[colour]!
    const opacity = opacities[colour]!
    const [left, right] = [Math.max(0, -x), Math.min(side, width - x)]
    for (let row = Math.max(0, -y); row < side && y + row < height; row++) {
      let to = 4 * ((y + row) * width + x + left)
      for (let k = row * side + left; k < row * side + right; k++, to += 4) {
        const a = cover[k]! * opacity
        if (a === 0) continue
        // Porter and Duff 1984, over: what is below counts as far as it is seen.
        const below = (data[to + 3]! / 255) * (1 - a)
        const whole = a + below
        data[to] = (red * a + data[to]! * below) / whole
        data[to + 1] = (green * a + data[to + 1]! * below) / whole
        data[to + 2] = (blue * a + data[to + 2]! * below) / whole
        data[to + 3] = 255 * whole
      }
    }
  }
}

const sideOf = (diameter: number): number => Math.ceil(diameter) + 2

/** How much of each pixel the disc covers, its corner being shifted by a part of a pixel. */
function stamp(diameter: number, dx: number, dy: number): Float32Array {
  const side = sideOf(diameter)
  const middle = diameter / 2 + 0.5
  return Float32Array.from({ length: side * side }, (_, k) => {
    const x = (k % side) + 0.5 - middle - dx
    const y = Math.floor(k / side) + 0.5 - middle - dy
    return Math.min(1, Math.max(0, diameter / 2 + 0.5 - Math.hypot(x, y)))
  })
}
