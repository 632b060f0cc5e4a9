/** A compact, readable text form of models, both ways: for tests, for people, for comparing two models. */

export { parseGraph, parseModel } from './text/parse.js'
export { printGraph, printModel } from './text/print.js'
