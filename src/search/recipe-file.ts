/**
 * A recipe as a file: `{ "version": 1, "steps": [{ "transform", "params" }], "seed" }`. With the same model, samples and
 * threads it makes the same bytes again. `portable` and `shapes` stand in it where a search was told of them, `samples`
 * where it had some: then it is not to be applied without.
 */

import { findTransform } from '../compress/index.js'
import { checkParams } from '../compress/transform.js'
import type { InputShapes } from '../passes/with-shapes.js'
import { messageOf, PareError } from '../util/errors.js'
import type { Step, Trial } from './trial.js'

export interface RecipeFile {
  readonly version: 1
  readonly steps: readonly Step[]
  readonly seed: number
  /** Keep to operators of the ONNX standard. */
  readonly portable?: true
  /** Sizes of dimensions that the model leaves open. */
  readonly shapes?: InputShapes
  /** Its steps were given samples: without, many do nothing, or something else. */
  readonly samples?: true
}

/** What a search was told beside its steps. */
export interface Told {
  readonly portable?: boolean
  readonly shapes?: InputShapes
  readonly samples?: boolean
}

const VERSION = 1
const KNOWN: readonly string[] = ['version', 'steps', 'seed', 'portable', 'shapes', 'samples']

export const recipeText = (recipe: RecipeFile): string => `${JSON.stringify(recipe, null, 2)}\n`

/** What makes a trial again, with what its search was told. */
export function recipeOf({ steps, seed }: Trial, { portable, shapes, samples }: Told): RecipeFile {
  const isSized = shapes !== undefined && Object.keys(shapes).length > 0
  const told = { ...(portable && { portable }), ...(isSized && { shapes }), ...(samples && { samples }) }
  return { version: VERSION, steps, seed, ...told }
}

/**
 * Reads a recipe; `where` names its file in messages. Throws `RECIPE_JSON`, `RECIPE_VERSION`, `RECIPE_FORM` for what is
 * missing or of another kind, `TRANSFORM_UNKNOWN` and `PARAM_INVALID`, each with the place in the file.
 */
export function parseRecipe(text: string, where: string): RecipeFile {
  const given = record(parsed(text, where), where, 'the recipe')
  if (given.version !== VERSION) {
    throw new PareError('RECIPE_VERSION', 'the recipe is of a version that is not known here', {
      where: `${where}: version`,
      value: given.version,
      remedy: `This program reads version ${VERSION}.`,
    })
  }
  const odd = Object.keys(given).find((name) => !KNOWN.includes(name))
  if (odd !== undefined) throw badForm(`${where}: ${odd}`, 'a recipe has no such entry', given[odd])
  const { steps, seed, portable, shapes, samples } = given
  if (!Array.isArray(steps)) throw badForm(`${where}: steps`, 'the steps are a list', steps)
  if (!Number.isSafeInteger(seed)) throw badForm(`${where}: seed`, 'the seed is a whole number', seed)
  if (portable !== undefined && portable !== true) throw badForm(`${where}: portable`, 'portable is true', portable)
  if (samples !== undefined && samples !== true) throw badForm(`${where}: samples`, 'samples is true', samples)
  return {
    version: VERSION,
    steps: steps.map((step, i) => parseStep(step, `${where}: steps[${i}]`)),
    seed: seed as number,
    ...(portable === true && { portable }),
    ...(shapes !== undefined && { shapes: parseSizes(shapes, `${where}: shapes`) }),
    ...(samples === true && { samples }),
  }
}

/** Throws `RECIPE_SAMPLES` where the recipe's search had samples, or a step needs some, and there are none. */
export function needsSamples({ steps, samples }: RecipeFile, areThere: boolean): void {
  if (samples && !areThere) {
    throw new PareError('RECIPE_SAMPLES', 'the recipe was made with samples', {
      where: 'samples',
      remedy: 'Give those of the search with --data.',
    })
  }
  const index = areThere ? -1 : steps.findIndex(({ transform }) => findTransform(transform).needsCalibration)
  if (index < 0) return
  throw new PareError('RECIPE_SAMPLES', 'the recipe has a step that needs samples', {
    where: `steps[${index}]`,
    value: steps[index]!.transform,
    remedy: 'Give those of the search with --data.',
  })
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new PareError('RECIPE_JSON', `the recipe is not JSON: ${messageOf(cause)}`, {
      where,
      remedy: 'Give a file that pare compress --recipe wrote.',
      cause,
    })
  }
}

/** A size for each dimension that is named, or a list of them for each input. */
function parseSizes(given: unknown, where: string): InputShapes {
  const sizes = record(given, where, 'shapes')
  const isSize = (size: unknown): boolean => typeof size === 'number' || typeof size === 'string'
  for (const [name, size] of Object.entries(sizes)) {
    if (typeof size === 'number' || (Array.isArray(size) && size.every(isSize))) continue
    throw badForm(`${where}.${name}`, 'a size is a number, or a list of them', size)
  }
  return sizes as InputShapes
}

function parseStep(given: unknown, where: string): Step {
  const { transform, params = {}, ...rest } = record(given, where, 'a step')
  const odd = Object.keys(rest)[0]
  if (odd !== undefined) throw badForm(`${where}.${odd}`, 'a step has no such entry', rest[odd])
  if (typeof transform !== 'string') throw badForm(`${where}.transform`, 'the id of a transform is a text', transform)
  const step = { transform, params: record(params, `${where}.params`, 'params') }
  inPlace(where, () => checkParams(findTransform(transform), step.params))
  return step
}

/** What the work throws, with the place in the file before its own. */
function inPlace(where: string, work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof PareError)) throw error
    const own = error.detail.where === undefined ? '' : `, ${error.detail.where}`
    throw new PareError(error.code, error.what, { ...error.detail, where: `${where}${own}` })
  }
}

function record(value: unknown, where: string, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw badForm(where, `${what} must be an object`, value)
}

const badForm = (where: string, what: string, value: unknown): PareError =>
  new PareError('RECIPE_FORM', what, {
    where,
    value: typeof value === 'object' ? JSON.stringify(value) : value,
    remedy: 'A recipe is { "version": 1, "steps": [{ "transform": "store/int8", "params": {} }], "seed": 0 }.',
  })
