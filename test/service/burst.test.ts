import { setImmediate } from 'node:timers/promises';
import { Test } from '@nestjs/testing';
import { KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AUDIENCE,
  encode,
  goodClaims,
  goodHeader,
  ISSUER,
  jwksOf,
  newKeys,
  partsOf,
  signed,
} from '../security/support.js';

const CALLS = 3000;
/** How many tokens are read, and how many known ones answered, in a turn of the event loop (src/jwt/signature-checks.ts). */
const READ_IN_TURN = 64;
const KNOWN_IN_TURN = 1000;

const keys = newKeys();
const distinct = Array.from({ length: CALLS }, (_, n) =>
  signed(keys, goodHeader(keys), { ...goodClaims(keys), n }),
);
const unknownKid = encode({ ...goodHeader(keys), kid: 'unknown' });

const own: KmsJwtModuleOptions = { jwks: jwksOf(keys) };
const foreign: KmsJwtModuleOptions = {
  issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: 'ES256', keys: { jwks: jwksOf(keys) } }],
};

/** The turns of the event loop until all of these are verified, and how many were accepted. */
async function turnsFor(jwt: KmsJwtService, tokens: readonly string[]) {
  const state = { isDone: false };
  const all = Promise.allSettled(tokens.map((token) => jwt.verify(token))).finally(() => {
    state.isDone = true;
  });
  let turns = 0;
  for (; !state.isDone; turns += 1) await setImmediate();
  const accepted = (await all).filter(({ status }) => status === 'fulfilled').length;
  return { turns, accepted };
}

/** bench/ measures for how long a turn holds the event loop. */
describe.each([
  ['of the own issuer', own],
  ['of one among several issuers', foreign],
])('3,000 calls of verify at once, for tokens %s, leave the event loop free in between:', (_, options) => {
  let jwt: KmsJwtService;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [KmsJwtModule.forRoot(options)] }).compile();
    await module.init();
    jwt = module.get(KmsJwtService);
    close = () => module.close();
  });
  afterAll(() => close());

  const [one] = distinct as [string];
  const bursts: [string, readonly string[], number, number][] = [
    ['as many tokens', distinct, CALLS, READ_IN_TURN],
    ['one token', distinct.map(() => one), CALLS, KNOWN_IN_TURN],
    ['forged tokens', distinct.map((token) => token.slice(0, -10) + 'A'.repeat(10)), 0, READ_IN_TURN],
    [
      'tokens of an unknown key',
      distinct.map((token) => [unknownKid, ...partsOf(token).slice(1)].join('.')),
      0,
      READ_IN_TURN,
    ],
    ['malformed tokens', distinct.map((token) => `${token}=`), 0, READ_IN_TURN],
  ];
  test.each(bursts)('%s', async (_name, tokens, accepted, inTurn) => {
    const answer = await turnsFor(jwt, tokens);
    expect(answer.accepted).toBe(accepted);
    expect(answer.turns).toBeGreaterThanOrEqual(Math.floor(CALLS / inTurn));
  });
});
