/** The folds that a thread takes beside others. */

import { errorsByFold, type FoldError, type FoldInput } from './cross-moments.js'
import { pathOfRecipe } from './gaussian-model.js'

export const run = (input: FoldInput): readonly FoldError[] => [...errorsByFold(pathOfRecipe(input.recipe), input)]
