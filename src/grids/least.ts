/**
 * Elements from which on a weight is stored as integers. Of smaller ones, biases and filters of a few channels, these save
 * little and cost much: each counts for more than a single weight. In float16 they are a hundredth of the file more, and
 * the error of three models was a third to a half of what it was.
 */
export const LEAST_INTEGER = 512
