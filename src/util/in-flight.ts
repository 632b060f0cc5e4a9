/** Work that runs while the next is made ready. */

export interface InFlight {
  /** Takes one in, and waits until no more than so many are under way. Throws what one of them threw. */
  push(task: Promise<void>): Promise<void>
  /** Waits for all. */
  end(): Promise<void>
}

export function inFlight(most: number): InFlight {
  const tasks: Promise<void>[] = []
  const wait = async (left: number): Promise<void> => {
    while (tasks.length > left) await tasks.shift()
  }
  return {
    push(task) {
      // What fails before anybody waits for it is told to whoever waits next.
      task.catch(() => {})
      tasks.push(task)
      return wait(most)
    },
    end: () => wait(0),
  }
}
