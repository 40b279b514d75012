import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { keysIn, MAX_KID_LENGTH, thumbprint, verificationKeyFrom } from '../../src/jwt/jwk.js';
import { newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';

const { publicKey, privateKey } = newKeyPair();
const published = verificationKey('a', publicKey).jwk;

test('a public key becomes a JWK with kid, alg and use, and without private members', () => {
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

test('the thumbprint is that of RFC 7638, as jose computes it', async () => {
  expect(thumbprint(published)).toBe(await calculateJwkThumbprint(published));
});

describe('verificationKeyFrom', () => {
  test('accepts a published JWK', () => {
    const key = verificationKeyFrom(published);
    expect(key).toMatchObject({ kid: 'a', algorithm: ES256, jwk: published });
    expect(publicKey.equals(key?.publicKey as KeyObject)).toBe(true);
  });

  test('accepts a JWK without alg and use', () => {
    const { alg: _alg, use: _use, ...members } = published;
    expect(verificationKeyFrom(members)?.jwk).toEqual(published);
  });

  test('drops private and unknown members', () => {
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'a', x5c: ['?'] };
    const key = verificationKeyFrom(jwk);
    expect(key?.jwk).toEqual(published);
    expect(key?.publicKey).toMatchObject({ type: 'public' });
  });

  test.each([
    ['a kid of 256 characters', { kid: 'k'.repeat(MAX_KID_LENGTH) }],
    ['key_ops with verify', { key_ops: ['sign', 'verify'] }],
  ])('accepts a key with %s', (_, members) => {
    expect(verificationKeyFrom({ ...published, ...members })).toBeDefined();
  });

  test.each([
    ['no kid', { kid: undefined }],
    ['a kid that is a number', { kid: 1 }],
    ['a kid that is an array', { kid: ['a'] }],
    ['an empty kid', { kid: '' }],
    ['a kid of 257 characters', { kid: 'k'.repeat(MAX_KID_LENGTH + 1) }],
    ['another use', { use: 'enc' }],
    ['a use of null', { use: null }],
    ['key_ops without verify', { key_ops: ['sign'] }],
    ['key_ops that are a string', { key_ops: 'verify' }],
    ['key_ops of null', { key_ops: null }],
    ['another algorithm', { alg: 'ES384' }],
    ['an algorithm of null', { alg: null }],
    ['a point that is not on the curve', { x: Buffer.alloc(32, 1).toString('base64url') }],
    ['half a point', { y: undefined }],
    ['another curve', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }],
  ])('refuses a key with %s', (_, members) => {
    expect(verificationKeyFrom({ ...published, alg: undefined, ...members })).toBeUndefined();
  });

  test.each([[undefined], [null], ['a'], [1], [[]]])('refuses %o', (jwk) => {
    expect(verificationKeyFrom(jwk)).toBeUndefined();
  });
});

describe('keysIn', () => {
  test('returns the keys that can verify tokens', () => {
    const keys = [{ kty: 'oct', k: 'AAAA', kid: 'b' }, null, published];
    expect(keysIn({ keys }).map(({ kid }) => kid)).toEqual(['a']);
  });

  test('reads the first hundred keys', () => {
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
  ])('finds none in %o', (keySet) => {
    expect(keysIn(keySet)).toEqual([]);
  });
});
