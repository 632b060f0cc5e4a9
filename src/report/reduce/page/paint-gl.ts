/** Points painted by WebGL: positions lie in the graphics card, a frame is one call. */

import { partsOf } from '../colours.js'
import { FADED, OPACITY, type PaintedPoints, type Painter, type Scene } from './paint.js'
import { scaleOf } from './view.js'

const VERTEX = `
attribute vec2 place; attribute vec4 colour; uniform vec4 view; uniform mediump float diameter; varying vec4 shade;
void main() {
  gl_Position = colour.a == 0. ? vec4(2., 2., 2., 1.) : vec4(place * view.xy + view.zw, 0., 1.);
  gl_PointSize = diameter + 1.; shade = colour;
}`

const FRAGMENT = `
precision mediump float; varying vec4 shade; uniform float diameter;
void main() {
  float away = length(gl_PointCoord - .5) * (diameter + 1.);
  float a = shade.a * clamp(diameter * .5 + .5 - away, 0., 1.);
  gl_FragColor = vec4(shade.rgb * a, a);
}`

/** WebGL that a processor works through takes longer than discs in an array of pixels. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render/i

/** Null where there is no WebGL, or only one without a graphics card, unless `isForced`. */
export function glPainter(canvas: HTMLCanvasElement, points: PaintedPoints, isForced: boolean): Painter | null {
  const gl = canvas.getContext('webgl', { antialias: false })
  if (!gl || (!isForced && SOFTWARE.test(rendererOf(gl)))) return null
  const program = linked(gl)
  if (!program) return null
  const n = points.order.length
  const places = new Float32Array(2 * n)
  for (const [at, i] of points.order.entries()) {
    places[2 * at] = points.x[i]!
    places[2 * at + 1] = points.y[i]!
  }
  const colours = new Uint8Array(4 * n)
  gl.useProgram(program)
  attribute(gl, program, 'place', 2, gl.FLOAT)
  gl.bufferData(gl.ARRAY_BUFFER, places, gl.STATIC_DRAW)
  attribute(gl, program, 'colour', 4, gl.UNSIGNED_BYTE)
  const [view, size] = [gl.getUniformLocation(program, 'view'), gl.getUniformLocation(program, 'diameter')]
  gl.enable(gl.BLEND)
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
  return {
    name: 'webgl',
    setScene(scene) {
      fillColours(colours, scene, points.order)
      gl.bufferData(gl.ARRAY_BUFFER, colours, gl.DYNAMIC_DRAW)
    },
    paint({ x, y, zoom }, stage, pixelRatio, diameter) {
      const scale = scaleOf({ x, y, zoom }, stage)
      const [sx, sy] = [(2 * scale) / stage.width, (2 * scale) / stage.height]
      gl.viewport(0, 0, canvas.width, canvas.height)
      gl.clear(gl.COLOR_BUFFER_BIT)
      gl.uniform4f(view, sx, sy, -x * sx, -y * sy)
      gl.uniform1f(size, diameter * pixelRatio)
      gl.drawArrays(gl.POINTS, 0, n)
    },
  }
}

function rendererOf(gl: WebGLRenderingContext): string {
  const info = gl.getExtension('WEBGL_debug_renderer_info')
  return String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER))
}

function fillColours(to: Uint8Array, { colours, groups, isHidden, chosen }: Scene, order: Uint32Array): void {
  const parts = colours.map(partsOf)
  for (const [at, i] of order.entries()) {
    const group = groups[i]!
    to.set(parts[group]!, 4 * at)
    const opacity = chosen === null || chosen[i] === 1 ? OPACITY : FADED
    to[4 * at + 3] = isHidden[group] ? 0 : 255 * opacity
  }
}

function attribute(gl: WebGLRenderingContext, program: WebGLProgram, name: string, size: number, type: number): void {
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer())
  const at = gl.getAttribLocation(program, name)
  gl.enableVertexAttribArray(at)
  gl.vertexAttribPointer(at, size, type, type === gl.UNSIGNED_BYTE, 0, 0)
}

function linked(gl: WebGLRenderingContext): WebGLProgram | null {
  const program = gl.createProgram()
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type)
    if (!shader) return null
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  gl.linkProgram(program)
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null
}
