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
  const found = labels === undefined ? await idxFolder(data) : null
  const own = (path: string | undefined, of: string | undefined): LabelledData | null =>
    path === undefined ? null : { open: (model) => opened({ ...choice, data: path }, of, model) }
  return {
    train: found ? own(found.train.data, found.train.labels)! : own(data, labels)!,
    validation: own(validation, validationLabels),
    test: own(test, testLabels) ?? (found?.test ? own(found.test.data, found.test.labels) : null),
  }
}

async function opened(choice: DataChoice, labels: string | undefined, model: Interface): Promise<Samples> {
  const path = choice.data!
  const { samples } = (await openData(choice, model))!
  if (labels !== undefined) return withLabels(samples, await openLabels(labels))
  // Files of pictures or sounds hold no labels: their folders may.
  const isFolder = (await stat(path)).isDirectory()
  return isFolder && choice.dataKind !== 'raw' ? withLabels(samples, await openLabels(path)) : samples
}
