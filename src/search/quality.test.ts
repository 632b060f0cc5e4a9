import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stream } from '../../test/calibrated.js'
import { bytesOf, value } from '../../test/small-models.js'
import type { Sample, Samples } from '../data/samples.js'
import type { Engine, Session } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { f32, i64, numbers, stringTensor } from '../ir/tensor.js'
import type { DType } from '../ir/types.js'
import { random } from '../util/random.js'
import { BROKEN } from './outcome.js'
import { type JudgeOptions, type MetricRecord, openJudge } from './quality.js'

let engine: Engine
const open: Session[] = []
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const WIDTH = 4

/** Of outputs that are no floats, by their names. */
const DTYPES: Readonly<Record<string, DType>> = { index: 'int64', text: 'string' }

/** x [1, 4] → the outputs that `body` gives. */
async function session(body: (b: Builder) => Readonly<Record<string, string>>): Promise<Session> {
  const b = builder()
  b.input('x', value('float32', [1, WIDTH]))
  for (const [name, from] of Object.entries(body(b))) {
    b.ops('Identity', [from], { outputs: [name] })
    b.output(name, value(DTYPES[name] ?? 'float32', null))
  }
  const loaded = await engine.load(bytesOf(b.graph()))
  open.push(loaded)
  return loaded
}
const times = (b: Builder, x: string, ...factors: number[]): string =>
  b.op('Mul', [x, b.constant(f32([factors.length], factors), 'factor')])
const softmax = (b: Builder, x: string): string => b.op('Softmax', [x], { attrs: { axis: int(-1) } })

const classifier = (...factors: number[]) => session((b) => ({ y: softmax(b, times(b, 'x', ...factors)) }))
const regressor = (factor: number) => session((b) => ({ y: times(b, 'x', factor) }))
/** NaN everywhere: 0 · ∞. */
const broken = () => session((b) => ({ y: times(b, times(b, 'x', 0), Number.POSITIVE_INFINITY) }))

const xs: readonly (readonly number[])[] = (() => {
  const r = random(5)
  return Array.from({ length: 20 }, () => Array.from({ length: WIDTH }, () => r.normal()))
})()
const best = (row: readonly number[]): number => row.indexOf(Math.max(...row))

function samplesOf(label?: (row: readonly number[], i: number) => Sample['label'], rows = xs): Samples {
  const list = rows.map((row, i): Sample => {
    const l = label?.(row, i)
    return { feeds: { x: f32([1, WIDTH], row) }, name: `sample ${i}`, ...(l !== undefined && { label: l }) }
  })
  return { name: 'made up', count: list.length, read: () => stream(list) }
}
const judge = async (original: Session, samples: Samples, options: JudgeOptions = {}) =>
  openJudge(original, samples, options)
const code = async (promise: Promise<unknown>): Promise<unknown> => promise.catch((e) => e.code)

