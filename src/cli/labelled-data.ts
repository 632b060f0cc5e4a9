/** Labelled samples of the commands that train: what to train on, to judge by, and to test. */

import { stat } from 'node:fs/promises'
import { idxFolder } from '../data/idx-folder.js'
import { withLabels } from '../data/labels.js'
import { openLabels } from '../data/open-labels.js'
import type { Samples } from '../data/samples.js'
import type { Model } from '../ir/types.js'
import { type Dataset, readDataset } from '../train/dataset.js'
import type { Objective } from '../train/objective.js'
import { type DataChoice, type Interface, limited, openData, unused } from './inputs.js'
import { interfaceOf } from './models.js'
import { noData } from './training.js'
import type { LabelChoices } from './training-options.js'

type LabelledChoice = DataChoice & Omit<LabelChoices, 'loss' | 'metric' | 'bestBy'>

export interface LabelledData {
  /** Opens them for a model's inputs. */
  open(model: Interface): Promise<Samples>
}

export interface LabelledSets {
  readonly train: LabelledData
  readonly validation: LabelledData | null
  readonly test: LabelledData | null
  /** What the class indices of all sets stand for, where the labels were names. */
  readonly classes: readonly string[] | undefined
}

/** Where labels are: a file, or the class folders that the samples lie in; undefined where the samples hold them. */
type LabelPath = string | undefined

/**
 * Where the samples and their labels are: as given, or, in a folder of idx files, found by name. Class folders of
 * pictures are their own labels. Names of classes are numbered as in the training set. Throws `OPTION_MISSING`,
 * `OPTION_UNUSED`.
 */
export async function labelledSets(choice: LabelledChoice): Promise<LabelledSets> {
  const { data, labels, validation, validationLabels, test, testLabels } = choice
  if (data === undefined) throw noData()
  if (validation === undefined && validationLabels !== undefined) throw lone('--validation-labels', '--validation')
  if (test === undefined && testLabels !== undefined) throw lone('--test-labels', '--test')
  const found = labels === undefined ? await idxFolder(data) : null
  const own = found?.train.labels ?? labels ?? (await folderLabels(data, choice))
  const classes = classesGiven(choice) ?? (await namesIn(own, data, choice))
  const named = withClasses(choice, data, own, classes)
  const set = async (path: string | undefined, of: LabelPath): Promise<LabelledData | null> => {
    if (path === undefined) return null
    const at = of ?? (await folderLabels(path, choice))
    return { open: (model) => opened({ ...named, data: path }, at, model, classes) }
  }
  return {
    train: (await set(found?.train.data ?? data, own))!,
    validation: await set(validation, validationLabels),
    test: (await set(test, testLabels)) ?? (await set(found?.test?.data, found?.test?.labels)),
    classes,
  }
}

/** Reads all sets as data sets for a model. */
export async function readSets(
  sets: LabelledSets,
  model: Model,
  loss: readonly Objective[],
  signal: AbortSignal,
): Promise<{ readonly data: Dataset; readonly validation: Dataset | null; readonly test: Dataset | null }> {
  const face = interfaceOf(model)
  const read = async (set: LabelledData): Promise<Dataset> => readDataset(await set.open(face), { model, loss, signal })
  return {
    data: await read(sets.train),
    validation: sets.validation && (await read(sets.validation)),
    test: sets.test && (await read(sets.test)),
  }
}

async function opened(
  choice: DataChoice,
  labels: LabelPath,
  model: Interface,
  classes: readonly string[] | undefined,
): Promise<Samples> {
  const all = labels === undefined ? choice : { ...choice, limit: undefined }
  const { samples } = (await openData(all, model))!
  if (labels === undefined) return samples
  // There is one label for each of all samples: the limit comes behind.
  return limited(withLabels(samples, await openLabels(labels, classes ? { classes } : {})), choice.limit)
}

/** Files of pictures or sounds hold no labels: their folders may. */
async function folderLabels(path: string, { dataKind }: DataChoice): Promise<LabelPath> {
  const info = await stat(path).catch(() => null)
  return info?.isDirectory() && dataKind !== 'raw' ? path : undefined
}

const optionGiven = ({ dataOption }: DataChoice, name: string): string | undefined =>
  dataOption.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1)

const classesGiven = (choice: DataChoice): readonly string[] | undefined => optionGiven(choice, 'classes')?.split(',')

/** Names of classes among the labels of the training set; what is wrong with a file its own reader says later. */
async function namesIn(labels: LabelPath, data: string, choice: DataChoice): Promise<readonly string[] | undefined> {
  if (labels !== undefined) return (await openLabels(labels)).classes
  if (!isTable(data)) return undefined
  const column = optionGiven(choice, 'label')
  const names = await openLabels(data, column === undefined ? {} : { column }).catch(() => null)
  return names?.classes?.every((name) => !name.includes(',')) ? names.classes : undefined
}

/** A table turns its own names into indices, and is told how. */
const withClasses = <C extends DataChoice>(
  choice: C,
  data: string,
  labels: LabelPath,
  classes: readonly string[] | undefined,
): C =>
  labels === undefined && isTable(data) && classes !== undefined && classesGiven(choice) === undefined
    ? { ...choice, dataOption: [...choice.dataOption, `classes=${classes.join(',')}`] }
    : choice

const isTable = (path: string): boolean => /\.[ct]sv$/i.test(path)

const lone = (option: string, of: string) =>
  unused(option, `there is no ${of} that these would be of`, `Give ${of} too, or leave it out.`)
