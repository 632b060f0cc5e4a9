/** Checks of what is fed and fetched, made before anything runs, so that errors name the input and not a kernel. */

import { PareError } from '../util/errors.js'
import type { ValueInfo } from './engine.js'

/** What a check needs to know of a feed. */
type Fed = Readonly<Record<string, { readonly dtype: string; readonly shape: readonly number[] }>>

const REMEDY = '`pare inspect` lists the inputs with their types and shapes.'

const shapeText = (shape: readonly (number | string)[]): string =>
  `[${shape.map((d) => (d === '' ? '?' : d)).join(', ')}]`

const feedsError = (what: string, where: string, value?: string) =>
  new PareError('ENGINE_FEEDS', what, { where, ...(value === undefined ? {} : { value }), remedy: REMEDY })

/** Which model it is matters where there are several; one in memory has no name. */
const inModel = (model: string | undefined, place: string): string =>
  model === undefined ? place : `${model}, ${place}`

/**
 * Throws `ENGINE_FEEDS` where a feed is missing, unknown, of another dtype or rank, or differs in a fixed dimension.
 * A symbolic dimension takes any size, but the same one wherever its name occurs is left to the engine.
 */
export function checkFeeds(inputs: readonly ValueInfo[], feeds: Fed, model?: string): void {
  const names = inputs.map(({ name }) => name).join(', ')
  for (const name of Object.keys(feeds)) {
    if (!inputs.some((input) => input.name === name)) {
      throw feedsError(
        `the model has no such input, it has ${names === '' ? 'none' : names}`,
        inModel(model, `input ${name}`),
      )
    }
  }
  for (const input of inputs) checkFeed(input, feeds, model)
}

/** Throws `ENGINE_FEEDS` where an input that is lent is none. */
export function checkLent(inputs: readonly ValueInfo[], lent: readonly string[], model?: string): void {
  const unknown = lent.find((name) => !inputs.some((input) => input.name === name))
  if (unknown !== undefined) throw feedsError('the model has no such input to lend', inModel(model, `input ${unknown}`))
}

function checkFeed({ name, dtype, shape }: ValueInfo, feeds: Fed, model: string | undefined): void {
  const where = inModel(model, `input ${name}`)
  const t = Object.hasOwn(feeds, name) ? feeds[name] : undefined
  if (shape === undefined) throw feedsError('the engine takes tensors only, and this input is not one', where)
  if (t === undefined) throw feedsError(`missing, expected ${dtype}${shapeText(shape)}`, where)
  if (t.dtype !== dtype) throw feedsError(`expected element type ${dtype}`, where, t.dtype)
  // The runtime reports an unknown rank as rank 0.
  const fits =
    shape.length === 0 ||
    (shape.length === t.shape.length && shape.every((d, i) => typeof d === 'string' || d === t.shape[i]))
  if (!fits) throw feedsError(`expected shape ${shapeText(shape)}`, where, shapeText(t.shape))
}

/** The outputs to fetch; throws where one is unknown or not a tensor. Default: all. */
export function checkOutputs(
  outputs: readonly ValueInfo[],
  asked?: readonly string[],
  model?: string,
): readonly string[] {
  const names = asked ?? outputs.map(({ name }) => name)
  for (const name of names) {
    const output = outputs.find((o) => o.name === name)
    if (output === undefined) {
      throw new PareError('ENGINE_OUTPUTS', 'the model has no such output', {
        where: inModel(model, `output ${name}`),
        remedy: `It has ${outputs.map((o) => o.name).join(', ')}.`,
      })
    }
    if (output.shape === undefined) {
      throw new PareError(
        'ENGINE_OUTPUTS',
        'the output is a sequence, map or optional, and the engine returns tensors only',
        {
          where: inModel(model, `output ${name}`),
          remedy: 'Name the outputs that are tensors, or remove this one from the model.',
        },
      )
    }
  }
  return names
}
