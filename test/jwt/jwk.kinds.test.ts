import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS, algorithmNamed, type AlgorithmName, ES256 } from '../../src/jwt/algorithms.js';
import { isSamePublicKey, publicKeyFromSpki, verificationKeyFrom } from '../../src/jwt/jwk.js';
import { SMALL_ORDER_POINTS } from '../support/small-order-points.js';
import { verificationKey } from '../support/verification-key.js';

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
/** Any number works as the modulus, because nothing is signed; generating a pair takes long. */
const rsa = {
  kty: 'RSA',
  n: Buffer.alloc(256, 0xff).toString('base64url'),
  e: 'AQAB',
  d: 'AQ',
};
const okp = generateKeyPairSync('ed25519').privateKey;
const membersOf = (key: KeyObject) => key.export({ format: 'jwk' }) as Record<string, unknown>;
const akp = (alg: string, { publicKey, secretKey }: ReturnType<typeof ml_dsa44.keygen>) => ({
  kty: 'AKP',
  alg,
  pub: base64url(publicKey),
  priv: base64url(secretKey),
});
const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');

/** Private JWKs of each kind, and the members that identify the public key. */
const KINDS: [AlgorithmName, Record<string, unknown>, string[]][] = [
  ['ES384', membersOf(ec('P-384')), ['kty', 'crv', 'x', 'y']],
  ['ES512', membersOf(ec('P-521')), ['kty', 'crv', 'x', 'y']],
  ['ES256K', membersOf(ec('secp256k1')), ['kty', 'crv', 'x', 'y']],
  ['RS256', rsa, ['kty', 'n', 'e']],
  ['PS512', rsa, ['kty', 'n', 'e']],
  ['Ed25519', membersOf(okp), ['kty', 'crv', 'x']],
  ['EdDSA', membersOf(okp), ['kty', 'crv', 'x']],
  ['ML-DSA-44', akp('ML-DSA-44', ml_dsa44.keygen()), ['kty', 'alg', 'pub']],
  ['ML-DSA-65', akp('ML-DSA-65', ml_dsa65.keygen()), ['kty', 'alg', 'pub']],
  ['ML-DSA-87', akp('ML-DSA-87', ml_dsa87.keygen()), ['kty', 'alg', 'pub']],
];
const LENGTHS: Partial<Record<AlgorithmName, number>> = {
  ES384: 96,
  ES512: 132,
  ES256K: 64,
  RS256: 256,
  PS512: 256,
  Ed25519: 64,
  EdDSA: 64,
  'ML-DSA-44': 2420,
  'ML-DSA-65': 3309,
  'ML-DSA-87': 4627,
};

const okpOf = (bytes: Uint8Array) => ({ kty: 'OKP', crv: 'Ed25519', x: base64url(bytes) });

const read = (jwk: object, ...names: string[]) =>
  verificationKeyFrom(
    { kid: 'a', ...jwk },
    names.map((name) => algorithmNamed(name) ?? ES256),
  );

describe.each(KINDS)('a key for %s', (alg, jwk, members) => {
  const published = {
    ...Object.fromEntries(members.map((member) => [member, jwk[member]])),
    alg,
    use: 'sig',
    kid: 'a',
  };

  test('is read from a JWK, without private members', () => {
    expect(read(jwk, alg)).toMatchObject({ kid: 'a', algorithm: { alg }, signatureLength: LENGTHS[alg] });
    expect(read(jwk, alg)?.jwk).toEqual(published);
  });

  test('has the thumbprint that jose computes', async () => {
    expect(read(jwk, alg)?.thumbprint).toBe(await calculateJwkThumbprint(published as never));
  });

  test('is not a key for ES256, nor with another alg', () => {
    expect(read(jwk, 'ES256')).toBeUndefined();
    expect(read({ ...jwk, alg: 'ES256' }, 'ES256', alg)).toBeUndefined();
    expect(read({ ...jwk, alg: alg.toLowerCase() }, alg)).toBeUndefined();
  });

  test.each(members.filter((member) => member !== 'alg'))('is invalid without %s', (member) => {
    expect(read({ ...jwk, [member]: undefined }, alg)).toBeUndefined();
    expect(read({ ...jwk, [member]: null }, alg)).toBeUndefined();
    expect(read({ ...jwk, [member]: 1 }, alg)).toBeUndefined();
  });

  test.each(['none', 'HS256', 'RSA1_5', 'RSA-OAEP', 'ECDH-ES', 'Ed25519ph'])(
    'is not a key with the alg %s',
    (other) => {
      const algorithms = ALGORITHMS.filter((each) => each.fits(read(jwk, alg)?.publicKey as KeyObject));
      expect(verificationKeyFrom({ ...jwk, kid: 'a', alg: other }, algorithms)).toBeUndefined();
    },
  );
});

