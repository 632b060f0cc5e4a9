/** The methods by name; without what they need, so that the command line has them at once. */

export const METHODS = ['mutual-information', 'mrmr', 'lasso', 'correlation', 'spearman', 'variance'] as const

export type Method = (typeof METHODS)[number]

/** What a score is. */
export const SCORES: Readonly<Record<Method, string>> = {
  'mutual-information': 'mutual information, in nats',
  mrmr: 'mRMR: relevance and redundancy, in nats',
  lasso: 'lasso: the strength at which a column enters, as a part of the strongest',
  correlation: 'correlation',
  spearman: 'rank correlation (Spearman)',
  variance: 'variance',
}
