/** The methods by name; without what they need, so that the command line has them at once. */

export const METHODS = ['mutual-information', 'mrmr', 'lasso', 'correlation', 'spearman', 'variance'] as const

export type Method = (typeof METHODS)[number]
