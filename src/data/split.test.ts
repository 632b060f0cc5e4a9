import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { collect } from '../../test/collect.js'
import { f32 } from '../ir/tensor.js'
import { withLabels } from './labels.js'
import { readOf, type Sample, type Samples } from './samples.js'
import { draw, split } from './split.js'

const LINKS = [{ output: 'hn', input: 'h' }]

/** Samples called after their index, of the recordings that are named; counted if so asked. */
function numbered(n: number, counted = true, sequenceOf?: (i: number) => string): Samples {
  const list = Array.from({ length: n }, (_, i): Sample => {
    const sequence = sequenceOf?.(i)
    return { feeds: { x: f32([1], [i]) }, name: `${i}`, ...(sequence !== undefined && { sequence }) }
  })
  return {
    name: 'numbered',
    count: counted ? n : null,
    async *read() {
      yield* list
    },
  }
}
const indices = async (samples: Samples) => (await collect(samples.read())).map((s) => Number(s.name))
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)
const ascending = (list: readonly number[]) => list.toSorted((a, b) => a - b)

test('a split is a partition in halves, equal at each reading, in order, counted or not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(60), fc.nat(1000), fc.boolean(), async (n, seed, counted) => {
      const { calibration, heldOut, total } = await split(numbered(n, counted), { seed })
      const [a, b] = [await indices(calibration), await indices(heldOut)]
      expect(ascending([...a, ...b])).toEqual(upTo(n))
      expect(a).toEqual(ascending(a))
      expect(await indices(calibration)).toEqual(a)
      expect([calibration.count, heldOut.count, total]).toEqual([a.length, b.length, n])
      expect(a.length - b.length).toBe(n % 2)
    }),
    { numRuns: 60, seed: 2 },
  )
})

test('another seed splits otherwise, and each sample is as likely as any other', async () => {
  const of = async (seed: number) => indices((await split(numbered(20), { seed })).calibration)
  expect(await of(1)).not.toEqual(await of(2))
  const counts = new Array<number>(20).fill(0)
  for (let seed = 0; seed < 400; seed++) for (const i of await of(seed)) counts[i]!++
  for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(50)
})

test('what a limit leaves is drawn from the whole source', async () => {
  const parts = await split(numbered(20_000), { calibration: 256, heldOut: 500 })
  for (const [part, size] of [
    [parts.calibration, 256],
    [parts.heldOut, 500],
  ] as const) {
    const drawn = await indices(part)
    expect(drawn).toHaveLength(size)
    const tenths = new Array<number>(10).fill(0)
    for (const i of drawn) tenths[Math.floor(i / 2000)]!++
    for (const n of tenths) expect(Math.abs(n - size / 10)).toBeLessThan(4 * Math.sqrt(size / 10))
  }
  const both = [...(await indices(parts.calibration)), ...(await indices(parts.heldOut))]
  expect(new Set(both).size).toBe(756)
})

test('a source without an end is read as far as it counts', async () => {
  const endless: Samples = {
    name: 'endless',
    count: null,
    async *read() {
      for (let i = 0; ; i++) yield { feeds: {}, name: `${i}` }
    },
  }
  const { heldOut, total } = await split(endless, { calibration: 4, heldOut: 4 })
  expect(total).toBe(200_000)
  expect(await indices(heldOut)).toHaveLength(4)
})

