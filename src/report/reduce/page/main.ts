/** The script of the page of a map: unpacks the points, paints what is seen, and answers to hands and keys. */

import { significant } from '../../../util/format.js'
import { coloursOf, type Grouping, groupsOf, type Theme } from '../colours.js'
import { type PackedMap, type PointMap, unpackMap } from '../point-map.js'
import { cellOf, selectionCsv } from './csv.js'
import { type Gestures, listen, type Mode } from './gestures.js'
import { inside, type Outline, rectangle } from './lasso.js'
import { element, number, showLegend, text } from './legend.js'
import { nearIndex, type Places } from './near.js'
import { diameterOf, type Painter, shuffled } from './paint.js'
import { canvasPainter } from './paint-canvas.js'
import { glPainter } from './paint-gl.js'
import { panBy, type Stage, scaleOf, toMap, toPixels, type View, WHOLE, zoomAt } from './view.js'

/** Pixels from the pointer, and from the middle for keys. */
const REACH = 14
const KEY_REACH = 60

/** Milliseconds of a frame beyond which a map that moves is painted with fewer pixels, and after which it is still. */
const SLOW = 20
const SETTLED = 160
const FEW_PIXELS = 500_000

const byId = <E extends Element = HTMLElement>(id: string): E => document.getElementById(id) as unknown as E

const map = unpackMap(JSON.parse(byId('map-data').textContent!) as PackedMap)
const places = placesOf(map)
const n = places.x.length
const near = nearIndex(places)
const points = { ...places, order: shuffled(n) }
const stageElement = byId('map-stage')
const [tip, status] = [byId('map-tip'), byId('map-status')]
const [outlinePath, ring] = [byId('map-outline'), byId('map-ring')]
const dark = matchMedia('(prefers-color-scheme: dark)')

let view: View = WHOLE
let stage: Stage = { width: 1, height: 1 }
let mode: Mode = 'move'
let grouping: Grouping = groupsOf(map.columns[0] ?? null, n)
let isHidden: boolean[] = []
let chosen: Uint8Array | null = null
let shown = -1
let canvas = byId<HTMLCanvasElement>('map-canvas')
let painter = openPainter()
let isAsked = false
/** Whether a whole frame takes long, and whether the next one may do with fewer pixels. */
let [isSlow, isCoarse] = [false, false]
let settling: ReturnType<typeof setTimeout> | undefined

/** Scaled alike along both axes, into [−1, 1]. */
function placesOf({ x, y }: PointMap): Places {
  const [left, right, low, high] = extents(x, y)
  const half = Math.max(right - left, high - low) / 2 || 1
  return {
    x: Float32Array.from(x, (v) => (v - (left + right) / 2) / half),
    y: Float32Array.from(y, (v) => (v - (low + high) / 2) / half),
  }
}

function extents(x: ArrayLike<number>, y: ArrayLike<number>) {
  let [left, right, low, high] = [x[0]!, x[0]!, y[0]!, y[0]!]
  for (let i = 1; i < x.length; i++) {
    left = Math.min(left, x[i]!)
    right = Math.max(right, x[i]!)
    low = Math.min(low, y[i]!)
    high = Math.max(high, y[i]!)
  }
  return [left, right, low, high] as const
}

/** `#webgl` behind the page's address asks for WebGL even where there is no graphics card. */
function openPainter(): Painter {
  const opened = glPainter(canvas, points, location.hash === '#webgl') ?? canvasPainter(freshCanvas(), points)
  if (!opened) throw new Error('This browser has no canvas to draw on.')
  stageElement.dataset.painter = opened.name
  return opened
}

/** A canvas that WebGL was asked of gives no other context. */
function freshCanvas(): HTMLCanvasElement {
  const fresh = canvas.cloneNode() as HTMLCanvasElement
  canvas.replaceWith(fresh)
  canvas = fresh
  return fresh
}

