/**
 * The samples of `pare demo`, as a module that `--data` takes: 24 photographs, each whole, mirrored, and in two seeded
 * crops, as the detector wants them: `input` float32 [1, 3, 240, 320], RGB, (x − 127) / 128. Needs Node alone.
 */

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const W = 320
const H = 240
const CROPS = 2

/** Frames of YUV4MPEG2 with 4:2:0 chroma: Y [240, 320], Cb and Cr [120, 160]. */
function photographs() {
  const video = gunzipSync(readFileSync(new URL('faces.y4m.gz', import.meta.url)))
  const frames = []
  const mark = 'FRAME\n'.length
  const size = (W * H * 3) / 2
  for (let at = video.indexOf('\n') + 1; at < video.length; at += mark + size) {
    const [y, cb, cr, end] = [0, 1, 1.25, 1.5].map((planes) => at + mark + planes * W * H)
    frames.push({ y: video.subarray(y, cb), cb: video.subarray(cb, cr), cr: video.subarray(cr, end) })
  }
  return frames
}

/** Part of a plane of w x h, given in fractions of its sides, stretched to 320 x 240: bilinear, pixel centres. */
function stretched(plane, w, h, { left, top, width, height, mirrored }) {
  const columns = Array.from({ length: W }, (_, c) => {
    const u = ((mirrored ? W - 1 - c : c) + 0.5) / W
    return Math.min(Math.max((left + u * width) * w - 0.5, 0), w - 1)
  })
  const out = new Float32Array(W * H)
  for (let r = 0; r < H; r++) {
    const y = Math.min(Math.max((top + ((r + 0.5) / H) * height) * h - 0.5, 0), h - 1)
    const above = Math.floor(y)
    const below = Math.min(above + 1, h - 1)
    for (let c = 0; c < W; c++) {
      const x = columns[c]
      const near = Math.floor(x)
      const far = Math.min(near + 1, w - 1)
      const upper = plane[above * w + near] * (1 - x + near) + plane[above * w + far] * (x - near)
      const lower = plane[below * w + near] * (1 - x + near) + plane[below * w + far] * (x - near)
      out[r * W + c] = upper * (1 - y + above) + lower * (y - above)
    }
  }
  return out
}

/** One view of a photograph as bytes [3, 240, 320], RGB (JFIF, BT.601 full range). */
function view(frame, box) {
  const y = stretched(frame.y, W, H, box)
  const cb = stretched(frame.cb, W / 2, H / 2, box)
  const cr = stretched(frame.cr, W / 2, H / 2, box)
  const rgb = new Uint8ClampedArray(3 * W * H)
  for (let i = 0; i < W * H; i++) {
    rgb[i] = y[i] + 1.402 * (cr[i] - 128)
    rgb[W * H + i] = y[i] - 0.344136 * (cb[i] - 128) - 0.714136 * (cr[i] - 128)
    rgb[2 * W * H + i] = y[i] + 1.772 * (cb[i] - 128)
  }
  return rgb
}

/** Numbers in [0, 1), the same everywhere (Park and Miller 1988). */
function uniform(seed) {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

function boxes(photograph) {
  const next = uniform(photograph + 1)
  for (let i = 0; i < 8; i++) next()
  const whole = { left: 0, top: 0, width: 1, height: 1 }
  const crops = Array.from({ length: CROPS }, (_, i) => {
    const [width, height] = [0.6 + 0.35 * next(), 0.6 + 0.35 * next()]
    const box = { left: next() * (1 - width), top: next() * (1 - height), width, height, mirrored: next() < 0.5 }
    return { ...box, name: `crop ${i + 1}` }
  })
  return [{ ...whole, mirrored: false, name: 'whole' }, { ...whole, mirrored: true, name: 'mirrored' }, ...crops]
}

const views = photographs().flatMap((frame, i) =>
  boxes(i).map((box) => ({ rgb: view(frame, box), name: `photograph ${i + 1}, ${box.name}` })),
)

export default async function* () {
  for (const { rgb, name } of views) {
    const input = new Float32Array(rgb.length)
    for (let i = 0; i < rgb.length; i++) input[i] = (rgb[i] - 127) / 128
    yield { feeds: { input }, name }
  }
}
