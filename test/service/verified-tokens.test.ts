import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type VerificationKey } from '../../src/jwt/jwk.js';
import { readHeader } from '../../src/jwt/received-header.js';
import { VerifiedTokens } from '../../src/service/verified-tokens.js';
import { newKeyPair, part } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';

function newKey(kid: string, { publicKey } = newKeyPair()): VerificationKey {
  return verificationKey(kid, publicKey);
}
const ringOf = (...keys: VerificationKey[]) => new Map(keys.map((key) => [key.kid, key]));

const [A, B] = [newKey('a'), newKey('b')];
const AGAIN = newKey('a', { publicKey: A.publicKey } as ReturnType<typeof newKeyPair>);

/** Adds a token of this key as often as needed for the cache. */
function add(tokens: VerifiedTokens, name: string, key = A, header: object = { alg: 'ES256', kid: key.kid }) {
  const [encoded, payload] = [part(header), JSON.stringify({ name })];
  const token = `${encoded}.${part(payload)}.${name}`;
  for (let time = 0; time < 2; time += 1)
    tokens.add(token, encoded, { header: readHeader(encoded), payload, key });
  return token;
}

describe('a token', () => {
  test('is kept when it comes for the second time, even with others in between', () => {
    const tokens = new VerifiedTokens(10);
    const encoded = part({ alg: 'ES256', kid: 'a' });
    const verified = { header: readHeader(encoded), payload: '{}', key: A };
    const token = `${encoded}.e30.one`;
    tokens.add(token, encoded, verified);
    tokens.add(`${encoded}.e30.two`, encoded, verified);
    expect(tokens.get(token, ringOf(A))).toBeUndefined();
    tokens.add(token, encoded, verified);
    expect(tokens.get(token, ringOf(A))).toBeDefined();
  });

  test('is found only by its exact text', () => {
    const tokens = new VerifiedTokens(10);
    const token = add(tokens, 'one');
    expect(tokens.get(token, ringOf(A))).toMatchObject({ payload: '{"name":"one"}', key: A });
    for (const other of [token.slice(0, -1), `${token}A`, `${token} `, token.toUpperCase(), '', 'one']) {
      expect(tokens.get(other, ringOf(A))).toBeUndefined();
    }
  });

  test('is not found for tokens that share two of its parts', () => {
    const tokens = new VerifiedTokens(10);
    const one = add(tokens, 'one').split('.');
    const two = add(tokens, 'two').split('.');
    for (let replaced = 0; replaced < 3; replaced += 1) {
      const mixed = one.map((text, index) => (index === replaced ? two[index] : text)).join('.');
      const isKnown = [one.join('.'), two.join('.')].includes(mixed);
      // Both tokens have the same header.
      expect(isKnown).toBe(replaced === 0);
      expect(tokens.get(mixed, ringOf(A)) !== undefined).toBe(isKnown);
    }
  });

  test('is displaced by another with the same last characters, and not confused with it', () => {
    const tokens = new VerifiedTokens(10);
    const END = 'A'.repeat(64);
    const [one, two] = [`1${END}`, `2${END}`].map((name) => add(tokens, name));
    expect(tokens.get(one!, ringOf(A))).toBeUndefined();
    expect(tokens.get(two!, ringOf(A))).toMatchObject({ payload: `{"name":"2${END}"}` });
  });

  test.each([
    ['4,096 characters is kept', 4096, true],
    ['4,097 characters is not kept', 4097, false],
  ])('of %s', (_, length, isKept) => {
    const tokens = new VerifiedTokens(10);
    const encoded = part({ alg: 'ES256', kid: 'a' });
    const token = `${encoded}.e30.`.padEnd(length, 'A');
    for (let time = 0; time < 2; time += 1)
      tokens.add(token, encoded, { header: readHeader(encoded), payload: '{}', key: A });
    expect(tokens.get(token, ringOf(A)) !== undefined).toBe(isKept);
  });

  test('that is the least recently used is dropped above the maximum', () => {
    const tokens = new VerifiedTokens(2);
    const [one, two] = [add(tokens, 'one'), add(tokens, 'two')];
    tokens.get(one, ringOf(A));
    const three = add(tokens, 'three');
    const kept = [one, two, three].map((token) => tokens.get(token, ringOf(A)) !== undefined);
    expect(kept).toEqual([true, false, true]);
  });

  test('is not kept with a maximum of 0', () => {
    const tokens = new VerifiedTokens(0);
    expect(tokens.get(add(tokens, 'one'), ringOf(A))).toBeUndefined();
  });
});