/** `isMoving`: more frames will follow at once, and each may be a coarse one. */
function draw(isMoving = false): void {
  if (!isMoving) isCoarse = false
  if (isAsked) return
  isAsked = true
  requestAnimationFrame(() => {
    isAsked = false
    const few = Math.sqrt(FEW_PIXELS / (stage.width * stage.height))
    const ratio = isCoarse ? Math.min(devicePixelRatio, few) : devicePixelRatio
    sizeCanvas(ratio)
    const begin = performance.now()
    painter.paint(view, stage, ratio, diameterOf(n, stage, view.zoom))
    if (ratio === devicePixelRatio) isSlow = performance.now() - begin > SLOW
    else {
      clearTimeout(settling)
      settling = setTimeout(draw, SETTLED)
    }
    isCoarse = isSlow
    placeRing()
    if (stageElement.dataset.frames === undefined) performance.mark('map-painted')
    stageElement.dataset.frames = String(Number(stageElement.dataset.frames ?? 0) + 1)
  })
}

function sizeCanvas(ratio: number): void {
  const [width, height] = [Math.round(stage.width * ratio), Math.round(stage.height * ratio)]
  if (canvas.width !== width) canvas.width = width
  if (canvas.height !== height) canvas.height = height
}

function recolour(): void {
  const theme: Theme = dark.matches ? 'dark' : 'light'
  const colours = coloursOf(grouping, theme)
  painter.setScene({ colours, groups: grouping.of, isHidden, chosen })
  showLegend(byId('map-legend'), grouping, colours, isHidden, {
    toggle: (group) => hide(isHidden.map((h, g) => (g === group ? !h : h))),
    only: (group) => hide(isHidden.map((_, g) => g !== group)),
  })
  byId('map-all').hidden = grouping.kind !== 'classes'
  draw()
}

/** The legend is made anew: what had the focus has it again. */
function hide(next: boolean[]): void {
  const legend = byId('map-legend')
  const focus = [...legend.children].indexOf(document.activeElement!)
  isHidden = next
  show(-1)
  recolour()
  if (focus >= 0) (legend.children[focus] as HTMLElement).focus()
}

function colourBy(at: number): void {
  grouping = groupsOf(map.columns[at] ?? null, n)
  isHidden = grouping.groups.map(() => false)
  recolour()
}

function choose(outline: Outline, isMore: boolean): void {
  const corners = outline.map((v, k) => (k % 2 === 0 ? toMap(view, stage, v, 0)[0] : toMap(view, stage, 0, v)[1]))
  const found = inside(corners, places)
  for (let i = 0; i < n; i++) {
    if (isHidden[grouping.of[i]!]) found[i] = 0
    if (isMore && chosen?.[i] === 1) found[i] = 1
  }
  setChosen(found.includes(1) ? found : null)
}

function setChosen(next: Uint8Array | null): void {
  chosen = next
  const count = chosen?.reduce((sum, v) => sum + v, 0) ?? 0
  byId('map-count').textContent =
    count === 0 ? 'No points are chosen.' : `${number(count)} of ${number(n)} points are chosen.`
  for (const id of ['map-download', 'map-clear']) byId<HTMLButtonElement>(id).disabled = count === 0
  recolour()
}

/** A point and what is known of it; −1 for none. */
function show(point: number): void {
  shown = point
  tip.hidden = point < 0
  placeRing()
  if (point < 0) return
  const lines = [
    ...map.columns.map((column) => [column.name, cellOf(column, point) || '—'] as const),
    ...map.axes.map((axis, k) => [axis, significant((k === 0 ? map.x : map.y)[point]!, 4)] as const),
  ]
  tip.replaceChildren(
    text('map-row', `row ${number(point + 1)}`),
    ...lines.map(([name, value]) => element('div', '', text('map-key', name), text('', value))),
  )
  placeTip()
}

