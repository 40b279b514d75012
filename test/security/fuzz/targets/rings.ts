import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { KmsJwtError, type StoredRing } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { jwksOf, newKeys } from '../../support.js';
import { anything, disturbed, json } from '../arbitraries.js';
import { identityOf, verdictOnJwk } from '../key-verdict.js';
import { startService } from '../service.js';
import { must, outcomeOf, type Target } from '../target.js';

const DAY = 86_400_000;

/** With any content of a ring store, the service starts, trusts only its valid keys that are not distrusted, and signs with its own. */
export async function rings(): Promise<Target> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client({ maxAttempts: 1 });
  const own = await startService({ keyId: 'alias/auth', client });
  const [ownKey] = (await own.jwt.jwks()).keys;
  await own.close();

  return {
    inputs: storedRings(localKms.keys[0]?.arn ?? '', ownKey),
    async judge(stored) {
      const store = { load: async () => stored as StoredRing, save: async () => undefined };
      const {
        verdict,
        value: service,
        error,
      } = await outcomeOf(KmsJwtError, () =>
        startService({ keyId: 'alias/auth', client, rotation: { store } }),
      );
      if (error) return verdict;
      try {
        const kept = jwksIn(stored);
        const distrusted = distrustedIn(stored);
        for (const key of (await service.jwt.jwks()).keys) {
          const isKept = kept.some(
            (jwk) =>
              jwk['kid'] === key.kid && identityOf(jwk) === identityOf(key) && verdictOnJwk(jwk) !== 'refuse',
          );
          must(isDeepStrictEqual(key, ownKey) || isKept, `It trusts ${key.kid}, which is not kept`);
          must(!distrusted.includes(key.kid), `It trusts ${key.kid}, which is distrusted`);
        }
        const signed = await outcomeOf(KmsJwtError, () => service.jwt.sign({ sub: 'user-42' }));
        if (signed.error) return signed.verdict;
        must((await service.jwt.verify(signed.value)).sub === 'user-42', 'It changed the claims');
        return verdict;
      } finally {
        await service.close();
      }
    },
    close: async () => client.destroy(),
  };
}

function storedRings(keyArn: string, active: unknown): fc.Arbitrary<unknown> {
  const [next, retired, distrusted, published] = Array.from({ length: 4 }, newKeys).map((keys, index) => ({
    ...jwksOf(keys).keys[0],
    kid: `kept-${index}`,
  }));
  const now = Date.now();
  const good = {
    instance: 'default',
    source: 'alias/auth',
    lookedUpAt: now,
    longestLifetime: 900,
    active: { keyArn, jwk: active },
    next: { keyArn, jwk: next, seenAt: now, activatesAt: now + DAY },
    retired: [
      { keyArn, jwk: retired, leftAt: now - 60_000 },
      { keyArn, jwk: distrusted, leftAt: now },
    ],
    published: [{ jwk: published, publishedAt: now - DAY }],
    distrusted: ['kept-2'],
  };
  return fc.oneof(
    { weight: 8, arbitrary: disturbed(good, fc.oneof(json, time)) },
    { weight: 2, arbitrary: disturbed(good, anything) },
    { weight: 1, arbitrary: disturbed({ ...good, instance: 'other' }, time) },
    { weight: 1, arbitrary: disturbed({ ...good, source: 'alias/other' }, time) },
    { weight: 1, arbitrary: anything },
  );
}

const time = fc.constantFrom(0, -1, Date.now(), 8.64e15, 2 ** 53, 1e308, 0.5);

function jwksIn(stored: unknown): Record<string, unknown>[] {
  const { active, next, retired } = (stored ?? {}) as Partial<StoredRing>;
  const entries = [active, next, ...(Array.isArray(retired) ? retired : [])];
  return entries.flatMap((entry) => (entry?.jwk ? [entry.jwk as object as Record<string, unknown>] : []));
}

function distrustedIn(stored: unknown): unknown[] {
  const { distrusted } = (stored ?? {}) as Partial<StoredRing>;
  return Array.isArray(distrusted) ? distrusted : [];
}