describe('samples that are left out', () => {
  test('are not made where the source can leave them out, through labels and a second draw', async () => {
    const made: number[] = []
    const source: Samples = {
      name: 'pictures',
      count: 1000,
      read: readOf(async function* (isWanted) {
        for (const i of upTo(1000)) {
          if (!isWanted(i)) continue
          made.push(i)
          yield { feeds: {}, name: `${i}` }
        }
      }),
    }
    const labels = {
      name: 'labels',
      count: 1000,
      async *read() {
        yield* upTo(1000)
      },
    }
    const { heldOut } = await split(withLabels(source, labels), { heldOut: 40 })
    made.length = 0
    const read = await collect(draw(heldOut, 10).read())
    expect(read.map((s) => s.label)).toEqual(read.map((s) => Number(s.name)))
    expect(read).toHaveLength(10)
    expect(made).toEqual(read.map((s) => Number(s.name)))
  })

  test('are not given by who reads otherwise than the source', async () => {
    const source = numbered(10)
    const doubled: Samples = {
      ...{ ...source, read: readOf(() => source.read()) },
      async *read(options) {
        for await (const s of source.read(options)) yield { ...s, name: `${2 * Number(s.name)}` }
      },
    }
    expect(ascending(await indices((await split(doubled)).heldOut)).every((i) => i % 2 === 0)).toBe(true)
  })
})

describe('recordings', () => {
  const recordings = (lengths: readonly number[]) => lengths.flatMap((n, r) => new Array<string>(n).fill(`clip ${r}`))
  const recorded = (lengths: readonly number[], carry = true): Samples => {
    const names = recordings(lengths)
    return { ...numbered(names.length, true, (i) => names[i]!), ...(carry && { carry: LINKS }) }
  }

  test('many are split, and none is torn apart', async () => {
    const lengths = upTo(20).map((i) => 5 + (i % 7))
    const names = recordings(lengths)
    for (const carry of [true, false]) {
      const { calibration, heldOut, total } = await split(recorded(lengths, carry), { seed: 3 })
      const [a, b] = [await indices(calibration), await indices(heldOut)]
      expect(ascending([...a, ...b])).toEqual(upTo(total))
      const [left, right] = [new Set(a.map((i) => names[i])), new Set(b.map((i) => names[i]))]
      expect([...left].filter((name) => right.has(name))).toEqual([])
      expect(Math.abs(a.length - b.length)).toBeLessThan(15)
    }
  })

  test('of few, each is cut once, so that both halves hear all of them', async () => {
    const { calibration, heldOut } = await split(recorded([100, 11]))
    const [a, b] = [await indices(calibration), await indices(heldOut)]
    expect(ascending([...a, ...b])).toEqual(upTo(111))
    const cuts = a.filter((i) => b.includes(i + 1)).length + b.filter((i) => a.includes(i + 1)).length
    expect(cuts).toBeLessThanOrEqual(3)
    for (const part of [a, b]) {
      expect(part.filter((i) => i < 100)).toHaveLength(50)
      expect(part.some((i) => i >= 100)).toBe(true)
    }
  })

  test('with states, a limit leaves stretches of frames from all over, each a recording of its own', async () => {
    const { heldOut } = await split(recorded([2000, 2000]), { heldOut: 400 })
    const frames = await collect(heldOut.read())
    expect(frames).toHaveLength(400)
    const pieces = new Set(frames.map((f) => f.sequence))
    expect(pieces.size).toBeGreaterThan(4)
    const at = [...pieces].map((p) => frames.filter((f) => f.sequence === p).map((f) => Number(f.name)))
    for (const piece of at) expect(piece).toEqual(upTo(piece.length).map((i) => piece[0]! + i))
    expect(at.some((p) => p[0]! < 2000) && at.some((p) => p[0]! >= 2000)).toBe(true)
  })

  test('without states, frames are drawn one by one', async () => {
    const { heldOut } = await split(recorded([2000, 2000], false), { heldOut: 100 })
    const drawn = await indices(heldOut)
    expect(drawn).toHaveLength(100)
    expect(drawn.filter((i, k) => drawn[k + 1] === i + 1).length).toBeLessThan(30)
  })

  test('a single recording is cut, and goes on where nothing was left out', async () => {
    const { calibration, heldOut } = await split(recorded([9]))
    for (const part of [calibration, heldOut]) {
      expect(new Set((await collect(part.read())).map((f) => f.sequence)).size).toBe(1)
    }
  })
})
