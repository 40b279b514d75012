import jsonwebtoken from 'jsonwebtoken';
import { expect, test } from 'vitest';
import { checkContender, makeExamples } from '../../bench/contenders/check.mjs';
import { AUDIENCE, CLAIM_BYTES, ISSUER, makeClaims, makeKey } from '../../bench/tokens.mjs';

const key = makeKey();
const examples = makeExamples(key);
const correct = { issuer: ISSUER, audience: AUDIENCE };
const verifierWith = (options: jsonwebtoken.VerifyOptions) => (token: string) =>
  jsonwebtoken.verify(token, key.publicKey, options);

test('a contender that verifies passes', async () => {
  await expect(checkContender('peer', verifierWith(correct), examples)).resolves.toBeUndefined();
});

test.each([
  ['refuses a valid token', () => false],
  ['accepts a token with a forged signature', (token: string) => jsonwebtoken.decode(token)],
  ['accepts a token with another issuer', verifierWith({ audience: AUDIENCE })],
  ['accepts a token with another audience', verifierWith({ issuer: ISSUER })],
  ['accepts a token with an exp in the past', verifierWith({ ...correct, ignoreExpiration: true })],
])('a contender that %s is not timed', async (what, verify) => {
  await expect(checkContender('peer', verify, examples)).rejects.toThrow(`peer ${what}`);
});

test.each([CLAIM_BYTES, 1000, 12_000])('claims of %i bytes have as many', (bytes) => {
  expect(JSON.stringify(makeClaims(7, bytes))).toHaveLength(bytes);
});
