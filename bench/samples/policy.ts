/**
 * Generated states for the robot policy, as no recorded ones exist: each observation but the last action and the command
 * is a smooth random walk x' = m + a (x - m) + s sqrt(1 - a²) e with the mean m and deviation s that the policy's own
 * input normalisation holds, so states cover what it was trained on; the last action is what the original policy
 * answered one step before, and the command is drawn anew every 50 steps.
 */

import type { Sample } from '../../src/data/samples.js'
import { f32, floats } from '../../src/ir/tensor.js'
import { random } from '../../src/util/random.js'
import { original } from './original.js'
import { type ModelSamples, samplesOf } from './types.js'

/** Where each part lies in the 48 values. */
const ACTION = { start: 33, size: 12 }
const COMMAND = { start: 45, size: 3 }
const GRAVITY = 6
const SMOOTHNESS = 0.9
const EVERY = 10

// Linear velocity, angular velocity, gravity, joint angles less the default (12), joint velocities (12); leg by leg.
const MEAN = [
  -0.039, 0.0015, 0.0077, 0.0044, 0.0041, 0.0205, 0.008, -0.003, -0.994, -0.0073, 0.0937, -0.0407, 0.0024, 0.0893,
  -0.0375, 0.0215, 0.0372, -0.0588, 0.0023, 0.0309, -0.0434, 0.0172, 0.0365, -0.0875, -0.0271, 0.0552, -0.1328, 0.019,
  0.0255, -0.1113, -0.0161, 0.0149, -0.0759,
]
const DEVIATION = [
  0.676, 0.289, 0.24, 1.256, 0.667, 2.086, 0.0667, 0.0855, 0.0514, 0.122, 0.159, 0.19, 0.125, 0.17, 0.189, 0.114, 0.145,
  0.19, 0.115, 0.158, 0.193, 3.26, 3.93, 5.18, 3.22, 4.08, 5.43, 3.18, 3.83, 5.11, 3.18, 4.09, 5.38,
]
const COMMAND_RANGE = [1.5, 0.8, 1.2]

export const policy: ModelSamples = {
  model: 'go1-policy',
  about: 'generated states: a smooth random walk of the sensors, the last action fed back from the original',
  calibration: samplesOf('go1 calibration states (generated)', 200, () => states(1, 200)),
  many: (count) => samplesOf('go1 states (generated)', count, () => states(3, count)),
  heldout: samplesOf('go1 held-out states (generated)', 300, () => states(2, 300)),
}

async function* states(seed: number, count: number): AsyncGenerator<Sample> {
  const run = await original('go1-policy')
  const noise = random(seed)
  const sensors = Float64Array.from(MEAN, (mean, i) => noise.normal(mean, DEVIATION[i]!))
  const command = new Float64Array(COMMAND.size)
  let action = new Float32Array(ACTION.size)
  for (let step = 0; step < count * EVERY; step++) {
    if (step % 50 === 0) for (let i = 0; i < 3; i++) command[i] = noise.uniform(-COMMAND_RANGE[i]!, COMMAND_RANGE[i]!)
    for (const [i, mean] of MEAN.entries()) {
      const fresh = noise.normal(0, DEVIATION[i]! * Math.sqrt(1 - SMOOTHNESS ** 2))
      sensors[i] = mean + SMOOTHNESS * (sensors[i]! - mean) + fresh
    }
    const observation = new Float32Array(48)
    observation.set(sensors)
    const gravity = observation.subarray(GRAVITY, GRAVITY + 3)
    const norm = Math.hypot(...gravity)
    gravity.forEach((g, i) => {
      gravity[i] = g / norm
    })
    observation.set(action, ACTION.start)
    observation.set(command, COMMAND.start)
    const feeds = { obs: f32([1, 48], observation) }
    if (step % EVERY === EVERY - 1) yield { feeds, name: `generated state ${step}, seed ${seed}` }
    action = Float32Array.from(floats((await run(feeds)).continuous_actions!))
  }
}
