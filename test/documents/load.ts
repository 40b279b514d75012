import { compile } from './support.js';

/** Loads a file of a document by its name; one folder for each worker. test/package has the same function for Jest. */
export const { load } = await compile(`recipes-${process.pid}`);