describe('the tokens of a key', () => {
  test('are dropped with the key, and those of other keys stay', () => {
    const tokens = new VerifiedTokens(10);
    const [one, two] = [add(tokens, 'one', A), add(tokens, 'two', B)];
    const both = ringOf(A, B);
    expect([tokens.get(one, both), tokens.get(two, both)]).not.toContain(undefined);
    const left = ringOf(B);
    expect(tokens.get(one, left)).toBeUndefined();
    expect(tokens.get(two, left)).toBeDefined();
    // They do not return with the key, which was not trusted in between.
    expect(tokens.get(one, ringOf(A, B))).toBeUndefined();
  });

  test('stay when the same key was fetched again, and have the new key object', () => {
    const tokens = new VerifiedTokens(10);
    const token = add(tokens, 'one', A);
    tokens.get(token, ringOf(A));
    expect(tokens.get(token, ringOf(AGAIN))?.key).toBe(AGAIN);
  });

  test('are not those of another key with the same kid', () => {
    const tokens = new VerifiedTokens(10);
    const token = add(tokens, 'one', A);
    expect(tokens.get(token, ringOf(newKey('a')))).toBeUndefined();
  });

  test('are not those of the same key under another kid', () => {
    const tokens = new VerifiedTokens(10);
    const token = add(tokens, 'one', A);
    const renamed = newKey('z', { publicKey: A.publicKey } as ReturnType<typeof newKeyPair>);
    expect(tokens.get(token, ringOf(renamed))).toBeUndefined();
  });

  test('are not returned if the key was removed before they were added', () => {
    const tokens = new VerifiedTokens(10);
    const left = ringOf(B);
    tokens.get('', left);
    expect(tokens.get(add(tokens, 'one', A), left)).toBeUndefined();
  });
});

describe('a header', () => {
  test('is kept after its token was added, even with a maximum of 0', () => {
    const tokens = new VerifiedTokens(0);
    const [encoded = ''] = add(tokens, 'one').split('.');
    expect(tokens.header(encoded)).toMatchObject({
      alg: 'ES256',
      kid: 'a',
      text: '{"alg":"ES256","kid":"a"}',
    });
    expect(tokens.header(encoded.slice(0, -1))).toBeUndefined();
  });

  test('is one of at most 100 that are kept', () => {
    const tokens = new VerifiedTokens(0);
    const headers = Array.from(
      { length: 150 },
      (_, x) => add(tokens, 'one', A, { kid: 'a', x }).split('.')[0],
    );
    expect(headers.filter((header = '') => tokens.header(header))).toHaveLength(100);
  });

  test('of a token above the maximum length is not kept', () => {
    const tokens = new VerifiedTokens(10);
    const [encoded = ''] = add(tokens, 'one', A, { kid: 'a', x: 'x'.repeat(4096) }).split('.');
    expect(tokens.header(encoded)).toBeUndefined();
  });
});

test('cached tokens do not retain the string from which they were sliced', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const memory = () => (gc(), process.memoryUsage().heapUsed / 1024 ** 2);
  const tokens = new VerifiedTokens(1000);

  const before = memory();
  for (let n = 0; n < 100; n += 1) {
    const encoded = part({ alg: 'ES256', kid: 'a', n });
    // As a token is sliced from an Authorization header, and its header from the token.
    const token = `${'x'.repeat(1024 ** 2)}${n} ${encoded}.e30.AAAA`.slice(-encoded.length - 9);
    const header = token.slice(0, encoded.length);
    tokens.add(token, header, { header: readHeader(header), payload: '{}', key: A });
  }
  expect(memory() - before).toBeLessThan(20);
  expect(tokens.header(part({ alg: 'ES256', kid: 'a', n: 99 }))).toBeDefined();
});
