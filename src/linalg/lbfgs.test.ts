import { expect, test } from 'vitest'
import { lbfgs, type Point } from './lbfgs.js'

/** (1 − a)² + 100 (b − a²)² (Rosenbrock 1960), least at (1, 1). */
const rosenbrock = async (w: Float64Array): Promise<Point> => {
  const [a, b] = [w[0]!, w[1]!]
  const loss = (1 - a) ** 2 + 100 * (b - a * a) ** 2
  return { w, loss, g: Float64Array.of(-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)) }
}

const start = () => rosenbrock(Float64Array.of(-1.2, 1))
const common = { memory: 5, evaluate: rosenbrock } as const

test('a curved valley, to its lowest point; losses fall', async () => {
  const losses: number[] = []
  const isDone = ({ loss, g }: Point): boolean => {
    losses.push(loss)
    return Math.hypot(...g) < 1e-9
  }
  const { last, steps, ended } = await lbfgs(await start(), { ...common, iterations: 200, isDone })
  expect(ended).toBe('done')
  expect(last.w[0]).toBeCloseTo(1, 9)
  expect(last.w[1]).toBeCloseTo(1, 9)
  expect(losses).toHaveLength(steps + 1)
  expect(losses).toEqual(losses.toSorted((a, b) => b - a))
})

test('steps that are used up, and a point from which nothing falls, are said', async () => {
  const never = (): boolean => false
  expect((await lbfgs(await start(), { ...common, iterations: 3, isDone: never })).ended).toBe('exhausted')
  const found = await lbfgs(await start(), { ...common, iterations: 1000, isDone: never })
  expect(found.ended).toBe('stalled')
  expect(found.last.loss).toBeLessThan(1e-20)
})
