import * as fc from 'fast-check';
import type { Target } from './target.js';

/** In milliseconds: no input of a few kilobytes may take this long. */
const SLOW = 250;
/** In milliseconds: a call without an answer by then counts as hanging. */
const NEVER = 10_000;

export interface Tally {
  inputs: number;
  verdicts: Map<string, number>;
  /** The longest time for one input, in milliseconds. */
  slowest: number;
}

export interface Run {
  tally: Tally;
  details: fc.RunDetails<[unknown]>;
}

/** Fuzzes a target until an input fails. */
export async function run(target: Target, parameters: fc.Parameters<[unknown]>): Promise<Run> {
  const tally: Tally = { inputs: 0, verdicts: new Map(), slowest: 0 };
  const property = fc.asyncProperty(target.inputs, async (input) => {
    const { verdict, took } = await judge(target, input, tally.slowest);
    tally.inputs += 1;
    tally.verdicts.set(verdict, (tally.verdicts.get(verdict) ?? 0) + 1);
    tally.slowest = Math.max(tally.slowest, took);
  });
  const details = await fc.check(property, { timeout: NEVER, ...parameters });
  return { tally, details };
}

/** The fastest of three runs counts, because other load on the machine can slow down single runs. */
async function judge(
  target: Target,
  input: unknown,
  slowest: number,
): Promise<{ verdict: string; took: number }> {
  let took = Infinity;
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const start = performance.now();
    const verdict = await target.judge(input);
    took = Math.min(took, performance.now() - start);
    if (took <= slowest || (attempt === 3 && took < SLOW)) return { verdict, took };
  }
  throw new Error(`It took ${Math.round(took)} ms`);
}
