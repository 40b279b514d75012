import { createHmac } from 'node:crypto';
import type { AlgorithmName, KmsJwtService } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { part } from '../support/forge.js';
import { foreignToken, NAMES, ROWS, startService } from './support.js';

/** One algorithm per key type: `Ed25519` also for `EdDSA`, `RS256` for all RSA algorithms. */
const RING: AlgorithmName[] = [
  'ES256',
  'ES384',
  'ES512',
  'ES256K',
  'RS256',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
];
const FOREIGN = ['none', 'None', 'HS256', 'HS384', 'HS512', 'RSA1_5', 'RSA-OAEP', 'Ed448', 'ES256 ', ''];
const keys = new Map(NAMES.map((alg) => [alg, ROWS[alg].newKey()]));
const keyOf = (alg: AlgorithmName) => keys.get(alg) as NonNullable<ReturnType<typeof keys.get>>;

let jwt: KmsJwtService;
let close: () => Promise<void>;

beforeAll(async () => {
  const jwks = { keys: RING.map((alg) => ({ ...keyOf(alg).jwk, alg, kid: alg })) };
  ({ jwt, close } = await startService({ jwks, algorithm: RING }));
});
afterAll(() => close());

const isAccepted = async (token: string) =>
  jwt.verify(token).then(
    () => true,
    (error: { code?: string }) => {
      // Hostile input is refused as a bad token, never with another error.
      expect(error.code).toMatch(/^token_/);
      return false;
    },
  );

describe.each(RING)('a key for %s', (kid) => {
  test('verifies only tokens with its alg and its signature', async () => {
    const accepted: string[] = [];
    for (const alg of [...NAMES, ...FOREIGN]) {
      for (const signedBy of NAMES) {
        const token = foreignToken(keyOf(signedBy), { alg, typ: 'JWT', kid }, { sub: 'user-42' });
        if (await isAccepted(token)) accepted.push(`${alg} signed by ${signedBy}`);
      }
    }
    expect(accepted).toEqual([`${kid} signed by ${kid}`]);
  });

  test('refuses an HMAC with the public key as the secret', async () => {
    const { jwk } = keyOf(kid);
    const secrets = [JSON.stringify(jwk), String(jwk['x'] ?? jwk['n'] ?? jwk['pub'])];
    for (const alg of ['HS256', kid]) {
      for (const secret of secrets) {
        const input = `${part({ alg, typ: 'JWT', kid })}.${part({ sub: 'user-42' })}`;
        const signature = createHmac('sha256', secret).update(input).digest('base64url');
        expect(await isAccepted(`${input}.${signature}`)).toBe(false);
      }
    }
  });

  test.each([0, 1, 32, 63, 64, 65, 96, 132, 255, 256, 257, 2420, 3309, 4627, 8000])(
    'refuses a signature of %i zero bytes',
    async (length) => {
      const input = `${part({ alg: kid, typ: 'JWT', kid })}.${part({ sub: 'user-42' })}`;
      expect(await isAccepted(`${input}.${Buffer.alloc(length).toString('base64url')}`)).toBe(false);
    },
  );
});

describe('an RSA key', () => {
  const names: AlgorithmName[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];

  test.each(names)('for %s verifies no token with another RSA algorithm', async (bound) => {
    const key = ROWS[bound].newKey();
    const one = await startService({ jwks: { keys: [{ ...key.jwk, kid: 'a' }] }, algorithm: bound });
    for (const alg of names) {
      const token = foreignToken(key, { alg, typ: 'JWT', kid: 'a' }, {});
      const verdict = one.jwt.verify(token);
      if (alg === bound) await expect(verdict).resolves.toEqual({});
      else await expect(verdict).rejects.toMatchObject({ code: 'token_signature_invalid' });
    }
    await one.close();
  });
});
