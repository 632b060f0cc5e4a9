/**
 * The convolution of a density on a grid [cells, cells] with an even kernel, along the rows. Transforms have the
 * length `size`, at least twice as much, of which the rest is 0, so that nothing comes around from the other side. Arrays are
 * addresses of float32.
 */

import { clear, HALF, transform } from './fourier'

export { transform }

/** Four rows of four numbers to the lanes of four elements of a buffer. */
// @ts-expect-error
function gatherRows(from: usize, row: usize, to: usize): void {
  const a = v128.load(from),
    b = v128.load(from + row),
    c = v128.load(from + 2 * row),
    d = v128.load(from + 3 * row)
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5),
    ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7)
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5),
    cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7)
  v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2))
  v128.store(to + 64, v128.shuffle<i64>(ab, cd, 1, 3))
  v128.store(to + 128, v128.shuffle<i64>(ab2, cd2, 0, 2))
  v128.store(to + 192, v128.shuffle<i64>(ab2, cd2, 1, 3))
}

// @ts-expect-error
function scatterRows(from: usize, to: usize, row: usize): void {
  const a = v128.load(from),
    b = v128.load(from + 64),
    c = v128.load(from + 128),
    d = v128.load(from + 192)
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5),
    ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7)
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5),
    cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7)
  v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2))
  v128.store(to + row, v128.shuffle<i64>(ab, cd, 1, 3))
  v128.store(to + 2 * row, v128.shuffle<i64>(ab2, cd2, 0, 2))
  v128.store(to + 3 * row, v128.shuffle<i64>(ab2, cd2, 1, 3))
}

/**
 * Along the rows, times the spectrum of the kernel [size / 2 + 1, padded], and back, in place. Rows come in blocks of 8:
 * there is room for `padded` of them, whole blocks. Of the inverse, real and imaginary parts change places around a
 * forward transform.
 */
export function rowsConvolved(
  cells: i32,
  size: i32,
  padded: i32,
  re: usize,
  im: usize,
  spectrum: usize,
  first: usize,
  second: usize,
  table: usize,
  thread: i32,
  threads: i32,
): void {
  const row = (cells as usize) << 2
  for (let block = thread; block < padded >> 3; block += threads) {
    const at = row * ((block << 3) as usize)
    for (let x = 0; x < cells; x += 4) {
      const to = first + ((x as usize) << 6)
      const from = at + ((x as usize) << 2)
      gatherRows(re + from, row, to)
      gatherRows(re + from + 4 * row, row, to + 16)
      gatherRows(im + from, row, to + HALF)
      gatherRows(im + from + 4 * row, row, to + HALF + 16)
    }
    clear(first, cells, size)
    const found = transform(size, first, second, table)
    for (let k = 0; k < size; k++) {
      const own = k <= size >> 1 ? k : size - k
      const factors = spectrum + (((own * padded + (block << 3)) as usize) << 2)
      const z = found + ((k as usize) << 6)
      for (let o: usize = 0; o < HALF; o += 16) {
        const g = v128.load(factors + o)
        const zr = v128.load(z + o)
        v128.store(z + o, f32x4.mul(g, v128.load(z + o + HALF)))
        v128.store(z + o + HALF, f32x4.mul(g, zr))
      }
    }
    const back = transform(size, found, found === first ? second : first, table)
    for (let x = 0; x < cells; x += 4) {
      const from = back + ((x as usize) << 6)
      const to = at + ((x as usize) << 2)
      scatterRows(from + HALF, re + to, row)
      scatterRows(from + HALF + 16, re + to + 4 * row, row)
      scatterRows(from, im + to, row)
      scatterRows(from + 16, im + to + 4 * row, row)
    }
  }
}