describe('what is measured', () => {
  test('accuracy, where every label is the index of a class', async () => {
    const { measure } = await judge(
      await classifier(1, 1, 1, 1),
      samplesOf((row) => best(row)),
    )
    expect(measure).toMatchObject({ kind: 'accuracy', output: 'y', higherIsBetter: true, baseline: 1 })
    expect(measure.explanation).toContain('accuracy')
  })

  test('the error, where labels are numbers', async () => {
    const { measure } = await judge(
      await regressor(2),
      samplesOf((row) => row.map((v) => 2 * v + 0.5)),
    )
    expect(measure).toMatchObject({ kind: 'rmse', output: 'y', higherIsBetter: false })
    expect(measure.baseline).toBeCloseTo(0.5, 6)
  })

  test.each([
    ['a label beyond the classes', WIDTH],
    ['a negative label', -1],
    ['a label that is no whole number', 0.5],
  ])('the error, where there is %s', async (_, label) => {
    const one = await session((b) => ({ y: b.op('ReduceSum', ['x']) }))
    const { measure } = await judge(
      one,
      samplesOf(() => label),
    )
    expect(measure.kind).toBe('rmse')
    const many = samplesOf((row, i) => (i === 3 ? label : best(row)))
    expect(await code(judge(await classifier(1, 1, 1, 1), many))).toBe('LABEL_RANGE')
  })

  test('agreement, where an output holds probabilities and there are no labels', async () => {
    const original = await session((b) => ({ logits: times(b, 'x', 1), probabilities: softmax(b, 'x') }))
    const { measure } = await judge(original, samplesOf())
    expect(measure).toMatchObject({
      kind: 'top-1 agreement',
      output: 'probabilities',
      baseline: 1,
      higherIsBetter: true,
    })
    expect(measure.explanation).toContain('probabilities')
  })

  test('agreement in the output that is declared', async () => {
    const original = await session((b) => ({ logits: times(b, 'x', 1), probabilities: softmax(b, 'x') }))
    const { measure } = await judge(original, samplesOf(), { scores: 'logits' })
    expect(measure).toMatchObject({ kind: 'top-1 agreement', output: 'logits' })
    expect(await code(judge(original, samplesOf(), { scores: 'nothing' }))).toBe('SCORES_UNKNOWN')
  })

  test('the relative error otherwise, and one bad row is enough', async () => {
    const rows = [
      [0.25, 0.25, 0.25, 0.25],
      [0.5, 0.5, 0, 0],
      [1, 0, 0, 0],
    ]
    const plain = await regressor(1)
    expect((await judge(plain, samplesOf(undefined, rows))).measure.kind).toBe('top-1 agreement')
    for (const bad of [
      [0.5, 0.5, 0.5, -0.5],
      [0.5, 0.4, 0, 0],
      [0.5, 0.6, 0, 0],
    ]) {
      expect((await judge(plain, samplesOf(undefined, [...rows, bad]))).measure.kind).toBe('relative error')
    }
    const one = await session((b) => ({ y: b.op('ReduceSum', [softmax(b, 'x')]) }))
    expect((await judge(one, samplesOf())).measure.kind).toBe('relative error')
  })

  test('the user’s metric above all', async () => {
    const metric = { name: 'my metric', higherIsBetter: false, evaluate: () => 3 }
    const { measure } = await judge(
      await classifier(1, 1, 1, 1),
      samplesOf((row) => best(row)),
      { metric },
    )
    expect(measure).toMatchObject({ kind: 'metric', higherIsBetter: false, baseline: 3 })
    expect(measure.explanation).toContain('my metric')
  })

  test('nothing without samples', async () => {
    expect(await code(judge(await regressor(1), samplesOf(undefined, [])))).toBe('SAMPLES_EMPTY')
  })

  test('not labels without an output of numbers', async () => {
    const original = await session((b) => ({ index: b.op('ArgMax', ['x']) }))
    expect(
      await code(
        judge(
          original,
          samplesOf(() => 1),
        ),
      ),
    ).toBe('LABEL_OUTPUT')
  })
})

