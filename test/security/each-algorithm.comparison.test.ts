import { beforeAll, describe, expect, test } from 'vitest';
import { NAMES } from '../algorithms/support.js';
import { hostileFor, validFor } from './algorithm-corpus.js';
import {
  type AlgorithmCase,
  type AlgorithmKeys,
  newAlgorithmKeys,
  tokenFor,
  trustInAlgorithm,
} from './algorithm-keys.js';
import { startOurs } from './ours.js';
import { peers } from './peers.js';
import { optionsOf } from './support.js';
import { print, printDetails, type Tally, tally } from './tally.js';

const LIMIT_MS = 240_000;

const allKeys = NAMES.map(newAlgorithmKeys);
/** By algorithm, for this library and the peers that support it; nothing without peers. */
const tallies = new Map<string, Tally[]>();

beforeAll(async () => {
  for (const keys of allKeys) tallies.set(keys.alg, await talliesFor(keys));
}, LIMIT_MS);

async function talliesFor(keys: AlgorithmKeys): Promise<Tally[]> {
  const trust = trustInAlgorithm(keys);
  const having = peers.map((make) => make(trust)).filter(({ algorithms }) => algorithms.has(keys.alg));
  if (having.length === 0) return [];

  const hostile = hostileFor(keys.alg).map((one) => made(one, keys));
  const valid = validFor(keys.alg).map((one) => made(one, keys));
  const ours = await startOurs(trust);
  const results: Tally[] = [];
  for (const verifier of [ours, ...having]) results.push(await tally(verifier, hostile, valid, keys));
  await ours.close();
  return results;
}

/** With one token for all verifiers, because some take long to make. */
function made(one: AlgorithmCase, keys: AlgorithmKeys): AlgorithmCase {
  const token = one.make(keys);
  return { ...one, make: () => token };
}

test('this library accepts no hostile case, refuses no valid one, and throws no foreign error', () => {
  print([
    ['algorithm', 'verifier', 'cases', 'accepted', 'valid refused', 'foreign errors'],
    ...[...tallies].flatMap(([alg, results]) =>
      results.map(({ verifier, cases, accepted, validRefused, foreignErrors }) =>
        [alg, verifier, cases, accepted.length, validRefused.length, foreignErrors.length].map(String),
      ),
    ),
  ]);

  for (const [alg, [ours, ...others]] of tallies) {
    if (!ours) continue;
    printDetails([ours, ...others]);
    expect(ours, alg).toMatchObject({
      verifier: 'nestjs-kms-jwt',
      accepted: [],
      validRefused: [],
      foreignErrors: [],
    });
  }
});

describe.each(allKeys)('of $alg', (keys) => {
  test('a peer accepts the plain token if and only if it is listed with the algorithm', async () => {
    const plain: AlgorithmCase = { name: 'plain', source: '', make: tokenFor };
    for (const make of peers) {
      const peer = make(trustInAlgorithm(keys));
      const isAccepted = await accepts(() => peer.verify(tokenFor(keys), optionsOf(plain, keys)));
      expect(isAccepted, peer.name).toBe(peer.algorithms.has(keys.alg));
    }
  });
});

async function accepts(verify: () => unknown): Promise<boolean> {
  try {
    await verify();
    return true;
  } catch {
    return false;
  }
}
