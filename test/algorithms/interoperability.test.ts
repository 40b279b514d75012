import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { partsOf } from '../service/kms-jwt.service.support.js';
import { foreignToken, NAMES, ROWS, startService } from './support.js';

/** `npm run test:algorithms` sets a higher number. */
const TOKENS = Number(process.env['ALGORITHM_TOKENS'] ?? 5);
const LIMIT_MS = 20_000 + TOKENS * 300;
const PUBLIC_MEMBERS = new Set(['kty', 'crv', 'x', 'y', 'n', 'e', 'pub', 'kid', 'alg', 'use']);

/** Claims of various lengths, with multi-byte characters. */
const claimsOf = (index: number) => ({ sub: `user-${index}`, name: 'Zoë ✓'.repeat(index % 40) });

describe.each(NAMES)('%s', (alg) => {
  const { keySpec, newKey, verifierOf } = ROWS[alg];

  test(
    `${TOKENS} tokens signed by KMS verify with node:crypto or noble, by the published key`,
    async () => {
      const localKms = new LocalKms({ keys: [{ alias: 'auth', keySpec }] });
      const client = localKms.client({ maxAttempts: 1 });
      const { jwt, close } = await startService({ keyId: 'alias/auth', algorithm: alg, client });
      const [jwk] = (await jwt.jwks()).keys;
      expect(jwk).toMatchObject({ kid: localKms.keys[0]?.keyId, alg, use: 'sig' });
      expect(Object.keys(jwk ?? {}).filter((member) => !PUBLIC_MEMBERS.has(member))).toEqual([]);
      const verify = verifierOf(jwk as never);
      for (let index = 0; index < TOKENS; index += 1) {
        const token = await jwt.sign(claimsOf(index));
        const [header, payload, signature] = partsOf(token);
        expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
          alg,
          typ: 'JWT',
          kid: jwk?.kid,
        });
        expect(verify(Buffer.from(`${header}.${payload}`), Buffer.from(signature, 'base64url'))).toBe(true);
        expect(await jwt.verify(token)).toMatchObject(claimsOf(index));
      }
      await close();
    },
    LIMIT_MS,
  );

  test(
    `${TOKENS} tokens signed with node:crypto or noble verify`,
    async () => {
      const key = newKey();
      const jwks = { keys: [{ ...key.jwk, kid: 'foreign' }] };
      const { jwt, close } = await startService({ jwks, algorithm: alg });
      for (let index = 0; index < TOKENS; index += 1) {
        const token = foreignToken(key, { alg, typ: 'JWT', kid: 'foreign' }, claimsOf(index));
        expect(await jwt.verify(token)).toEqual(claimsOf(index));
      }
      await close();
    },
    LIMIT_MS,
  );
});
