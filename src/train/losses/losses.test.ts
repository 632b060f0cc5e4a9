import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, i64, numbers } from '../../ir/tensor.js'
import { encodeModel } from '../../onnx/codec.js'
import { huber } from './absolute.js'
import { crossEntropy } from './cross-entropy.js'
import { kullbackLeibler } from './distribution.js'
import { LOSSES } from './index.js'
import type { Loss } from './loss.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

type Row = readonly number[]
const scores: readonly Row[] = [
  [1, -2, 0.5],
  [0, 3, -40],
  [60, 2, -1],
  [0.1, 0.2, 0.3],
]
const values: readonly Row[] = [
  [0.2, 0.5, 0.3],
  [1, 0, 0],
  [0, 0.9, 0.1],
  [0.4, 0.3, 0.3],
]
const signs: readonly Row[] = values.map((row) => row.map((v) => (v > 0.3 ? 1 : -1)))
const classes = [2, 1, 0, 0]

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length
const overAll = (f: (s: number, t: number) => number, targets = values): number =>
  mean(scores.flatMap((row, i) => row.map((s, k) => f(s, targets[i]![k]!))))
const logSoftmax = (row: Row, t = 1): Row => {
  const scaled = row.map((v) => v / t)
  const top = Math.max(...scaled)
  const total = Math.log(scaled.reduce((sum, v) => sum + Math.exp(v - top), 0)) + top
  return scaled.map((v) => v - total)
}
const dot = (a: Row, b: Row): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0)
const divergence = (t: number): number =>
  t ** 2 *
  mean(
    scores.map((row, i) => {
      const [own, wanted] = [logSoftmax(row, t), logSoftmax(values[i]!, t)]
      return dot(
        wanted.map(Math.exp),
        wanted.map((v, k) => v - own[k]!),
      )
    }),
  )

const CASES: readonly (readonly [string, Loss, readonly Row[] | readonly number[], number])[] = [
  ['cross-entropy', LOSSES['cross-entropy'](), classes, mean(scores.map((row, i) => -logSoftmax(row)[classes[i]!]!))],
  [
    'cross-entropy, smoothed',
    crossEntropy({ labelSmoothing: 0.1 }),
    classes,
    mean(scores.map((row, i) => -0.9 * logSoftmax(row)[classes[i]!]! - 0.1 * mean(logSoftmax(row)))),
  ],
  [
    'soft-cross-entropy',
    LOSSES['soft-cross-entropy'](),
    values,
    mean(scores.map((row, i) => -dot(values[i]!, logSoftmax(row)))),
  ],
  [
    'binary-cross-entropy',
    LOSSES['binary-cross-entropy'](),
    values,
    overAll((s, t) => Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s))) - t * s),
  ],
  ['squared', LOSSES.squared(), values, overAll((s, t) => (s - t) ** 2)],
  ['absolute', LOSSES.absolute(), values, overAll((s, t) => Math.abs(s - t))],
  [
    'huber',
    huber(0.7),
    values,
    overAll((s, t) => (Math.abs(s - t) <= 0.7 ? (s - t) ** 2 / 2 : 0.7 * Math.abs(s - t) - 0.245)),
  ],
  ['given', LOSSES.given(), values, overAll((s) => s)],
  ['hinge', LOSSES.hinge(), signs, overAll((s, t) => Math.max(0, 1 - s * t), signs)],
  ['kullback-leibler', LOSSES['kullback-leibler'](), values, divergence(1)],
  ['kullback-leibler, warm', kullbackLeibler(4), values, divergence(4)],
  [
    'cosine',
    LOSSES.cosine(),
    values,
    mean(scores.map((row, i) => 1 - dot(row, values[i]!) / Math.sqrt(dot(row, row) * dot(values[i]!, values[i]!)))),
  ],
]

test.each(CASES)('%s is what its formula says, for large scores too', async (_, loss, target, wanted) => {
  const b = builder()
  b.input('s', { kind: 'tensor', dtype: 'float32', shape: [4, 3] })
  const isClass = loss.target === 'class'
  b.input('t', { kind: 'tensor', dtype: isClass ? 'int64' : 'float32', shape: isClass ? [4] : [4, 3] })
  const value = loss.emit(b, { output: 's', target: 't', shape: [4, 3] })
  b.output(value)
  const session = await engine.load(encodeModel(modelOf(b.graph())).bytes)
  const t = isClass ? i64([4], target as number[]) : f32([4, 3], (target as readonly Row[]).flat())
  const got = (await session.run({ s: f32([4, 3], scores.flat()), t }))[value]!
  await session.close()
  expect(got.shape).toEqual([])
  expect(numbers(got)[0]! / wanted).toBeCloseTo(1, 5)
})

test('every loss has a case', () => {
  const covered = CASES.map(([name]) => name.split(',')[0])
  expect(Object.keys(LOSSES).filter((name) => !covered.includes(name))).toEqual([])
  expect(() => huber(0)).toThrow(/above 0/)
})
