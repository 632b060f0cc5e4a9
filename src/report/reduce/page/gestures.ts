/** Mouse, pen, fingers and keys on the stage, told as what they mean for the map. */

import { type Outline, rectangle } from './lasso.js'

export type Mode = 'move' | 'lasso' | 'rectangle'

/** Places are pixels of the stage. */
export interface Gestures {
  pan(dx: number, dy: number): void
  zoom(factor: number, x: number, y: number): void
  /** A line around points, while it is drawn; null where it was given up. */
  outline(outline: Outline | null): void
  /** It is closed. `isMore`: what it holds comes to what is chosen already. */
  choose(outline: Outline, isMore: boolean): void
  hover(place: readonly [number, number] | null): void
  reset(): void
  clear(): void
  /** After a key has moved the map: the middle is looked at. */
  look(): void
}

interface Drawing {
  readonly shape: 'lasso' | 'rectangle'
  readonly line: number[]
  readonly isMore: boolean
}

const KEY_STEP = 60
const KEY_ZOOM = 1.4
/** Pixels between corners of a lasso. */
const CORNER = 3

export function listen(stage: HTMLElement, mode: () => Mode, on: Gestures): void {
  const fingers = new Map<number, readonly [number, number]>()
  let drawing: Drawing | null = null
  const placeOf = (event: MouseEvent): readonly [number, number] => {
    const { left, top } = stage.getBoundingClientRect()
    return [event.clientX - left - stage.clientLeft, event.clientY - top - stage.clientTop]
  }
  const giveUp = (): void => {
    drawing = null
    on.outline(null)
  }

  stage.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return
    stage.setPointerCapture(event.pointerId)
    const place = placeOf(event)
    fingers.set(event.pointerId, place)
    on.hover(null)
    if (fingers.size > 1) return giveUp()
    const shape = mode() === 'move' ? (event.shiftKey ? 'rectangle' : null) : (mode() as Drawing['shape'])
    drawing = shape && { shape, line: [...place], isMore: event.shiftKey && mode() !== 'move' }
  })

  stage.addEventListener('pointermove', (event) => {
    const place = placeOf(event)
    const before = fingers.get(event.pointerId)
    if (!before) return on.hover(place)
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at)
    fingers.set(event.pointerId, place)
    const other = others[0]
    if (other) return pinch(before, place, other)
    if (!drawing) return on.pan(place[0] - before[0], place[1] - before[1])
    extend(drawing, place)
    on.outline(outlineOf(drawing))
  })

  const pinch = (
    before: readonly [number, number],
    now: readonly [number, number],
    other: readonly [number, number],
  ) => {
    const [dx, dy] = [(now[0] - before[0]) / 2, (now[1] - before[1]) / 2]
    on.pan(dx, dy)
    const apart = ([x, y]: readonly [number, number]): number => Math.hypot(x - other[0], y - other[1]) || 1
    on.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2)
  }

  const lift = (event: PointerEvent): void => {
    if (!fingers.delete(event.pointerId)) return
    const done = drawing
    giveUp()
    if (done && event.type === 'pointerup' && done.line.length > 2) on.choose(outlineOf(done), done.isMore)
  }
  stage.addEventListener('pointerup', lift)
  stage.addEventListener('pointercancel', lift)
  stage.addEventListener('pointerleave', () => on.hover(null))

  stage.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault()
      // Lines where the wheel has steps; a pinch on a touchpad comes as a wheel with Ctrl, in small steps.
      const speed = event.deltaMode === 1 ? 0.05 : event.ctrlKey ? 0.01 : 0.002
      on.zoom(Math.exp(-speed * Math.max(-300, Math.min(300, event.deltaY))), ...placeOf(event))
    },
    { passive: false },
  )
  stage.addEventListener('dblclick', (event) => mode() === 'move' && on.zoom(2, ...placeOf(event)))

  stage.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const [x, y] = [stage.clientWidth / 2, stage.clientHeight / 2]
    const keys: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => on.pan(KEY_STEP, 0),
      ArrowRight: () => on.pan(-KEY_STEP, 0),
      ArrowUp: () => on.pan(0, KEY_STEP),
      ArrowDown: () => on.pan(0, -KEY_STEP),
      '+': () => on.zoom(KEY_ZOOM, x, y),
      '=': () => on.zoom(KEY_ZOOM, x, y),
      '-': () => on.zoom(1 / KEY_ZOOM, x, y),
      '0': on.reset,
      Home: on.reset,
    }
    if (event.key === 'Escape') {
      giveUp()
      on.clear()
    }
    const act = keys[event.key]
    if (!act) return
    event.preventDefault()
    act()
    on.look()
  })
}

function extend({ shape, line }: Drawing, [x, y]: readonly [number, number]): void {
  if (shape === 'rectangle') line.splice(2, 2, x, y)
  else if (Math.hypot(x - line.at(-2)!, y - line.at(-1)!) >= CORNER) line.push(x, y)
}

const outlineOf = ({ shape, line }: Drawing): Outline =>
  shape === 'lasso' ? line : rectangle(line[0]!, line[1]!, line[2]!, line[3]!)
