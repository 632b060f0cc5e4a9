/** Numbers drawn by the seed: what every other score has to beat. */

import { random as generator } from '../../../util/random.js'
import { perUnit, type Score } from './score.js'

export const random: Score = {
  id: 'random',
  summary: 'a number drawn by the seed: what other scores are measured against',
  source: 'uniform on [0, 1); the baseline of Blalock, Gonzalez Ortiz, Frankle and Guttag 2020, section 3.1',
  needs: 'weights',
  async score(groups, { env }) {
    const { uniform } = generator(env.seed ?? 0)
    return perUnit(groups, ({ units }) => units.map(() => uniform()))
  },
}
