/** A map as a picture of pixels: PNG. */

import { coloursOf, groupsOf } from './colours.js'
import { diameterOf, OPACITY, shuffled } from './page/paint.js'
import { placesOn } from './places.js'
import { encodePng } from './png.js'
import { checkMap, type PointMap } from './point-map.js'
import { type Pixels, paintDiscs } from './raster.js'

/** Pixels along each side. */
const SIDE = 1600

/**
 * A PNG of the points, coloured by the first column, on white: 1600 by 1600 pixels, without words, as letters need fonts.
 * The same map gives the same bytes anywhere. Throws `MAP_POINTS`.
 */
export function mapPng(map: PointMap): Uint8Array {
  checkMap(map)
  const grouping = groupsOf(map.columns[0] ?? null, map.x.length)
  const [side, scale] = [SIDE, 4]
  const pixels: Pixels = { width: side, height: side, data: new Uint8ClampedArray(4 * side * side).fill(255) }
  // Quarters of a pixel, as finely as discs are placed.
  const [x, y] = placesOn(map, scale * side, scale * 40)
  const order = shuffled(map.x.length)
  const colours = coloursOf(grouping, 'light')
  paintDiscs(pixels, {
    count: order.length,
    x: (i) => x[order[i]!]! / scale,
    y: (i) => y[order[i]!]! / scale,
    colour: (i) => grouping.of[order[i]!]!,
    colours,
    opacities: colours.map(() => OPACITY),
    diameter: diameterOf(order.length, { width: side, height: side }, 1) * 1.2,
  })
  return encodePng(pixels)
}