function placeRing(): void {
  ring.toggleAttribute('hidden', shown < 0)
  if (shown < 0) return
  const [x, y] = toPixels(view, stage, places.x[shown]!, places.y[shown]!)
  ring.setAttribute('cx', String(x))
  ring.setAttribute('cy', String(y))
  ring.setAttribute('r', String(diameterOf(n, stage, view.zoom) / 2 + 3))
}

/** Beside the point, where there is room. */
function placeTip(): void {
  const [x, y] = toPixels(view, stage, places.x[shown]!, places.y[shown]!)
  const { offsetWidth: width, offsetHeight: height } = tip
  const left = x + 14 + width > stage.width ? x - 14 - width : x + 14
  tip.style.left = `${Math.max(4, Math.min(stage.width - width - 4, left))}px`
  tip.style.top = `${Math.max(4, Math.min(stage.height - height - 4, y - height / 2))}px`
}

function nearest(px: number, py: number, reach: number): number {
  const [x, y] = toMap(view, stage, px, py)
  return near.nearest(x, y, reach / scaleOf(view, stage), (i) => !isHidden[grouping.of[i]!])
}

function look(next: View): void {
  view = next
  draw(true)
}

const gestures: Gestures = {
  pan: (dx, dy) => look(panBy(view, stage, dx, dy)),
  zoom(factor, x, y) {
    show(-1)
    look(zoomAt(view, stage, factor, x, y))
  },
  outline(outline) {
    const corners = outline?.map((v, k) => `${k === 0 ? 'M' : k % 2 === 0 ? 'L' : ' '}${Math.round(v)}`).join('')
    outlinePath.setAttribute('d', corners ? `${corners}Z` : '')
  },
  choose,
  hover: (place) => show(place === null ? -1 : nearest(...place, REACH)),
  reset() {
    show(-1)
    look(WHOLE)
  },
  clear: () => setChosen(null),
  look() {
    show(nearest(stage.width / 2, stage.height / 2, KEY_REACH))
    status.textContent =
      shown < 0
        ? 'No point near the middle.'
        : [...tip.children].map((line) => [...line.childNodes].map((c) => c.textContent).join(' ')).join(', ')
  },
}

function download(): void {
  const rows = Array.from({ length: n }, (_, i) => i).filter((i) => chosen?.[i] === 1)
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([selectionCsv(map, rows)], { type: 'text/csv' }))
  link.download = 'chosen.csv'
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

function resized(): void {
  stage = { width: stageElement.clientWidth || 1, height: stageElement.clientHeight || 1 }
  show(-1)
  draw()
}

function onClick(id: string, act: () => void): void {
  byId(id).addEventListener('click', act)
}

const modes = [...document.querySelectorAll<HTMLElement>('[data-mode]')]
for (const button of modes) {
  button.addEventListener('click', () => {
    mode = button.dataset.mode as Mode
    stageElement.dataset.tool = mode
    for (const other of modes) other.setAttribute('aria-pressed', String(other === button))
  })
}
const zoomBy = (factor: number): void => gestures.zoom(factor, stage.width / 2, stage.height / 2)
onClick('map-in', () => zoomBy(1.5))
onClick('map-out', () => zoomBy(1 / 1.5))
onClick('map-reset', gestures.reset)
onClick('map-seen', () => choose(rectangle(0, 0, stage.width, stage.height), false))
onClick('map-clear', gestures.clear)
onClick('map-download', download)
onClick('map-show', () => hide(isHidden.map(() => false)))
onClick('map-hide', () => hide(isHidden.map(() => true)))
const select = document.getElementById('map-colour') as HTMLSelectElement | null
select?.addEventListener('change', () => colourBy(select.selectedIndex))
dark.addEventListener('change', recolour)
canvas.addEventListener('webglcontextlost', (event) => event.preventDefault())
canvas.addEventListener('webglcontextrestored', () => {
  painter = openPainter()
  recolour()
})
listen(stageElement, () => mode, gestures)
new ResizeObserver(resized).observe(stageElement)
resized()
colourBy(0)
setChosen(null)
