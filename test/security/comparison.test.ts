import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostile, valid } from './corpus.js';
import { startOurs } from './ours.js';
import { peers } from './peers.js';
import { newKeys, trustIn } from './support.js';
import { print, printDetails, type Tally, tally } from './tally.js';

const keys = newKeys();
const hostileCases = Object.entries(hostile).flatMap(([group, cases]) =>
  cases.map((one) => ({ ...one, name: `${group} ${one.name}` })),
);

let ours: Awaited<ReturnType<typeof startOurs>>;
let tallies: Tally[];

beforeAll(async () => {
  ours = await startOurs(trustIn(keys));
  tallies = [];
  for (const verifier of [ours, ...peers.map((make) => make(trustIn(keys)))]) {
    tallies.push(await tally(verifier, hostileCases, valid, keys));
  }
}, 120_000);
afterAll(() => ours.close());

test('this library accepts no hostile case, refuses no valid one, and throws no foreign error', () => {
  print([
    ['verifier', 'cases', 'accepted', 'valid refused', 'foreign errors'],
    ...tallies.map(({ verifier, cases, accepted, validRefused, foreignErrors }) =>
      [verifier, cases, accepted.length, validRefused.length, foreignErrors.length].map(String),
    ),
  ]);
  printDetails(tallies);

  expect(tallies[0]).toEqual({
    verifier: 'nestjs-kms-jwt',
    cases: hostileCases.length + valid.length,
    accepted: [],
    validRefused: [],
    foreignErrors: [],
  });
});

test('peers are configured so that they accept most valid tokens', () => {
  for (const { verifier, validRefused } of tallies) {
    expect(validRefused.length, verifier).toBeLessThan(valid.length / 4);
  }
});
