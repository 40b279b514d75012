import type { KmsJwtRingStore } from 'nestjs-kms-jwt';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SigningKey } from '../../src/keys/signing-key.js';
import { Machine, SimulatedTime } from '../fleet/time.js';
import { newInstance } from './alias-signer.support.js';
import { A, B, C, newKey, newStore } from './support.js';

const STEP = 30;
/** The lifetime of tokens, in seconds, and `retireAfter` of the instances. */
const LIFETIME = 900;
const DISTRUSTED = newKey('distrusted');

type Instance = ReturnType<typeof newInstance>;

let machine: Machine;
/** Two instances of a service with separate stores. Both look up the alias every 300 seconds. */
let early: Instance;
let late: Instance;
let stores: { early: KmsJwtRingStore; late: KmsJwtRingStore };
/** The tokens that are still valid: the kid and the expiry. */
let tokens: { kid: string; until: number }[];

beforeEach(async () => {
  machine = new Machine(new SimulatedTime(), 0, 0);
  stores = { early: newStore().store, late: newStore().store };
  tokens = [];
  late = startInstance(stores.late);
  await late.sign();
  await late.pass(150);
  early = startInstance(stores.early);
  await early.sign();
});

function startInstance(store: KmsJwtRingStore): Instance {
  return newInstance({ store, distrustedKeys: [DISTRUSTED.kid], machine });
}

/** Advances the time, while both instances sign, and verify all tokens until they expire. */
async function serve(seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += STEP) {
    const { now } = machine.time;
    for (const { sign } of [early, late]) {
      const kid = await sign();
      if (kid !== 'KmsKeyError') tokens.push({ kid, until: now + LIFETIME * 1000 });
    }
    tokens = tokens.filter(({ until }) => until > now);
    for (const kid of new Set(tokens.map((token) => token.kid))) {
      for (const { ring } of [early, late]) expect(await ring.find(kid), kid).toBeDefined();
    }
    await early.pass(STEP);
  }
}
const signing = () => [early, late].map(({ ring }) => ring.health.signing);
const moveAlias = (key: SigningKey) => [early, late].forEach(({ kms }) => (kms.target = key));

/** Moves the alias to B, and on once only one of the instances has activated B. */
async function moveTwice(to: SigningKey): Promise<void> {
  await serve(180);
  moveAlias(B);
  await serve(1170);
  expect(signing()).toEqual(['B', 'A']);
  moveAlias(to);
}

async function restartBoth(): Promise<void> {
  const { target } = early.kms;
  await Promise.all([early.ring.stop(), late.ring.stop()]);
  early = startInstance(stores.early);
  late = startInstance(stores.late);
  moveAlias(target);
}

describe.each([
  ['on', C],
  ['back', A],
])('when the alias moves %s before all instances have activated the key', (_, to) => {
  test.each([
    ['no token is refused, and all instances sign with the last key in the end', async () => {}],
    ['no token is refused even if both instances are restarted meanwhile', restartBoth],
  ])('%s', async (__, meanwhile) => {
    await moveTwice(to);
    await serve(330);
    await meanwhile();
    await serve(270);
    expect(signing()).toEqual(['B', 'A']);
    await serve(900);
    expect(signing()).toEqual([to.kid, to.kid]);
    await serve(3600);
  });
});

test('no token is refused if the alias points to a distrusted key for a while', async () => {
  await moveTwice(DISTRUSTED);
  await serve(2100);
  moveAlias(C);
  await serve(3600);
  expect(signing()).toEqual(['C', 'C']);
});
