/**
 * Gradients of convolutions, by products that the engine runs fast: the input's as a convolution with the turned
 * kernel, the weight's as a product of the unrolled input (im2col; Chellapilla et al. 2006) and dY.
 */

import { int, intAttr, ints, intsAttr } from '../../ir/attrs.js'
import type { Attr } from '../../ir/types.js'
import type { GradCall, GradRule } from '../def.js'
import { autoPadOf, kernelShape, windowsOf } from '../windows.js'
import { exceptChannel, list, op, shapeOfInput, shapeOfOutput, staticShape, sumOver } from './tools.js'

/** A window of one spatial axis with every size known, over an input of `size` that gives `steps` results. */
export interface Slide {
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  readonly begin: number
  readonly size: number
  readonly steps: number
}

/** Reach of a window: (k − 1) d + 1 */
const reachOf = ({ kernel, dilation }: Slide): number => (kernel - 1) * dilation + 1
/** Elements of the padded axis behind its input, as far as windows reach; negative where they leave some out. */
export const endOf = (s: Slide): number => s.stride * (s.steps - 1) + reachOf(s) - s.size - s.begin

/** The windows of a node from axes of `from` to axes of `to` (static shapes [N, C, …]), padding in numbers. */
export function slidesOf(
  g: GradCall,
  { from, to, weight }: { readonly from: readonly number[]; readonly to: readonly number[]; readonly weight?: number },
): readonly Slide[] {
  const rank = from.length - 2
  const autoPad = autoPadOf(g.node)
  return windowsOf(g, rank, kernelShape(g, rank, weight)).map((w, i) => {
    const [size, steps] = [from[i + 2]!, to[i + 2]!]
    const slide = { kernel: w.kernel as number, stride: w.stride, dilation: w.dilation, begin: w.padBegin, size, steps }
    if (autoPad === 'NOTSET') return slide
    if (autoPad === 'VALID') return { ...slide, begin: 0 }
    const total = Math.max(0, endOf({ ...slide, begin: 0 }))
    return { ...slide, begin: autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2) }
  })
}

export const slideAttrs = (slides: readonly Slide[], group: number): Record<string, Attr> => ({
  kernel_shape: ints(slides.map((s) => s.kernel)),
  strides: ints(slides.map((s) => s.stride)),
  dilations: ints(slides.map((s) => s.dilation)),
  group: int(group),
})

export const convGrad: GradRule = (g) => {
  const x = staticShape(g, shapeOfInput(g, 0), 'the input')
  const y = staticShape(g, shapeOfOutput(g), 'the output')
  const w = staticShape(g, shapeOfInput(g, 1), 'the weight')
  const slides = slidesOf(g, { from: x, to: y, weight: 1 })
  const group = intAttr(g.node, 'group', 1)
  const dy = g.dy[0]!
  return [
    g.wants(0) ? spread(g, { dy, weight: g.node.inputs[1]!, w, slides, group }) : null,
    g.wants(1) ? weightGrad(g, { x: g.node.inputs[0]!, xShape: x, dy, dyShape: y, slides, group }) : null,
    g.wants(2) ? sumOver(g, dy, exceptChannel(y.length), false) : null,
  ]
}

/** Where the output's size is given, padding is what remains, shared as the operator's specification says. */
function givenSize(g: GradCall, slides: readonly Slide[]): readonly Slide[] {
  if (intsAttr(g.node, 'output_shape') === undefined) return slides
  const isUpper = autoPadOf(g.node) === 'SAME_UPPER'
  return slides.map((s) => {
    const total = endOf({ ...s, begin: 0 })
    return { ...s, begin: isUpper ? Math.floor(total / 2) : Math.ceil(total / 2) }
  })
}

/** A transposed convolution spreads its input as a convolution's gradient does: the roles of x and dY change. */
export const convTransposeGrad: GradRule = (g) => {
  const x = staticShape(g, shapeOfInput(g, 0), 'the input')
  const y = staticShape(g, shapeOfOutput(g), 'the output')
  const slides = givenSize(g, slidesOf(g, { from: y, to: x, weight: 1 }))
  const group = intAttr(g.node, 'group', 1)
  const dy = g.dy[0]!
  const pads = ints([...slides.map((s) => s.begin), ...slides.map(endOf)])
  const gather = () => op(g, 'Conv', [dy, g.node.inputs[1]!], { ...slideAttrs(slides, group), pads })
  return [
    g.wants(0) ? gather() : null,
    g.wants(1) ? weightGrad(g, { x: dy, xShape: y, dy: g.node.inputs[0]!, dyShape: x, slides, group }) : null,
    g.wants(2) ? sumOver(g, dy, exceptChannel(y.length), false) : null,
  ]
}