describe('how a candidate is judged', () => {
  test('by accuracy against the labels', async () => {
    const labels = samplesOf((row, i) => (i < 5 ? (best(row) + 1) % WIDTH : best(row)))
    const j = await judge(await classifier(1, 1, 1, 1), labels)
    expect(j.measure.baseline).toBe(0.75)
    expect(j.samples).toBe(20)
    // Always class 0: right where the label is 0.
    const zero = await session((b) => ({
      y: softmax(b, b.op('Add', ['x', b.constant(f32([4], [1e3, 0, 0, 0]), 'c')])),
    }))
    const expected = xs.filter((row, i) => (i < 5 ? (best(row) + 1) % WIDTH : best(row)) === 0).length / 20
    const quality = await j.evaluate(zero)
    expect(quality.value).toBeCloseTo(expected, 12)
    expect(quality.drop).toBeCloseTo(0.75 - expected, 12)
    expect(await j.evaluate(await classifier(2, 2, 2, 2))).toMatchObject({ value: 0.75, drop: 0 })
  })

  test('by the growth of the error against the labels', async () => {
    const j = await judge(
      await regressor(1),
      samplesOf((row) => row.map((v) => v + 0.2)),
    )
    const worse = await session((b) => ({ y: b.op('Sub', ['x', b.constant(f32([], [0.1]), 'c')]) }))
    const quality = await j.evaluate(worse)
    expect(quality.value).toBeCloseTo(0.3, 6)
    expect(quality.drop).toBeCloseTo(0.5, 5)
    const better = await session((b) => ({ y: b.op('Add', ['x', b.constant(f32([], [0.1]), 'c')]) }))
    expect((await j.evaluate(better)).drop).toBeCloseTo(-0.5, 5)
  })

  test('by the error itself, where the original makes none', async () => {
    const j = await judge(
      await regressor(1),
      samplesOf((row) => row.map(Math.fround)),
    )
    expect(j.measure.baseline).toBe(0)
    const worse = await session((b) => ({ y: b.op('Add', ['x', b.constant(f32([], [0.25]), 'c')]) }))
    expect((await j.evaluate(worse)).drop).toBeCloseTo(0.25, 6)
  })

  test('by agreement in the first class', async () => {
    const j = await judge(await classifier(1, 1, 1, 1), samplesOf())
    const candidate = [1, 1, 3, -1] as const
    const agree = xs.filter((row) => best(row.map((v, i) => v * candidate[i]!)) === best(row)).length / 20
    expect(agree).toBeLessThan(1)
    const quality = await j.evaluate(await classifier(...candidate))
    expect(quality.value).toBeCloseTo(agree, 12)
    expect(quality.drop).toBeCloseTo(1 - agree, 12)
    expect(quality.outputs[0]).toMatchObject({ name: 'y', top1: quality.value })
  })

  test('by the relative error of the worst output', async () => {
    const two = (a: number, c: number) => session((b) => ({ a: times(b, 'x', a), c: times(b, 'x', c) }))
    const j = await judge(await two(1, 2), samplesOf())
    const quality = await j.evaluate(await two(1.01, 2.1))
    expect(quality.value).toBeCloseTo(0.05, 6)
    expect(quality.drop).toBeCloseTo(0.05, 6)
    expect(quality.outputs.map((o) => o.name)).toEqual(['a', 'c'])
    expect(quality.outputs[0]!.relativeError).toBeCloseTo(0.01, 6)
    expect(quality.outputs[0]!.cosine).toBeCloseTo(1, 6)
    expect(quality.outputs[0]).not.toHaveProperty('top1')
  })

  test('by a metric that sees each sample with its label and the candidate’s outputs', async () => {
    const seen: MetricRecord[] = []
    const metric = {
      higherIsBetter: true,
      async evaluate(records: AsyncIterable<MetricRecord>) {
        let sum = 0
        for await (const r of records) {
          seen.push(r)
          sum += numbers(r.outputs.y!)[0]!
        }
        return sum
      },
    }
    const j = await judge(
      await regressor(1),
      samplesOf((_, i) => i),
      { metric },
    )
    const base = xs.reduce((n, row) => n + Math.fround(row[0]!), 0)
    expect(j.measure.baseline).toBeCloseTo(base, 6)
    seen.length = 0
    const quality = await j.evaluate(await regressor(3))
    expect(quality.value).toBeCloseTo(3 * base, 5)
    expect(quality.drop).toBeCloseTo(base - 3 * base, 5)
    expect(seen.map((r) => [r.label, r.name])).toEqual(xs.map((_, i) => [i, `sample ${i}`]))
    expect(numbers(seen[3]!.outputs.y!)[1]).toBeCloseTo(3 * xs[3]![1]!, 5)
    expect(numbers(seen[3]!.feeds.x!)[1]).toBeCloseTo(xs[3]![1]!, 6)
  })

  test('as the original itself: no drop at all', async () => {
    for (const samples of [samplesOf(), samplesOf((row) => best(row)), samplesOf((row) => row.map((v) => v + 1))]) {
      const original = await classifier(1, 2, 3, 4)
      expect((await (await judge(original, samples)).evaluate(original)).drop).toBe(0)
    }
  })
})

