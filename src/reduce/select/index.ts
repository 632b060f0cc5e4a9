/** Which columns are worth keeping: by mutual information, mRMR, a lasso, correlation or variance. */

export { correlation } from './correlation.js'
export { lasso } from './lasso.js'
export { mrmr } from './mrmr.js'
export { mutualInformation } from './mutual-information.js'
export { selectColumns } from './table.js'
export { variance } from './variance.js'