interface Spread {
  readonly dy: string
  readonly weight: string
  readonly w: readonly number[]
  readonly slides: readonly Slide[]
  readonly group: number
}

/** dX of a convolution: at stride 1 a convolution of dY with the turned kernel, else a transposed convolution. */
function spread(g: GradCall, { dy, weight, w, slides, group }: Spread): string {
  const around = slides.map((s) => ({ before: reachOf(s) - 1 - s.begin, after: s.size - s.steps + s.begin }))
  if (slides.every((s) => s.stride === 1) && around.every((a) => a.before >= 0 && a.after >= 0)) {
    const pads = ints([...around.map((a) => a.before), ...around.map((a) => a.after)])
    return op(g, 'Conv', [dy, turned(g, weight, w, group)], { ...slideAttrs(slides, group), pads })
  }
  const full = op(g, 'ConvTranspose', [dy, weight], slideAttrs(slides, group))
  return cropped(g, full, slides)
}

/** From the whole reach of all windows to the input's own places: padding cut off, what no window reached as zeros. */
export function cropped(g: GradCall, full: string, slides: readonly Slide[]): string {
  const begin = slides.map((s) => -s.begin)
  const end = slides.map((s) => -endOf(s))
  if ([...begin, ...end].every((p) => p === 0)) return full
  return op(g, 'Pad', [full, list(g, [0, 0, ...begin, 0, 0, ...end])])
}

/** [M, C/g, …] → [C, M/g, …], every spatial axis turned round. */
function turned(g: GradCall, weight: string, w: readonly number[], group: number): string {
  const [m, c, ...kernel] = w as [number, number, ...number[]]
  const spatial = kernel.map((_, i) => i)
  const flipped = kernel.every((k) => k === 1)
    ? weight
    : op(g, 'Slice', [
        weight,
        list(
          g,
          kernel.map(() => -1),
        ),
        list(
          g,
          kernel.map((k) => -k - 1),
        ),
        list(
          g,
          spatial.map((i) => i + 2),
        ),
        list(
          g,
          kernel.map(() => -1),
        ),
      ])
  if (group === 1) return op(g, 'Transpose', [flipped], { perm: ints([1, 0, ...spatial.map((i) => i + 2)]) })
  if (c === 1 && m === group) return flipped
  const apart = op(g, 'Reshape', [flipped, list(g, [group, m / group, c, ...kernel])])
  const exchanged = op(g, 'Transpose', [apart], { perm: ints([0, 2, 1, ...spatial.map((i) => i + 3)]) })
  return op(g, 'Reshape', [exchanged, list(g, [group * c, m / group, ...kernel])])
}

interface Products {
  readonly x: string
  readonly xShape: readonly number[]
  readonly dy: string
  readonly dyShape: readonly number[]
  readonly slides: readonly Slide[]
  readonly group: number
}

/** Beyond so many places of a kernel, unrolling costs more memory than it saves time. */
const MOST_PLACES = 49

/** dW [M, C/g, …] = Σ over samples and places of dY times what the window sees of x. */
function weightGrad(g: GradCall, p: Products): string {
  const [n, c] = p.xShape as [number, number]
  const m = p.dyShape[1]!
  const kernel = p.slides.map((s) => s.kernel)
  if (c === p.group && n * m > 1) return depthwise(g, p)
  if (product(kernel) > MOST_PLACES) return byConvolution(g, p)
  const places = product(p.dyShape.slice(2))
  const inGroup = c / p.group
  const columns = unrolled(g, p, [n, p.group, inGroup, places], product(kernel))
  const rows = op(g, 'Reshape', [p.dy, list(g, [n, p.group, m / p.group, places])])
  const turnedColumns = op(g, 'Transpose', [columns], { perm: ints([0, 1, 3, 2]) })
  const sums = sumOver(g, op(g, 'MatMul', [rows, turnedColumns]), [0], false)
  return op(g, 'Reshape', [sums, list(g, [m, inGroup, ...kernel])])
}

