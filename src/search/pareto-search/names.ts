/** What a recipe is called: its steps with the parameters that are not the defaults. */

import { significant } from '../../util/format.js'
import type { Step } from '../trial.js'

export const nameOf = (steps: readonly Step[]): string => steps.map(stepName).join(' → ') || 'cleaned only'

function stepName({ transform, params }: Step): string {
  const [folder, what = ''] = transform.split('/')
  const values = Object.entries(params).map(([name, value]) => paramText(name, value))
  return `${folder} ${what}${values.length > 0 ? ` (${values.join(', ')})` : ''}`
}

function paramText(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? name : `no ${name}`
  if (Array.isArray(value)) return `${value.length} ${name}`
  return `${name} ${typeof value === 'number' && !Number.isInteger(value) ? significant(value) : String(value)}`
}