describe('a candidate that gives NaN', () => {
  test('is never right, not even where the first class would be', async () => {
    const j = await judge(
      await classifier(1, 1, 1, 1),
      samplesOf(() => 0),
    )
    const { baseline } = j.measure
    expect(baseline).toBeGreaterThan(0)
    expect(await j.evaluate(await broken())).toMatchObject({ value: 0, drop: BROKEN })
  })

  test('agrees with nothing', async () => {
    const j = await judge(await classifier(1, 1, 1, 1), samplesOf())
    expect(await j.evaluate(await broken())).toMatchObject({ value: 0, drop: BROKEN })
  })

  test('has a drop beyond any budget, in numbers that a journal can hold', async () => {
    for (const samples of [samplesOf(), samplesOf((row) => row.map((v) => v + 1))]) {
      const quality = await (await judge(await regressor(1), samples)).evaluate(await broken())
      expect(quality.drop).toBe(BROKEN)
      expect(JSON.parse(JSON.stringify(quality))).toEqual(quality)
    }
  })

  test('on a single sample is found out', async () => {
    // 1/x of a zero is infinite, times zero is NaN; elsewhere x.
    const once = await session((b) => ({
      y: b.op('Mul', ['x', b.op('Mul', ['x', b.op('Reciprocal', ['x'])])]),
    }))
    const rows = [...xs.slice(0, 5), [1, 0, 2, 3]]
    const quality = await (await judge(await regressor(1), samplesOf(undefined, rows))).evaluate(once)
    expect(quality.drop).toBe(BROKEN)
  })
})

describe('errors', () => {
  test('a label of another length than the output names the sample', async () => {
    const wrong = samplesOf((row, i) => (i === 7 ? [1, 2] : [...row]))
    await expect(judge(await regressor(1), wrong)).rejects.toMatchObject({
      code: 'LABEL_SHAPE',
      message: expect.stringContaining('sample 7'),
    })
  })

  test('a metric that gives no number', async () => {
    for (const bad of [Number.NaN, '3', undefined]) {
      const metric = { higherIsBetter: true, evaluate: () => bad as number }
      expect(await code(judge(await regressor(1), samplesOf(), { metric }))).toBe('METRIC_VALUE')
    }
  })

  test('a candidate with other outputs', async () => {
    const j = await judge(await regressor(1), samplesOf())
    expect(await code(j.evaluate(await session((b) => ({ z: times(b, 'x', 1) }))))).toBe('COMPARE_OUTPUTS')
  })
})

describe('few samples', () => {
  test('a limit draws from all, and compares with the original on the same', async () => {
    // Sorted: the original is wrong on the first half and right on the others.
    const rows = Array.from({ length: 10 }, () => xs).flat()
    const labels = samplesOf((row, i) => (i < rows.length / 2 ? (best(row) + 1) % WIDTH : best(row)), rows)
    const original = await classifier(1, 1, 1, 1)
    for (const cacheBytes of [256e6, 5 * 32]) {
      const j = await judge(original, labels, { cacheBytes })
      const few = await j.evaluate(original, 40)
      expect(few.drop).toBe(0)
      expect(Math.abs(few.value - 0.5)).toBeLessThan(0.25)
      expect(await j.evaluate(original, 40)).toEqual(few)
      expect(await j.evaluate(original, 1000)).toMatchObject({ value: 0.5, drop: 0 })
    }
  })

  test('a limit holds for agreement too, and another seed draws others', async () => {
    const names = async (seed: number) => {
      const seen: string[] = []
      const metric = {
        higherIsBetter: true,
        async evaluate(records: AsyncIterable<MetricRecord>) {
          seen.length = 0
          for await (const r of records) seen.push(r.name)
          return 1
        },
      }
      const j = await judge(await regressor(1), samplesOf(), { metric, seed })
      const { outputs } = await j.evaluate(await regressor(1.5), 3)
      expect(outputs[0]!.relativeError).toBeCloseTo(0.5, 6)
      return [...seen]
    }
    expect(await names(1)).toHaveLength(3)
    expect(await names(1)).toEqual(await names(1))
    expect(await names(1)).not.toEqual(await names(2))
  })
})

