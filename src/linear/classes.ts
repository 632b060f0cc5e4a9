/** Where the graph of a model keeps the labels of its classes in its metadata, as a JSON list. */
export const CLASSES = 'pare.classes'
