/** A thread that works on an embedding beside others. */

export { serve as run } from './crew.js'