describe('outputs besides the scores', () => {
  /** Scores, scores of another kind, boxes and whole numbers, each with a factor of its own. */
  const detector = (scores: number, others: number, boxes: number, index: number) =>
    session((b) => {
      const one = softmax(b, times(b, 'x', scores, 1, 1, 1))
      const two = softmax(b, times(b, 'x', 1, others, 1, 1))
      const whole = b.op('Cast', [times(b, 'x', 10 * index)], { attrs: { to: int(7) } })
      return { one, two, boxes: times(b, 'x', boxes), index: whole }
    })
  const drop = async (candidate: Session) => {
    const j = await judge(await detector(1, 1, 1, 1), samplesOf())
    expect(j.measure).toMatchObject({ kind: 'top-1 agreement', output: 'one', scores: ['one', 'two'] })
    expect(j.measure.explanation).toContain('The worst output decides')
    return j.evaluate(candidate)
  }

  test('count as well: the worst decides', async () => {
    expect((await drop(await detector(1, 1, 1, 1))).drop).toBe(0)
    const boxes = await drop(await detector(1, 1, 1.7, 1))
    expect(boxes).toMatchObject({ value: 1, worst: 'boxes' })
    expect(boxes.drop).toBeCloseTo(0.7, 5)
    const own = await drop(await detector(-1, 1, 1, 1))
    expect(own.drop).toBeCloseTo(1 - own.value, 9)
    expect(own).not.toHaveProperty('worst')
    const two = await drop(await detector(1, -1, 1, 1))
    expect(two).toMatchObject({ value: 1, worst: 'two' })
    expect(two.drop).toBeCloseTo(1 - two.outputs.find((o) => o.name === 'two')!.top1!, 9)
    const index = await drop(await detector(1, 1, 1, -1))
    expect(index.worst).toBe('index')
    expect(index.drop).toBeGreaterThan(0.9)
    expect(index.drop).toBeLessThanOrEqual(1)
  })

  test('are not mentioned where there are none', async () => {
    const j = await judge(await classifier(1, 1, 1, 1), samplesOf())
    expect(j.measure.explanation).not.toContain('worst output')
    expect(j.measure).not.toHaveProperty('scores')
  })

  test('may not cease to be numbers, whatever quality is measured by', async () => {
    const two = (zero: number) =>
      session((b) => ({
        y: softmax(b, 'x'),
        boxes: times(b, times(b, 'x', zero), zero === 0 ? Number.POSITIVE_INFINITY : 1),
      }))
    const metric = {
      higherIsBetter: true,
      async evaluate(records: AsyncIterable<MetricRecord>) {
        for await (const _ of records);
        return 1
      },
    }
    const labelled = samplesOf((row) => best(row))
    for (const options of [{}, { metric }]) {
      const j = await judge(await two(1), labelled, options)
      expect((await j.evaluate(await two(2))).drop).toBe(0)
      expect(await j.evaluate(await two(0))).toMatchObject({ drop: BROKEN, worst: 'boxes' })
    }
  })
})

describe('the states of a recurrent model', () => {
  /** hn = k · h + x, y = hn: an error of k grows along a recording. */
  const leaky = async (k: number) => {
    const b = builder()
    for (const name of ['x', 'h']) b.input(name, value('float32', [1, WIDTH]))
    b.ops('Add', [times(b, 'h', k), 'x'], { outputs: ['hn'] })
    b.ops('Identity', ['hn'], { outputs: ['y'] })
    for (const name of ['hn', 'y']) b.output(name, value('float32', [1, WIDTH]))
    const loaded = await engine.load(bytesOf(b.graph()))
    open.push(loaded)
    return loaded
  }
  const frames = (recordings: number): Samples => ({
    name: 'frames',
    count: xs.length,
    carry: [{ output: 'hn', input: 'h' }],
    async *read() {
      for (const [i, row] of xs.entries()) {
        const feeds = { x: f32([1, WIDTH], row), h: f32([1, WIDTH], [0, 0, 0, 0]) }
        yield { feeds, name: `${i}`, sequence: `clip ${Math.floor((i * recordings) / xs.length)}` }
      }
    },
  })
  const errorOf = async (samples: Samples, k: number, options: JudgeOptions = {}, limit?: number) =>
    (await (await judge(await leaky(0.9), samples, options)).evaluate(await leaky(k), limit)).value

  /** ‖candidate − original‖ / ‖original‖ of a recursion in double precision. */
  const expected = (k: number, length: number): number => {
    let [error, norm] = [0, 0]
    for (let c = 0; c < WIDTH; c++) {
      let [a, b] = [0, 0]
      for (const [i, row] of xs.entries()) {
        if (i % length === 0) [a, b] = [0, 0]
        a = 0.9 * a + row[c]!
        b = k * b + row[c]!
        error += (a - b) ** 2
        norm += a ** 2
      }
    }
    return Math.sqrt(error / norm)
  }

  test('are each model’s own along a recording, and start afresh with the next', async () => {
    for (const cacheBytes of [256e6, 100]) {
      expect(await errorOf(frames(1), 0.8, { cacheBytes })).toBeCloseTo(expected(0.8, xs.length), 5)
      expect(await errorOf(frames(4), 0.8, { cacheBytes })).toBeCloseTo(expected(0.8, xs.length / 4), 5)
    }
    const { carry: _, ...reset } = frames(1)
    expect(await errorOf(reset, 0.8)).toBe(0)
  })

  test('are the original’s where a few frames alone are asked about', async () => {
    const one = await errorOf(frames(1), 0.8, {}, 6)
    expect(one).toBeGreaterThan(0.01)
    expect(one).toBeLessThan(expected(0.8, xs.length))
    expect(await errorOf(frames(1), 0.8, { cacheBytes: 100 }, 6)).toBeCloseTo(one, 9)
  })
})

