import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { keysIn, MAX_KID_LENGTH, thumbprint, verificationKeyFrom } from '../../src/jwt/jwk.js';
import { newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';

const { publicKey, privateKey } = newKeyPair();
const published = verificationKey('a', publicKey).jwk;

test('a public key becomes a JWK with everything that verifiers ask for, and nothing private', () => {
  expect(published).toEqual({
    kid: 'a',
    kty: 'EC',
    crv: 'P-256',
    x: expect.any(String),
    y: expect.any(String),
    alg: 'ES256',
    use: 'sig',
  });
  expect(createPublicKey({ key: published, format: 'jwk' }).equals(publicKey)).toBe(true);
});

test("the thumbprint is RFC 7638's, as jose computes it", async () => {
  expect(thumbprint(published)).toBe(await calculateJwkThumbprint(published));
});

describe('verificationKeyFrom', () => {
  test('takes a JWK as it is published', () => {
    const key = verificationKeyFrom(published);
    expect(key).toMatchObject({ kid: 'a', algorithm: ES256, jwk: published });
    expect(publicKey.equals(key?.publicKey as KeyObject)).toBe(true);
  });

  test('asks for no more than the key and its name', () => {
    const { alg: _alg, use: _use, ...members } = published;
    expect(verificationKeyFrom(members)?.jwk).toEqual(published);
  });

  test('leaves private and unknown members behind', () => {
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'a', x5c: ['?'] };
    const key = verificationKeyFrom(jwk);
    expect(key?.jwk).toEqual(published);
    expect(key?.publicKey).toMatchObject({ type: 'public' });
  });

  test.each([
    ['a kid of 256 characters', { kid: 'k'.repeat(MAX_KID_LENGTH) }],
    ['key_ops that allow to verify', { key_ops: ['sign', 'verify'] }],
  ])('takes a key with %s', (_, members) => {
    expect(verificationKeyFrom({ ...published, ...members })).toBeDefined();
  });

  test.each([
    ['no kid', { kid: undefined }],
    ['a kid that is a number', { kid: 1 }],
    ['a kid that is a list', { kid: ['a'] }],
    ['an empty kid', { kid: '' }],
    ['a kid of 257 characters', { kid: 'k'.repeat(MAX_KID_LENGTH + 1) }],
    ['another use', { use: 'enc' }],
    ['a use of null', { use: null }],
    ['key_ops without verify', { key_ops: ['sign'] }],
    ['key_ops that are a text', { key_ops: 'verify' }],
    ['key_ops of null', { key_ops: null }],
    ['another algorithm', { alg: 'ES384' }],
    ['an algorithm of null', { alg: null }],
    ['a point that is not on the curve', { x: Buffer.alloc(32, 1).toString('base64url') }],
    ['half a point', { y: undefined }],
    ['another curve', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })],
    ['a secret', { kty: 'oct', k: 'c2VjcmV0' }],
  ])('takes no key with %s', (_, members) => {
    expect(verificationKeyFrom({ ...published, alg: undefined, ...members })).toBeUndefined();
  });

  test.each([[undefined], [null], ['a'], [1], [[]]])('takes %o for no key', (jwk) => {
    expect(verificationKeyFrom(jwk)).toBeUndefined();
  });
});

describe('the keys of a set', () => {
  test('are those that tokens can be verified by', () => {
    const keys = [{ kty: 'oct', k: 'AAAA', kid: 'b' }, null, published];
    expect(keysIn({ keys }).map(({ kid }) => kid)).toEqual(['a']);
  });

  test('are looked for among the first hundred', () => {
    const others = Array.from({ length: 99 }, () => ({ kty: 'RSA' }));
    expect(keysIn({ keys: [...others, published] })).toHaveLength(1);
    expect(keysIn({ keys: [...others, {}, published] })).toEqual([]);
  });

  test.each([
    [undefined],
    [null],
    ['keys'],
    [[published]],
    [{}],
    [{ keys: undefined }],
    [{ keys: 'keys' }],
    [{ keys: { 0: published, length: 1 } }],
  ])('are none in %o', (keySet) => {
    expect(keysIn(keySet)).toEqual([]);
  });
});
