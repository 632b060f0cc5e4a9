/** Memory and the threads that work on it. */

import { PareError } from '../../util/errors.js'
import type { Tasks } from '../../util/tasks.js'
import { type Crew, controlBytes, openCrew } from './crew.js'
import { type Arena, openArena } from './memory.js'

export interface Workshop {
  readonly arena: Arena
  readonly crew: Crew
}

/** For so many bytes and parts of the work; `tasks` is where other threads come from. Throws `TSNE_MEMORY`. */
export function openWorkshop(bytes: number, parts: number, tasks: Tasks | undefined): Workshop {
  const control = controlBytes(parts)
  const arena = openArena(control + bytes, tasks !== undefined && parts > 1)
  const berth = arena && { memory: arena.memory, control: arena.take(control), parts }
  const crew = berth && openCrew(berth, parts > 1 ? tasks : undefined)
  if (arena !== null && crew !== null) return { arena, crew }
  throw new PareError('TSNE_MEMORY', 'a map of so many points cannot be made here', {
    value: `${Math.ceil(bytes / 2 ** 20)} MiB`,
    remedy:
      'It takes WebAssembly with SIMD and no more than 4 GiB: map fewer points, with fewer threads, or elsewhere.',
  })
}
