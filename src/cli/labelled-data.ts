/** Labelled samples of the commands that train: what to train on, to judge by, and to test. */

import { stat } from 'node:fs/promises'
import { idxFolder } from '../data/idx-folder.js'
import { withLabels } from '../data/labels.js'
import { openLabels } from '../data/open-labels.js'
import type { Samples } from '../data/samples.js'
import { type DataChoice, type Interface, openData } from './inputs.js'
import { noData } from './training.js'
import type { LabelChoices } from './training-options.js'

export type LabelledChoice = DataChoice & Omit<LabelChoices, 'loss'>

export interface LabelledData {
  /** Opens them for a model's inputs. */
  open(model: Interface): Promise<Samples>
}

export interface LabelledSets {
  readonly train: LabelledData
  readonly validation: LabelledData | null
  readonly test: LabelledData | null
}

/**
 * Where the samples and their labels are: as given, or, in a folder of idx files, found by name. Class folders of
 * pictures are their own labels. Throws `OPTION_MISSING`.
 */
export async function labelledSets(choice: LabelledChoice): Promise<LabelledSets> {
  const { data, labels, validation, validationLabels, test, testLabels } = choice
  if (data === undefined) throw noData()
  const named = labels === undefined ? await withClassNames(choice, data) : choice
  const found = labels === undefined ? await idxFolder(data) : null
  const own = (path: string | undefined, of: string | undefined): LabelledData | null =>
    path === undefined ? null : { open: (model) => opened({ ...named, data: path }, of, model) }
  return {
    train: found ? own(found.train.data, found.train.labels)! : own(data, labels)!,
    validation: own(validation, validationLabels),
    test: own(test, testLabels) ?? (found?.test ? own(found.test.data, found.test.labels) : null),
  }
}

/** Labels of a table that are text become indices, in the order of their names, unless the options say how. */
async function withClassNames(choice: LabelledChoice, data: string): Promise<LabelledChoice> {
  const given = (name: string): string | undefined =>
    choice.dataOption.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1)
  if (!/\.[ct]sv$/i.test(data) || given('classes') !== undefined) return choice
  const column = given('label')
  // What is wrong with the table its own reader says.
  const names = await openLabels(data, column === undefined ? {} : { column }).catch(() => null)
  const isListable = names?.classes?.every((name) => !name.includes(','))
  return isListable ? { ...choice, dataOption: [...choice.dataOption, `classes=${names!.classes!.join(',')}`] } : choice
}

async function opened(choice: DataChoice, labels: string | undefined, model: Interface): Promise<Samples> {
  const path = choice.data!
  const { samples } = (await openData(choice, model))!
  const classes = choice.dataOption
    .findLast((entry) => entry.startsWith('classes='))
    ?.slice('classes='.length)
    .split(',')
  if (labels !== undefined) return withLabels(samples, await openLabels(labels))
  // Files of pictures or sounds hold no labels: their folders may.
  const isFolder = (await stat(path)).isDirectory()
  return isFolder && choice.dataKind !== 'raw'
    ? withLabels(samples, await openLabels(path))
    : { ...samples, ...(classes && { classes }) }
}