test('outputs that do not fit the memory are computed again, with the same result', async () => {
  const labels = samplesOf((row, i) => (i % 3 === 0 ? (best(row) + 1) % WIDTH : best(row)))
  for (const samples of [labels, samplesOf()]) {
    let reads = 0
    const counted: Samples = {
      ...samples,
      read(options) {
        reads++
        return samples.read(options)
      },
    }
    const original = await classifier(1, 1, 1, 1)
    const candidate = await classifier(1, 1, 3, -1)
    const kept = await judge(original, counted)
    const first = await kept.evaluate(candidate)
    await kept.evaluate(candidate)
    expect(reads).toBe(1)
    const again = await judge(original, counted, { cacheBytes: 5 * 32 })
    expect(again.measure).toEqual(kept.measure)
    const before = reads
    expect(await again.evaluate(candidate)).toEqual(first)
    expect(await again.evaluate(candidate)).toEqual(first)
    expect(reads).toBe(before + 2)
  }
})

test('labels on some samples alone are no labels', async () => {
  const some = samplesOf((row, i) => (i === 4 ? undefined : best(row)))
  expect((await judge(await classifier(1, 1, 1, 1), some)).measure.kind).toBe('top-1 agreement')
})

/** x [1, 4] → y, and `hits`: the places of what is above `limit`, as many as there are. */
const finder = (factor: number, limit: number) =>
  session((b) => {
    const above = b.op('Greater', ['x', b.constant(f32([], [limit]), 'limit')])
    return { y: softmax(b, times(b, 'x', factor)), index: b.op('NonZero', [above]) }
  })

describe('an output whose length depends on the data', () => {
  const metric = {
    higherIsBetter: true,
    async evaluate(records: AsyncIterable<MetricRecord>) {
      let hits = 0
      for await (const r of records) hits += r.outputs.index!.shape.at(-1)!
      return hits
    },
  }
  const hits = (limit: number) => xs.flat().filter((v) => v > limit).length

  test('is what a metric sees, and only the table of agreement leaves it out', async () => {
    const j = await judge(await finder(1, 0), samplesOf(), { metric })
    expect(j.measure.baseline).toBe(hits(0))
    const other = await j.evaluate(await finder(1, 0.5))
    expect(other).toMatchObject({ value: hits(0.5), drop: hits(0) - hits(0.5) })
    expect(other.drop).toBeGreaterThan(0)
    expect(other.outputs.map((o) => o.name)).toEqual(['y'])
    const same = await j.evaluate(await finder(2, 0))
    expect(same.outputs.map((o) => o.name)).toEqual(['y', 'index'])
  })

  test('is no matter of accuracy in another output', async () => {
    const j = await judge(
      await finder(1, 0),
      samplesOf((row) => best(row)),
    )
    expect(await j.evaluate(await finder(1, 0.5))).toMatchObject({ value: 1, drop: 0 })
  })

  test('is no matter of agreement in another output, but cannot be compared itself', async () => {
    const j = await judge(await finder(1, 0), samplesOf())
    expect(j.measure).toMatchObject({ kind: 'top-1 agreement', output: 'y' })
    expect(await j.evaluate(await finder(2, 0.5))).toMatchObject({ value: 1, drop: 0 })
    const plain = (limit: number) =>
      session((b) => ({ index: b.op('NonZero', [b.op('Greater', ['x', b.constant(f32([], [limit]), 'limit')])]) }))
    const alone = await judge(await plain(0), samplesOf())
    await expect(alone.evaluate(await plain(0.5))).rejects.toMatchObject({
      code: 'COMPARE_SHAPE',
      message: expect.stringContaining('--metric'),
    })
  })

  test('of another length than the target values breaks the candidate, not the search', async () => {
    const kept = (limit: number) =>
      session((b) => {
        const above = b.op('Greater', ['x', b.constant(f32([], [limit]), 'limit')])
        return { y: b.op('Compress', ['x', b.op('Reshape', [above, b.constant(i64([1], [-1]), 'flat')])]) }
      })
    const j = await judge(
      await kept(-100),
      samplesOf((row) => row.map((v) => v + 1)),
    )
    expect(await j.evaluate(await kept(0))).toMatchObject({ value: BROKEN, drop: BROKEN, outputs: [] })
  })
})

