/** Which part of the map is seen: its middle, and pixels a unit. Points are scaled so that the whole map is [−1, 1] wide. */

export interface View {
  /** The place in the middle of the stage. */
  readonly x: number
  readonly y: number
  /** 1: the whole map fits. */
  readonly zoom: number
}

export interface Stage {
  readonly width: number
  readonly height: number
}

export const WHOLE: View = { x: 0, y: 0, zoom: 1 }
const MOST_ZOOM = 2000
const LEAST_ZOOM = 0.5
/** Of the stage that the whole map takes. */
const ROOM = 0.94

/** Pixels a unit. */
export const scaleOf = ({ zoom }: View, { width, height }: Stage): number => (zoom * ROOM * Math.min(width, height)) / 2

/** From the map to pixels of the stage, y downwards. */
export function toPixels(view: View, stage: Stage, x: number, y: number): readonly [number, number] {
  const scale = scaleOf(view, stage)
  return [stage.width / 2 + (x - view.x) * scale, stage.height / 2 - (y - view.y) * scale]
}

export function toMap(view: View, stage: Stage, px: number, py: number): readonly [number, number] {
  const scale = scaleOf(view, stage)
  return [view.x + (px - stage.width / 2) / scale, view.y - (py - stage.height / 2) / scale]
}

/** What lies under the pixel stays there. */
export function zoomAt(view: View, stage: Stage, factor: number, px: number, py: number): View {
  const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, view.zoom * factor))
  const [x, y] = toMap(view, stage, px, py)
  const [nx, ny] = toMap({ ...view, zoom }, stage, px, py)
  return inside({ x: view.x + x - nx, y: view.y + y - ny, zoom })
}

export function panBy(view: View, stage: Stage, dx: number, dy: number): View {
  const scale = scaleOf(view, stage)
  return inside({ ...view, x: view.x - dx / scale, y: view.y + dy / scale })
}

/** The map cannot be lost from sight. */
const inside = (view: View): View => ({
  ...view,
  x: Math.min(1.2, Math.max(-1.2, view.x)),
  y: Math.min(1.2, Math.max(-1.2, view.y)),
})
