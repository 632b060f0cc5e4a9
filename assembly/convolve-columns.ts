/**
 * The convolution of a density on a grid [cells, cells] with an even kernel, along the columns. Transforms have the
 * length `size`, at least twice as much, of which the rest is 0, so that nothing comes around from the other side. Arrays are
 * addresses of float32.
 */

import { clear, HALF, storePlain, transform } from './fourier'

/**
 * Along the columns: of the sum of the copies of the density, to re and im [size / 2 + 1, cells]. A column of the left half
 * and one of the right are the real and the imaginary part of one transform, and are told apart by their symmetries.
 */
export function columnsForward(
  density: usize,
  copies: i32,
  cells: i32,
  size: i32,
  re: usize,
  im: usize,
  first: usize,
  second: usize,
  table: usize,
  thread: i32,
  threads: i32,
): void {
  const row = (cells as usize) << 2
  const right = row >> 1
  const copy = row * (cells as usize)
  const half = f32x4.splat(0.5)
  for (let block = thread; block < cells >> 4; block += threads) {
    const column = (block as usize) << 5
    for (let y = 0; y < cells; y++) {
      const to = first + ((y as usize) << 6)
      for (let o: usize = 0; o < HALF; o += 16) {
        let at = density + row * (y as usize) + column + o
        let a = v128.load(at),
          b = v128.load(at + right)
        for (let k = 1; k < copies; k++) {
          at += copy
          a = f32x4.add(a, v128.load(at))
          b = f32x4.add(b, v128.load(at + right))
        }
        storePlain(to + o, a, b)
      }
    }
    clear(first, cells, size)
    const found = transform(size, first, second, table)
    for (let k = 0; k <= size >> 1; k++) {
      const here = found + ((k as usize) << 6)
      const there = found + (((k === 0 ? 0 : size - k) as usize) << 6)
      const at = row * (k as usize) + column
      for (let o: usize = 0; o < HALF; o += 16) {
        const zr = v128.load(here + o),
          zi = v128.load(here + o + HALF)
        const nr = v128.load(there + o),
          ni = v128.load(there + o + HALF)
        v128.store(re + at + o, f32x4.mul(half, f32x4.add(zr, nr)))
        v128.store(im + at + o, f32x4.mul(half, f32x4.sub(zi, ni)))
        v128.store(re + at + right + o, f32x4.mul(half, f32x4.add(zi, ni)))
        v128.store(im + at + right + o, f32x4.mul(half, f32x4.sub(nr, zr)))
      }
    }
  }
}

/** Back along the columns, to the potential [cells, cells]. */
export function columnsInverse(
  cells: i32,
  size: i32,
  re: usize,
  im: usize,
  potential: usize,
  first: usize,
  second: usize,
  table: usize,
  thread: i32,
  threads: i32,
): void {
  const row = (cells as usize) << 2
  const right = row >> 1
  for (let block = thread; block < cells >> 4; block += threads) {
    const column = (block as usize) << 5
    for (let k = 0; k <= size >> 1; k++) {
      const at = row * (k as usize) + column
      const here = first + ((k as usize) << 6)
      const there = first + (((k === 0 ? 0 : size - k) as usize) << 6)
      for (let o: usize = 0; o < HALF; o += 16) {
        const ar = v128.load(re + at + o),
          ai = v128.load(im + at + o)
        const br = v128.load(re + at + right + o),
          bi = v128.load(im + at + right + o)
        // Z(−k) = A* + iB*, written first: of k = 0 and size / 2 it is the same place. Parts have changed places.
        storePlain(there + o, f32x4.sub(br, ai), f32x4.add(ar, bi))
        storePlain(here + o, f32x4.add(ai, br), f32x4.sub(ar, bi))
      }
    }
    const found = transform(size, first, second, table)
    for (let y = 0; y < cells; y++) {
      const from = found + ((y as usize) << 6)
      const to = potential + row * (y as usize) + column
      for (let o: usize = 0; o < HALF; o += 16) {
        v128.store(to + o, v128.load(from + o + HALF))
        v128.store(to + right + o, v128.load(from + o))
      }
    }
  }
}