describe('an ML-DSA key', () => {
  const jwk = akp('ML-DSA-65', ml_dsa65.keygen());

  test.each([
    ['without alg', { alg: undefined }],
    ['of another parameter set', { alg: 'ML-DSA-44' }],
    ['of an unknown parameter set', { alg: 'ML-DSA-66' }],
    ['with the name of a prototype member as alg', { alg: 'constructor' }],
    ['with one byte less', { pub: base64url(Buffer.alloc(1951)) }],
    ['with one byte more', { pub: base64url(Buffer.alloc(1953)) }],
    ['without bytes', { pub: '' }],
    ['with its bytes in an array', { pub: [...Buffer.alloc(1952)] }],
    ['of another kty', { kty: 'OKP' }],
  ])('%s is invalid', (_, members) => {
    expect(read({ ...jwk, ...members }, 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87')).toBeUndefined();
  });
});

describe('an RSA key', () => {
  const jwk: Record<string, unknown> = rsa;
  const modulus = Buffer.from(jwk['n'] as string, 'base64url');

  test('may have a leading zero byte in its modulus, and is published without it', () => {
    const n = base64url(Buffer.concat([Buffer.alloc(1), modulus]));
    expect(read({ ...jwk, n }, 'RS256')).toMatchObject({ signatureLength: 256, jwk: { n: jwk['n'] } });
  });

  test.each([3, 17, 65_537, 2 ** 33 - 1])('may have the exponent %i', (e) => {
    expect(read({ ...jwk, e: exponent(e) }, 'RS256')).toBeDefined();
  });

  test.each([
    ['a modulus of 2,047 bits', { n: base64url(modulus.map((byte, at) => (at === 0 ? byte & 0x7f : byte))) }],
    ['a modulus of 16,385 bits', { n: base64url(Buffer.concat([Buffer.from([1]), Buffer.alloc(2048, 1)])) }],
    ['an exponent of 0', { e: exponent(0) }],
    ['an exponent of 1', { e: exponent(1) }],
    ['an exponent of 2', { e: exponent(2) }],
    ['an even exponent', { e: exponent(65_536) }],
    ['an exponent of 2^33 + 1', { e: exponent(2 ** 33 + 1) }],
  ])('with %s is invalid', (_, members) => {
    expect(read({ ...jwk, ...members }, 'RS256')).toBeUndefined();
  });

  test('may have a modulus of 16,384 bits', () => {
    expect(read({ ...jwk, n: base64url(Buffer.alloc(2048, 0xff)) }, 'RS256')).toMatchObject({
      signatureLength: 2048,
    });
  });

  test('of 2,049 bits has signatures of 257 bytes', () => {
    const n = base64url(Buffer.concat([Buffer.from([1]), modulus]));
    expect(read({ ...jwk, n }, 'RS256')?.signatureLength).toBe(257);
  });
});

describe('an Ed25519 key', () => {
  test.each(SMALL_ORDER_POINTS)('is invalid if it is %s, a point of small order', (encoded) => {
    expect(read(okpOf(Buffer.from(encoded, 'hex')), 'Ed25519')).toBeUndefined();
    expect(read(okpOf(Buffer.from(encoded, 'hex')), 'EdDSA')).toBeUndefined();
  });

  // zip215 verifies as OpenSSL does before 3.5.
  test('of small order would verify signatures that anybody can make', () => {
    const key = Buffer.from([1, ...Buffer.alloc(31)]);
    const signature = Buffer.concat([ed25519.Point.BASE.toBytes(), Buffer.from([1, ...Buffer.alloc(31)])]);
    expect(ed25519.verify(signature, Buffer.from('any'), key, { zip215: true })).toBe(true);
  });

  test('may differ from a point of small order in one bit', () => {
    const bytes = Buffer.from(SMALL_ORDER_POINTS[4], 'hex');
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    expect(read(okpOf(bytes), 'Ed25519')).toBeDefined();
  });
});

function exponent(value: number): string {
  return Buffer.from(value.toString(16).padStart(10, '0'), 'hex').toString('base64url');
}

describe('two keys', () => {
  const key = verificationKeyFrom({ kid: 'a', ...rsa }, [algorithmNamed('RS256') ?? ES256]);
  const again = verificationKeyFrom({ kid: 'b', ...rsa }, [algorithmNamed('RS256') ?? ES256]);
  const otherAlgorithm = verificationKeyFrom({ kid: 'a', ...rsa }, [algorithmNamed('PS256') ?? ES256]);

  test('are equal if only their kids differ', () => {
    expect(key && again && isSamePublicKey(key, again)).toBe(true);
  });

  test('are different if their algorithms or their values differ', () => {
    expect(key && otherAlgorithm && isSamePublicKey(key, otherAlgorithm)).toBe(false);
    expect(isSamePublicKey(verificationKey('a'), verificationKey('a'))).toBe(false);
  });
});

describe('a SubjectPublicKeyInfo', () => {
  test.each([
    ['P-384', membersOf(ec('P-384'))],
    ['RSA', rsa],
    ['Ed25519', membersOf(okp)],
  ])('of %s is read', (_, key) => {
    const publicKey = read(key, 'ES384', 'RS256', 'Ed25519')?.publicKey as KeyObject;
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    expect(publicKey.equals(publicKeyFromSpki(new Uint8Array(spki)) as KeyObject)).toBe(true);
  });

  test.each([
    ['nothing', new Uint8Array()],
    ['zeros', new Uint8Array(100)],
    ['a private key', Uint8Array.from(okp.export({ format: 'der', type: 'pkcs8' }))],
    ['PEM', Buffer.from('-----BEGIN PUBLIC KEY-----')],
  ])('cannot be %s', (_, spki) => {
    expect(publicKeyFromSpki(spki)).toBeUndefined();
  });
});
