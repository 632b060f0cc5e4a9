/** The public library in browsers: everything of `index.ts`, and the engine in a Web Worker. */

export { openEngine, type WebEngineOptions } from './engine/web/open.js'
export * from './index.js'
