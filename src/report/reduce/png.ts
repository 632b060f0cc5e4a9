/** Pixels as a PNG file. Node only. */

import { crc32, deflateSync } from 'node:zlib'
import { concatBytes, viewOf } from '../../util/bytes.js'
import type { Pixels } from './raster.js'

/** PNG (ISO 15948): eight bits a colour, without opacity, each line as its difference from the one above. */
export function encodePng({ width, height, data }: Pixels): Uint8Array {
  const line = 3 * width
  const raw = new Uint8Array((line + 1) * height)
  for (let row = 0; row < height; row++) {
    let to = row * (line + 1)
    raw[to++] = row === 0 ? 0 : UP
    for (let column = 0; column < width; column++)
      for (let part = 0; part < 3; part++) {
        const at = 4 * (row * width + column) + part
        raw[to++] = data[at]! - (row === 0 ? 0 : data[at - 4 * width]!)
      }
  }
  const head = new Uint8Array(13)
  viewOf(head).setUint32(0, width)
  viewOf(head).setUint32(4, height)
  head.set([8, 2, 0, 0, 0], 8)
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10)
  return concatBytes([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', new Uint8Array(0)),
  ])
}

const UP = 2

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length)
  const view = viewOf(out)
  view.setUint32(0, data.length)
  out.set(new TextEncoder().encode(type), 4)
  out.set(data, 8)
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)))
  return out
}
