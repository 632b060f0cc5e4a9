import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stream } from '../../test/calibrated.js'
import { bytesOf, value } from '../../test/small-models.js'
import { withLabels } from '../data/labels.js'
import type { Sample, Samples } from '../data/samples.js'
import { split } from '../data/split.js'
import type { Engine, Session } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int } from '../ir/attrs.js'
import { builder } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
import { type JudgeOptions, openJudge } from './quality.js'

let engine: Engine
let twice: Session
let classifier: Session
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
  const b = builder()
  b.input('x', value('float32', [1, 4]))
  b.ops('Add', ['x', 'x'], { outputs: ['y'] })
  b.ops('Neg', ['x'], { outputs: ['other'] })
  b.output('y', value('float32', [1, 4]))
  b.output('other', value('float32', [1, 4]))
  twice = await engine.load(bytesOf(b.graph()))
  const c = builder()
  c.input('x', value('float32', [1, 4]))
  c.ops('Softmax', ['x'], { outputs: ['p'], attrs: { axis: int(-1) } })
  c.output('p', value('float32', [1, 4]))
  classifier = await engine.load(bytesOf(c.graph()))
})
afterAll(() => engine.close())

const row = (i: number): readonly number[] => [0, 1, 2, 3].map((k) => (k === i % 4 ? 3 : 0.1 * i + k))

/** Ten rows; those of `bad` are NaN throughout. */
function samples(bad: (i: number) => boolean = () => false, label?: (i: number) => Sample['label']): Samples {
  const list = Array.from({ length: 10 }, (_, i): Sample => {
    const l = label?.(i)
    const data = bad(i) ? [Number.NaN, Number.NaN, Number.NaN, Number.NaN] : row(i)
    return { feeds: { x: f32([1, 4], data) }, name: `row ${i}`, ...(l !== undefined && { label: l }) }
  })
  return { name: 'rows.npy', count: 10, read: () => stream(list) }
}
const opened = (original: Session, given: Samples, options: JudgeOptions = {}) => openJudge(original, given, options)

describe('NaN and infinities', () => {
  test('everywhere in what the original answers: no quality is claimed, and the input is named', async () => {
    for (const original of [twice, classifier]) {
      await expect(
        opened(
          original,
          samples(() => true),
        ),
      ).rejects.toMatchObject({
        code: 'COMPARE_NAN',
        message: expect.stringContaining('input x is NaN or infinite in all 10 samples'),
      })
    }
    const right = samples(
      () => true,
      () => 1,
    )
    await expect(opened(classifier, right)).rejects.toMatchObject({ code: 'COMPARE_NAN' })
  })

  test('overflow of finite inputs is no agreement either', async () => {
    const huge: Samples = {
      name: 'huge',
      count: 2,
      read: () =>
        stream([0, 1].map((i) => ({ feeds: { x: f32([1, 4], [3e38, 3e38, 3e38, 3e38]) }, name: `row ${i}` }))),
    }
    const j = await opened(twice, huge)
    expect(j.warnings.join()).toContain('output y is NaN or infinite in all 2 samples')
    // The other output carries the comparison alone.
    expect((await j.evaluate(twice)).outputs.map((o) => o.name)).toEqual(['other'])
  })

  test('in some answers are left out, and named', async () => {
    const j = await opened(
      twice,
      samples((i) => i === 7),
    )
    expect(j.warnings[0]).toContain('output y is NaN or infinite in 1 of 10 samples, first in row 7')
    expect(await j.evaluate(twice)).toMatchObject({ value: 0, drop: 0 })
    const agreement = await opened(
      classifier,
      samples((i) => i < 5),
    )
    expect(await agreement.evaluate(classifier)).toMatchObject({ value: 1, drop: 0 })
  })

  test('nowhere: nothing is said', async () => {
    expect((await opened(twice, samples())).warnings).toEqual([])
  })
})

describe('labels', () => {
  const labelled = (labels: readonly number[]): Samples =>
    withLabels(samples(), { name: 'labels.csv', count: 10, read: () => stream(labels) })
  const good = Array.from({ length: 10 }, (_, i) => i % 4)

  test.each([99, -1, 1.5, Number.NaN])('%s is no class, and the file and the line are named', async (bad) => {
    const labels = good.map((l, i) => (i === 6 ? bad : l))
    await expect(opened(classifier, labelled(labels))).rejects.toMatchObject({
      code: 'LABEL_RANGE',
      message: expect.stringMatching(/^labels\.csv, label 7: .* classes 0 to 3 \(got /),
      detail: { value: bad },
    })
  })

  test('of samples that do not judge are looked at too', async () => {
    for (const at of good.keys()) {
      const { heldOut } = await split(labelled(good.map((l, i) => (i === at ? 4 : l))))
      await expect(opened(classifier, heldOut)).rejects.toMatchObject({ code: 'LABEL_RANGE' })
    }
  })

  test('that come with the samples are named by the sample', async () => {
    const bad = samples(
      () => false,
      (i) => (i === 2 ? 4 : i % 4),
    )
    await expect(opened(classifier, bad)).rejects.toThrow(/^rows\.npy, row 2: the label is no class of output p/)
  })

  test('that are target values must be numbers', async () => {
    const bad = samples(
      () => false,
      (i) => [0, 1, 2, i === 4 ? Number.NaN : 3],
    )
    await expect(opened(twice, bad)).rejects.toMatchObject({
      code: 'LABEL_NAN',
      message: expect.stringContaining('rows.npy, row 4'),
    })
  })

  test('with which the original is right by chance alone are doubted', async () => {
    const best = good.map((_, i) => row(i).indexOf(Math.max(...row(i))))
    const wrong = best.map((l) => (l + 1) % 4)
    expect((await opened(classifier, labelled(wrong))).warnings[0]).toMatch(
      /right on 0 % of the samples.*labels belong/,
    )
    expect((await opened(classifier, labelled(best))).warnings).toEqual([])
  })
})

describe('a metric that throws', () => {
  test('is a fault of the metric, with its words', async () => {
    const cause = new TypeError('outputs.z is undefined')
    const metric = {
      name: 'mine',
      higherIsBetter: true,
      evaluate: async () => {
        throw cause
      },
    }
    const failed = await opened(twice, samples(), { metric }).catch((e) => e)
    expect(failed).toMatchObject({ code: 'METRIC_RUN', message: expect.stringContaining(cause.message), cause })
  })

  test('is told from a model that does not run', async () => {
    const metric = {
      higherIsBetter: true,
      async evaluate(records: AsyncIterable<unknown>) {
        let n = 0
        for await (const _ of records) n++
        return n
      },
    }
    const judge = await opened(twice, samples(), { metric })
    const lame: Session = { ...twice, run: () => Promise.reject(new Error('the model')) }
    await expect(judge.evaluate(lame)).rejects.toThrow(/^the model$/)
  })
})
