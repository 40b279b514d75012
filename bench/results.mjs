// bench/results.json: the last results of each part.
import { readFile, writeFile } from 'node:fs/promises';
import { formatted } from './report/formatted.mjs';
import { PARTS } from './arguments.mjs';

const FILE = new URL('results.json', import.meta.url);

export async function readResults() {
  try {
    return JSON.parse(await readFile(FILE, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return { command: 'npm run bench', parts: {} };
    throw error;
  }
}

/** Replaces the parts that were measured, and keeps the others. */
export function addParts(results, measured) {
  const all = { ...results.parts, ...measured };
  const parts = Object.fromEntries(PARTS.filter((part) => part in all).map((part) => [part, all[part]]));
  return { ...results, parts };
}

/** Five significant digits are more than the precision of any figure. */
function shortened(_, value) {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}

export async function writeResults(results) {
  await writeFile(FILE, await formatted(JSON.stringify(results, shortened), 'json'));
}
