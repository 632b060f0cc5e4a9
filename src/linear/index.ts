/** Linear models: paths of strengths, cross-validation, criteria, and what makes a graph of a table's columns. */

export { adaptivePath } from './adaptive.js'
export { glmCriteria, informationCriteria } from './criteria.js'
export { crossValidate } from './cross-validate.js'
export type { DenseMatrix, DesignMatrix, SparseMatrix } from './design.js'
export { fitTable } from './fit.js'
export { familyOf, fitGlm } from './fit-glm.js'
export { glmCrossValidate } from './glm-cross-validate.js'
export { glmPath } from './glm-path.js'
export { groupPath } from './group-path.js'
export { nonconvexPath } from './nonconvex.js'
export { path } from './path.js'
