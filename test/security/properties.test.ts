import * as fc from 'fast-check';
import { KmsJwtOptionsError, TokenError } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { json, text } from './fuzz/arbitraries.js';
import { run } from './fuzz/run.js';
import { type Service, startService } from './fuzz/service.js';
import { areSameJson } from './fuzz/target.js';
import { TARGETS } from './fuzz/targets/index.js';

let service: Service;
let token: string;

beforeAll(async () => {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  service = await startService({
    keyId: 'alias/auth',
    client: localKms.client(),
    limits: { maxTokenLength: 1e6 },
  });
  token = await service.jwt.sign({ sub: 'user-42', roles: ['admin'], name: 'Žofie' }, { expiresIn: '1h' });
});
afterAll(() => service.close());

// The valid token is in the cache, so that a changed one could be mistaken for it.
beforeEach(() => service.jwt.verify(token));

const refusal = (changed: string) =>
  service.jwt.verify(changed).then(
    () => 'accepted',
    (error: unknown) => error,
  );

describe('a token with one change', () => {
  test('in any bit of any character is refused', async () => {
    for (let at = 0; at < token.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const other = String.fromCharCode(token.charCodeAt(at) ^ (1 << bit));
        const changed = token.slice(0, at) + other + token.slice(at + 1);
        expect(await refusal(changed), changed).toBeInstanceOf(TokenError);
      }
    }
  });

  test('of any character that is replaced, inserted or removed is refused', async () => {
    const change = fc.record({ at: fc.nat(token.length), removed: fc.nat(2), inserted: text });
    const property = fc.asyncProperty(change, async ({ at, removed, inserted }) => {
      const changed = token.slice(0, at) + inserted + token.slice(at + removed);
      fc.pre(changed !== token);
      expect(await refusal(changed)).toBeInstanceOf(TokenError);
    });
    await fc.assert(property, { numRuns: 1000 });
  });
});

test('any JSON claims are verified as they were signed', async () => {
  const payload = fc.dictionary(text, json, { noNullPrototype: true });
  const property = fc.asyncProperty(payload, async (claims) => {
    const signed = await service.jwt.sign(claims, { noTimestamp: true }).catch((error: unknown) => {
      // A registered claim of the wrong type, or __proto__.
      expect(error).toBeInstanceOf(KmsJwtOptionsError);
    });
    fc.pre(signed !== undefined);
    for (let time = 0; time < 2; time += 1) {
      expect(areSameJson(await service.jwt.verify(signed), claims)).toBe(true);
    }
  });
  await fc.assert(property, { numRuns: 500 });
});

describe('a short run of `npm run fuzz`:', () => {
  test.each(Object.entries(TARGETS))('%s', { timeout: 60_000 }, async (_, open) => {
    const target = await open();
    try {
      const { details } = await run(target, { numRuns: 100 });
      expect(details.failed, fc.defaultReportMessage(details)).toBe(false);
    } finally {
      await target.close();
    }
  });
});