describe('a metric of the user’s', () => {
  /** The mean of the first value, which is NaN for a candidate that gives NaN; `least` samples are needed. */
  const mean = (least = 0) => ({
    higherIsBetter: true,
    async evaluate(records: AsyncIterable<MetricRecord>) {
      const values: number[] = []
      for await (const r of records) values.push(numbers(r.outputs.y!)[0]!)
      return values.length < least ? Number.NaN : values.reduce((n, v) => n + v, 0) / values.length
    },
  })

  test('that gives NaN for a candidate breaks that candidate alone', async () => {
    const j = await judge(await regressor(1), samplesOf(), { metric: mean() })
    expect(await j.evaluate(await broken())).toMatchObject({ value: BROKEN, drop: BROKEN })
    expect((await j.evaluate(await regressor(1))).drop).toBe(0)
    expect((await j.evaluate(await broken(), 3)).drop).toBe(BROKEN)
  })

  test('that gives no number at all is an error, for a candidate too', async () => {
    let calls = 0
    const metric = { higherIsBetter: true, evaluate: () => (calls++ === 0 ? 1 : undefined) as number }
    const j = await judge(await regressor(1), samplesOf(), { metric })
    expect(await code(j.evaluate(await regressor(1)))).toBe('METRIC_VALUE')
  })

  test('that says nothing of a few samples sees all of them', async () => {
    const j = await judge(await regressor(1), samplesOf(), { metric: mean(10) })
    const candidate = await regressor(3)
    expect(await j.evaluate(candidate, 5)).toEqual(await j.evaluate(candidate))
  })
})

test('an original whose error is not a number cannot be measured against', async () => {
  const targets = samplesOf((row) => row.map((v) => v + 1))
  // NaN where the first value is negative.
  const partly = await session((b) => ({ y: b.op('Sqrt', ['x']) }))
  expect(await code(judge(partly, targets))).toBe('LABEL_NAN')
  const infinite = { higherIsBetter: true, evaluate: () => Number.POSITIVE_INFINITY }
  expect(await code(judge(await regressor(1), targets, { metric: infinite }))).toBe('METRIC_VALUE')
})

describe('outputs of other shapes', () => {
  /** [1, 4] → [1, 4, 1, 1], as pooling leaves it. */
  const pooled = (...factors: number[]) =>
    session((b) => ({
      y: b.op('Reshape', [softmax(b, times(b, 'x', ...factors)), b.constant(i64([4], [1, WIDTH, 1, 1]), 'shape')]),
    }))

  test('scores of shape [1, classes, 1, 1] are scores', async () => {
    const original = await pooled(1, 1, 1, 1)
    const labels = samplesOf((row) => best(row))
    expect((await judge(original, labels)).measure).toMatchObject({ kind: 'accuracy', baseline: 1 })
    for (const options of [{}, { scores: 'y' }]) {
      const j = await judge(original, samplesOf(), options)
      expect(j.measure).toMatchObject({ kind: 'top-1 agreement', output: 'y' })
      const flat = await judge(await classifier(1, 1, 1, 1), samplesOf())
      const { value, drop } = await flat.evaluate(await classifier(1, 1, 3, -1))
      expect(await j.evaluate(await pooled(1, 1, 3, -1))).toMatchObject({ value, drop })
      expect(drop).toBeGreaterThan(0)
    }
  })

  test('one label says nothing of several rows of scores', async () => {
    const rows = await session((b) => ({ y: b.op('Reshape', ['x', b.constant(i64([3], [1, 2, 2]), 'shape')]) }))
    const labels = samplesOf((_, i) => i % 2)
    await expect(judge(rows, labels)).rejects.toMatchObject({
      code: 'LABEL_SHAPE',
      message: expect.stringContaining('--metric'),
    })
  })
})

