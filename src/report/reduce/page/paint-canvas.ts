/** Points painted without WebGL: discs in an array of pixels, handed to the canvas as a whole. */

import { paintDiscs } from '../raster.js'
import { FADED, OPACITY, type PaintedPoints, type Painter, type Scene } from './paint.js'
import { scaleOf } from './view.js'

export function canvasPainter(canvas: HTMLCanvasElement, { x, y, order }: PaintedPoints): Painter | null {
  const context = canvas.getContext('2d')
  if (!context) return null
  let image = context.createImageData(1, 1)
  let scene: Scene | null = null
  return {
    name: 'canvas',
    setScene(next) {
      scene = next
    },
    paint(view, stage, pixelRatio, diameter) {
      const { width, height } = canvas
      if (image.width === width && image.height === height) image.data.fill(0)
      else image = context.createImageData(width, height)
      if (scene === null) return
      const { colours, groups, isHidden, chosen } = scene
      const scale = scaleOf(view, stage) * pixelRatio
      const layer = (isLit: boolean): void =>
        paintDiscs(image, {
          count: order.length,
          x: (i) => width / 2 + (x[order[i]!]! - view.x) * scale,
          y: (i) => height / 2 - (y[order[i]!]! - view.y) * scale,
          colour: (i) => {
            const group = groups[order[i]!]!
            return isHidden[group] || (chosen !== null && (chosen[order[i]!] === 1) !== isLit) ? -1 : group
          },
          colours,
          opacities: colours.map(() => (isLit ? OPACITY : FADED)),
          diameter: diameter * pixelRatio,
        })
      if (chosen !== null) layer(false)
      layer(true)
      context.putImageData(image, 0, 0)
    },
  }
}
