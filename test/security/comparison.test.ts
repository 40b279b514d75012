import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostile, valid } from './corpus.js';
import { type Case, newKeys } from './support.js';
import { judge, peers, startOurs, type Verdict, type Verifier } from './verifiers.js';

const keys = newKeys();
const hostileCases = Object.entries(hostile).flatMap(([group, cases]) =>
  cases.map((one) => ({ ...one, name: `${group} ${one.name}` })),
);

let ours: Awaited<ReturnType<typeof startOurs>>;
let tallies: Tally[];

interface Tally {
  verifier: string;
  /** Those that ask for nothing that the verifier does not offer. */
  cases: number;
  accepted: string[];
  validRefused: string[];
  foreignErrors: string[];
}

async function tally(verifier: Verifier): Promise<Tally> {
  const verdictsOf = async (cases: readonly Case[]) => {
    const verdicts: [string, Verdict][] = [];
    for (const one of cases) verdicts.push([one.name, await judge(verifier, one, keys)]);
    return verdicts.filter(([, verdict]) => verdict !== 'n/a');
  };
  const onHostile = await verdictsOf(hostileCases);
  const onValid = await verdictsOf(valid);

  return {
    verifier: verifier.name,
    cases: onHostile.length + onValid.length,
    accepted: named(onHostile, (verdict) => verdict === 'accepted'),
    validRefused: named(onValid, (verdict) => verdict !== 'accepted'),
    foreignErrors: named([...onHostile, ...onValid], (verdict) => verdict === 'foreign error'),
  };
}

function named(verdicts: [string, Verdict][], wanted: (verdict: Verdict) => boolean): string[] {
  return verdicts.filter(([, verdict]) => wanted(verdict)).map(([name]) => name);
}

function print(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   '));
  console.log(`\n${lines.join('\n')}\n`);
}

beforeAll(async () => {
  ours = await startOurs(keys);
  tallies = [];
  for (const verifier of [ours, ...peers.map((make) => make(keys))]) tallies.push(await tally(verifier));
}, 120_000);
afterAll(() => ours.close());

test('of this library: no hostile case accepted, no valid one refused, no foreign error', () => {
  print([
    ['verifier', 'cases', 'accepted', 'valid refused', 'foreign errors'],
    ...tallies.map(({ verifier, cases, accepted, validRefused, foreignErrors }) =>
      [verifier, cases, accepted.length, validRefused.length, foreignErrors.length].map(String),
    ),
  ]);
  // SECURITY_DETAILS=1 tells which cases they are.
  if (process.env['SECURITY_DETAILS']) console.log(JSON.stringify(tallies, null, 2));

  expect(tallies[0]).toEqual({
    verifier: 'nestjs-kms-jwt',
    cases: hostileCases.length + valid.length,
    accepted: [],
    validRefused: [],
    foreignErrors: [],
  });
});

test('peers accept most valid tokens: they are not set up to refuse', () => {
  for (const { verifier, validRefused } of tallies) {
    expect(validRefused.length, verifier).toBeLessThan(valid.length / 4);
  }
});