describe('outputs that are no floats', () => {
  /** Names the sign of each value of x − limit. */
  const named = (limit: number, more: (b: Builder) => Readonly<Record<string, string>> = () => ({})) =>
    session((b) => {
      const words = b.constant(stringTensor([2], ['low', 'high'].map(utf8)), 'words')
      const above = b.op('Greater', ['x', b.constant(f32([], [limit]), 'limit')])
      return { text: b.op('Gather', [words, b.op('Cast', [above], { attrs: { to: int(7) } })]), ...more(b) }
    })
  const utf8 = (s: string) => new TextEncoder().encode(s)

  test('strings count by the share that changed', async () => {
    const j = await judge(await named(0), samplesOf())
    expect(j.measure).toMatchObject({ kind: 'relative error', baseline: 0 })
    expect(await j.evaluate(await named(0))).toMatchObject({ value: 0, drop: 0 })
    const changed = xs.flat().filter((v) => v > 0 && v <= 0.5).length / xs.flat().length
    const quality = await j.evaluate(await named(0.5))
    expect(quality.drop).toBeCloseTo(changed, 12)
    expect(changed).toBeGreaterThan(0)
    const beside = await judge(await named(0, (b) => ({ y: times(b, 'x', 1) })), samplesOf())
    const { outputs } = await beside.evaluate(await named(0.5, (b) => ({ y: times(b, 'x', 1) })))
    expect(outputs.map((o) => [o.name, o.relativeError])).toEqual([
      ['text', quality.drop],
      ['y', 0],
    ])
  })

  test('neither strings, nor one number, nor what every object has are scores', async () => {
    const original = await named(0, (b) => ({ index: b.op('ArgMax', ['x'], { attrs: { axis: int(1) } }) }))
    for (const scores of ['text', 'index', 'toString']) {
      expect(await code(judge(original, samplesOf(), { scores }))).toBe('SCORES_UNKNOWN')
    }
  })
})

describe('what a journal asks', () => {
  const print = async (samples: Samples, options: JudgeOptions = {}) =>
    (await judge(await regressor(1), samples, options)).fingerprint

  test('the same samples have one fingerprint, others have others', async () => {
    const plain = samplesOf()
    const same = await print(plain)
    expect(same).toMatch(/^[0-9a-f]{64}$/)
    expect(await print(samplesOf(), { cacheBytes: 5 * 32 })).toBe(same)
    const edited = xs.map((row, i) => (i === 19 ? [...row.slice(1), row[0]!] : row))
    const renamed: Samples = {
      ...plain,
      async *read() {
        for await (const s of plain.read()) yield s.name === 'sample 4' ? { ...s, name: 'another' } : s
      },
    }
    const prints = [
      same,
      await print(samplesOf(undefined, edited)),
      await print(samplesOf(undefined, xs.slice(1))),
      await print(samplesOf(undefined, xs.toReversed())),
      await print(renamed),
      await print(samplesOf((row) => row)),
      await print(samplesOf((row, i) => (i === 7 ? row.map((v) => v + 1) : row))),
      await print(samplesOf((_, i) => (i < 19 ? undefined : [1, 2, 3, 4]))),
    ]
    expect(new Set(prints).size).toBe(prints.length)
  })

  test('labels are there whatever quality is measured by', async () => {
    const metric = { higherIsBetter: true, evaluate: () => 1 }
    const original = await regressor(1)
    expect(
      (
        await judge(
          original,
          samplesOf((row) => row),
          { metric },
        )
      ).labelled,
    ).toBe(true)
    expect((await judge(original, samplesOf(), { metric })).labelled).toBe(false)
  })
})
