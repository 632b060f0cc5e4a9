import { afterAll, beforeAll, expect, test } from 'vitest'
import { openOnlyModel, unaryModel } from '../../test/small-models.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import type { Model } from '../ir/types.js'
import { decodeModel, encodeModel } from '../onnx/codec.js'
import { fixedForm } from './fixed-form.js'
import { type InputShapes, withShapes } from './with-shapes.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const warnings: string[] = []
const form = (model: Model, shapes: InputShapes, of: () => Promise<Engine>): Promise<Model> =>
  fixedForm(model, shapes, of, { onWarning: (w) => warnings.push(w) })

test('sizes are fixed where the engine takes the model so', async () => {
  const model = decodeModel(unaryModel('Relu'))
  expect(await form(model, { n: 2 }, async () => engine)).toEqual(withShapes(model, { n: 2 }))
  expect(warnings).toEqual([])
})

test('without sizes the engine is not even opened', async () => {
  const model = decodeModel(unaryModel('Relu'))
  const none = () => Promise.reject(new Error('opened'))
  expect(await form(model, {}, none)).toBe(model)
})

test('sizes that the engine refuses the model for stay open, and it says why', async () => {
  const model = openOnlyModel()
  const fixed = encodeModel(withShapes(model, { n: 1, t: 3 })).bytes
  await expect(engine.load(fixed)).rejects.toMatchObject({ code: 'ENGINE_LOAD' })
  expect(await form(model, { n: 1, t: 3 }, async () => engine)).toBe(model)
  expect(warnings.splice(0)).toEqual([expect.stringMatching(/stay open.*LSTM/s)])
})

test('a model that the engine refuses in any form has its sizes fixed', async () => {
  const model = decodeModel(unaryModel('Nonsense'))
  expect(await form(model, { n: 2 }, async () => engine)).toEqual(withShapes(model, { n: 2 }))
  expect(warnings).toEqual([])
})
