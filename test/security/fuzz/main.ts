// Fuzzes every entry point of the library for FUZZ_SECONDS, 600 by default; the arguments name the targets, all by default.
// FUZZ_SEED repeats a run, and FUZZ_PATH with it goes to the failing input.
import 'reflect-metadata';
import { randomInt } from 'node:crypto';
import { stringify } from 'fast-check';
import { type Run, run } from './run.js';
import { TARGETS } from './targets/index.js';

const { FUZZ_SECONDS = '600', FUZZ_SEED, FUZZ_PATH } = process.env;
const seed = Number(FUZZ_SEED ?? randomInt(2 ** 31));
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TARGETS);
const milliseconds = (Number(FUZZ_SECONDS) * 1000) / names.length;

console.log(`FUZZ_SECONDS=${FUZZ_SECONDS} FUZZ_SEED=${seed}`);
const rows: Record<string, object> = {};
for (const name of names) {
  const finished = await fuzz(name);
  rows[name] = rowOf(finished);
  if (!finished.details.failed) continue;
  report(name, finished);
  process.exitCode = 1;
  break;
}
console.table(rows);
console.log(`FUZZ_SEED=${seed}`);

async function fuzz(name: string): Promise<Run> {
  const open = TARGETS[name];
  if (!open) throw new Error(`Unknown target ${name}: the targets are ${Object.keys(TARGETS).join(', ')}`);
  console.log(name);
  const target = await open();
  try {
    return await run(target, {
      seed,
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: milliseconds,
      ...(FUZZ_PATH !== undefined && { path: FUZZ_PATH }),
    });
  } finally {
    await target.close();
  }
}

function rowOf({ tally }: Run): object {
  const { inputs, verdicts, slowest } = tally;
  const { accepted = 0, ...refused } = Object.fromEntries(verdicts);
  return {
    inputs,
    'inputs/s': Math.round((inputs * 1000) / milliseconds),
    accepted,
    refused: Object.entries(refused)
      .toSorted(([, one], [, other]) => other - one)
      .map(([code, count]) => `${code} ${count}`)
      .join(', '),
    'slowest ms': Number(slowest.toFixed(1)),
  };
}

function report(name: string, { details }: Run): void {
  const input = stringify(details.counterexample?.[0]);
  console.error(`\nFOUND by ${name}:`, details.errorInstance);
  console.error(`\nThe input, as JavaScript in base64: ${Buffer.from(input).toString('base64')}`);
  console.error(
    `Again: FUZZ_SEED=${details.seed} FUZZ_PATH=${details.counterexamplePath} npm run fuzz ${name}\n`,
  );
}
