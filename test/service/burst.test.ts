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
/** The limits on tokens that are read, and on known ones that are answered, per turn of the event loop (src/jwt/signature-checks.ts). */
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

/** The number of turns of the event loop until all tokens are verified, and the number of accepted ones. */
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

/** The benchmarks measure how long a turn blocks the event loop. */
describe.each([
  ['of the service itself', own],
  ['of one of several issuers', foreign],
])('3,000 concurrent calls of verify for tokens %s do not block the event loop:', (_, options) => {
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
    ['3,000 tokens', distinct, CALLS, READ_IN_TURN],
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