/** What each place of the kernel sees, [n, group, C/group · places of the kernel, places of the output]. */
function unrolled(g: GradCall, p: Products, shape: readonly number[], kernelPlaces: number): string {
  const [n, group, inGroup, places] = shape as [number, number, number, number]
  if (kernelPlaces === 1 && p.slides.every((s) => s.stride === 1 && s.begin === 0 && endOf(s) === 0))
    return op(g, 'Reshape', [p.x, list(g, shape)])
  const x = padded(g, p)
  const axes = list(
    g,
    p.slides.map((_, i) => i + 2),
  )
  const steps = list(
    g,
    p.slides.map((s) => s.stride),
  )
  const seen = offsetsOf(p.slides).map((offset) => {
    const ends = offset.map((o, i) => o + p.slides[i]!.stride * (p.slides[i]!.steps - 1) + 1)
    const part = op(g, 'Slice', [x, list(g, offset), list(g, ends), axes, steps])
    return op(g, 'Reshape', [part, list(g, [n, group, inGroup, 1, places])])
  })
  const stacked = seen.length === 1 ? seen[0]! : op(g, 'Concat', seen, { axis: int(3) })
  return op(g, 'Reshape', [stacked, list(g, [n, group, inGroup * kernelPlaces, places])])
}

function padded(g: GradCall, { x, slides }: Products): string {
  const [begin, end] = [slides.map((s) => s.begin), slides.map((s) => Math.max(0, endOf(s)))]
  if ([...begin, ...end].every((v) => v === 0)) return x
  return op(g, 'Pad', [x, list(g, [0, 0, ...begin, 0, 0, ...end])])
}

/** Where in the padded input each place of the kernel begins, in the kernel's order. */
function offsetsOf(slides: readonly Slide[]): readonly (readonly number[])[] {
  return slides.reduce<readonly (readonly number[])[]>(
    (all, s) => all.flatMap((o) => Array.from({ length: s.kernel }, (_, k) => [...o, k * s.dilation])),
    [[]],
  )
}

/** Each channel of each sample on its own: dY slides over x as a kernel, stride and dilation exchanged. */
function depthwise(g: GradCall, p: Products): string {
  const [n, c] = p.xShape as [number, number]
  const m = p.dyShape[1]!
  const x = op(g, 'Reshape', [p.x, list(g, [1, n * c, ...p.xShape.slice(2)])])
  const kernel = op(g, 'Reshape', [p.dy, list(g, [n * m, 1, ...p.dyShape.slice(2)])])
  const sums = exchangedConv(g, x, kernel, p, n * c)
  const apart = op(g, 'Reshape', [sums, list(g, [n, m, 1, ...p.slides.map((s) => s.kernel)])])
  return sumOver(g, apart, [0], false)
}

/** The batch as channels: for large kernels of one group (or of groups one by one). */
function byConvolution(g: GradCall, p: Products): string {
  const spatial = p.slides.map((_, i) => i + 2)
  const swap = (x: string): string => op(g, 'Transpose', [x], { perm: ints([1, 0, ...spatial]) })
  const one = (x: string, dy: string): string => swap(exchangedConv(g, swap(x), swap(dy), p, 1))
  if (p.group === 1) return one(p.x, p.dy)
  const parts = (x: string, channels: number): readonly string[] =>
    g.b.ops(
      'Split',
      [
        x,
        list(
          g,
          Array.from({ length: p.group }, () => channels / p.group),
        ),
      ],
      {
        attrs: { axis: int(1) },
        outputs: p.group,
      },
    )
  const dys = parts(p.dy, p.dyShape[1]!)
  const each = parts(p.x, p.xShape[1]!).map((x, i) => one(x, dys[i]!))
  return op(g, 'Concat', each, { axis: int(0) })
}

/** A convolution whose kernel is dY; windows that began beyond the kernel's last place are cut off. */
function exchangedConv(g: GradCall, x: string, kernel: string, p: Products, group: number): string {
  const exchanged = p.slides.map((s) => ({ ...s, kernel: s.steps, stride: s.dilation, dilation: s.stride }))
  const ends = p.slides.map((s) => Math.max(0, endOf(s)))
  const pads = ints([...p.slides.map((s) => s.begin), ...ends])
  const all = op(g, 'Conv', [x, kernel], { ...slideAttrs(exchanged, group), pads })
  const axes = p.slides.map((_, i) => i + 2)
  const isExact = p.slides.every((s) => endOf(s) >= 0)
  if (isExact) return all
  return op(g, 'Slice', [
    all,
    list(
      g,
      axes.map(() => 0),
    ),
    list(
      g,
      p.slides.map((s) => s.kernel),
    ),
    list(g, axes),
  ])
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)
